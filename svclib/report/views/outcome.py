"""The outcome evaluation as its reader meets it: the plan at a glance, each action, progress, planning, method."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.known import last_day
from svclib.catalogue.names import pick
from svclib.evaluate import analysis as compute
from svclib.evaluate.of_study import plan_of
from svclib.evaluate.outcome import ActionOutcome, OutcomeEvaluation
from svclib.evaluate.planning import FEWEST, Planning, plan_ahead
from svclib.evaluate.record import evaluation_record
from svclib.report import words
from svclib.report.figures.outcome import STEP_MARKS, effect_shares, effects_figure, outcome_figure, steps_figure
from svclib.report.show import (
    STATE_SIGNS,
    VERDICT_STATES,
    Block,
    Chart,
    badge,
    bullets,
    facts,
    fold,
    note,
    section,
    sentence,
    show,
    slug,
    stack,
)
from svclib.report.tables import table, write_csv
from svclib.report.views.study import StudyReport, of_study
from svclib.report.words import checks as check_words
from svclib.report.words import outcome as outcome_words
from svclib.report.words import progress as progress_words
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.study import Study

#: Comparable departments in the simulations of `benchmarks.outcome`.
_SIMULATED_PEERS = 8


@of_study
def evaluate_plan(study: Study) -> OutcomeReport:
    """The outcome evaluation of a study: shows the plan at a glance; its methods show the rest."""
    plan = plan_of(study)
    return OutcomeReport(study, plan, compute.evaluate_plan(plan, study.department.code))


@dataclass(frozen=True, eq=False, repr=False)
class OutcomeReport(StudyReport):
    """A department's outcome evaluation.

    `frame` is its overview as a table, `chart(id)` the figure of one action, `explain()` every action with its
    paragraph; `progress()`, `planning()` and `method()` the rest; `save()` writes what scripts rely on.
    """

    study: Study
    plan: compute.Plan
    evaluation: OutcomeEvaluation

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row an action: plain values and codes."""
        rows = [
            {
                "id": o.action.id,
                "kpi": o.kpi.code,
                "progress": o.progress.code,
                "target": o.assessment.goal.target,
                "level": o.assessment.goal.level,
                "p_met": o.assessment.goal.probability,
                "effect": o.assessment.effect.estimate if o.assessment.effect else None,
                "effect_low": o.assessment.effect.lower if o.assessment.effect else None,
                "effect_high": o.assessment.effect.upper if o.assessment.effect else None,
                "p": o.assessment.effect.p if o.assessment.effect else None,
                "p_adjusted": o.p_adjusted,
                "verdict": o.verdict.code,
                "grade": o.verdict.grade,
                "rival": o.verdict.rival,
                "too_early_until": o.too_early_until,
            }
            for o in self.outcomes
        ]
        return pd.DataFrame(rows, columns=list(_FRAME_COLUMNS) if not rows else None)

    @property
    def outcomes(self) -> tuple[ActionOutcome, ...]:
        return self.evaluation.outcomes

    def to_json(self) -> dict[str, Any]:
        """The result as `outcome_evaluation.json` has it."""
        return evaluation_record(self.evaluation, outcome_words.sentence)

    # What the notebook shows, cell by cell

    def overview(self) -> Block:
        """The plan at a glance: one row an action, and the effects side by side."""
        if not self.outcomes:
            return self._empty()
        charts = [self._effects_chart] if self._effects_chart else []
        return section(say("outcome.title.overview"), sentence(self._answer()), self._whole(), *charts)

    def _whole(self) -> Block:
        caption = say("outcome.table.overview", department=self.study.department.name, period=self._period)
        return table(pd.DataFrame([self._overview_row(o) for o in self.outcomes]), caption=caption, stacked=True)

    def explain(self, action: str | None = None) -> Block:
        """Every action, or one by its id: its paragraph, its figure, its checks."""
        if action is not None:
            known = {outcome.action.id: outcome for outcome in self.outcomes}
            return self._action(pick(known, action, "action", "is not in this report"))
        if not self.outcomes:
            return stack()
        return section(say("outcome.title.actions"), *(self._action(o) for o in self.outcomes))

    def chart(self, action: str) -> Chart:
        """The KPI of one action with and without it, by the action's id."""
        return pick(self._charts, action, "action", "has no chart in this report")

    def progress(self) -> Block:
        """Steps against their dates, what owners have to do, who should know of a delay."""
        if not self.outcomes:
            return stack()
        title = say("outcome.title.progress")
        only = [o.action.id for o in self.outcomes if o.action.action_steps and not o.progress.total]
        described = [say("outcome.progress.described", list=words.list_of(only))] if only else []
        if not any(o.progress.total for o in self.outcomes):
            return section(title, note("unknown", described[0] if described else say("outcome.progress.no_steps")))
        remarks = [text for o in self.outcomes for text in progress_words.delays(o)] + described
        blocks: list[Block] = [self._due_table()]
        if self._steps_chart:
            blocks.insert(0, self._steps_chart)
        return section(title, *blocks, *([bullets(remarks)] if remarks else []))

    def planning(self, kpi: str | None = None, *, change: float | None = None) -> Block:
        """Which change of each KPI (or of one, with the change one has in mind) could be seen, and after how long."""
        known = {k.code: k for k in self.study.kpis}
        kpis = [*known.values()] if kpi is None else [pick(known, kpi, "KPI", "has no figures in this report")]
        rows = [self._planning_row(plan_ahead(self.plan, self.study.department.code, k, change=change)) for k in kpis]
        caption = say("outcome.table.planning")
        return section(
            say("outcome.title.planning"),
            sentence(say("outcome.planning.text")),
            table(pd.DataFrame(rows), caption=caption, stacked=True),
        )

    def method(self) -> Block:
        """How the verdicts were reached, lessons, and what they can still get wrong."""
        lessons = [text for o in self.outcomes for text in check_words.lessons(o)]
        blocks = [section(say("outcome.lesson.title"), bullets(lessons), level=3)] if lessons else []
        rates = say("outcome.method.rates", verdict=say("verdict.met_attributable"))
        compared = [e.comparison for o in self.outcomes if (e := o.assessment.effect) is not None]
        fewest = min((len(c.weights) for c in compared if c is not None), default=_SIMULATED_PEERS)
        if fewest < _SIMULATED_PEERS:
            rates = f"{rates} {say('outcome.method.fewer', count=fewest)}"
        text = [say("outcome.method.limits"), rates]
        return section(say("outcome.title.method"), *blocks, sentence(say("outcome.method.text")), bullets(text))

    def save(self) -> None:
        """Write ``outcome_evaluation.json`` and the table behind every figure; nothing without an `out`."""
        out = self.study.out
        if out is None:
            return
        (out / "data").mkdir(parents=True, exist_ok=True)
        for chart in self.charts:
            if chart.data is not None:
                write_csv(chart.data, out / "data" / f"{chart.name}.csv")
        write_csv(self.frame, out / "data" / "actions.csv")
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=1)
        beside = out / ".outcome_evaluation.json.part"
        beside.write_text(text, encoding="utf-8")
        beside.replace(out / "outcome_evaluation.json")

    @property
    def charts(self) -> list[Chart]:
        """Every figure of the report."""
        more = [chart for chart in (self._effects_chart, self._steps_chart) if chart is not None]
        return [*self._charts.values(), *more]

    # Pieces

    def _empty(self) -> Block:
        how = [say(f"outcome.empty.{name}") for name in ("begin", "baseline", "compare", "see")]
        text = note("info", say("outcome.empty.text", department=self.study.department.name))
        return section(say("outcome.title.empty"), text, bullets(how))

    def _answer(self) -> str:
        counts: dict[str, int] = {}
        for o in self.outcomes:
            counts[o.verdict.code] = counts.get(o.verdict.code, 0) + 1
        parts = [say("outcome.answer.part", count=str(n), verdict=say(f"verdict.{code}")) for code, n in counts.items()]
        text = say("outcome.answer.sentence", count=len(self.outcomes), parts=words.list_of(parts))
        worked = sum(o.verdict.effect_state == "attributable" for o in self.outcomes)
        if worked:
            return f"{text} {say('outcome.answer.worked', count=worked)}"
        judged = any(o.verdict.effect_state is not None for o in self.outcomes)
        return text if judged else f"{text} {say('outcome.answer.none_judged')}"

    def _overview_row(self, outcome: ActionOutcome) -> dict[str, Any]:
        effect, goal, kpi = outcome.assessment.effect, outcome.assessment.goal, outcome.kpi
        judged = outcome.verdict.effect_state is not None and effect is not None
        title = f"{outcome.action.id} {outcome.action.objective}"
        return {
            say("outcome.table.action"): _link(f"#{slug(outcome.action.id)}", title),
            say("outcome.table.verdict"): self._badge(outcome),
            say("outcome.table.kpi"): outcome_words.title_of(outcome),
            say("outcome.table.progress"): progress_words.progress_words(outcome),
            say("outcome.table.target"): "–" if goal.target is None else outcome_words.value_of(kpi, goal.target),
            say("outcome.table.goal"): outcome_words.goal_words(goal) if judged else "–",
            say("outcome.table.effect"): _effect_text(outcome) if judged else "–",
            say("outcome.table.grade"): outcome.verdict.grade,
        }

    def _badge(self, outcome: ActionOutcome) -> Block:
        code = outcome.verdict.code
        return badge(VERDICT_STATES[code], say(f"verdict.{code}"))

    def _action(self, outcome: ActionOutcome) -> Block:
        action = outcome.action
        parts: list[Block] = [
            stack(self._badge(outcome), sentence(outcome_words.sentence(outcome))),
            self._charts[action.id],
        ]
        if remarks := outcome_words.remarks(outcome):
            parts.append(bullets(remarks))
        parts.append(fold(say("outcome.table.checks", id=action.id), self._checks(outcome)))
        parts.append(fold(say("outcome.table.smart", id=action.id), self._smart(outcome)))
        return section(f"{action.id}: {action.objective}", *parts, level=3, anchor=action.id)

    def _checks(self, outcome: ActionOutcome) -> Block:
        grade = facts([(say("outcome.table.grade"), check_words.grade_words(outcome))])
        if not outcome.assessment.checks:
            return grade
        rows = [
            {
                say("outcome.table.check"): say(f"outcome.check.{check.name}"),
                say("outcome.table.result"): check_words.check_result(check),
                say("outcome.table.detail"): check_words.check_detail(check, outcome),
            }
            for check in outcome.assessment.checks
        ]
        return stack(grade, table(pd.DataFrame(rows), caption=say("outcome.table.checks", id=outcome.action.id)))

    def _smart(self, outcome: ActionOutcome) -> Block:
        results = {True: "yes", False: "no", None: "none"}
        rows = [
            {
                say("outcome.table.criterion"): say(f"outcome.smart.{check.criterion}"),
                say("outcome.table.result"): say(f"outcome.smart_result.{results[check.passed]}"),
                say("outcome.table.reason"): check_words.smart_reason(check, outcome),
            }
            for check in outcome.smart
        ]
        return table(pd.DataFrame(rows), caption=say("outcome.table.smart", id=outcome.action.id))

    @cached_property
    def _charts(self) -> dict[str, Chart]:
        return {o.action.id: self._series_chart(o, number) for number, o in enumerate(self.outcomes, start=1)}

    def _series_chart(self, outcome: ActionOutcome, number: int) -> Chart:
        kpi, window = outcome.kpi, outcome.surroundings.window
        names = [words.period_name(label) for label in outcome.spine.labels] or ["–"]
        title = outcome_words.title_of(outcome)
        said = {"title": title, "first": names[0], "last": names[-1]}
        before = outcome_words.value_of(kpi, _mean(outcome.values, window.before))
        early = "" if outcome.assessment.effect is not None else "_early"
        if not early:
            alt = say(
                "outcome.figure.series_alt",
                **said,
                before=before,
                after=outcome_words.value_of(kpi, _mean(outcome.values, window.after)),
                expected=outcome_words.value_of(kpi, _mean(outcome.expected, window.after)),
            )
        else:
            alt = say("outcome.figure.series_alt_early", **said, before=before)
        write = lambda x: outcome_words.value_of(kpi, x)  # noqa: E731
        return show(
            outcome_figure(outcome),
            name=f"action-{number}-{slug(outcome.action.id)}",
            alt=alt,
            caption=say(f"outcome.figure.series{early}", id=outcome.action.id, title=title),
            data=outcome.frame(),
            formats={
                **dict.fromkeys(("value", "expected", "target"), write),
                "side": lambda part: say(f"outcome.part.{part.replace(' ', '_')}"),
            },
        )

    @cached_property
    def _effects_chart(self) -> Chart | None:
        drawn = [o for o in self.outcomes if o.verdict.effect_state is not None and o.assessment.needed]
        if not drawn:
            return None
        rows = []
        for o in drawn:
            low, mid, high = effect_shares(o)
            rows.append({"action": o.action.id, "share": mid, "lower": low, "upper": high})
        listed = " ".join(
            say(
                "outcome.figure.effects_one",
                id=str(r["action"]),
                low=words.percent(r["lower"], 0),
                high=words.percent(r["upper"], 0),
            )
            for r in rows
        )
        return show(
            effects_figure(drawn),
            name="effects",
            alt=say("outcome.figure.effects_alt", count=len(rows), list=listed),
            caption=say("outcome.figure.effects"),
            data=pd.DataFrame(rows),
            formats=dict.fromkeys(("share", "lower", "upper"), lambda x: words.percent(x, 0)),
        )

    @cached_property
    def _steps_chart(self) -> Chart | None:
        steps = [(o, s) for o in self.outcomes for s in o.progress.steps]
        dated = [(o, s) for o, s in steps if s.step.end]
        if not dated:
            return None
        listed = words.list_of(f"{s.step.title} ({say(f'outcome.step.{s.state}')})" for _, s in dated)
        rows = [
            {
                "action": o.action.id,
                "step": s.step.title,
                "owner": s.step.owner or "",
                "start": s.step.start,
                "end": s.step.end,
                "done_on": s.step.done_on,
                "step_state": say(f"outcome.step.{s.state}"),
                "delay_days": s.delay,
            }
            for o, s in steps
        ]
        return show(
            steps_figure(self.outcomes, last_day(self.evaluation.period.end, self.evaluation.as_of)),
            name="steps",
            alt=say("outcome.figure.steps_alt", count=len(dated), list=listed),
            caption=say("outcome.figure.steps"),
            legend=_step_signs(s.state for _, s in dated),
            data=pd.DataFrame(rows),
        )

    def _due_table(self) -> Block:
        rows = [
            {
                say("outcome.table.owner"): s.step.owner or o.action.responsible or "–",
                say("outcome.table.step"): f"{o.action.id} {s.step.title}",
                say("outcome.table.state"): say(f"outcome.step.{s.state}"),
                say("outcome.table.end"): words.date(s.step.end) if s.step.end else "–",
                say("outcome.table.delay"): s.delay,
            }
            for o in self.outcomes
            if progress_words.pursued(o)
            for s in o.progress.due
        ]
        if not rows:
            left = any(o.progress.due for o in self.outcomes if not progress_words.pursued(o))
            return sentence(say(f"outcome.progress.nothing_{'left' if left else 'due'}"))
        frame = pd.DataFrame(rows).sort_values(
            [say("outcome.table.owner"), say("outcome.table.delay")], ascending=[True, False]
        )
        return table(frame, caption=say("outcome.table.due"))

    def _planning_row(self, planning: Planning) -> dict[str, Any]:
        kpi, power = planning.kpi, planning.power
        seen = dict(zip(power.periods_after, power.mde80, strict=True)) if power else {}

        def size(periods: int) -> str:
            return outcome_words.size_of(kpi, seen[periods]) if periods in seen else "–"

        return {
            say("outcome.table.kpi"): kpi.title,
            say("outcome.table.level"): "–" if planning.level is None else outcome_words.value_of(kpi, planning.level),
            say("outcome.table.gap"): self._gap(planning),
            say("outcome.table.after3"): size(3),
            say("outcome.table.after6"): size(6),
            say("outcome.table.after12"): size(12),
            say("outcome.table.when"): self._when(planning),
        }

    def _gap(self, planning: Planning) -> str:
        if planning.level is None:
            return "–"
        if planning.target is None:
            return say("outcome.planning.no_target")
        if planning.gap is None:
            return say("outcome.planning.reached")
        return outcome_words.change_of(planning.kpi, planning.gap)

    def _when(self, planning: Planning) -> str:
        power = planning.power
        if power is None:
            return say(f"outcome.planning.{'too_few' if self._would_do(planning) else 'too_short'}")
        if power.needed is None:
            return "–"
        if power.enough is None:
            return say("outcome.planning.never")
        return say("outcome.planning.periods", count=power.enough)

    def _would_do(self, planning: Planning) -> bool:
        """Whether the history would be long enough with the periods that have too few cases to count."""
        rows = self.plan.measures(planning.kpi)
        mine = rows.loc[rows["department"] == self.study.department.code, "status"]
        return planning.periods + int(mine.isin(["too_few", "withheld"]).sum()) >= FEWEST


_FRAME_COLUMNS = (
    "id", "kpi", "progress", "target", "level", "p_met", "effect", "effect_low", "effect_high", "p", "p_adjusted",
    "verdict", "grade", "rival", "too_early_until",
)  # fmt: skip


def _mean(values: np.ndarray, mask: np.ndarray) -> float | None:
    chosen = values[mask & ~np.isnan(values)]
    return float(chosen.mean()) if len(chosen) else None


def _effect_text(outcome: ActionOutcome) -> str:
    effect, kpi = outcome.assessment.effect, outcome.kpi
    assert effect is not None
    interval = outcome_words.change_interval(kpi, effect.lower, effect.upper)
    return f"{outcome_words.change_of(kpi, effect.estimate)} ({interval})"


def _link(href: str, text: str) -> Block:
    from svclib.report.show import escape

    return Block(f'<a href="{escape(href)}">{escape(text)}</a>', text)


def _step_signs(states: Iterable[str]) -> str:
    """The shapes that the steps' time line draws, with their words."""
    present = set(states)
    shapes = {
        state: STEP_MARKS.get(state, "provisional")
        for state in ("done", "done_late", "late", "blocked", "due", "running", "planned")
    }
    named: dict[str, list[str]] = {}
    for state, shape in shapes.items():
        if state in present:
            named.setdefault(shape, []).append(say(f"outcome.step.{state}"))
    return ", ".join(f"{STATE_SIGNS[shape]} {words.list_of(said, either=True)}" for shape, said in named.items())


__all__ = ["OutcomeReport", "evaluate_plan"]
