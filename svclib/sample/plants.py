"""What is planted in the sample, and what an honest report says about it: the source of `truth.json`.

Sizes are on the scale on which the process works: log-odds (`fcr`, `escalation`, `audit`, `training`),
log (`response`, `resolution`, `handoffs`, `complaints`, `absence`), probit (`satisfaction`), or a number of
outages or minutes. Months are offsets from the latest complete month.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from svclib.sample.organisation import CODES
from svclib.sample.span import Span

Kind = Literal[
    "special_cause", "local_cause", "mix_shift", "general_shock", "common_improvement", "chance_run", "plan_effect"
]

# The KPIs in which a process shows. A KPI listed second moves with the first: same cases, another question.
KPIS_OF_PROCESS: dict[str, tuple[str, ...]] = {
    "response": ("response_time",),
    "resolution": ("resolution_time", "resolved_within_sla"),
    "fcr": ("first_contact_resolution",),
    "escalation": ("escalation_rate",),
    "handoffs": ("handoffs",),
    "satisfaction": ("csat", "nps"),
    "audit": ("audit_passed",),
    "training": ("training_completed",),
    "outage_series": ("incidents", "uptime"),
    "major_outage": ("uptime",),
    "complaints": ("complaints",),
    "absence": ("absence",),
}
SCALE = dict.fromkeys(("fcr", "escalation", "audit", "training"), "log_odds") | {
    "response": "log", "resolution": "log", "handoffs": "log", "complaints": "log", "absence": "log",
    "satisfaction": "probit", "outage_series": "outages", "major_outage": "minutes",
}  # fmt: skip
# Processes in which more is better.
_BETTER_HIGH = {"fcr", "satisfaction", "audit", "training"}


@dataclass(frozen=True)
class Plant:
    """One change of a process: from month `first` to month `last` (both included; None: to the end)."""

    id: str
    kind: Kind
    process: str
    department: str  # or "all"
    first: int
    last: int | None
    size: float
    story: str
    segment: dict[str, str] | None = None
    ramp: dict[int, float] = field(default_factory=dict)  # share of the size in months that build up to it
    instead_of_noise: bool = False  # the department's own random effect is replaced, not added to
    event: str | None = None
    plan: str | None = None
    also: tuple[str, ...] = ()  # other KPIs that it moves a little

    def share(self, offset: int) -> float:
        """The share of the size that acts in a month."""
        if offset in self.ramp:
            return self.ramp[offset]
        return float(self.first <= offset and (self.last is None or offset <= self.last))


@dataclass(frozen=True)
class Planned:
    """What truly became of an action, and the verdict that it deserves once all its months are there."""

    id: str
    department: str
    kpi: str
    truth: str
    verdict: str
    full_effect: int
    effect: str | None = None  # the plant that is its effect
    rival: str | None = None
    months_before: int = 12  # months before the start without which nothing can be judged

    @property
    def process(self) -> str:
        return next(process for process, kpis in KPIS_OF_PROCESS.items() if self.kpi in kpis)

    @property
    def does_nothing(self) -> bool:
        return self.effect is None and self.verdict != "too_early"


# The share of "Business applications" among the cases of the IT service desk, usual and in the mix shift.
MIX_CATEGORY, MIX_FROM, MIX_TO = "Business applications", 0.15, 0.48

PLANTS: tuple[Plant, ...] = (
    Plant(
        "F01", "local_cause", "escalation", "D01", -1, None, 2.8,
        "The chat assistant fails at logins and passes them on", {"channel": "Chat", "category": "Login and access"},
        instead_of_noise=True, event="Chat assistant takes over first replies",
        also=("csat", "nps"),
    ),
    Plant(
        "F02", "mix_shift", "escalation", "D04", 0, 0, MIX_TO - MIX_FROM,
        "The new finance system brings many more application cases, which have always been escalated more often; "
        "no kind of case is escalated more often than before",
        {"category": MIX_CATEGORY}, instead_of_noise=True, event="New finance system goes live",
    ),
    Plant(
        "F03", "general_shock", "response", "D06", -1, None, 0.55,
        "Sickness halves the team: every kind of case waits longer for its first answer",
        event="Wave of sickness in the repair centre",
    ),
    Plant("F04", "special_cause", "absence", "D06", -1, None, 0.75, "The same wave of sickness, in hours lost",
          event="Wave of sickness in the repair centre"),
    Plant("F05", "special_cause", "response", "D02", -11, -7, 0.45, "Storm damage keeps the teams on the road",
          event="Winter storms"),
    Plant("F06", "special_cause", "satisfaction", "D03", -6, None, -0.50, "The new tariff displeases",
          event="New tariff"),
    Plant("F07", "special_cause", "major_outage", "D04", -6, -6, 680, "A cooling failure takes the data centre down",
          event="Cooling failure in the data centre"),
    Plant("F08", "special_cause", "outage_series", "D01", -4, -4, 12, "A faulty release drops the telephone line again and again",
          event="Telephone release rolled back"),
    Plant("F09", "special_cause", "complaints", "D01", -3, -3, 2.3, "A delivery partner stops working overnight",
          event="Delivery partner insolvent"),
    Plant("F10", "special_cause", "training", "D05", -2, None, -2.2, "The trainer has left; courses are put off",
          event=None),
    Plant("F11", "common_improvement", "training", "all", -21, None, 1.1, "The e-learning platform replaces the class room",
          event="E-learning platform"),
    Plant("F12", "common_improvement", "handoffs", "all", -9, None, -0.26, "Automatic routing sends cases to the right desk",
          ramp={-11: 0.25, -10: 0.6}, event="Automatic routing of cases"),
    Plant("F13", "chance_run", "escalation", "D05", -15, -13, 0.30, "A bad quarter by chance, which alarmed the managers",
          instead_of_noise=True),
    Plant("F14", "plan_effect", "fcr", "D02", -9, None, 0.40, "Parts on the van let the first visit be enough",
          ramp={-10: 0.5}, plan="A-2025-04"),
    Plant("F15", "plan_effect", "resolution", "D03", -11, None, -0.27, "Refunds below 50 pounds need no second signature",
          ramp={-12: 0.5}, plan="A-2025-02"),
    Plant("F16", "plan_effect", "satisfaction", "D01", -10, None, -0.36, "Fixed scripts save time and annoy callers",
          ramp={-11: 0.5}, plan="A-2025-05"),
)  # fmt: skip

PLANS: tuple[Planned, ...] = (
    Planned("A-2025-01", "D04", "csat", "no effect", "not_met", -12),
    Planned("A-2025-02", "D03", "resolution_time", "worked, less than promised", "improved_target_missed", -11, "F15"),
    Planned("A-2025-03", "D05", "escalation_rate", "no effect: back to normal after a bad quarter",
            "met_not_attributable", -10, rival="regression_to_the_mean"),
    Planned("A-2025-04", "D02", "first_contact_resolution", "worked", "met_attributable", -9, "F14"),
    Planned("A-2025-05", "D01", "csat", "did harm", "worsened", -10, "F16"),
    Planned("A-2025-06", "D06", "handoffs", "no effect: every department improved", "met_not_attributable", -9,
            rival="common_trend"),
    Planned("A-2026-01", "D05", "first_contact_resolution", "steps blocked and late", "too_early", 1),
    Planned("A-2026-02", "D01", "escalation_rate", "just begun", "too_early", 1),
)  # fmt: skip


def planted(span: Span) -> list[Plant]:
    """The plants that touch a month of the span."""
    return [plant for plant in PLANTS if any(plant.share(offset) for offset in range(1 - span.months, 1))]


def _fact(plant: Plant, span: Span) -> dict[str, Any]:
    kpi, *others = KPIS_OF_PROCESS[plant.process]
    starts = [offset for offset in range(1 - span.months, 1) if plant.share(offset)]
    worse = (plant.size > 0) != (plant.process in _BETTER_HIGH)
    return {
        "id": plant.id,
        "kind": plant.kind,
        "department": plant.department,
        "kpi": kpi,
        "also_moves": [*others, *plant.also],
        "from": span.month(starts[0]).label,
        "full_from": span.month(max(plant.first, starts[0])).label,
        "to": None if plant.last is None else span.month(plant.last).label,
        "segment": plant.segment,
        "size": plant.size,
        "scale": "share_of_cases" if plant.kind == "mix_shift" else SCALE[plant.process],
        "direction": "worse" if worse else "better",
        "event": plant.event,
        "plan": plant.plan,
        "story": plant.story,
    }


def _plan(plan: Planned, span: Span) -> dict[str, Any]:
    judged = span.months - 1 + plan.full_effect >= plan.months_before or plan.verdict == "too_early"
    effect = next((plant for plant in PLANTS if plant.id == plan.effect), None)
    return {
        "id": plan.id,
        "department": plan.department,
        "kpi": plan.kpi,
        "truth": plan.truth,
        "effect": effect.size if effect else 0.0,
        "scale": SCALE[effect.process] if effect else None,
        "full_effect": span.month(plan.full_effect).label,
        "verdict": plan.verdict if judged else "not_evaluable",
        "rival": plan.rival if judged else None,
    }


def _untouched(facts: list[dict[str, Any]]) -> list[dict[str, str]]:
    touched = {
        (department, kpi)
        for fact in facts
        for department in (CODES if fact["department"] == "all" else (fact["department"],))
        for kpi in (fact["kpi"], *fact["also_moves"])
    }
    kpis = dict.fromkeys(kpi for kpis in KPIS_OF_PROCESS.values() for kpi in kpis)
    return [{"department": code, "kpi": kpi} for code in CODES for kpi in kpis if (code, kpi) not in touched]


def truth(span: Span, seed: int, counts: dict[str, Any]) -> dict[str, Any]:
    """Everything planted, in a form that programs can check; `nothing` lists the pairs where there is nothing."""
    facts = [_fact(plant, span) for plant in planted(span)]
    return {
        "seed": seed,
        "months": span.months,
        "first": span.first.label,
        "last": span.last.label,
        "as_of": span.as_of.isoformat(),
        "facts": facts,
        "plans": [_plan(plan, span) for plan in PLANS],
        "nothing": _untouched(facts),
        "data": counts,
    }
