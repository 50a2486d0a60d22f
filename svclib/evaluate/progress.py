"""How far an action has come: its steps against their dates, the end that its pace foretells, who must hear of it."""

from __future__ import annotations

import datetime as dt
import re
import statistics
from dataclasses import dataclass
from typing import Literal

from svclib.catalogue.models import Action, Step

StepState = Literal["done", "done_late", "late", "blocked", "due", "running", "planned", "undated"]
ProgressCode = Literal["cancelled", "done", "blocked", "late", "not_started", "on_track"]
Escalation = Literal["owner", "responsible", "head"]

# A note that begins with this word says that the step waits for somebody else.
_BLOCKED = re.compile(r"\s*(blocked|on hold|bloccat|sospes)", re.IGNORECASE)
DUE_WITHIN = dt.timedelta(days=31)
# Days of delay from which the responsible person, and from which the department's head, should know.
TELL_RESPONSIBLE, TELL_HEAD = 14, 30


@dataclass(frozen=True)
class StepProgress:
    """One step at the cut-off; `delay` in days: how much later than planned it was or is (0 where it is not)."""

    step: Step
    state: StepState
    delay: int


@dataclass(frozen=True)
class Progress:
    """One action at the cut-off.

    Attributes
    ----------
    done, total
        Steps.
    expected
        Steps that should be done by now.
    forecast_end
        Last end of an open step, later by the delay that the done steps had; None where nothing is open or dated, or
        where every dated open step is overdue: no pace tells when these end.
    escalate
        Who should know of a delay; None where there is none.
    """

    code: ProgressCode
    steps: tuple[StepProgress, ...]
    done: int
    total: int
    expected: int
    forecast_end: dt.date | None
    days_beyond_due: int
    escalate: Escalation | None

    @property
    def due(self) -> tuple[StepProgress, ...]:
        """What owners have to do: late, blocked and due within a month, the longest overdue first."""
        waiting = [s for s in self.steps if s.state in ("late", "blocked", "due")]
        return tuple(sorted(waiting, key=lambda s: (s.step.end or dt.date.max, s.step.title)))


def measure_progress(action: Action, today: dt.date) -> Progress:
    """Judge every step against its dates and foretell the action's end.

    Examples
    --------
    >>> action = Action(id="1", department="D", kpi="k", gap="g", objective="o", start=dt.date(2026, 1, 1),
    ...     due=dt.date(2026, 6, 30), steps=[
    ...         Step(title="a", end=dt.date(2026, 2, 1), done_on=dt.date(2026, 2, 11)),
    ...         Step(title="b", end=dt.date(2026, 6, 25))])
    >>> progress = measure_progress(action, dt.date(2026, 3, 1))
    >>> progress.done, progress.forecast_end, progress.days_beyond_due, progress.escalate
    (1, datetime.date(2026, 7, 5), 5, 'responsible')
    """
    steps = tuple(_step(step, today) for step in action.steps)
    finished = [s for s in steps if s.state in ("done", "done_late")]
    expected = sum(s.step.end is not None and s.step.end <= today for s in steps)
    forecast = None if action.status in ("done", "cancelled") else _forecast(steps, today)
    beyond = max((forecast - action.due).days, 0) if forecast else 0
    if forecast is None and action.status not in ("done", "cancelled") and len(finished) < max(len(steps), 1):
        beyond = max((today - action.due).days, 0)
    code = _code(action, steps, today, beyond)
    return Progress(code, steps, len(finished), len(steps), expected, forecast, beyond, _escalate(code, steps, beyond))


def _step(step: Step, today: dt.date) -> StepProgress:
    # What was done after the cut-off is not known yet.
    done = step.done_on if step.done_on and step.done_on <= today else None
    if done:
        delay = max((done - step.end).days, 0) if step.end else 0
        return StepProgress(step, "done_late" if delay else "done", delay)
    delay = max((today - step.end).days, 0) if step.end else 0
    state: StepState
    if step.note and _BLOCKED.match(step.note):
        state = "blocked"
    elif delay:
        state = "late"
    elif step.end is None:
        state = "undated"
    elif step.end <= today + DUE_WITHIN:
        state = "due"
    else:
        state = "running" if step.start and step.start <= today else "planned"
    return StepProgress(step, state, delay)


def _forecast(steps: tuple[StepProgress, ...], today: dt.date) -> dt.date | None:
    waiting = [s for s in steps if s.state not in ("done", "done_late") and s.step.end]
    if not any(s.step.end >= today for s in waiting if s.step.end):
        return None
    slips = [s.delay for s in steps if s.state in ("done", "done_late") and s.step.end]
    slip = dt.timedelta(days=round(statistics.median(slips)) if slips else 0)
    return max(max(s.step.end, today) for s in waiting if s.step.end) + slip


def _code(action: Action, steps: tuple[StepProgress, ...], today: dt.date, beyond: int) -> ProgressCode:
    if action.status == "cancelled":
        return "cancelled"
    if action.status == "done" or (steps and all(s.state in ("done", "done_late") for s in steps)):
        return "done"
    if action.status == "blocked" or any(s.state == "blocked" for s in steps):
        return "blocked"
    if beyond or any(s.state == "late" for s in steps):
        return "late"
    return "not_started" if today < action.start else "on_track"


def _escalate(code: ProgressCode, steps: tuple[StepProgress, ...], beyond: int) -> Escalation | None:
    if code in ("done", "cancelled"):
        return None
    worst = max((s.delay for s in steps if s.state in ("late", "blocked")), default=0)
    if code == "blocked" or worst >= TELL_HEAD or beyond >= TELL_HEAD:
        return "head"
    if worst >= TELL_RESPONSIBLE or beyond:
        return "responsible"
    return "owner" if worst else None
