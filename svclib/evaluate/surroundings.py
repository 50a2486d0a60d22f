"""What else happened around an action: other actions, events, changes of the KPI - and the window they leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from svclib.catalogue.models import Action, Event, Kpi
from svclib.evaluate.effect import Panel
from svclib.evaluate.panel import Spine
from svclib.evaluate.peers import COMPLETE
from svclib.evaluate.power import FEWEST_BEFORE
from svclib.evaluate.window import Window, split_periods

# Two actions on one KPI that begin within this time of each other cannot be told apart.
TOGETHER = dt.timedelta(days=92)

Dated = tuple[str, dt.date]


@dataclass(frozen=True)
class Surroundings:
    """The window of an action and what could stand in for it.

    Attributes
    ----------
    whole
        Day from which the effect is whole: of the action, or of all that are judged jointly with it.
    joint
        Ids of actions on the same KPI that cannot be told apart from this one: one joint estimate.
    events, later_events, common_events
        Of this department around the plan's start; of this department later on, too late to make the step; of all
        departments.
    changes
        Of the KPI's definition or data, between the periods compared.
    baseline
        (periods,) mask of the declared baseline; None where none is declared, or no period lies in it.
    """

    window: Window
    whole: dt.date
    joint: tuple[Dated, ...]
    events: tuple[Dated, ...]
    later_events: tuple[Dated, ...]
    common_events: tuple[str, ...]
    changes: tuple[Dated, ...]
    baseline: NDArray[np.bool_] | None = None


def survey_surroundings(
    spine: Spine, action: Action, kpi: Kpi, actions: Sequence[Action], events: Sequence[Event]
) -> Surroundings:
    """Cut the window where another action or a change of definition would blur it, and note what cannot be cut.

    An earlier action or change limits the time before, and so does the declared baseline, as long as twelve periods
    remain; a later action ends the time after. What lies closer is noted instead. Actions that begin together share one
    window, from the first announcement to the last full effect, and so one estimate.
    """
    others = [a for a in actions if a.id != action.id and a.department == action.department and a.kpi == action.kpi]
    others = [a for a in others if a.status != "cancelled" and same_cases(a, action)]
    together = [action, *(a for a in others if abs(a.start - action.start) <= TOGETHER)]
    start, first = min(a.start for a in together), min(begins(a) for a in together)
    whole = max(whole_from(a) for a in together)
    joint: list[Dated] = [(a.id, a.start) for a in together[1:]]
    breaks: list[tuple[str, dt.date, bool]] = [(c.note, c.date, False) for c in kpi.changes]
    breaks += [(r.reason, r.date, False) for r in kpi.rebase]
    until = None
    for other in (a for a in others if a not in together):
        if other.start > action.start:
            until = min(until or begins(other), begins(other))
        else:
            breaks.append((other.id, whole_from(other), True))
    not_before, blurred = _limit(spine, breaks, first)
    window = split_periods(
        spine.starts, spine.ends, start=start, full_effect=whole, announced=first, not_before=not_before, until=until,
    )  # fmt: skip
    baseline = _declared_baseline(spine, action)
    if baseline is not None and (window.before & baseline).sum() >= FEWEST_BEFORE:
        window = replace(window, before=window.before & baseline)
    last = max((spine.ends[i] for i in range(len(spine.ends)) if window.after[i]), default=action.start)
    near = [e for e in events if (e.kpis == "all" or kpi.code in e.kpis) and _touches(e, first - TOGETHER, last)]
    own = [(e.title, e.date) for e in near if e.departments != "all" and action.department in e.departments]
    step_over = whole + TOGETHER
    return Surroundings(
        window=window,
        whole=whole,
        joint=(*joint, *((name, day) for name, day, is_action in blurred if is_action)),
        events=tuple(e for e in own if e[1] <= step_over),
        later_events=tuple(e for e in own if e[1] > step_over),
        common_events=tuple(e.title for e in near if e.departments == "all"),
        changes=tuple((name, day) for name, day, is_action in blurred if not is_action and day < last),
        baseline=baseline,
    )


def _declared_baseline(spine: Spine, action: Action) -> NDArray[np.bool_] | None:
    if action.baseline_from is None and action.baseline_to is None:
        return None
    first, last = action.baseline_from or dt.date.min, action.baseline_to or action.start
    pairs = zip(spine.starts, spine.ends, strict=True)
    mask = np.array([start >= first and end - dt.timedelta(days=1) <= last for start, end in pairs], dtype=bool)
    return mask if mask.any() else None


def untreated_peers(
    panel: Panel, spine: Spine, window: Window, action: Action, actions: Sequence[Action]
) -> tuple[Panel, dict[str, str]]:
    """The panel with each peer's periods in which nothing was done to it.

    In a staggered roll-out a department compares as long as its own turn has not come (Callaway & Sant'Anna 2021), and
    one whose action had its full effect before this one began compares from then on.

    Returns
    -------
    The panel of peers that keep enough periods on either side; code to the reason ``"treated"`` of those that do not.
    """
    starts, ends = np.array(spine.starts), np.array(spine.ends)
    untouched: dict[str, NDArray[np.bool_]] = {}
    for other in actions:
        if other.kpi != action.kpi or other.department not in panel.peers or other.status == "cancelled":
            continue
        if same_cases(other, action):
            past = whole_from(other) <= begins(action)
            free = starts >= whole_from(other) if past else ends <= begins(other)
            untouched[other.department] = untouched.get(other.department, np.ones(len(starts), dtype=bool)) & free
    parts = [part for part in (window.before, window.after) if part.any()]
    treated = {code for code, free in untouched.items() if any(free[part].mean() < COMPLETE for part in parts)}
    kept = {
        code: series.only(untouched[code]) if code in untouched else series
        for code, series in panel.peers.items()
        if code not in treated
    }
    return panel.with_peers(kept), dict.fromkeys(sorted(treated), "treated")


def begins(action: Action) -> dt.date:
    """The day from which people may act on it: its announcement, or its start."""
    return min(action.announced or action.start, action.start)


def whole_from(action: Action) -> dt.date:
    """The day from which its effect is whole."""
    return max(action.full_effect or action.start, action.start)


def same_cases(a: Action, b: Action) -> bool:
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
