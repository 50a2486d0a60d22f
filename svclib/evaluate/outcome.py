"""The result of an outcome evaluation: one entry an action, as the report shows it and the JSON has it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Kpi
from svclib.evaluate.assess import Assessment
from svclib.evaluate.panel import Spine
from svclib.evaluate.pooling import PooledEffect
from svclib.evaluate.progress import Progress
from svclib.evaluate.smart import SmartCheck
from svclib.evaluate.surroundings import Surroundings
from svclib.evaluate.verdict import Verdict
from svclib.measure.periods import Period


@dataclass(frozen=True)
class Persistence:
    """Mean effect of the first and of the last three periods after, and whether it holds.

    It does not where less than half of the effect is left in the last three and the slope since the step is against
    it by more than chance (two-sided 5 %): three months alone are too few to say so.
    """

    first: float
    last: float
    holds: bool


@dataclass(frozen=True)
class Avoided:
    """Cases that went better than without the effect, over the periods after; below 0 where more went worse."""

    count: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ActionOutcome:
    """Everything known of one action.

    Attributes
    ----------
    assessment, verdict
        None where the action is not judged at all (cancelled).
    p_adjusted
        The effect's p after false-discovery control over the department's plan.
    peers_left_out
        Department to reason: declared, treated, incomplete, contaminated.
    too_early_until
        Day from which the effect asked for can be seen, or the day an action is due whose effect is seen already;
        None where that is now, or never.
    share_of_target
        Effect as a share of the change that the target asked for.
    values, expected
        (periods,) the KPI, and what would be expected without the action; NaN where unknown.
    names
        Department code to its name.
    """

    action: Action
    kpi: Kpi
    spine: Spine
    surroundings: Surroundings
    assessment: Assessment
    verdict: Verdict
    p_adjusted: float | None
    peers_left_out: Mapping[str, str]
    too_early_until: dt.date | None
    progress: Progress
    smart: tuple[SmartCheck, ...]
    share_of_target: float | None
    avoided: Avoided | None
    persistence: Persistence | None
    pooled: PooledEffect | None
    values: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)
    names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def frame(self) -> pd.DataFrame:
        """The series behind the figure: period, side of the window, value, expected without the action."""
        window = self.surroundings.window
        side = np.select([window.before, window.ramp, window.after], ["before", "ramp", "after"], "not used")
        return pd.DataFrame(
            {
                "period": self.spine.labels,
                "side": side,
                "value": self.values,
                "expected": self.expected,
                "target": np.full(len(side), self.assessment.goal.target, dtype=float),
            }
        )


@dataclass(frozen=True)
class OutcomeEvaluation:
    """The outcomes of a department's action plan, in its order; none for an empty plan."""

    department: str
    period: Period
    as_of: dt.date
    outcomes: tuple[ActionOutcome, ...]

    def outcome(self, action: str) -> ActionOutcome:
        """The outcome of an action by its id."""
        return next(o for o in self.outcomes if o.action.id == action)

    def to_json(self, sentence: Callable[[ActionOutcome], str]) -> dict[str, Any]:
        """The result as `outcome_evaluation.json` has it; `sentence` puts an outcome into words."""
        return {
            "department": self.department,
            "period": self.period.label,
            "as_of": self.as_of.isoformat(),
            "actions": [record_of(o) | {"sentence": sentence(o)} for o in self.outcomes],
        }


def record_of(outcome: ActionOutcome) -> dict[str, Any]:
    """One action as JSON: missing numbers None, days ISO 8601."""
    action, assessment, verdict = outcome.action, outcome.assessment, outcome.verdict
    goal = assessment.goal
    window = outcome.surroundings.window
    record = {
        "id": action.id,
        "kpi": action.kpi,
        "kpi_title": outcome.kpi.title,
        "segment": action.segment,
        "responsible": action.responsible,
        "objective": action.objective,
        "status": action.status,
        "start": action.start,
        "due": action.due,
        "progress": _progress(outcome.progress),
        "smart": [
            {"criterion": s.criterion, "passed": s.passed, "reason": s.reason, "detail": s.detail}
            for s in outcome.smart
        ],
        "goal": {
            "met": goal.probability,
            "verdict": goal.verdict,
            "target": goal.target,
            "baseline": goal.baseline,
            "level": goal.level,
            "interval": None if goal.level is None else [goal.lower, goal.upper],
        },
        "before_after": assessment.before_after,
        "periods": {"before": assessment.n_before, "ramp": int(window.ramp.sum()), "after": assessment.n_after},
        "effect": _effect(outcome),
        "checks": [
            {"name": c.name, "passed": c.passed, "critical": c.critical, "detail": c.detail} for c in assessment.checks
        ],
        "joint_with": [name for name, _ in outcome.surroundings.joint],
        "verdict": verdict.code,
        "grade": verdict.grade,
        "rival": verdict.rival,
        "next_step": verdict.next_step,
        "outlook": verdict.outlook,
        "too_early_until": outcome.too_early_until,
    }
    return plain(record)


def _progress(progress: Progress) -> dict[str, Any]:
    return {
        "state": progress.code,
        "done": progress.done,
        "total": progress.total,
        "share": progress.done / progress.total if progress.total else None,
        "expected": progress.expected,
        "forecast_end": progress.forecast_end,
        "days_beyond_due": progress.days_beyond_due,
        "escalate": progress.escalate,
        "steps": [
            {
                "title": s.step.title,
                "owner": s.step.owner,
                "start": s.step.start,
                "end": s.step.end,
                "done_on": s.step.done_on,
                "state": s.state,
                "delay_days": s.delay,
            }
            for s in progress.steps
        ],
    }


def _effect(outcome: ActionOutcome) -> dict[str, Any] | None:
    effect = outcome.assessment.effect
    if effect is None:
        return None
    slope, comparison, pooled = effect.slope, effect.comparison, outcome.pooled
    return {
        "estimate": effect.estimate,
        "interval": [effect.lower, effect.upper],
        "p": effect.p,
        "p_adjusted": outcome.p_adjusted,
        "method": effect.method,
        "unit": outcome.kpi.unit,
        "mde80": effect.mde80,
        "share_of_target": outcome.share_of_target,
        "cases_avoided": _cases(outcome.avoided),
        "persistence": outcome.persistence.__dict__ if outcome.persistence else None,
        "slope": None
        if slope is None
        else {"level": slope.level, "change": slope.change, "interval": slope.change_interval, "p": slope.p},
        "autocorrelation": effect.fit.rho,
        "peers": None
        if comparison is None
        else {
            "weights": comparison.weights,
            "method": comparison.method,
            "left_out": dict(outcome.peers_left_out),
            "inflation": comparison.inflation,
        },
        "pooled": None
        if pooled is None
        else {"estimate": pooled.estimate, "interval": [pooled.lower, pooled.upper], "departments": pooled.count},
    }


def _cases(avoided: Avoided | None) -> dict[str, Any] | None:
    return None if avoided is None else {"count": avoided.count, "interval": [avoided.lower, avoided.upper]}


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers of Python, None for what is not finite, days as ISO text.

    >>> plain({"a": np.float64("nan"), "b": (dt.date(2026, 1, 2), np.bool_(True))})
    {'a': None, 'b': ['2026-01-02', True]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
