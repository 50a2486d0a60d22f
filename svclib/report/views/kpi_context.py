"""What stands around the KPIs: the work itself, what people say, what was revised, how good the data are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.check import default_cohort
from svclib.catalogue.models import TIME_UNITS, Kpi, Source
from svclib.measure.analysis import KpiAnalysis, KpiFinding
from svclib.measure.revision import revisions
from svclib.measure.survey import ResponseRate, response_rate, silent_bounds
from svclib.measure.workload import Workload, measure_durations, measure_workload, without_small
from svclib.report import words
from svclib.report.figures.workload import arrivals_figure, flow_figure
from svclib.report.show import Block, Chart, bullets, note, section, sentence, show, slug
from svclib.report.tables import table
from svclib.report.words import kpi as kpi_words
from svclib.report.words import say
from svclib.report.words.where import label

if TYPE_CHECKING:
    from svclib.study import Study

Draw = Callable[[str, Callable[[str], Chart]], Chart]
_FLOW_PERIODS = 24
_COMMENT_PERIODS = 12


def workload(study: Study, analysis: KpiAnalysis, once: Draw) -> Block:
    """Arrivals, completions, backlog and its age, arrivals by hour, and how long cases took; small numbers withheld."""
    blocks: list[Block] = []
    for source in _sources(study, "cases"):
        load, ends = _load(study, source), "resolved_at" in source.columns
        text = " ".join([flow_text(load.flow), *_age_text(load)]) if ends else arrived_text(load.flow)
        blocks.append(sentence(text))
        if ends and load.flow["backlog"].notna().any():
            blocks.append(once(f"workload-{slug(source.name)}", partial(_flow, load)))
        if (load.arrivals > 0).any():
            blocks.append(once(f"arrivals-{slug(source.name)}", partial(_arrivals, load)))
        if ends and (load.ages["cases"] > 0).any():
            blocks.append(_ages(load))
    timed = [f for f in analysis.findings if f.kpi.kind == "time_to_event" and f.shown]
    if timed:
        blocks.append(_durations(study, timed))
    return section(say("kpi.title.workload"), *(blocks or [note("info", say("kpi.workload.nothing"))]))


def _sources(study: Study, shape: str) -> list[Source]:
    names = dict.fromkeys(kpi.source for kpi in study.kpis)
    return [s for s in (study.catalogue.source(name) for name in names) if s.shape == shape]


def _moment(as_of: dt.date) -> dt.datetime:
    """The end of the last day that is seen."""
    return as_of if isinstance(as_of, dt.datetime) else dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time())


def _load(study: Study, source: Source) -> Workload:
    known = set(source.columns)
    columns = [c for c in ("opened_at", "resolved_at") if c == "opened_at" or c in known]
    rows = study.snapshot.rows(source.name, department=study.department.code, columns=columns, until=study.period.end)
    if "resolved_at" not in rows:
        rows["resolved_at"] = pd.NaT
    first = rows["opened_at"].min()
    periods = [p for p in study.period.last(_FLOW_PERIODS) if pd.isna(first) or p.end > first.date()]
    load = measure_workload(rows, periods or [study.period], _moment(study.as_of))
    return without_small(load, study.organisation.disclosure_minimum)


def flow_text(flow: pd.DataFrame) -> str:
    """What came in, was completed and stayed open in the latest period; of what is withheld, that it is."""
    last = flow.iloc[-1]
    shown = {c: words.number(last[c], 0) for c in ("arrived", "completed", "backlog") if pd.notna(last[c])}
    key = {3: "flow", 1: "flow_backlog", 0: "flow_withheld"}[len(shown)]
    return say(f"kpi.workload.{key}", period=words.period_name(str(last["period"])), **shown)


def arrived_text(flow: pd.DataFrame) -> str:
    """What came in, of a source that does not tell when its cases end: all of them would look open."""
    last = flow.iloc[-1]
    came = say("kpi.value.hidden") if pd.isna(last["arrived"]) else words.number(last["arrived"], 0)
    return say("kpi.workload.arrived_only", period=words.period_name(str(last["period"])), arrived=came)


def flow_legend(flow: pd.DataFrame) -> str:
    """That what is missing is withheld; empty where nothing is."""
    return say("kpi.workload.gap") if flow[["arrived", "completed", "backlog"]].isna().any(axis=None) else ""


def _age_text(load: Workload) -> list[str]:
    if not np.isfinite(load.median_age):
        return []
    parts = [say("kpi.workload.age", median=words.number(load.median_age, 0))]
    return (
        [*parts, say("kpi.workload.oldest", oldest=words.number(load.oldest, 0))] if np.isfinite(load.oldest) else parts
    )


def shown_count(count: float) -> str:
    """A number of cases; one that is withheld is said to be."""
    return say("kpi.value.hidden") if pd.isna(count) else words.number(count, 0)


def _flow(load: Workload, name: str) -> Chart:
    headers = {c: say(f"kpi.workload.{c}") for c in ("arrived", "completed", "backlog", "complete")}
    return show(
        flow_figure(load.flow),
        name=name,
        alt=flow_text(load.flow),
        caption=say("kpi.workload.flow_caption"),
        legend=flow_legend(load.flow),
        data=load.flow,
        headers=headers,
    )


def _arrivals(load: Workload, name: str) -> Chart:
    day, hour = np.unravel_index(int(np.nanargmax(load.arrivals)), load.arrivals.shape)
    table_of = pd.DataFrame(np.round(load.arrivals, 2), columns=[str(h) for h in range(24)])
    table_of.insert(0, "weekday", _day_names())
    return show(
        arrivals_figure(load),
        name=name,
        alt=say("kpi.workload.arrivals_alt", day=_day_names()[int(day)], hour=str(int(hour))),
        caption=say("kpi.workload.arrivals_caption"),
        legend=say("kpi.workload.arrivals_withheld") if np.isnan(load.arrivals).any() else "",
        data=table_of,
        headers={"weekday": say("kpi.workload.weekday")},
        formats=dict.fromkeys(table_of.columns[1:], _weekly),
    )


def _weekly(mean: float) -> str:
    """A cell of the table of arrivals: all with two decimals, none as 0."""
    return words.number(mean, 2 if mean else 0)


def _day_names() -> list[str]:
    from babel.dates import get_day_names

    names = get_day_names("wide", locale=words.current_language())
    return [str(names[d]) for d in range(7)]


def _ages(load: Workload) -> Block:
    """Open cases by age."""
    edges = [*load.ages["from_days"].tolist(), None]
    labels = []
    for low, high in pairwise(edges):
        key = "age_open" if high is None else "age_band"
        labels.append(say(f"kpi.workload.{key}", low=str(low), high=str(high)))
    shown = [shown_count(count) for count in load.ages["cases"]]
    frame = pd.DataFrame({say("kpi.workload.age_column"): labels, say("column.n"): shown})
    return table(frame, caption=say("kpi.workload.age_caption"))


def _durations(study: Study, findings: list[KpiFinding]) -> Block:
    rows = []
    for finding in findings:
        kpi = finding.kpi
        target = finding.verdict.target if kpi.statistic in ("median", "mean", "quantile") else None
        slices = study.rows(kpi.code)
        known = measure_durations(
            slices["duration"].to_numpy(dtype=float), slices["observed"].to_numpy(dtype=bool), target
        )
        if known.cases < study.organisation.disclosure_minimum:
            continue
        quantiles = {
            say("kpi.workload.share", share=words.percent(q, 0)): _time(kpi, x) for q, x in known.quantiles.items()
        }
        rows.append(
            {
                say("kpi.table.kpi"): kpi.title,
                **quantiles,
                say("kpi.workload.within"): words.percent(known.within) if np.isfinite(known.within) else "–",
                say("column.open"): words.number(known.open, 0),
                say("column.n"): words.number(known.cases, 0),
            }
        )
    if not rows:
        return note("info", say("state_meaning.withheld"))
    return table(pd.DataFrame(rows), caption=say("kpi.workload.durations", period=words.period_name(study.period)))


def _time(kpi: Kpi, x: float) -> str:
    # As the measures have it: days where the KPI itself is no time, such as a share within a week.
    unit = kpi.unit if kpi.unit in TIME_UNITS else "d"
    return words.value(x, unit, 1) if np.isfinite(x) else say("kpi.workload.not_yet")


def comments(study: Study, analysis: KpiAnalysis) -> Block:
    """Response rates and what silence could hide; themes and words of the comments; quotes, cleaned or withheld."""
    blocks: list[Block] = []
    for source in _sources(study, "responses"):
        if "invited_at" in source.columns:
            blocks += _response(study, source, analysis)
        if "comment" in source.columns:
            blocks += _said(study, source)
    return section(say("kpi.title.comments"), *(blocks or [note("info", say("kpi.comments.nothing"))]))


def _response(study: Study, source: Source, analysis: KpiAnalysis) -> list[Block]:
    dimensions = list(source.dimension_columns)
    columns = ["invited_at", "responded_at", *dimensions]
    rows = study.snapshot.rows(source.name, department=study.department.code, columns=columns)
    invited = pd.to_datetime(rows["invited_at"])
    start, end = (pd.Timestamp(day) for day in (study.period.start, study.period.end))
    found = response_rate(rows[(invited >= start) & (invited < end)], dimensions, study.organisation.disclosure_minimum)
    if found is None or found.invited < study.organisation.disclosure_minimum:
        return [note("info", say("kpi.comments.no_invitations"))]
    parts: list[Block] = [sentence(_rate_text(study, found))]
    if 0 < found.answered < study.organisation.disclosure_minimum:
        return [note("info", say("state_meaning.withheld"))]
    if found.dimension:
        parts.append(note("caution", _bias_text(found)))
    answered = pd.to_datetime(rows["responded_at"])
    came = int(((answered >= start) & (answered < end)).sum())
    scored = [f for f in analysis.findings if f.kpi.source == source.name and f.shown]
    remarks = _counted_otherwise(study, source, scored, found.answered, came)
    remarks += [_bounds_text(f, found) for f in scored if _is_share(f)]
    return [*parts, bullets(remarks)] if remarks else parts


def _counted_otherwise(study: Study, source: Source, findings: list[KpiFinding], answered: int, came: int) -> list[str]:
    """Why KPIs rest on another number of answers than the response rate, which follows those invited in the period."""
    titles: dict[int, list[str]] = {}
    for f in findings:
        count = f.row["n"]
        if pd.notna(count) and round(count) != answered and default_cohort(f.kpi, source) == "responded_at":
            titles.setdefault(round(count), []).append(f.kpi.title)
    return [
        say(
            f"kpi.comments.{'counted' if count == came else 'counted_less'}",
            titles=words.list_of(named),
            answers=words.number(count, 0),
            came=words.number(came, 0),
            period=words.period_name(study.period),
        )
        for count, named in titles.items()
    ]


def _rate_text(study: Study, found: ResponseRate) -> str:
    return say(
        "kpi.comments.rate",
        period=words.period_name(study.period),
        rate=words.percent(found.rate, 0),
        invited=words.number(found.invited, 0),
        answered=words.number(found.answered, 0),
    )


def _bias_text(found: ResponseRate) -> str:
    said = {"low": found.low, "high": found.high, "dimension": label(found.dimension)}
    rates = {"low_rate": words.percent(found.low_rate, 0), "high_rate": words.percent(found.high_rate, 0)}
    return say("kpi.comments.bias", p=words.p_value(found.p), **said, **rates)


def _is_share(finding: KpiFinding) -> bool:
    kpi = finding.kpi
    share = kpi.kind == "score" and kpi.scale is not None and kpi.scale.measure == "csat"
    return share and finding.shown and pd.notna(finding.row["value"])


def _bounds_text(finding: KpiFinding, found: ResponseRate) -> str:
    low, high = silent_bounds(float(finding.row["value"]), found.rate)
    return say(
        "kpi.comments.bounds",
        title=finding.kpi.title,
        low=words.percent(low, 0),
        high=words.percent(high, 0),
    )


def _said(study: Study, source: Source) -> list[Block]:
    """This period's comments against those of the year before: themes of the code book, telling words, quotes."""
    from svclib.explain.themes import compare_comments

    periods = study.period.last(_COMMENT_PERIODS + 1)
    rows = study.snapshot.rows(
        source.name,
        department=study.department.code,
        columns=["comment", "responded_at"],
    )
    when = pd.to_datetime(rows["responded_at"])
    now = (when >= pd.Timestamp(study.period.start)) & (when < pd.Timestamp(study.period.end))
    before = (when >= pd.Timestamp(periods[0].start)) & (when < pd.Timestamp(study.period.start))
    inside, outside = (rows.loc[mask, "comment"].dropna().tolist() for mask in (now, before))
    minimum = study.organisation.disclosure_minimum
    found = compare_comments(inside, outside, study.catalogue.themes, minimum=minimum)
    period = words.period_name(study.period)
    if found.withheld:
        return [note("info", say("kpi.comments.withheld", period=period))]
    blocks: list[Block] = [sentence(say("kpi.comments.count", period=period, count=found.comments))]
    themes = [t for t in found.themes if t.inside >= minimum]
    if themes:
        blocks.append(table(_theme_rows(themes), caption=say("kpi.comments.themes", period=period)))
    if found.words:
        listed = words.list_of(f"{w.word} ({words.number(w.inside, 0)})" for w in found.words)
        blocks.append(sentence(say("kpi.comments.words", words=listed)))
    if found.quotes:
        blocks += [sentence(say("kpi.comments.quotes")), bullets(f"“{quote}”" for quote in found.quotes)]
    return blocks


def _theme_rows(themes: list[Any]) -> pd.DataFrame:
    ordered = sorted(themes, key=lambda t: -t.inside)
    return pd.DataFrame(
        {
            say("kpi.comments.theme"): [t.title for t in ordered],
            say("kpi.comments.now"): [words.percent(t.share, 0) for t in ordered],
            say("kpi.comments.before"): [words.percent(t.share_outside, 0) for t in ordered],
            say("kpi.table.p"): [words.p_value(t.p) for t in ordered],
        }
    )


def revised(study: Study, analysis: KpiAnalysis) -> Block:
    """Figures that differ from what the snapshot before said, and rows that came late."""
    title = say("kpi.title.revised")
    earlier = study.prepared.earlier
    if earlier is None:
        return section(title, note("info", say("kpi.revised.first")))
    seen = words.date(earlier.snapshot.as_of)
    # A period that was not over yet had not been reported.
    then = earlier.near(study.department.code, study.period)
    reported = then[pd.to_datetime(then["end"]) <= _moment(earlier.snapshot.as_of)]
    found = revisions(reported, study.near, study.department.code)
    blocks: list[Block] = []
    if late := _late(study, seen):
        blocks.append(sentence(late))
    kpis = {f.kpi.code: f.kpi for f in analysis.findings}
    found = found[found["kpi"].isin(kpis)]
    if found.empty:
        return section(title, *blocks, sentence(say("kpi.revised.nothing", date=seen)))
    rows = [
        {
            say("kpi.table.kpi"): kpis[r.kpi].title,
            say("column.period"): words.period_name(r.period),
            say("kpi.revised.then"): kpi_words.value_of(kpis[r.kpi], r.then),
            say("kpi.revised.now"): kpi_words.value_of(kpis[r.kpi], r.now),
            say("kpi.revised.cases"): words.signed(r.now_n - r.then_n, 0),
            say("kpi.revised.was_final"): say("show.yes" if r.was_final else "show.no"),
        }
        for r in found.itertuples()
    ]
    final = int(found["was_final"].sum())
    blocks.append(sentence(say("kpi.revised.count", count=len(found), final=words.number(final, 0), date=seen)))
    return section(
        title, *blocks, table(pd.DataFrame(rows), caption=say("kpi.revised.caption", date=seen), most_rows=40)
    )


def _late(study: Study, seen: str) -> str:
    rows = study.prepared.late
    mine = rows[rows["department"] == study.department.code]
    late, gone = int(mine["late"].sum()), int(mine["vanished"].sum())
    if not late and not gone:
        return ""
    return say("kpi.revised.late", late=words.number(late, 0), gone=words.number(gone, 0), date=seen)
