"""Is an objective SMART? Each criterion with its reason, before anybody's time is spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from svclib.evaluate.assess import Assessment
from svclib.evaluate.effect import Panel
from svclib.evaluate.goal import Direction
from svclib.evaluate.power import FEWEST_AFTER, FEWEST_BEFORE
from svclib.evaluate.verdict import improvement
from svclib.evaluate.window import Window

Criterion = Literal["specific", "measurable", "achievable", "relevant", "time_bound"]
FEWEST_BASELINE = 6
# A level counts as reached where it was kept this long.
KEPT = 3

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SmartCheck:
    """One criterion: `passed` is None where it cannot be judged; `reason` is a code, `detail` its numbers."""

    criterion: Criterion
    passed: bool | None
    reason: str
    detail: dict[str, Any] = field(default_factory=dict)


def check_smart(
    panel: Panel,
    window: Window,
    assessment: Assessment,
    *,
    direction: Direction,
    kpi_target: float | None,
    responsible: str | None,
    segment: bool,
    periods_to_judge: int,
    declared: int | None = None,
) -> tuple[SmartCheck, ...]:
    """Check the five criteria.

    Parameters
    ----------
    kpi_target
        The KPI's own target when the action was set up; None without one.
    responsible
        Who answers for the action.
    segment
        Whether the objective speaks of a part of the cases only.
    periods_to_judge
        Whole periods between the full effect and the due date.
    declared
        Periods of the declared baseline; None without one.
    """
    goal = assessment.goal
    return (
        _specific(responsible, segment),
        _measurable(assessment, declared),
        _achievable(panel, window, goal.target, direction),
        _relevant(goal.target, _level_at_start(panel, window, goal.baseline), direction, kpi_target, segment),
        _time_bound(assessment, periods_to_judge),
    )


def _specific(responsible: str | None, segment: bool) -> SmartCheck:
    if not responsible:
        return SmartCheck("specific", False, "nobody_responsible")
    return SmartCheck("specific", True, "named_segment" if segment else "named")


def _measurable(assessment: Assessment, declared: int | None) -> SmartCheck:
    detail = {"periods": assessment.n_before, "needed": FEWEST_BEFORE, "declared": declared}
    if assessment.goal.verdict == "no_target":
        return SmartCheck("measurable", False, "no_target", detail)
    if assessment.n_before < FEWEST_BASELINE:
        return SmartCheck("measurable", False, "no_baseline", detail)
    short = declared is not None and declared < min(FEWEST_BEFORE, assessment.n_before)
    return SmartCheck("measurable", True, "baseline_short" if short else "baseline", detail)


def best_kept(values: FloatArray, direction: Direction) -> float | None:
    """The best mean of three periods in a row; None with fewer.

    >>> round(best_kept(np.array([5.0, 4.0, 3.0, 2.0, 9.0]), "decrease"), 6)
    3.0
    """
    known = values[~np.isnan(values)]
    if len(known) < KEPT:
        return None
    means = np.convolve(known, np.full(KEPT, 1 / KEPT), mode="valid")
    return float(means.min() if direction == "decrease" else means.max())


def _achievable(panel: Panel, window: Window, target: float | None, direction: Direction) -> SmartCheck:
    if target is None or isinstance(direction, tuple) or direction == "neutral":
        return SmartCheck("achievable", None, "no_target")
    before = window.before
    own = best_kept(panel.treated.value[before], direction)
    others = {code: best_kept(series.value[before], direction) for code, series in panel.peers.items()}
    known = {code: value for code, value in others.items() if value is not None}
    best = max(known, key=lambda code: improvement(known[code], direction), default=None)
    detail = {"target": target, "own_best": own, "peer": best, "peer_best": known.get(best or "")}
    if own is not None and improvement(own - target, direction) >= 0:
        return SmartCheck("achievable", True, "reached_before", detail)
    if best is not None and improvement(known[best] - target, direction) >= 0:
        return SmartCheck("achievable", True, "reached_by_peer", detail)
    if own is None:
        return SmartCheck("achievable", None, "no_baseline", detail)
    return SmartCheck("achievable", False, "never_reached", detail)


def _level_at_start(panel: Panel, window: Window, baseline: float | None) -> float | None:
    """Where the KPI stood when the plan began: what is wrong now may have been right in the baseline."""
    values = panel.treated.value[window.before]
    values = values[~np.isnan(values)]
    return float(values[-KEPT:].mean()) if len(values) >= KEPT else baseline


def _relevant(
    target: float | None, baseline: float | None, direction: Direction, kpi_target: float | None, segment: bool
) -> SmartCheck:
    detail = {"baseline": baseline, "target": target, "kpi_target": kpi_target}
    if baseline is None or direction == "neutral" or isinstance(direction, tuple):
        return SmartCheck("relevant", None, "no_baseline", detail)
    if target is not None and improvement(baseline - target, direction) >= 0:
        return SmartCheck("relevant", False, "already_reached", detail)
    if kpi_target is None or segment:
        return SmartCheck("relevant", True, "improves", detail)
    off = improvement(baseline - kpi_target, direction) < 0
    return SmartCheck("relevant", True if off else None, "off_target" if off else "on_target", detail)


def _time_bound(assessment: Assessment, periods_to_judge: int) -> SmartCheck:
    power = assessment.power
    needed_periods = power.enough if power else None
    detail = {"periods": periods_to_judge, "fewest": FEWEST_AFTER, "enough": needed_periods}
    if periods_to_judge < FEWEST_AFTER:
        return SmartCheck("time_bound", False, "too_few_periods", detail)
    if power is None:
        return SmartCheck("time_bound", None, "no_baseline", detail)
    if power.needed is None:
        return SmartCheck("time_bound", True, "in_order", detail)
    if needed_periods is None:
        return SmartCheck("time_bound", False, "cannot_be_seen", detail)
    if needed_periods > periods_to_judge:
        return SmartCheck("time_bound", False, "seen_after_due", detail)
    return SmartCheck("time_bound", True, "in_order", detail)
