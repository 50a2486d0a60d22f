"""The outcome evaluation as plain JSON: None for missing numbers, days ISO 8601."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from svclib.evaluate.outcome import ActionOutcome, Avoided, OutcomeEvaluation
from svclib.evaluate.progress import Progress
from svclib.measure.record import heading, plain


def evaluation_record(evaluation: OutcomeEvaluation, sentence: Callable[[ActionOutcome], str]) -> dict[str, Any]:
    """The result as `outcome_evaluation.json` has it; `sentence` puts an outcome into words."""
    actions = [record_of(outcome) | {"sentence": sentence(outcome)} for outcome in evaluation.outcomes]
    return heading(evaluation.department, evaluation.period, evaluation.as_of) | {"actions": actions}


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
