"""What else could explain the step? Each check passed, failed or not possible, with the p it could attain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svclib.evaluate.effect import Effect, Panel, Series, estimate_effect
from svclib.evaluate.power import FEWEST_AFTER
from svclib.evaluate.window import Window
from svclib.measure.autoregression import NotEstimable, fit_ar1
from svclib.measure.change.onset import find_onset
from svclib.measure.change.step import CLEAR_P, SUSTAINED

# A rival matters where it could be half of the effect.
MATTERS = 0.5
MIX_KEEPS = 0.7
DONUT = 3
FEWEST_TESTED = 9
# The rank among departments tells something only where chance would give the first place to fewer than these.
TELLING = 0.15
_Z95 = 1.96


@dataclass(frozen=True)
class Check:
    """One rival explanation, tried.

    Attributes
    ----------
    passed
        None where it was not possible; `detail["reason"]` says why.
    critical
        Whether a failure forbids laying the effect to the action.
    detail
        Numbers: estimates, p, and the p that could at best be attained.
    """

    name: str
    passed: bool | None
    critical: bool
    detail: dict[str, Any] = field(default_factory=dict)


def not_possible(name: str, reason: str, *, critical: bool = False, **detail: Any) -> Check:
    return Check(name, None, critical, {"reason": reason, **detail})


def is_step(effect: Effect) -> bool:
    """Whether there is a step that a rival could explain: without one, half of nothing proves nothing."""
    return effect.p < 0.05


def _keeps(effect: float, other: float, share: float = MATTERS) -> bool:
    return other * effect > 0 and abs(other) >= share * abs(effect)


def check_donut(panel: Panel, window: Window, effect: Effect) -> Check:
    """Without the three periods before the plan - the bad quarter that may have triggered it - the effect stays.

    Passed where the sign is kept and at least half the size.
    """
    last = np.flatnonzero(window.before)[-DONUT:]
    if window.n_before - DONUT < FEWEST_TESTED:
        return not_possible("donut", "too_few_before", critical=True)
    dropped = np.zeros(len(window.before), dtype=bool)
    dropped[last] = True
    other = estimate_effect(panel, window.without(dropped))
    return Check("donut", _keeps(effect.estimate, other.estimate), True, {"estimate": other.estimate, "p": other.p})


def check_placebo_in_time(panel: Panel, window: Window, effect: Effect) -> Check:
    """A plan pretended in the last third of the past shows nothing.

    Failed where its interval excludes 0 and it is at least half as large as the effect.
    """
    before = np.flatnonzero(window.before)
    if len(before) < 2 * FEWEST_TESTED:
        return not_possible("placebo_in_time", "too_few_before", critical=True)
    split = before[len(before) - len(before) // 3]
    position = np.arange(len(window.before))
    pretended = Window(
        window.before & (position < split), np.zeros_like(window.ramp), window.before & (position >= split)
    )
    try:
        other = estimate_effect(panel, pretended)
    except NotEstimable:
        return not_possible("placebo_in_time", "too_few_before", critical=True)
    failed = other.p < 0.05 and abs(other.estimate) >= MATTERS * abs(effect.estimate)
    return Check("placebo_in_time", not failed, True, {"estimate": other.estimate, "p": other.p})


def check_placebo_in_peers(effect: Effect) -> Check:
    """The treated department's step is the largest of all departments', each measured in its standard errors.

    With J peers the smallest attainable p is 1/(J + 1): it is printed, and with fewer than six the first place tells
    nothing. A department without the plan that took as large a step shows that such steps happen without it: critical.
    """
    comparison = effect.comparison
    if comparison is None or len(comparison.placebo) < 2:
        return not_possible("placebo_in_peers", "no_peers", critical=True)
    own = abs(effect.estimate) / effect.sd
    others = [abs(step.estimate) / step.sd for step in comparison.placebo if step.sd > 0]
    rank = 1 + sum(z >= own for z in others)
    count = len(others) + 1
    detail = {"rank": rank, "of": count, "p": rank / count, "attainable_p": 1 / count}
    if rank == 1 and 1 / count > TELLING:
        return not_possible("placebo_in_peers", "too_few_to_rank", critical=True, **detail)
    return Check("placebo_in_peers", rank == 1, True, detail)


def check_pre_trend(panel: Panel, window: Window, effect: Effect) -> Check:
    """Treated and peers ran in parallel before the plan.

    Failed where the gap's trend differs from 0 (p < .05) and, carried on from the middle of the past to the middle
    of the time after, would be at least half of the effect and in its direction.
    """
    if effect.comparison is None:
        return not_possible("pre_trend", "no_peers", critical=True)
    gap = effect.comparison.gap
    times = np.flatnonzero(window.before & ~np.isnan(gap))
    if len(times) < FEWEST_TESTED:
        return not_possible("pre_trend", "too_few_before", critical=True)
    x = np.column_stack([np.ones(len(times)), times - times.mean()])
    slope = fit_ar1(gap[times], x, times, log_prior=effect.comparison.log_prior).contrast([0, 1])
    carried = slope.mean * (np.flatnonzero(window.after).mean() - times.mean())
    failed = slope.p < 0.05 and _keeps(effect.estimate, carried)
    return Check("pre_trend", not failed, True, {"estimate": slope.mean, "p": slope.p, "carried_on": carried})


def check_leave_one_peer_out(panel: Panel, window: Window, effect: Effect) -> Check:
    """No single peer carries the effect: without any of them its sign stays and at least half its size."""
    names = list(effect.comparison.weights) if effect.comparison else []
    if len(names) < 3:
        return not_possible("leave_one_peer_out", "too_few_peers", critical=True)
    kept = panel.with_peers({name: panel.peers[name] for name in names})
    found = {name: estimate_effect(kept.without_peer(name), window).estimate for name in names}
    weakest = min(found, key=lambda name: found[name] * np.sign(effect.estimate))
    detail = {
        "peer": weakest,
        "estimate": found[weakest],
        "lowest": min(found.values()),
        "highest": max(found.values()),
    }
    return Check("leave_one_peer_out", _keeps(effect.estimate, found[weakest]), True, detail)


def check_mix(panel: Panel, window: Window, effect: Effect, standardised: Mapping[str, NDArray[np.float64]]) -> Check:
    """With the case mix of the time before, at least 70 % of the effect remains.

    Parameters
    ----------
    standardised
        Dimension to the treated department's (periods,) values at the mix of the time before.
    """
    if not standardised:
        return not_possible("mix", "no_dimensions", critical=True)
    found = {}
    for dimension, values in standardised.items():
        series = Series(np.where(np.isnan(panel.treated.value), np.nan, values))
        try:
            found[dimension] = estimate_effect(replace(panel, treated=series), window).estimate
        except NotEstimable:
            continue
    if not found:
        return not_possible("mix", "too_few_cases", critical=True)
    weakest = min(found, key=lambda name: found[name] * np.sign(effect.estimate))
    share = found[weakest] / effect.estimate if effect.estimate else 0.0
    detail = {"dimension": weakest, "estimate": found[weakest], "share": share}
    return Check("mix", share >= MIX_KEEPS, True, detail)


def check_concurrent(
    actions: Sequence[tuple[str, dt.date]],
    events: Sequence[tuple[str, dt.date]],
    *,
    later: Sequence[tuple[str, dt.date]] = (),
    common: Sequence[str] = (),
) -> list[Check]:
    """Nothing else happened to the department at that time.

    Parameters
    ----------
    actions, events
        Other actions on the same KPI, events of this department around the start: title and day.
    later
        Events of this department that came too late to make the step; they are only told.
    common
        Titles of events that hit every department: the peers carry these, they are only told.
    """
    return [
        Check("concurrent_actions", not actions, True, {"actions": [[name, str(day)] for name, day in actions]}),
        Check(
            "concurrent_events",
            not events,
            True,
            {
                "events": [[name, str(day)] for name, day in events],
                "later": [[name, str(day)] for name, day in later],
                "common": list(common),
            },
        ),
    ]


def check_before_later(panel: Panel, window: Window, effect: Effect, since_later: NDArray[np.bool_]) -> Check:
    """The step is there before anything that was declared later: without the periods since, half of it stays.

    Parameters
    ----------
    since_later
        (periods,) which lie at or after the first declared event that came too late to make the step.
    """
    cut = window.without(since_later)
    if cut.n_after < FEWEST_AFTER:
        return not_possible("before_later", "too_few_after", critical=True)
    other = estimate_effect(panel, cut)
    return Check(
        "before_later", _keeps(effect.estimate, other.estimate), True, {"estimate": other.estimate, "p": other.p}
    )


def check_definition(changes: Sequence[tuple[str, dt.date]]) -> Check:
    """Neither the KPI's definition nor its data changed between the periods compared."""
    return Check("definition", not changes, True, {"changes": [[note, str(day)] for note, day in changes]})


def check_trigger(values: NDArray[np.float64], window: Window, better: float) -> Check:
    """The plan was not triggered by a bad spell: the last three periods before are like the others before.

    Failed where they lie more than one standard deviation on the bad side. Never critical: the estimate does not
    start from them, but a comparison by eye would. A level that had changed seven periods before, or earlier, is no
    spell: the periods on it are what the last three are compared with.
    """
    before = np.flatnonzero(window.before & ~np.isnan(values))
    if len(before) < FEWEST_TESTED + DONUT:
        return not_possible("trigger", "too_few_before")
    rest, last = values[before[:-DONUT]], values[before[-DONUT:]]
    sd = float(np.std(rest, ddof=1))
    step = find_onset(values[before])
    if step is not None and step.p < CLEAR_P and len(before) - step.index >= SUSTAINED:
        earlier, rest = rest[: step.index], rest[step.index :]
        scatter = np.concatenate([earlier - earlier.mean(), rest - rest.mean()])
        sd = float(np.sqrt((scatter**2).sum() / (len(scatter) - 2)))
    shift = better * float(last.mean() - rest.mean())
    return Check("trigger", not (sd > 0 and shift < -sd), False, {"shift": better * shift, "sd": sd})


def check_common_trend(effect: Effect, window: Window) -> Check:
    """The peers did not move the same way: half of what the department moved by, or more, is theirs.

    Where it did not move beyond its noise, there is nothing that they could explain.
    """
    if effect.comparison is None:
        return not_possible("common_trend", "no_peers")
    common = effect.comparison.common
    moved = float(np.nanmean(common[window.after]) - np.nanmean(common[window.before]))
    whole = moved + effect.estimate
    same = _keeps(whole, moved) and abs(whole) > _Z95 * effect.sd
    return Check("common_trend", not same, False, {"moved": moved})


def check_second_method(name: str, effect: Effect, estimate: float, sd: float | None, **detail: Any) -> Check:
    """Another method finds the same: the same sign, and at least half the size or within its 95 % interval.

    Critical: a step that only one method sees is the method's. Where that method sees steps as large in most other
    departments (its p by rank), that it agrees tells nothing.
    """
    agrees = _keeps(effect.estimate, estimate)
    if not agrees and sd is not None:
        agrees = abs(estimate - effect.estimate) <= _Z95 * sd and estimate * effect.estimate > 0
    if agrees and detail.get("p", 0.0) > 0.5:
        return not_possible(name, "others_as_large", critical=True, estimate=estimate, sd=sd, **detail)
    return Check(name, agrees, True, {"estimate": estimate, "sd": sd, **detail})
