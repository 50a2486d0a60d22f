"""What else happened around an action: other actions, events, changes of the KPI - and the window they leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from svclib.catalogue.models import Action, Event, Kpi
from svclib.evaluate.panel import Spine
from svclib.evaluate.window import Window, split_periods

# Two actions on one KPI that begin within this time of each other cannot be told apart.
TOGETHER = dt.timedelta(days=92)
FEWEST_BEFORE = 12

Dated = tuple[str, dt.date]


@dataclass(frozen=True)
class Surroundings:
    """The window of an action and what could stand in for it.

    Attributes
    ----------
    joint
        Ids of actions on the same KPI that cannot be told apart from this one: one joint estimate.
    events, later_events, common_events
        Of this department around the plan's start; of this department later on, too late to make the step; of all
        departments.
    changes
        Of the KPI's definition or data, between the periods compared.
    """

    window: Window
    joint: tuple[Dated, ...]
    events: tuple[Dated, ...]
    later_events: tuple[Dated, ...]
    common_events: tuple[str, ...]
    changes: tuple[Dated, ...]


def survey_surroundings(
    spine: Spine, action: Action, kpi: Kpi, actions: Sequence[Action], events: Sequence[Event]
) -> Surroundings:
    """Cut the window where another action or a change of definition would blur it, and note what cannot be cut.

    An earlier action or change limits the time before, as long as twelve periods remain; a later action ends the time
    after. What lies closer is noted instead.
    """
    first = min(action.announced or action.start, action.start)
    others = [a for a in actions if a.id != action.id and a.department == action.department and a.kpi == action.kpi]
    others = [a for a in others if a.status != "cancelled" and _same_cases(a, action)]
    joint: list[Dated] = []
    breaks: list[tuple[str, dt.date, bool]] = [(c.note, c.date, False) for c in kpi.changes]
    breaks += [(r.reason, r.date, False) for r in kpi.rebase]
    until = None
    for other in others:
        if abs(other.start - action.start) <= TOGETHER:
            joint.append((other.id, other.start))
        elif other.start > action.start:
            begins = min(other.announced or other.start, other.start)
            until = min(until or begins, begins)
        else:
            breaks.append((other.id, max(other.full_effect or other.start, other.start), True))
    not_before, blurred = _limit(spine, breaks, first)
    window = split_periods(
        spine.starts, spine.ends, start=action.start, full_effect=action.full_effect, announced=action.announced,
        not_before=not_before, until=until,
    )  # fmt: skip
    last = max((spine.ends[i] for i in range(len(spine.ends)) if window.after[i]), default=action.start)
    near = [e for e in events if (e.kpis == "all" or kpi.code in e.kpis) and _touches(e, first - TOGETHER, last)]
    own = [(e.title, e.date) for e in near if e.departments != "all" and action.department in e.departments]
    step_over = max(action.full_effect or action.start, action.start) + TOGETHER
    return Surroundings(
        window=window,
        joint=(*joint, *((name, day) for name, day, is_action in blurred if is_action)),
        events=tuple(e for e in own if e[1] <= step_over),
        later_events=tuple(e for e in own if e[1] > step_over),
        common_events=tuple(e.title for e in near if e.departments == "all"),
        changes=tuple((name, day) for name, day, is_action in blurred if not is_action and day < last),
    )


def _same_cases(a: Action, b: Action) -> bool:
    """Actions on different segments of one dimension touch different cases."""
    mine, theirs = a.segment or {}, b.segment or {}
    return all(mine[name] == theirs[name] for name in set(mine) & set(theirs))


def _touches(event: Event, first: dt.date, last: dt.date) -> bool:
    return event.date < last and (event.to or event.date) >= first


def _limit(
    spine: Spine, breaks: Sequence[tuple[str, dt.date, bool]], first: dt.date
) -> tuple[dt.date | None, list[tuple[str, dt.date, bool]]]:
    """Latest break that leaves enough periods before the plan; the breaks that leave too few, or come after it."""
    not_before, blurred = None, []
    for name, day, is_action in sorted(breaks, key=lambda b: b[1]):
        left = sum(start >= day and end <= first for start, end in zip(spine.starts, spine.ends, strict=True))
        if left >= FEWEST_BEFORE:
            not_before = day
        elif day > spine.starts[0] if spine.starts else False:
            blurred.append((name, day, is_action))
    return not_before, blurred
