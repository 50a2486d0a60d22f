"""The root-cause analysis as its reader meets it: what needs explaining, then each gap in eight steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from svclib.catalogue.names import nearest
from svclib.errors import InputRefused, Problem
from svclib.explain import analysis as compute
from svclib.explain.analysis import Gap, RootCause
from svclib.explain.choose import Rules
from svclib.explain.record import analysis_record, shown_paretos, without_small
from svclib.measure.spc import BEYOND_CHANCE
from svclib.report import words
from svclib.report.figures import root_cause as figures
from svclib.report.show import (
    Block,
    Chart,
    badge,
    escape,
    facts,
    fold,
    note,
    paragraph,
    section,
    sentence,
    show,
    slug,
    stack,
)
from svclib.report.tables import table, write_csv
from svclib.report.views.root_cause_steps import action_block, how_blocks, segment_table, themes_blocks, whys_block
from svclib.report.views.study import StudyReport, of_study
from svclib.report.words import kpi as kpi_words
from svclib.report.words import root_cause as said
from svclib.report.words import say
from svclib.report.words.where import gap_state, label

if TYPE_CHECKING:
    from svclib.study import Study


@of_study
def explain_gaps(study: Study, kpis: Sequence[str] | None = None) -> RootCauseReport:
    """The root-cause analysis of a study: shows what needs explaining; its methods show the rest.

    Parameters
    ----------
    kpis
        Codes to look at; every gap (off target, or a concern on the chart) where left out.
    """
    if kpis is not None:
        kpis = [kpis] if isinstance(kpis, str) else list(kpis)
        known = [kpi.code for kpi in study.kpis]
        problems = [
            Problem(f"KPI {code}", "has no figures in this department and period", nearest(code, known))
            for code in kpis
            if code not in known
        ]
        if problems:
            raise InputRefused(problems)
    return RootCauseReport(study, compute.explain_gaps(study, kpis))


@dataclass(frozen=True, eq=False, repr=False)
class RootCauseReport(StudyReport):
    """A department's root-cause analysis.

    `frame` is its overview as a table, `chart(kpi)` the onset chart of a gap, `explain()` every gap step by step; `save()`
    writes what scripts rely on.
    """

    study: Study
    analysis: RootCause
    _drawn: dict[str, Chart] = field(default_factory=dict, repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a gap: plain values and codes."""
        rows = []
        for record in self.to_json()["gaps"]:
            best = record["segments"][0] if record["segments"] else None
            keep = {k: record[k] for k in ("kpi", "explain", "answer", "grade", "value", "usual", "target", "n", "p")}
            since = record["onset"]["period"] if record["onset"] else None
            segment = ", ".join(f"{k} = {v}" for k, v in best["where"].items()) if best else None
            rows.append(keep | {"since": since, "segment": segment, "share": best["share"] if best else None})
        return pd.DataFrame(rows, columns=[*_FRAME_COLUMNS])

    def to_json(self) -> dict[str, Any]:
        """The result as `root_cause_analysis.json` has it."""
        return self._record

    @cached_property
    def _record(self) -> dict[str, Any]:
        return analysis_record(self.analysis, lambda gap: said.sentence(gap, gap.question.period))

    # What the notebook shows, cell by cell

    def overview(self) -> Block:
        """Which gaps have something to explain, and the answer to each."""
        gaps = self.analysis.gaps
        if not gaps:
            return section(
                say("root_cause.title.overview"), sentence(say("root_cause.overview.none", period=self._period))
            )
        return section(say("root_cause.title.overview"), self._headline(), self._whole())

    def _whole(self) -> Block:
        caption = say("root_cause.overview.caption", department=self.study.department.name, period=self._period)
        return table(
            pd.DataFrame([self._overview_row(gap) for gap in self.analysis.gaps]), caption=caption, stacked=True
        )

    def explain(self, kpi: str | None = None) -> Block:
        """Every gap with something to explain in eight steps; the others in a sentence. Or one, by the KPI's code."""
        if kpi is not None:
            gap = self.analysis.gap(kpi)
            return self._gap(gap) if gap.question.explain else self._quiet(gap)
        return self._explained

    @cached_property
    def _explained(self) -> Block:
        special = [gap for gap in self.analysis.gaps if gap.question.explain]
        quiet = [gap for gap in self.analysis.gaps if not gap.question.explain]
        return stack(*(self._gap(gap) for gap in special), *(self._quiet(gap) for gap in quiet))

    def chart(self, kpi: str) -> Chart:
        """The onset chart of a gap, by the KPI's code."""
        return self._onset_chart(self.analysis.gap(kpi))

    def method(self) -> Block:
        """How the answers were worked out."""
        text = say(
            "root_cause.method.text", level=words.number(BEYOND_CHANCE, 2), alpha=words.percent(Rules().alpha, 0)
        )
        return section(say("root_cause.title.method"), paragraph(text))

    def save(self) -> None:
        """Write ``root_cause_analysis.json`` and the table behind every figure; nothing without `out`."""
        out = self.study.out
        if out is None:
            return
        (out / "data").mkdir(parents=True, exist_ok=True)
        _ = self._explained  # draws whatever there is, even if no cell showed it
        for chart in self._drawn.values():
            if chart.data is not None:
                write_csv(chart.data, out / "data" / f"{chart.name}.csv")
        write_csv(self.frame, out / "data" / "gaps.csv")
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=1, default=str)
        draft = out / ".root_cause_analysis.json.part"
        draft.write_text(text, encoding="utf-8")
        draft.replace(out / "root_cause_analysis.json")

    # Pieces

    def _headline(self) -> Block:
        special = sum(gap.question.explain for gap in self.analysis.gaps)
        rest = len(self.analysis.gaps) - special
        if special:
            return sentence(
                say(
                    "root_cause.overview.some",
                    count=special,
                    period=self._period,
                    rest=say("root_cause.overview.rest", count=rest) if rest else "",
                ),
                state="concern",
            )
        unjudged = sum(said.answer_of(gap) == "not_evaluable" for gap in self.analysis.gaps)
        slow = sum(said.answer_of(gap) in ("changed_before", "drifting") for gap in self.analysis.gaps)
        told = [
            say(f"root_cause.overview.{key}", count=count, period=self._period)
            for key, count in (("quiet", rest - unjudged - slow), ("slow", slow), ("unjudged", unjudged))
            if count
        ]
        return sentence(" ".join(told), state="common_cause" if rest > unjudged else "provisional")

    def _overview_row(self, gap: Gap) -> dict[str, Any]:
        question, kpi = gap.question, gap.question.kpi
        hidden = question.why_not == "withheld"
        link = Block(f'<a href="#{slug(kpi.code)}">{escape(kpi.title)}</a>', kpi.title)
        return {
            say("kpi.table.kpi"): link,
            say("root_cause.overview.answer"): badge(_state(gap), say(f"root_cause.answer.{said.answer_of(gap)}")),
            say("kpi.table.value"): say("kpi.value.hidden") if hidden else said.value_of(kpi, question.value),
            say("kpi.table.target"): "–" if question.target is None else said.value_of(kpi, question.target),
            say("root_cause.overview.since"): words.period_short(question.onset.period) if question.onset else "–",
            say("root_cause.overview.where"): said.where_of(gap.place.where) if gap.place else "–",
            say("root_cause.overview.grade"): gap.evidence.grade if question.explain else "–",
        }

    def _quiet(self, gap: Gap) -> Block:
        kpi = gap.question.kpi
        text = said.sentence(gap, gap.question.period)
        weak = said.answer_of(gap) == "weak_signal"  # the sign of "no special cause" would deny the signal
        blocks = [sentence(text, state=None if weak else _state(gap))]
        if gap.answer == "no_special_cause":
            ishikawa = self._ishikawa(gap)
            inner = [note("info", say("root_cause.segments.not_needed")), *self._split_text(gap)]
            blocks.append(fold(say("root_cause.title.mix_quiet"), *inner))
            blocks += [ishikawa] if ishikawa else []
        return section(kpi.title, *blocks, anchor=kpi.code)

    def _gap(self, gap: Gap) -> Block:
        kpi = gap.question.kpi
        steps = [
            _step(gap, "anything", *self._anything(gap)),
            _step(gap, "since", *self._since(gap)),
            _step(gap, "mix", *(self._split(gap) or [note("unknown", self._why_nothing(gap))])),
            _step(gap, "where", *self._where(gap)),
            _step(gap, "how", *how_blocks(gap, gap.question.period, self._once)),
            _step(gap, "pareto", *self._pareto(gap), *self._bones(gap), whys_block(gap)),
            _step(gap, "themes", *themes_blocks(gap, self._once)),
            _step(gap, "evidence", *action_block(gap, gap.question.period)),
        ]
        text = sentence(said.sentence(gap, gap.question.period), state=_state(gap))
        limits = [said.limit_text(code, detail) for code, detail in gap.limits]
        extra = [note("caution", "; ".join(limits)[:1].upper() + "; ".join(limits)[1:] + ".")] if limits else []
        return section(kpi.title, text, *extra, *steps, anchor=kpi.code)

    def _why_nothing(self, gap: Gap) -> str:
        reason = next((said.limit_text(code, detail) for code, detail in gap.limits), "")
        return say("root_cause.mix.none", reason=reason)

    def _anything(self, gap: Gap) -> list[Block]:
        question, kpi = gap.question, gap.question.kpi
        if question.silent and question.onset is not None:
            text = say("root_cause.anything.silent", p=words.p_value(question.onset.p))
        else:
            signals = kpi_words.signal_list(question.signals)
            text = say("root_cause.anything.concern", signals=signals, p=words.p_value(question.p))
        if question.peers != "none":
            text = f"{text} {say(f'root_cause.anything.peers_{question.peers}')}"
        pairs: list[tuple[str, str | Block]] = [
            (say("root_cause.anything.facts_value"), said.value_of(kpi, question.value))
        ]
        if question.usual is not None:
            ends = {
                "first": words.period_short(question.baseline[0]),
                "last": words.period_short(question.baseline[-1]),
            }
            pairs.append((say("root_cause.anything.facts_usual", **ends), said.value_of(kpi, question.usual)))
        if question.target is not None:
            pairs.append((say("root_cause.anything.facts_target"), said.value_of(kpi, question.target)))
        if question.n is not None and kpi.kind not in ("count", "availability"):
            pairs.append((say("root_cause.anything.facts_cases"), words.number(round(question.n), 0)))
        return [sentence(text), facts(pairs)]

    def _since(self, gap: Gap) -> list[Block]:
        text = " ".join(filter(None, [said.onset_text(gap), said.events_text(gap)]))
        return [sentence(text), self._onset_chart(gap)]

    def _once(self, name: str, gap: Gap, **shown: Any) -> Chart:
        """A figure is drawn once, however often it is shown or saved; its file is named by its KPI."""
        name = f"cause-{slug(gap.question.kpi.code)}-{name}"
        if name not in self._drawn:
            self._drawn[name] = show(shown.pop("figure")(), name=name, **shown)
        return self._drawn[name]

    def _onset_chart(self, gap: Gap) -> Chart:
        question, kpi = gap.question, gap.question.kpi
        points = question.points.tail(figures.LOOK_BACK)
        first, last = (words.period_name(str(p)) for p in points["period"].iloc[[0, -1]])
        near = [said.event_name(e) for e in question.events if e.near]
        events = say("root_cause.onset.events", events=words.list_of(near)) if near else ""
        data = points[["period", "value", "n", "mature", "status"]].copy()
        data.loc[data["status"] == "withheld", ["value", "n"]] = None
        return self._once(
            "onset", gap, figure=lambda: figures.onset_figure(gap), data=data, columns=("period", "value", "n"),
            alt=say("root_cause.onset.alt", title=kpi.title, first=first, last=last, onset=said.onset_text(gap), events=events),
            caption=say("root_cause.onset.caption", title=kpi.title),
            formats={"value": lambda x: said.value_of(kpi, x)},
        )  # fmt: skip

    def _split(self, gap: Gap) -> list[Block]:
        return [*self._split_text(gap), self._mix_chart(gap)] if gap.splits else []

    def _split_text(self, gap: Gap) -> list[Block]:
        if not gap.splits:
            return []
        leading = said.mixed_split(gap) if gap.answer == "mix" else gap.splits[0]
        if gap.localisation and gap.localisation.segments:
            best = gap.localisation.segments[0].where[0][0]
            leading = next((split for split in gap.splits if split.dimension == best), leading)
        text = " ".join(
            filter(None, [said.mix_text(gap, leading), say("root_cause.mix.exact"), said.split_remark(gap)])
        )
        blocks: list[Block] = [sentence(text)]
        blocks += [
            note("warning", say("root_cause.mix.simpson", dimension=label(split.dimension)))
            for split in gap.splits
            if split.simpson
        ]
        return blocks

    def _mix_chart(self, gap: Gap) -> Chart:
        kpi = gap.question.kpi
        data = pd.concat(
            [
                without_small(split.segments, gap.disclosure_minimum).assign(dimension=split.dimension)
                for split in gap.splits
            ],
            ignore_index=True,
        )
        data = data[["dimension", *(c for c in data if c != "dimension")]]
        parts = " ".join(
            say(
                "root_cause.mix.alt_part",
                dimension=label(split.dimension),
                rate=said.split_change(gap, split, split.rate),
                mix=said.split_change(gap, split, split.mix),
            )
            for split in gap.splits
        )
        shown = ("dimension", "value", "n0", "n1", "level0", "level1", "rate", "mix", "volume", "total")
        change = partial(said.split_change, gap, gap.splits[0])
        return self._once(
            "mix", gap, figure=lambda: figures.mix_figure(gap), data=data,
            columns=[c for c in shown if c not in ("level0", "level1") or gap.splits[0].kind != "count"],
            alt=say("root_cause.mix.alt", title=kpi.title, parts=parts),
            caption=say("root_cause.mix.caption", title=kpi.title),
            formats={"dimension": label, "value": said.value_name, "level0": partial(said.split_level, gap), "level1": partial(said.split_level, gap)}
            | dict.fromkeys(("rate", "mix", "volume", "total"), change),
        )  # fmt: skip

    def _where(self, gap: Gap) -> list[Block]:
        local = gap.localisation
        if local is None:
            reason = next((said.limit_text(code, detail) for code, detail in gap.limits), "")
            return [note("unknown", say("root_cause.segments.not_scanned", reason=reason))]
        blocks: list[Block] = segment_table(gap)
        chart = self._heat_chart(gap)
        blocks += [chart] if chart is not None else []
        if text := said.stood_out_text(local):
            blocks.append(note("info", text))
        if text := said.season_text(gap, gap.question.period):
            blocks.append(note("caution", text))
        return blocks

    def _heat_chart(self, gap: Gap) -> Chart | None:
        cells = figures.heat_table(gap)
        if cells is None or cells["z"].notna().sum() < 2:
            return None
        local, dims = gap.localisation, figures.telling_dimensions(gap)
        assert local is not None
        key = "heat" if len(dims) > 1 else "heat_one"
        names = {"title": gap.question.kpi.title, "rows": label(dims[0])} | (
            {"columns": label(dims[1])} if len(dims) > 1 else {}
        )
        worst = cells.sort_values("z", ascending=False).iloc[0]
        values = [said.value_name(str(v)) for v, d in zip((worst["row"], worst["column"]), dims, strict=False)]
        found = say("root_cause.segments.heat_none")
        if local.segments:
            found = say("root_cause.segments.heat_found", where=said.where_of(local.segments[0].where))
        return self._once(
            "segments", gap, figure=lambda: figures.heat_figure(gap, cells), data=cells,
            alt=say("root_cause.segments.heat_alt", worst=", ".join(values), found=found),
            caption=f"{say(f'root_cause.segments.{key}', **names)} ({say('root_cause.segments.heat_scale')})",
            formats={"row": said.value_name, "column": said.value_name, "z": lambda x: words.signed(x, 1)},
        )  # fmt: skip

    def _pareto(self, gap: Gap) -> list[Block]:
        if not gap.paretos:
            return []
        if gap.answer == "mix" or (gap.localisation and gap.localisation.segments):
            return [self._pareto_chart(gap)]
        return [note("info", say("root_cause.pareto.none"))]

    def _pareto_chart(self, gap: Gap) -> Chart:
        dimension = next(iter(gap.paretos))
        if gap.answer == "mix":
            dimension = said.mixed_split(gap).dimension
        elif gap.localisation and gap.localisation.segments:
            dimension = gap.localisation.segments[0].where[-1][0]
        shown = shown_paretos(gap)
        best = shown[dimension].iloc[0]
        alt = say("root_cause.pareto.alt_none", dimension=label(dimension))
        if best["excess"] > 0 and pd.notna(best["cumulative"]):
            share = words.percent(best["cumulative"], 0)
            alt = say(
                "root_cause.pareto.alt",
                dimension=label(dimension),
                best=said.value_name(str(best["value"])),
                share=share,
            )
        everything = pd.concat([t.assign(dimension=name) for name, t in shown.items()], ignore_index=True)
        return self._once(
            "pareto", gap, figure=lambda: figures.pareto_figure(gap, dimension), alt=alt,
            data=everything[["dimension", *(c for c in everything if c != "dimension")]],
            caption=say("root_cause.pareto.caption", title=gap.question.kpi.title, dimension=label(dimension)),
            headers={name: say(f"root_cause.pareto.{name}") for name in ("share", "cumulative")},
            formats={"dimension": label, "value": said.value_name}
            | dict.fromkeys(("share", "cumulative"), lambda x: words.percent(x, 0))
            | dict.fromkeys(("excess", "rate", "mix", "volume"), lambda x: words.signed(x, 1)),
        )  # fmt: skip

    def _bones(self, gap: Gap) -> list[Block]:
        chart = self._ishikawa(gap)
        if chart is None:
            return [note("info", say("root_cause.ishikawa.none"))]
        return [chart, note("info", say("root_cause.ishikawa.meaning"))]

    def _ishikawa(self, gap: Gap) -> Chart | None:
        if not gap.bones:
            return None
        title = gap.question.kpi.title
        causes = {
            status: words.list_of(b.cause for b in gap.bones if b.status == status) or say("root_cause.ishikawa.nobody")
            for status in figures.BONES
        }
        data = pd.DataFrame(
            [
                {
                    "category": b.category,
                    "cause": b.cause,
                    "status": say(f"root_cause.ishikawa.{b.status}"),
                    "why": say(f"root_cause.ishikawa_why.{b.why}"),
                    "share": b.share,
                    "p": b.p,
                }
                for b in gap.bones
            ]
        )
        return self._once(
            "ishikawa", gap, figure=lambda: figures.ishikawa_figure(gap.bones, title), data=data,
            alt=say("root_cause.ishikawa.alt", **causes), caption=say("root_cause.ishikawa.caption", title=title),
            headers={"share": say("root_cause.segments.share"), "why": say("root_cause.ishikawa_why.title")},
            formats={"share": said.share_cell, "p": words.p_value},
        )  # fmt: skip


_FRAME_COLUMNS = (
    "kpi", "explain", "answer", "grade", "value", "usual", "target", "n", "p", "since", "segment", "share",
)  # fmt: skip


def _step(gap: Gap, name: str, *blocks: Block) -> Block:
    return section(say(f"root_cause.title.{name}"), *blocks, level=3, anchor=f"{gap.question.kpi.code}-{name}")


def _state(gap: Gap) -> str:
    return gap_state(gap.answer, gap.question.why_not)
