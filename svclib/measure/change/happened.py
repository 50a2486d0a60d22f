"""What happened around a change: declared events, and the beginnings of the plan's own actions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from svclib.catalogue.models import Action, Event
from svclib.measure.periods import Period

HALF_A_YEAR = dt.timedelta(days=183)


@dataclass(frozen=True)
class Happening:
    """A dated event, and whether it may have to do with a change.

    Attributes
    ----------
    date, to
        First and last day of what may take effect; `to` is None for an event of one day.
    near
        It fell into the interval of the change, give or take a period.
    later
        It came after the interval of the change.
    kind
        ``event`` (declared), or ``action_start``, ``action_full_effect`` of an action of the plan on this KPI.
    id
        Of the action.
    """

    title: str
    date: dt.date
    near: bool = False
    later: bool = False
    kind: Literal["event", "action_start", "action_full_effect"] = "event"
    to: dt.date | None = None
    id: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `kpi_analysis.json` has it."""
        known = {"title": self.title, "date": self.date.isoformat(), "kind": self.kind}
        return known | {"id": self.id} if self.id else known


def plan_events(actions: Sequence[Action]) -> list[Happening]:
    """The starts of actions, each lasting to its full effect, and these days; a cancelled action did not happen.

    Examples
    --------
    >>> action = Action(id="A1", department="D01", kpi="k", gap="Slow", objective="Faster.", start=dt.date(2026, 9, 1),
    ...                 due=dt.date(2027, 1, 1))
    >>> [(e.title, e.kind) for e in plan_events([action])]
    [('A1: Faster', 'action_start')]
    """
    found: list[Happening] = []
    for action in (a for a in actions if a.status != "cancelled"):
        whole, objective = action.full_effect, action.objective.rstrip(". ")  # it stands within sentences
        title = f"{action.id}: {objective}"
        gradual = whole is not None and whole > action.start
        found.append(Happening(title, action.start, kind="action_start", to=whole if gradual else None, id=action.id))
        if whole is not None and gradual:
            found.append(Happening(title, whole, kind="action_full_effect", id=action.id))
    return found


def happenings(events: Sequence[Event], actions: Sequence[Action] = ()) -> tuple[Happening, ...]:
    """Declared events and the plan's own beginnings, oldest first."""
    declared = [Happening(e.title, e.date, to=e.to) for e in events]
    return tuple(sorted([*declared, *plan_events(actions)], key=lambda h: h.date))


def around(found: Sequence[Happening], earliest: str, latest: str, since: str = "") -> tuple[Happening, ...]:
    """The same, marked by where they lie to a change between two periods (labels, inclusive).

    What was under way from one period before the change's interval to its end is near: an event that lasts may take
    effect at any time of it. An action that began after the change's most likely first period (`since`) answers it
    rather than having made it: it came later.

    Examples
    --------
    >>> storms = Happening("Storms", dt.date(2026, 3, 1), to=dt.date(2026, 8, 20))
    >>> move = Happening("Move", dt.date(2026, 10, 5))
    >>> [(h.title, h.near, h.later) for h in around([storms, move], "2026-08", "2026-09")]
    [('Storms', True, False), ('Move', False, True)]
    """
    first, last = Period.parse(earliest).previous().start, Period.parse(latest).end
    begun = Period.parse(since).end if since else last

    def end(h: Happening) -> dt.date:
        return min(last, begun) if h.id else last

    return tuple(replace(h, near=first <= (h.to or h.date) and h.date < end(h), later=h.date >= end(h)) for h in found)


def last_before(found: Sequence[Happening], earliest: str) -> Happening | None:
    """What happened last before a change, in the half year before its interval; None where something is near it.

    A change is dated by its own figures, which may show it late.

    Parameters
    ----------
    found
        As `around` gives them.
    earliest
        First period of the interval (label).

    Examples
    --------
    >>> storms, move = Happening("Storms", dt.date(2026, 1, 9)), Happening("Move", dt.date(2026, 3, 5))
    >>> last_before(around([storms, move], "2026-06", "2026-06"), "2026-06").title
    'Move'
    >>> last_before(around([storms, move], "2026-03", "2026-03"), "2026-03") is None
    True
    """
    since = Period.parse(earliest).start - HALF_A_YEAR
    before = [h for h in found if not (h.near or h.later) and h.date >= since and h.kind != "action_full_effect"]
    return None if any(h.near for h in found) else max(before, key=lambda h: h.date, default=None)
