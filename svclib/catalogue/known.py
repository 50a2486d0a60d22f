"""The action plan as it was known on a day: a period's report made later does not know what came after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from svclib.catalogue.models import Action


def last_day(end: dt.date, as_of: dt.date) -> dt.date:
    """The day for which the report of a period tells the plan: its last one, or the cut-off where that is earlier.

    `end` is the first day after the period.

    >>> last_day(dt.date(2026, 11, 1), dt.date(2026, 11, 5)), last_day(dt.date(2026, 12, 1), dt.date(2026, 11, 5))
    (datetime.date(2026, 10, 31), datetime.date(2026, 11, 5))
    """
    return min(as_of, end - dt.timedelta(days=1))


def known_on(actions: Iterable[Action], day: dt.date) -> list[Action]:
    """The actions that were announced by a day, with the status that their dates allow for it.

    A status has no date of its own. What is done was so from the last day on which a step was done; before its start an
    action was planned. Where no date tells, the plan's word stands.

    Examples
    --------
    >>> from svclib.catalogue.models import Step
    >>> plan = Action(id="A1", department="D01", kpi="k", gap="g", objective="o", status="done", start=dt.date(2026, 2, 1),
    ...     announced=dt.date(2026, 1, 10), due=dt.date(2026, 6, 30), steps=[Step(title="s", done_on=dt.date(2026, 5, 3))])
    >>> months = (dt.date(2025, 12, 31), dt.date(2026, 1, 31), dt.date(2026, 4, 30), dt.date(2026, 5, 31))
    >>> [[action.status for action in known_on([plan], day)] for day in months]
    [[], ['planned'], ['in progress'], ['done']]
    """
    return [
        action.model_copy(update={"status": _status(action, day)})
        for action in actions
        if action.announced is None or action.announced <= day
    ]


def _status(action: Action, day: dt.date) -> str:
    if action.status == "cancelled":
        return action.status
    if action.start > day:
        return "planned"
    last = max((step.done_on for step in action.steps if step.done_on), default=None)
    return "in progress" if action.status == "done" and last is not None and last > day else action.status
