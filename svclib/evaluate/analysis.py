"""The outcome evaluation of a department's action plan: did it work, and how sure are we?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from svclib.catalogue.known import last_day
from svclib.catalogue.models import Action, Band, Department, Event, Kpi
from svclib.evaluate.assess import Assessment, Question, assess, conclude
from svclib.evaluate.effect import Effect, Panel, estimate_effect, expected_without
from svclib.evaluate.goal import Direction
from svclib.evaluate.mix import standardise
from svclib.evaluate.outcome import ActionOutcome, Avoided, OutcomeEvaluation, Persistence
from svclib.evaluate.panel import Spine, build_panel, choose_peers, similar_peers
from svclib.evaluate.pooling import PooledEffect, pool_effects
from svclib.evaluate.power import FEWEST_AFTER, date_of
from svclib.evaluate.progress import measure_progress
from svclib.evaluate.smart import check_smart
from svclib.evaluate.surroundings import Surroundings, survey_surroundings, untreated_peers, whole_from
from svclib.evaluate.verdict import ALPHA, Verdict, improvement
from svclib.evaluate.window import Window
from svclib.measure.autoregression import NotEstimable
from svclib.measure.periods import Frequency, Period

# Verdicts that more periods could still decide.
_UNDECIDED = frozenset({"too_early", "inconclusive", "met_not_attributable"})


#: Kinds that are a mean over cases, and so can be worked out at another mix of them.
KINDS_OF_MIX = ("proportion", "rate", "mean", "score")


@dataclass(frozen=True)
class Plan:
    """What an evaluation works on.

    Attributes
    ----------
    measures
        KPI to its rows of the measures table, all departments, up to the period.
    actions, events
        Of the whole organisation: peers with an action of their own are no peers.
    case_rows
        KPI and number of periods to the department's case slice, for the mix; None without cases.
    segment_measures
        KPI and segment to the measures table of that part of the cases, all departments; None without cases.
    """

    measures: Callable[[Kpi], pd.DataFrame]
    kpis: Mapping[str, Kpi]
    departments: Sequence[Department]
    actions: Sequence[Action]
    events: Sequence[Event]
    period: Period
    as_of: dt.date
    dimensions: Mapping[str, Sequence[str]]
    case_rows: Callable[[Kpi, int], pd.DataFrame] | None = None
    segment_measures: Callable[[Kpi, Mapping[str, str]], pd.DataFrame] | None = None

    @property
    def frequency(self) -> Frequency:
        return self.period.frequency

    def department(self, code: str) -> Department:
        return next(d for d in self.departments if d.code == code)


@dataclass(frozen=True)
class _Prepared:
    """One action, ready to be assessed."""

    action: Action
    kpi: Kpi
    panel: Panel
    spine: Spine
    surroundings: Surroundings
    left_out: dict[str, str]
    question: Question


def evaluate_plan(plan: Plan, department: str) -> OutcomeEvaluation:
    """Evaluate every action of a department; an empty plan gives an evaluation without outcomes."""
    prepared = [_prepare(plan, action) for action in plan.actions if action.department == department]
    assessments = [assess(p.panel, p.surroundings.window, p.question) for p in prepared]
    verdicts = conclude(assessments)
    outcomes = [
        _outcome(plan, p, assessment, verdict, p_adjusted)
        for p, assessment, (verdict, p_adjusted) in zip(prepared, assessments, verdicts, strict=True)
    ]
    return OutcomeEvaluation(department, plan.period, plan.as_of, tuple(outcomes))


def direction_of(kpi: Kpi) -> Direction:
    """The KPI's good side."""
    if isinstance(kpi.direction, Band):
        return (kpi.direction.between[0], kpi.direction.between[1])
    return kpi.direction


def _prepare(plan: Plan, action: Action) -> _Prepared:
    kpi, own = plan.kpis[action.kpi], plan.department(action.department)
    peers, left_out = choose_peers(own.peers, own.code, [d.code for d in plan.departments], action)
    if action.segment and plan.segment_measures:
        measures = plan.segment_measures(kpi, action.segment)
    else:
        measures = plan.measures(kpi)
    panel, spine = build_panel(measures, kpi, own.code, peers, plan.frequency)
    surroundings = survey_surroundings(spine, action, kpi, plan.actions, plan.events)
    panel, treated = untreated_peers(panel, spine, surroundings.window, action, plan.actions)
    panel = similar_peers(panel, surroundings.window.before)
    target = kpi.target_on(action.due)
    question = Question(
        direction=direction_of(kpi),
        target_kind=action.target_type,
        target_value=action.target_value if action.target_value is not None else (target.value if target else None),
        baseline=surroundings.baseline,
        due_passed=action.due < plan.period.end,
        actions=surroundings.joint,
        events=surroundings.events,
        later_events=surroundings.later_events,
        since_later=_since_later(spine, surroundings),
        common_events=surroundings.common_events,
        changes=surroundings.changes,
        standardised=lambda: _standardised(plan, kpi, action, spine, surroundings.window),
    )
    if action.target_value is None:
        question = replace(question, target_kind="level")
    return _Prepared(action, kpi, panel, spine, surroundings, left_out | treated, question)


def _since_later(spine: Spine, surroundings: Surroundings) -> np.ndarray | None:
    """The periods at or after the first event that came too late to make the step; None without one."""
    if not surroundings.later_events:
        return None
    first = min(day for _, day in surroundings.later_events)
    return np.array([end > first for end in spine.ends], dtype=bool)


def _standardised(plan: Plan, kpi: Kpi, action: Action, spine: Spine, window: Window) -> dict[str, np.ndarray]:
    dimensions = [d for d in plan.dimensions.get(kpi.code, ()) if d not in (action.segment or {})]
    if (
        not dimensions
        or plan.case_rows is None
        or action.segment
        or not window.n_after
        or window.n_before < FEWEST_AFTER
    ):
        return {}
    if kpi.kind not in KINDS_OF_MIX:
        return {}
    rows = plan.case_rows(kpi, len(spine.labels))
    found = {name: standardise(rows, name, spine.labels, window) for name in dimensions}
    return {name: values for name, values in found.items() if values is not None}


def _outcome(
    plan: Plan, p: _Prepared, assessment: Assessment, verdict: Verdict, p_adjusted: float | None
) -> ActionOutcome:
    effect, window = assessment.effect, p.surroundings.window
    comparison = effect.comparison if effect else None
    closed = plan.department(p.action.department).closed
    values = p.panel.treated.value
    persistence = _persistence(values, effect, window)
    progress = measure_progress(p.action, last_day(plan.period.end, plan.as_of))
    verdict = _settled(verdict, p.action, closed, plan.period, persistence)
    if progress.code == "blocked" and verdict.next_step == "wait":  # for what is not under way nobody need wait
        verdict = replace(verdict, next_step="unblock")
    share = effect.estimate / assessment.needed if effect and assessment.needed else None
    return ActionOutcome(
        action=p.action,
        kpi=p.kpi,
        spine=p.spine,
        surroundings=p.surroundings,
        assessment=assessment,
        verdict=verdict,
        p_adjusted=p_adjusted,
        peers_left_out=p.left_out | (comparison.left_out if comparison else {}),
        too_early_until=_until(plan, p, assessment, verdict),
        progress=progress,
        smart=_smart(plan, p, assessment),
        share_of_target=share,
        avoided=_avoided(p, effect, assessment.better),
        persistence=persistence,
        pooled=_pooled(plan, p, effect),
        values=values if p.panel.treated.withheld is None else np.where(p.panel.treated.withheld, np.nan, values),
        expected=expected_without(effect, p.panel, window) if effect else np.full(len(values), np.nan),
        names={department.code: department.name for department in plan.departments},
    )


def _settled(
    verdict: Verdict, action: Action, closed: dt.date | None, period: Period, persistence: Persistence | None
) -> Verdict:
    """What the calendar decides, whatever the numbers say; and an effect that fades is to be mended, not sustained."""
    if action.status == "cancelled":
        return Verdict("not_evaluable", "D", None, "cancelled", "measure_first")
    if verdict.code == "too_early" and closed and closed < period.end:
        return Verdict("not_evaluable", "D", None, "department_closed", "measure_first")
    if verdict.effect_state == "attributable" and persistence and not persistence.holds:
        return replace(verdict, next_step="adjust")
    return verdict


def _until(plan: Plan, p: _Prepared, assessment: Assessment, verdict: Verdict) -> dt.date | None:
    if verdict.code not in _UNDECIDED or assessment.power is None:
        return None
    judged = verdict.effect_state is not None
    seen = judged and assessment.effect is not None and assessment.effect.p <= ALPHA
    if not seen and not (judged and verdict.rival == "no_comparison"):
        enough = FEWEST_AFTER if assessment.needed is None else assessment.power.enough
        until = date_of(enough, _first_whole(p.surroundings.whole, plan.frequency), p.kpi.maturity)
        if until is None or until > plan.as_of:
            return until
    # The effect is as clear as it will be; what is open is the goal.
    return p.action.due if judged and verdict.code == "too_early" and p.action.due > plan.as_of else None


def _first_whole(whole: dt.date, frequency: Frequency) -> Period:
    """The first period that begins with the effect in full."""
    period = Period.containing(whole, frequency)
    return period if period.start >= whole else period.next()


def _smart(plan: Plan, p: _Prepared, assessment: Assessment):
    target = p.kpi.target_on(p.action.start)
    due, periods, period = p.action.due, 0, _first_whole(whole_from(p.action), plan.frequency)
    while period.end - dt.timedelta(days=1) <= due:
        periods, period = periods + 1, period.next()
    return check_smart(
        p.panel,
        p.surroundings.window,
        assessment,
        direction=assessment.better,
        kpi_target=target.value if target else None,
        responsible=p.action.responsible,
        segment=bool(p.action.segment),
        periods_to_judge=periods,
        declared=None if p.surroundings.baseline is None else int(p.surroundings.baseline.sum()),
    )


def _avoided(p: _Prepared, effect: Effect | None, better: Direction) -> Avoided | None:
    """Cases (or events) that the effect moved to the good side over the periods after."""
    treated, kind = p.panel.treated, p.panel.kind
    if effect is None or treated.numerator is None or kind not in ("proportion", "rate", "count"):
        return None
    after = p.surroundings.window.after & ~np.isnan(treated.value)
    if kind == "count":
        cases = float(after.sum())
    elif treated.denominator is not None:
        cases = float(treated.denominator[after].sum()) / (p.panel.per if kind == "rate" else 1.0)
    else:
        return None
    bounds = sorted(improvement(x, better) * cases for x in (effect.lower, effect.upper))
    return Avoided(improvement(effect.estimate, better) * cases, *bounds)


def _persistence(values: np.ndarray, effect: Effect | None, window: Window) -> Persistence | None:
    """First against last three periods after; None with fewer than six."""
    if effect is None:
        return None
    gap = effect.comparison.gap if effect.comparison else values - np.nanmean(values[window.before])
    after = gap[window.after & ~np.isnan(gap)]
    if len(after) < 6:
        return None
    level = float(np.nanmean(gap[window.before]))
    first, last = float(after[:3].mean()) - level, float(after[-3:].mean()) - level
    slope, remains = effect.slope, last * np.sign(effect.estimate) >= 0.5 * abs(effect.estimate)
    against = slope is not None and slope.p <= ALPHA and slope.change * effect.estimate < 0
    return Persistence(first, last, bool(remains or not against))


def _same_text(a: str, b: str) -> bool:
    """Whether two cells say the same, whatever their case and spaces."""
    return a.casefold().split() == b.casefold().split()


def _pooled(plan: Plan, p: _Prepared, effect: Effect | None) -> PooledEffect | None:
    """The same action in other departments - the same KPI and objective - pooled with this one."""
    same = [
        a
        for a in plan.actions
        if a.kpi == p.action.kpi and _same_text(a.objective, p.action.objective) and a.status != "cancelled"
    ]
    same = [a for a in same if a.department != p.action.department]
    if effect is None or not same:
        return None
    effects = [effect]
    for action in same:
        other = _prepare(replace(plan, case_rows=None), action)
        try:
            effects.append(estimate_effect(other.panel, other.surroundings.window))
        except NotEstimable:
            continue
    if len(effects) < 2:
        return None
    return pool_effects([e.estimate for e in effects], [e.sd for e in effects])
