"""The verdict on an action: goal and effect together, the rival explanation, the grade, the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from svclib.evaluate.checks import Check
from svclib.evaluate.effect import Effect
from svclib.evaluate.goal import Direction, Goal
from svclib.evaluate.power import FEWEST_AFTER, FEWEST_BEFORE

VerdictCode = Literal[
    "met_attributable", "met_not_attributable", "met_despite", "improved_target_missed", "not_met", "worsened",
    "inconclusive", "too_early", "not_evaluable",
]  # fmt: skip
Outlook = Literal["on_track", "off_track"]
EffectState = Literal["attributable", "not_attributable", "contrary"]
Grade = Literal["A", "B", "C", "D"]
NextStep = Literal["sustain", "extend", "adjust", "stop", "wait", "unblock", "sustain_and_compare", "measure_first"]

ALPHA = 0.05
_LOST = 0.05

PEERS_FOR_ATTRIBUTION = 3
_GRADE_A = {"before": 24, "after": 6, "peers": 5}
# Which failed check names the rival first, where several failed.
_ALWAYS_RIVALS = (("definition", "definition_change"), ("concurrent_actions", "other_action"))
_RIVALS = (
    ("concurrent_events", "event"),
    ("before_later", "later_event"),
    ("donut", "regression_to_the_mean"),
    ("pre_trend", "earlier_trend"),
    ("placebo_in_time", "unstable_before"),
    ("leave_one_peer_out", "one_peer"),
    ("mix", "mix"),
    ("placebo_in_peers", "happens_without"),
    ("structural_series", "one_method"),
    ("synthetic_control", "one_method"),
)
_NEXT: dict[str, NextStep] = {
    "met_attributable": "sustain",
    "met_not_attributable": "sustain_and_compare",
    "met_despite": "stop",
    "improved_target_missed": "extend",
    "not_met": "adjust",
    "worsened": "stop",
    "inconclusive": "wait",
    "too_early": "wait",
    "not_evaluable": "measure_first",
}


@dataclass(frozen=True)
class Verdict:
    """What can be said of an action.

    Attributes
    ----------
    code, grade
        The verdict and how firm the evidence is: A best, D before and after only.
    effect_state
        None where no effect could be estimated.
    rival
        The explanation that was not ruled out; None where the effect is attributable.
    next_step
        Proposed from the verdict.
    outlook
        Of an action that is not due yet, where the data already point one way.
    """

    code: VerdictCode
    grade: Grade
    effect_state: EffectState | None
    rival: str | None
    next_step: NextStep
    outlook: Outlook | None = None


def improvement(value: float, direction: Direction) -> float:
    """A change of the KPI with its sign turned so that above 0 is better.

    >>> improvement(-2.0, "decrease")
    2.0
    """
    return -value if direction == "decrease" else value


def effect_state(effect: Effect, checks: Sequence[Check], direction: Direction, p_adjusted: float) -> EffectState:
    """Whether the step may be laid to the action.

    Attributable: the 95 % interval lies on the good side of 0, also after the false-discovery control of the plan,
    at least three peers carry the comparison, and no critical check failed. Contrary: it lies on the bad side.
    """
    if direction == "neutral" or isinstance(direction, tuple):
        return "not_attributable"
    low, high = sorted((improvement(effect.lower, direction), improvement(effect.upper, direction)))
    if high < 0 and p_adjusted <= ALPHA:
        return "contrary"
    peers = len(effect.comparison.weights) if effect.comparison else 0
    sound = peers >= PEERS_FOR_ATTRIBUTION and not any(c.critical and c.passed is False for c in checks)
    return "attributable" if low > 0 and p_adjusted <= ALPHA and sound else "not_attributable"


def judge(
    goal: Goal,
    effect: Effect | None,
    checks: Sequence[Check],
    *,
    direction: Direction,
    p_adjusted: float | None,
    reachable: bool = True,
) -> Verdict:
    """Put goal and effect together (the table of the reference).

    Parameters
    ----------
    effect
        None where the data carry none.
    p_adjusted
        The effect's p after the false-discovery control over the plan.
    reachable
        Whether waiting helps: there are enough periods before.
    """
    before, after = (effect.n_before, effect.n_after) if effect else (0, 0)
    if effect is None or before < FEWEST_BEFORE or after < FEWEST_AFTER:
        code: VerdictCode = "too_early" if reachable and after < FEWEST_AFTER else "not_evaluable"
        return Verdict(code, "D", None, "too_few_periods", _NEXT[code])
    state = effect_state(effect, checks, direction, p_adjusted if p_adjusted is not None else effect.p)
    code = _TABLE[(_row(goal), state)]
    nothing = code == "not_met" and effect.p > ALPHA
    explained = state == "attributable" or nothing or direction == "neutral"
    rival = None if explained else _rival(effect, checks, state)
    outlook = _outlook(effect, goal, direction, state) if code == "too_early" else None
    step: NextStep = "adjust" if outlook == "off_track" else _NEXT[code]
    return Verdict(code, grade(effect, checks), state, rival, step, outlook)


_TABLE: dict[tuple[str, EffectState], VerdictCode] = {
    ("met", "attributable"): "met_attributable",
    ("met", "not_attributable"): "met_not_attributable",
    ("met", "contrary"): "met_despite",
    ("not_met", "attributable"): "improved_target_missed",
    ("not_met", "not_attributable"): "not_met",
    ("not_met", "contrary"): "worsened",
    ("open", "attributable"): "too_early",
    ("open", "not_attributable"): "too_early",
    ("open", "contrary"): "too_early",
    ("inconclusive", "attributable"): "inconclusive",
    ("inconclusive", "not_attributable"): "inconclusive",
    ("inconclusive", "contrary"): "worsened",
}


def _row(goal: Goal) -> str:
    return "inconclusive" if goal.verdict == "no_target" else goal.verdict


def _outlook(effect: Effect, goal: Goal, direction: Direction, state: EffectState) -> Outlook | None:
    """On track with an effect, off track with a contrary one or where the level is hardly going to be beyond."""
    if state == "attributable":
        return "on_track"
    backwards = improvement(effect.estimate, direction) < 0
    lost = goal.probability is not None and goal.probability <= _LOST and backwards
    return "off_track" if state == "contrary" or lost else None


def grade(effect: Effect, checks: Sequence[Check]) -> Grade:
    """How firm the evidence is, whatever it says.

    A: 24 periods before, 6 after, 5 peers, no check failed. B: 12, 3 and 3, no critical check failed.
    C: no peers, or a critical check failed. D: too few periods for more than before and after.
    """
    peers = len(effect.comparison.weights) if effect.comparison else 0
    if effect.n_before < FEWEST_BEFORE or effect.n_after < FEWEST_AFTER:
        return "D"
    if peers < PEERS_FOR_ATTRIBUTION or any(c.critical and c.passed is False for c in checks):
        return "C"
    long = effect.n_before >= _GRADE_A["before"] and effect.n_after >= _GRADE_A["after"]
    whole = long and peers >= _GRADE_A["peers"] and not any(c.passed is False for c in checks)
    return "A" if whole else "B"


def _rival(effect: Effect, checks: Sequence[Check], state: EffectState) -> str | None:
    """The explanation that stands against the action, most telling first.

    Where the step differs from 0, it is what a failed critical check names. Where it does not, the level moved (if it
    did) with a bad spell before the plan or with everybody else.
    """
    failed = {check.name for check in checks if check.passed is False}
    for name, rival in _ALWAYS_RIVALS:
        if name in failed:
            return rival
    if effect.p <= ALPHA:
        for name, rival in _RIVALS:
            if name in failed:
                return rival
    if state == "contrary":
        return None
    found = {check.name: check.detail for check in checks}
    together = abs(found["common_trend"]["moved"]) if "common_trend" in failed else 0.0
    if "trigger" in failed and abs(found["trigger"]["shift"]) >= together:
        return "regression_to_the_mean"
    peers = len(effect.comparison.weights) if effect.comparison else 0
    if peers < PEERS_FOR_ATTRIBUTION:
        return "no_comparison"
    return "common_trend" if "common_trend" in failed else "chance"


def adjusted_p(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg over the effects of a plan; actions without an estimate stay without.

    >>> adjusted_p([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    from statsmodels.stats.multitest import multipletests

    adjusted = iter(np.round(multipletests(known, method="fdr_bh")[1], 12).tolist())
    return [None if p is None else next(adjusted) for p in p_values]
