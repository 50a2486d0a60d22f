"""One action, asked of the data: effect, goal, checks, and what could be seen by when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svclib.evaluate.checks import (
    Check,
    check_before_later,
    check_common_trend,
    check_concurrent,
    check_definition,
    check_donut,
    check_leave_one_peer_out,
    check_mix,
    check_placebo_in_peers,
    check_placebo_in_time,
    check_pre_trend,
    check_second_method,
    check_trigger,
    is_step,
    not_possible,
)
from svclib.evaluate.effect import Effect, Panel, estimate_effect, fit_series
from svclib.evaluate.goal import Direction, Goal, good_side, judge_goal, level_after, target_level
from svclib.evaluate.power import FEWEST_AFTER, FEWEST_BEFORE, PowerPlan, plan_power
from svclib.evaluate.second_method import structural_step, synthetic_control
from svclib.evaluate.verdict import Verdict, adjusted_p, improvement, judge
from svclib.evaluate.window import Window
from svclib.measure.autoregression import Ar1Fit, NotEstimable

FloatArray = NDArray[np.float64]
_OF_A_STEP = ("donut", "placebo_in_time", "placebo_in_peers", "pre_trend", "leave_one_peer_out", "mix")


@dataclass(frozen=True)
class Question:
    """What an action promised and what happened around it.

    Attributes
    ----------
    target_kind, target_value
        ``"level"``, ``"change"`` or ``"relative"``; None without a target.
    baseline
        (periods,) mask of the declared baseline; None: all periods before.
    due_passed
        Whether the due date lies behind the cut-off.
    actions, events, later_events, common_events, changes
        Other actions on the KPI; this department's events around the start and later on; everybody's events; changes
        of definition in the window.
    since_later
        (periods,) mask of those at or after the first later event; None without one.
    standardised
        Gives dimension to the treated values at the case mix of the time before; asked only where there is a step.
    """

    direction: Direction
    target_kind: str = "level"
    target_value: float | None = None
    baseline: NDArray[np.bool_] | None = None
    due_passed: bool = True
    actions: Sequence[tuple[str, dt.date]] = ()
    events: Sequence[tuple[str, dt.date]] = ()
    later_events: Sequence[tuple[str, dt.date]] = ()
    common_events: Sequence[str] = ()
    changes: Sequence[tuple[str, dt.date]] = ()
    standardised: Callable[[], Mapping[str, FloatArray]] | None = None
    since_later: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Assessment:
    """What the data say of one action.

    Attributes
    ----------
    effect
        None where there are too few periods on either side.
    before_after
        Mean after minus mean before, the figure that trackers show; None where either is missing.
    power
        Detectable effects by periods after; None without a past.
    needed
        Effect that the target asks for, in the KPI's units; None without a target.
    better
        The good side, for a band seen from the baseline; neutral where there is none.
    """

    goal: Goal
    effect: Effect | None
    checks: tuple[Check, ...]
    power: PowerPlan | None
    needed: float | None
    before_after: float | None
    n_before: int
    n_after: int
    better: Direction


def assess(panel: Panel, window: Window, question: Question) -> Assessment:
    """Estimate the effect, judge the goal and try the rival explanations."""
    values = panel.treated.value
    known = window.without(np.isnan(values))
    baseline = _mean(values, question.baseline if question.baseline is not None else known.before)
    target = needed = None
    if question.target_value is not None and baseline is not None:
        target = target_level(question.target_kind, question.target_value, baseline, question.direction)
        side = good_side(question.direction, baseline, target)
        needed = _needed(target, _mean(values, known.before), side)
    elif question.target_value is not None and question.target_kind == "level":
        target = question.target_value
    try:
        level = level_after(panel, window)
    except NotEstimable:
        level = None
    better = good_side(question.direction, baseline, target)
    wanted = question.direction if isinstance(question.direction, tuple) else better
    goal = judge_goal(level, target=target, baseline=baseline, direction=wanted, due_passed=question.due_passed)
    try:
        effect = estimate_effect(panel, window, slope=True)
    except NotEstimable:
        effect = None
    checks = _checks(panel, known, effect, question, better) if effect else _checks_before(values, known, better)
    means = _mean(values, known.before), _mean(values, known.after)
    before_after = None if None in means else means[1] - means[0]  # type: ignore[operator]
    power = _power(panel, known, effect, needed)
    return Assessment(goal, effect, tuple(checks), power, needed, before_after, known.n_before, known.n_after, better)


def _mean(values: FloatArray, mask: NDArray[np.bool_]) -> float | None:
    chosen = values[mask & ~np.isnan(values)]
    return float(chosen.mean()) if len(chosen) else None


def _needed(target: float, before: float | None, direction: Direction) -> float | None:
    """Distance to the target on the good side; None where the process is already beyond it."""
    if before is None:
        return None
    distance = target - before
    return distance if improvement(distance, direction) > 0 else None


def _checks(panel: Panel, window: Window, effect: Effect, question: Question, better: Direction) -> list[Check]:
    checks = [
        *_checks_of_a_step(panel, window, effect, question),
        *check_concurrent(
            question.actions, question.events, later=question.later_events, common=question.common_events
        ),
        check_definition(question.changes),
        check_trigger(panel.treated.value, window, improvement(1.0, better)),
        check_common_trend(effect, window),
    ]
    if question.since_later is not None and is_step(effect):
        checks.append(check_before_later(panel, window, effect, question.since_later))
    return checks + (_second_methods(panel, window, effect) if is_step(effect) else [])


def _checks_before(values: FloatArray, window: Window, better: Direction) -> list[Check]:
    """What can be said before there is an effect to judge: whether the plan answers a bad spell."""
    trigger = check_trigger(values, window, improvement(1.0, better))
    return [trigger] if trigger.passed is False else []


def _checks_of_a_step(panel: Panel, window: Window, effect: Effect, question: Question) -> list[Check]:
    """The checks that ask whether a step stays; without a step there is nothing that could.

    That there is none can only be said where there are periods enough to see one.
    """
    if not is_step(effect):
        reason = "few_after" if window.n_after < FEWEST_AFTER else "no_step"
        if window.n_before < FEWEST_BEFORE:
            reason = "few_before"
        return [not_possible(name, reason, critical=True) for name in _OF_A_STEP]
    return [
        check_donut(panel, window, effect),
        check_placebo_in_time(panel, window, effect),
        check_placebo_in_peers(effect),
        check_pre_trend(panel, window, effect),
        check_leave_one_peer_out(panel, window, effect),
        check_mix(panel, window, effect, question.standardised() if question.standardised else {}),
    ]


def _second_methods(panel: Panel, window: Window, effect: Effect) -> list[Check]:
    values = panel.treated.value
    checks = []
    common = effect.comparison.common if effect.comparison else None
    other = structural_step(values, common, window) if window.n_before >= 9 else None
    if other is None:
        checks.append(not_possible("structural_series", "too_few_before", critical=True))
    else:
        checks.append(check_second_method("structural_series", effect, other.estimate, other.sd))
    other = synthetic_control(values, panel.peer_values(), window)
    if other is None:
        checks.append(not_possible("synthetic_control", "too_few_peers", critical=True))
    else:
        p = {"p": other.rank_p, "attainable_p": other.attainable_p}
        checks.append(check_second_method("synthetic_control", effect, other.estimate, None, **p))
    return checks


def _power(panel: Panel, window: Window, effect: Effect | None, needed: float | None) -> PowerPlan | None:
    """Detectable effects, from the effect's own noise or, before there is one, from the past."""
    before = np.flatnonzero(window.before)
    if len(before) < 6:
        return None
    inflation = 1.0
    if effect:
        fit = effect.fit
        inflation = effect.comparison.inflation if effect.comparison else 1.0
    else:
        fit, inflation, _ = noise_of_the_past(panel, window)
    return plan_power(fit, before.tolist(), ramp=int(window.ramp.sum()), needed=needed, inflation=inflation)


def noise_of_the_past(panel: Panel, window: Window) -> tuple[Ar1Fit, float, int]:
    """Pretend that the last third of the past were the time after: its noise is what a later evaluation will meet.

    Returns
    -------
    The fit, the inflation from the peers' scatter, and how many peers carry it.
    """
    before = np.flatnonzero(window.before)
    split = before[len(before) - max(len(before) // 3, 2)]
    position = np.arange(len(window.before))
    pretended = Window(window.before & (position < split), window.ramp & False, window.before & (position >= split))
    try:
        effect = estimate_effect(panel, pretended)
    except NotEstimable:
        return fit_series(panel.treated.value, pretended, panel.per_year), 1.0, 0
    comparison = effect.comparison
    return effect.fit, comparison.inflation if comparison else 1.0, len(comparison.weights) if comparison else 0


def conclude(assessments: Sequence[Assessment]) -> list[tuple[Verdict, float | None]]:
    """Verdicts of a plan's actions and the p of each effect after false-discovery control over the plan."""
    adjusted = adjusted_p([a.effect.p if a.effect else None for a in assessments])
    return [
        (
            judge(a.goal, a.effect, a.checks, direction=a.better, p_adjusted=p, reachable=_reachable(a)),
            p,
        )
        for a, p in zip(assessments, adjusted, strict=True)
    ]


def _reachable(assessment: Assessment) -> bool:
    """Whether waiting helps: it brings periods after, never periods before."""
    return assessment.n_before >= FEWEST_BEFORE
