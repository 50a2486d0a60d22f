"""The KPI analysis as its reader meets it: the month at a glance, each KPI over time, peers, chance, data."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.errors import InputRefused, Problem
from svclib.measure import analysis as compute
from svclib.measure.analysis import KpiAnalysis, KpiFinding
from svclib.measure.peers import Funnel
from svclib.measure.record import analysis_record
from svclib.measure.spc.verdict import point_states
from svclib.report import words
from svclib.report.figures.kpi import control_chart_figure, funnel_figure, multiples_figure
from svclib.report.show import (
    Block,
    Chart,
    bullets,
    escape,
    facts,
    fold,
    note,
    numbers_behind,
    section,
    sentence,
    show,
    slug,
    stack,
)
from svclib.report.tables import table, write_csv
from svclib.report.views import data_quality, kpi_context
from svclib.report.views.marks import badges_of, standing_of, unusual, word_of
from svclib.report.views.study import StudyReport, of_study
from svclib.report.words import kpi as kpi_words
from svclib.report.words import kpi_remarks, say
from svclib.report.words.headline import count_words, outlook

if TYPE_CHECKING:
    from svclib.study import Study

# In which order KPIs are told of: first what needs somebody.
_FIRST = ("concern", "fault", "withheld", "too_few", "provisional", "common_cause", "neutral", "improvement")
_A_YEAR_AND_ONE = 13  # periods of a table in the page: the same month of last year is in it
_NO_CASES = ("count", "availability")
_POINT_COLUMNS = (
    "period", "value", "numerator", "denominator", "n", "mature", "status", "target", "centre", "lower", "upper",
    "phase", "baseline", "signals", "p", "state",
)  # fmt: skip


@of_study
def analyse_kpis(study: Study) -> KpiReport:
    """The KPI analysis of a study: shows the month at a glance; its methods show the rest."""
    department = study.department
    analysis = compute.analyse_kpis(
        study.near,
        study.kpis,
        department.code,
        study.period,
        as_of=study.as_of,
        peers=None if department.peers == "auto" else department.peers,
        events=study.events,
        actions=study.actions,
        history=study.catalogue.run.history,
        disclosure_minimum=study.organisation.disclosure_minimum,
        data_quality=data_quality.quality_records(study),
        steady=study.prepared.steady(study.period),
        recoded=study.prepared.recoded,
    )
    return KpiReport(study, analysis)


@dataclass(frozen=True, eq=False, repr=False)
class KpiReport(StudyReport):
    """A department's KPI analysis.

    `frame` is its overview as a table, `chart(code)` one control chart, `explain()` every KPI with its sentences;
    `save()` writes what scripts rely on.
    """

    study: Study
    analysis: KpiAnalysis
    _drawn: dict[str, Chart] = field(default_factory=dict, repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a KPI: plain values and codes; what is withheld is missing."""
        records = self.to_json()["kpis"]
        keep = ["code", "title", "value", "unit", "n", "open", "target", "met", "state", "variation", "assurance"]
        table = pd.DataFrame([{k: r[k] for k in [*keep, "p_meets_target_next", "p"]} for r in records])
        ends = [r["interval"] or [None, None] for r in records]
        table.insert(4, "lower", [e[0] for e in ends])
        table.insert(5, "upper", [e[1] for e in ends])
        return table

    def to_json(self) -> dict[str, Any]:
        """The result as `kpi_analysis.json` has it."""
        return self._record

    @cached_property
    def _record(self) -> dict[str, Any]:
        record = analysis_record(self.analysis, self._told)
        for entry, finding in zip(record["kpis"], self.analysis.findings, strict=True):
            day = kpi_words.counts_from(finding, self.study.as_of) if finding.verdict.state == "provisional" else None
            entry["final_on"] = day.isoformat() if day else None
        return record

    # What the notebook shows, cell by cell

    def overview(self) -> Block:
        """The month at a glance: one row a KPI, then all of them in small."""
        return section(say("kpi.title.overview"), self._answer(), self._whole(), *self._multiples())

    def _whole(self) -> Block:
        rows = [self._overview_row(f) for f in self.analysis.findings]
        caption = say("kpi.table.overview", department=self.study.department.name, period=self._period)
        return table(pd.DataFrame(rows), caption=caption, stacked=True)

    def explain(self, kpi: str | None = None) -> Block:
        """Each KPI with more to say than its usual variation on its chart, concerns first; then the others in words.

        Or one of them, by its code.
        """
        if kpi is not None:
            return self._kpi(self.analysis.finding(kpi))
        told = sorted((f for f in self.analysis.findings if f.notable), key=lambda f: _FIRST.index(f.verdict.state))
        quiet = [f for f in self.analysis.findings if not f.notable]
        parts = [section(say("kpi.title.charts"), *([self._kpi(f) for f in told] or [sentence(say("kpi.quiet.all"))]))]
        if quiet:
            intro = sentence(say("kpi.quiet.intro"))
            parts.append(section(say("kpi.title.quiet"), intro, *(self._quiet(f) for f in quiet)))
        return stack(*parts)

    def chart(self, kpi: str) -> Chart:
        """The control chart of one KPI, by its code."""
        finding = self.analysis.finding(kpi)
        return self._once(f"kpi-{self._slugs[kpi]}", lambda name: self._control_chart(finding, name))

    @cached_property
    def _slugs(self) -> dict[str, str]:
        """A file name for each KPI; codes that differ only in signs (``A.1``, ``A 1``) get a number."""
        found: dict[str, str] = {}
        for f in self.analysis.findings:
            plain = slug(f.kpi.code)
            found[f.kpi.code] = f"{plain}-{len(found)}" if plain in found.values() else plain
        return found

    def _once(self, name: str, make: Callable[[str], Chart]) -> Chart:
        """A figure is drawn once, however often it is shown or saved."""
        if name not in self._drawn:
            self._drawn[name] = make(name)
        return self._drawn[name]

    def _control_chart(self, finding: KpiFinding, name: str) -> Chart:
        named = self._named(finding)
        return show(
            control_chart_figure(finding),
            name=name,
            alt=self._alt(finding, named),
            caption=say("kpi.figure.control", **named),
            legend=say("kpi.figure.signs"),
            **self._behind(finding),
        )

    def _marked(self, finding: KpiFinding) -> dict[str, str]:
        """What stands beside the KPI's heading."""
        return {"state": standing_of(finding), "said": word_of(finding)}

    def _told(self, finding: KpiFinding) -> str:
        return kpi_words.sentence(finding, self.study.as_of)

    def _named(self, finding: KpiFinding) -> dict[str, str]:
        """The KPI's title with its first and last period."""
        first, last = (words.period_name(str(p)) for p in finding.points["period"].iloc[[0, -1]])
        return {"title": finding.kpi.title, "first": first, "last": last}

    def _behind(self, finding: KpiFinding) -> dict[str, Any]:
        """The numbers behind a control chart, as `show` and `numbers_behind` take them; the unit stands in the head."""
        values = ("value", "target", "centre", "lower", "upper")
        # of a count the cases are its value, and a share of time has none
        base = () if finding.kpi.kind in _NO_CASES else ("n",)
        return {
            "data": self._points(finding),
            "columns": ("period", "value", *base, "target", "centre", "lower", "upper", "state"),
            "formats": dict.fromkeys(values, lambda x: kpi_words.number_of(finding.kpi, x))
            | {"period": words.period_short, "signals": kpi_words.signal_list, "state": unusual},
            "headers": {"value": kpi_words.head_of(finding.kpi), "n": kpi_words.base_of(finding.kpi)},
        }

    def chance(self) -> Block:
        """How many charts signal, how many would by chance, and the strength of each one's evidence."""
        order = np.argsort([1.1 if np.isnan(f.p) else f.p for f in self.analysis.findings], kind="stable")
        rows = []
        for i in order:
            f, q = self.analysis.findings[i], self.analysis.signals.q[i]
            rows.append(
                {
                    say("kpi.table.kpi"): f.kpi.title,
                    say("kpi.table.variation"): self._variation(f),
                    say("kpi.table.signals"): kpi_words.signal_list(f.verdict.signals) or "–",
                    say("kpi.table.p"): words.p_value(f.p),
                    say("kpi.table.q"): words.p_value(q),
                }
            )
        text = sentence(kpi_words.chance_text(self.analysis))
        return section(say("kpi.title.chance"), text, table(pd.DataFrame(rows), caption=say("kpi.table.chance")))

    def funnel(self, kpi: str) -> Chart:
        """The funnel of one share or rate, by its code."""
        finding = self.analysis.finding(kpi)
        if finding.funnel is None:
            raise InputRefused(Problem(f"KPI {kpi}", "has no funnel in this period", say("kpi.peers.nothing")))
        return self._funnel_chart(finding)

    def peers(self) -> Block:
        """The department among the others, where their figures can be compared: never a league table.

        A funnel is drawn where the department lies outside its limits; where it does not, that is said.
        """
        compared = {f.kpi.code: f for f in self.analysis.findings if f.funnel is not None}
        bands = {code: self._band(f) for code, f in compared.items()}
        blocks = [
            sentence(say(f"kpi.peers.{band}", department=self.study.department.name, list=words.list_of(titles)))
            for band in ("inside", "unstable")
            if (titles := [f.kpi.title for code, f in compared.items() if bands[code] == band])
        ]
        blocks += [self._funnel(f) for code, f in compared.items() if bands[code].startswith("beyond")]
        return section(say("kpi.title.peers"), *(blocks or [note("info", say("kpi.peers.nothing"))]))

    def workload(self) -> Block:
        """Work coming in, completed and waiting, where a source holds single cases."""
        return kpi_context.workload(self.study, self.analysis, self._once)

    def comments(self) -> Block:
        """Response rates, themes, telling words and quotes, where a source holds answers."""
        return kpi_context.comments(self.study, self.analysis)

    def revised(self) -> Block:
        """What has changed since the snapshot before."""
        return kpi_context.revised(self.study, self.analysis)

    def quality(self) -> Block:
        """How good the data behind the figures are."""
        return data_quality.quality(self.study, self.analysis)

    def method(self) -> Block:
        """Which chart, why, by which rules, on how many periods; KPIs that are treated alike stand together."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for f in self.analysis.findings:
            how = (f"kind.{f.chart.kind}", f"reason.{f.chart.reason}", f"rules.{f.chart.rules}")
            alike.setdefault((*how, kpi_words.method_text(f)), []).append(f.kpi.title)
        rows = [
            {
                say("kpi.table.kpi"): words.list_of(titles),
                say("kpi.table.chart"): say(f"kpi.{kind}"),
                say("kpi.table.reason"): say(f"kpi.{reason}"),
                say("kpi.table.rules"): say(f"kpi.{rules}"),
                say("kpi.table.baseline"): rest_on,
            }
            for (kind, reason, rules, rest_on), titles in alike.items()
        ]
        text = table(pd.DataFrame(rows), caption=say("kpi.table.methods"))
        return section(
            say("kpi.title.method"), text, fold(say("kpi.method.deviations"), bullets(kpi_words.deviations()))
        )

    def save(self) -> None:
        """Write ``kpi_analysis.json`` and the table behind every figure; nothing where the notebook has no `out`."""
        out = self.study.out
        if out is None:
            return
        (out / "data").mkdir(parents=True, exist_ok=True)
        tables = {name: chart.data for name, chart in self._drawn.items() if chart.data is not None}
        for finding in self.analysis.findings:
            tables[f"kpi-{self._slugs[finding.kpi.code]}"] = self._points(finding)
            if finding.funnel is not None:
                tables[f"peers-{self._slugs[finding.kpi.code]}"] = self._peer_table(finding.funnel)
        for name, behind in tables.items():
            write_csv(behind, out / "data" / f"{name}.csv")
        write_csv(self.frame, out / "data" / "kpis.csv")
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=1, default=str)
        beside = out / ".kpi_analysis.json.part"
        beside.write_text(text, encoding="utf-8")
        beside.replace(out / "kpi_analysis.json")

    @cached_property
    def charts(self) -> list[Chart]:
        """A control chart of every KPI and every funnel, also those that the report leaves out for lack of news."""
        charts = [self.chart(f.kpi.code) for f in self.analysis.findings]
        return [*charts, *(self._funnel_chart(f) for f in self.analysis.findings if f.funnel is not None)]

    # Pieces

    def _answer(self) -> Block:
        return sentence(count_words([kpi_words.entry_of(f) for f in self.analysis.findings]))

    def _overview_row(self, finding: KpiFinding) -> dict[str, Any]:
        kpi, row, judged = finding.kpi, finding.row, finding.verdict
        hidden = say("kpi.value.hidden")
        chance = judged.p_meets_target_next if finding.shown else None
        return {
            say("kpi.table.kpi"): Block(f'<a href="#{slug(kpi.code)}">{escape(kpi.title)}</a>', kpi.title),
            say("kpi.table.variation"): badges_of(finding),
            say("kpi.table.value"): kpi_words.value_of(kpi, row["value"]) if finding.shown else hidden,
            say("kpi.table.target"): kpi_words.target_of(finding) or "–",
            say("kpi.table.assurance"): say(f"kpi.assurance.{outlook(kpi_words.entry_of(finding))}"),
            say("kpi.table.next"): "–" if chance is None else kpi_words.chance_of(chance),
            say("kpi.table.n"): self._cases(finding) if finding.shown else hidden,
        }

    def _cases(self, finding: KpiFinding) -> str:
        """Cases behind the value; a count or a share of time has none."""
        n = finding.row["n"]
        return "–" if finding.kpi.kind in _NO_CASES or pd.isna(n) else words.number(round(n), 0)

    def _multiples(self) -> list[Chart]:
        findings = self.analysis.findings
        if len(findings) < 2:
            return []
        first, last = (
            words.period_name(str(p))
            for p in findings[0].points["period"].iloc[[-min(24, len(findings[0].points)), -1]]
        )
        states = "; ".join(f"{f.kpi.title}: {say(f'state.{standing_of(f)}')}" for f in findings)
        alt = say("kpi.figure.multiples_alt", count=str(len(findings)), states=states)
        caption = say("kpi.figure.multiples", first=first, last=last)
        return [show(multiples_figure(findings), name="all-kpis", alt=alt, caption=caption)]

    def _kpi(self, finding: KpiFinding) -> Block:
        kpi = finding.kpi
        parts: list[Block] = [sentence(self._told(finding)), self.chart(kpi.code)]
        return section(kpi.title, *parts, *self._more(finding), level=3, anchor=kpi.code, **self._marked(finding))

    def _quiet(self, finding: KpiFinding) -> Block:
        """A KPI without a chart of its own: the small one above shows it, and its numbers are here."""
        kpi = finding.kpi
        caption = say("kpi.figure.control", **self._named(finding))
        numbers = numbers_behind(**self._behind(finding), caption=caption, latest=_A_YEAR_AND_ONE)
        parts = [sentence(self._told(finding)), *self._more(finding, numbers)]
        return section(kpi.title, *parts, level=3, anchor=kpi.code, **self._marked(finding))

    def _more(self, finding: KpiFinding, numbers: Block | None = None) -> list[Block]:
        """What else is known of a KPI: remarks, a suggestion, its numbers, its declaration."""
        parts: list[Block] = []
        remarks = kpi_remarks.remarks(finding)
        remarks += kpi_remarks.plan_remarks(self.study.actions, finding.kpi.code, self.study.period)
        if remarks:
            parts.append(bullets(remarks))
        if suggestion := kpi_remarks.suggestion_text(finding):
            parts.append(fold(say("kpi.suggest.title"), note("info", suggestion)))
        if numbers is not None:
            parts.append(numbers)
        about = [(say(f"kpi.about.{name}"), text) for name, text in self._about(finding) if text]
        parts.append(fold(say("kpi.about.title"), facts(about)))
        return parts

    def _about(self, finding: KpiFinding) -> Sequence[tuple[str, str]]:
        kpi, target = finding.kpi, finding.target
        agreed = ""
        if target is not None:
            agreed = say(
                f"kpi.about.target_{target.source}",
                value=kpi_words.target_of(finding),
                by=target.agreed_by or "–",
                date=words.date(target.from_),
            )
        return [
            ("question", kpi.question or ""),
            ("objective", kpi.objective or ""),
            ("owner", kpi.owner or ""),
            ("target", agreed),
            ("rebases", "; ".join(f"{words.date(r.date)}: {r.reason} ({r.approved_by})" for r in kpi.rebase)),
        ]

    def _points(self, finding: KpiFinding) -> pd.DataFrame:
        points = finding.points[[c for c in _POINT_COLUMNS if c in finding.points]].copy()
        points["state"] = point_states(finding.points, finding.kpi.direction)
        withheld = (points["status"] == "withheld").to_numpy()
        if withheld.any():
            points.loc[withheld, ["value", "numerator", "denominator", "n", "lower", "upper", "p"]] = np.nan
        return points[[c for c in _POINT_COLUMNS if c in points]]

    def _alt(self, finding: KpiFinding, names: dict[str, str]) -> str:
        kpi, drawn = finding.kpi, finding.drawn
        latest = kpi_words.value_of(kpi, drawn["value"].iloc[-1]) if finding.shown else say("kpi.value.hidden")
        said = {**names, "count": str(len(finding.points)), "latest": latest}
        limited = drawn[np.isfinite(drawn["centre"])]  # a period without cases has no limits of its own
        if limited.empty:
            return say("kpi.figure.control_alt_none", **said)
        last = limited.iloc[-1]
        ends = [kpi_words.line_of(kpi, last[c]) for c in ("lower", "upper")]
        limits = say("value.interval", low=ends[0], high=ends[1])
        marked = finding.points[finding.points["signals"].map(bool)]
        listed = words.list_of(words.period_short(str(p)) for p in marked["period"].tail(12))
        some = "signals_some" if len(marked) <= 12 else "signals_latest"
        signals = (
            say(f"kpi.figure.{some}", count=len(marked), list=listed) if len(marked) else say("kpi.figure.signals_none")
        )
        return say(
            "kpi.figure.control_alt",
            centre=kpi_words.line_of(kpi, last["centre"]),
            limits=limits,
            signals=signals,
            **said,
        )

    def _variation(self, finding: KpiFinding) -> str:
        """What the latest period that counts shows; the badge of the period itself stands above."""
        variation = finding.verdict.variation
        known = {"none": "too_few", "neutral_high": "neutral", "neutral_low": "neutral"}
        return say(f"state.{known.get(variation, variation)}")

    def _band(self, finding: KpiFinding) -> str:
        """Where the department lies in the funnel: ``inside``, ``beyond_95``, ``beyond_998`` or ``unstable``."""
        assert finding.funnel is not None
        return str(self._mine(finding.funnel)["band"]).removesuffix("_high").removesuffix("_low")

    def _mine(self, found: Funnel) -> pd.Series:
        return found.table[found.table["department"] == self.study.department.code].iloc[0]

    def _funnel(self, finding: KpiFinding) -> Block:
        found = finding.funnel
        assert found is not None
        said = say(f"kpi.peers.{self._band(finding)}", department=self.study.department.name)
        remarks = [say("kpi.peers.shrunken", value=kpi_words.value_of(finding.kpi, self._mine(found)["shrunken"]))]
        if found.tau2 > 0:
            remarks.append(say("kpi.peers.dispersion", phi=words.number(found.phi, 1)))
        return section(
            finding.kpi.title,
            sentence(said),
            self._funnel_chart(finding),
            bullets(remarks),
            level=3,
            anchor=f"peers-{finding.kpi.code}",
        )

    def _peer_table(self, found: Funnel) -> pd.DataFrame:
        return found.table.assign(department=found.table["department"].map(lambda c: self._names.get(c, c)))

    @cached_property
    def _names(self) -> dict[str, str]:
        """Department code to name."""
        return data_quality.department_names(self.study)

    def _funnel_chart(self, finding: KpiFinding) -> Chart:
        return self._once(f"peers-{self._slugs[finding.kpi.code]}", lambda name: self._draw_funnel(finding, name))

    def _draw_funnel(self, finding: KpiFinding, name: str) -> Chart:
        found, code = finding.funnel, self.study.department.code
        assert found is not None
        names = self._names
        outside = found.table.loc[found.table["band"].str.startswith("beyond_998"), "department"]
        mine = self._mine(found)
        write = lambda x: kpi_words.value_of(finding.kpi, x)  # noqa: E731
        values = ("value", "lower95", "upper95", "lower998", "upper998", "shrunken")
        return show(
            funnel_figure(found, code, finding, names),
            name=name,
            alt=say(
                "kpi.figure.funnel_alt",
                title=finding.kpi.title,
                count=str(len(found.table)),
                level=write(found.level * found.per),
                outside=words.list_of(names.get(c, c) for c in outside) or say("kpi.figure.none"),
                department=names.get(code, code),
                mine=write(mine["value"]),
            ),
            caption=say("kpi.figure.funnel", title=finding.kpi.title, period=self._period),
            data=self._peer_table(found),
            formats=dict.fromkeys(values, write) | {"band": lambda band: say(f"kpi.band.{band}")},
        )


__all__ = ["KpiReport", "analyse_kpis"]
