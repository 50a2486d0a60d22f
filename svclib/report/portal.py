"""The portal: a page over all periods, one for each period, one for each department's month.

It reads `manifest.json` and the reports' results, and writes the same bytes for the same files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.brief import Badge, kpi_badge, kpi_href, signal_badge, told_badge, value_words
from svclib.report.changes import Change, changes
from svclib.report.department import answer, department_page, failure_reason
from svclib.report.glossary import glossary_name, write_glossary
from svclib.report.page import write_page
from svclib.report.ranking import Signals, Strong, by_evidence, lede, moving, perhaps, signals_of, strongest, tally
from svclib.report.render import all_links
from svclib.report.results import (
    STATE_ORDER,
    DepartmentMonth,
    KpiResult,
    Month,
    neighbours,
    period_labels,
    read_month,
)
from svclib.report.words.headline import UNKNOWN

_STRONGEST = 8
_ON_THE_PORTAL = 5
#: Standings that make a department worth a row of its own.
_NEWS = frozenset({"fault", "concern", "cannot_meet", "improvement", "neutral", "moving"})


def write_period_pages(out: Path, period: str) -> list[Path]:
    """Write a period's page and its departments' pages; returns their paths.

    The periods before and after get their link to this one, where they have none yet.

    Parameters
    ----------
    out
        The folder of all reports.
    period
        Label of a folder in it that has a `manifest.json`.
    """
    written = _write_month(out, period)
    for other in neighbours(out, period):
        if other and not _links_to(out / other / "index.html", f"../{period}/index.html"):
            _write_month(out, other)
    return written


def _links_to(page: Path, href: str) -> bool:
    return page.is_file() and f'href="{href}"' in page.read_text(encoding="utf-8")


def _write_month(out: Path, period: str) -> list[Path]:
    before, after = neighbours(out, period)
    month = read_month(out, period)
    earlier = read_month(out, before) if before else None
    later = read_month(out, after) if after else None
    written = []
    for department in month.departments:
        folder = out / period / department.folder
        if folder.is_dir():
            text = department_page(month, department, earlier=earlier, later=later)
            written.append(_write(folder / "index.html", text))
    written.append(_write(out / period / "index.html", period_page(month, earlier=earlier, later=later)))
    return written


def write_portal(out: Path) -> Path:
    """Write `index.html` over all periods and the glossary of each of their languages."""
    months = [read_month(out, label) for label in period_labels(out)]
    spoken = {d.language for month in months for d in month.departments} | {month.language for month in months}
    for language in sorted(filter(None, spoken)):
        write_glossary(out, language)
    return _write(out / "index.html", portal_page(months))


def _write(path: Path, text: str) -> Path:
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(path)
    return path


@dataclass(frozen=True)
class Cell:
    """A KPI of a department in the grid."""

    title: str
    href: str | None
    value: str
    badge: Badge
    unit: str
    whole: str
    before: Badge | None = None  # where the period itself cannot be judged yet and an earlier one signals
    then: str = ""  # that one's name


@dataclass(frozen=True)
class Row:
    """A department in the grid."""

    code: str
    name: str
    href: str
    cells: Sequence[Cell | None]
    states: str
    find: str
    troubles: Sequence[str]
    usual: int
    news: bool


@dataclass(frozen=True)
class Trouble:
    """A report that is not there."""

    department: str
    notebook: str
    href: str | None
    status: str
    reason: str


def period_page(month: Month, *, earlier: Month | None = None, later: Month | None = None) -> str:
    """The page of a period: departments against KPIs, ranked by evidence, and what changed since the one before."""
    with words.use_language(month.language):
        titles = month.kpi_titles
        links = {"portal": "../index.html", "glossary": f"../{glossary_name(month.language)}"}
        links |= {n: f"../{m.label}/index.html" for n, m in (("previous", earlier), ("next", later)) if m}
        counts = tally(month)
        return write_page(
            "period.html.j2",
            language=month.language,
            with_script="find.js",
            title=words.period_name(month.label),
            organisation=month.organisation,
            period=month.label,
            as_of=month.as_of,
            lede=lede(month),
            signals=signals_of(month),
            tally=[
                (told_badge(state, perhaps=weak), counts[state, weak])
                for state in STATE_ORDER
                for weak in (False, True)
                if counts[state, weak]
            ],
            troubles=list(troubles(month)),
            absent=[department.name for department in month.absent],
            interrupted=bool(month.manifest.get("interrupted")),
            strongest=list(strongest(month)),
            perhaps=perhaps(month),
            moving=moving(month),
            shown=_STRONGEST,
            titles=list(titles.values()),
            rows=[_row(department, titles) for department in by_evidence(month)],
            states=[(s, words.say(f"state.{s}")) for s in STATE_ORDER if counts[s, False] or counts[s, True]],
            changes=_told(changes(earlier, month), month) if earlier else [],
            earlier=earlier.label if earlier else None,
            links=all_links(links),
            contents=[],
            provenance=_provenance(month),
        )


def troubles(month: Month) -> Iterator[Trouble]:
    """Reports that failed, are late or cannot be read."""
    for department in month.departments:
        for report in department.missing:
            page = f"{department.folder}/{report.notebook}.html" if report.has_page else None
            reason = (
                failure_reason(report.entry)
                if report.status == "failed"
                else words.say(f"report_status.{report.status}")
            )
            short = words.say(f"report_status_short.{report.status}")
            yield Trouble(department.name, words.say(f"notebook.{report.notebook}"), page, short, reason)


def _row(department: DepartmentMonth, titles: Mapping[str, str]) -> Row:
    cells = [_cell(department, department.kpi(code)) for code in titles]
    states = sorted({state for kpi in department.kpis for state in (kpi.standing, kpi.told)})
    return Row(
        department.code,
        department.name,
        f"{department.folder}/index.html",
        cells,
        " ".join(states),
        f"{department.code} {department.name}".casefold(),
        [
            f"{words.say(f'notebook.{report.notebook}')}: {words.say(f'report_status_short.{report.status}')}"
            for report in department.missing
        ],
        sum(kpi.standing == "common_cause" for kpi in department.kpis),
        bool(department.missing) or not _NEWS.isdisjoint(states),
    )


def _cell(department: DepartmentMonth, kpi: KpiResult | None) -> Cell | None:
    if kpi is None:
        return None
    value = whole = value_words(kpi)
    if kpi.value is not None and kpi.previous is not None:
        delta = words.change(kpi.value - kpi.previous, kpi.unit, kpi.decimals)
        whole = words.say("period_page.with_change", value=value, change=delta)
    link = kpi_href(department, kpi.code)
    # in the grid the column says what is counted, and the unit only takes room
    places = 0 if kpi.unit == "%" and kpi.value == 1 else kpi.decimals  # "100.00%" would not fit its column
    short = words.value(kpi.value, "%" if kpi.unit == "%" else "", places) if kpi.value is not None else ""
    return Cell(
        kpi.title,
        f"{department.folder}/{link}" if link else None,
        short,
        kpi_badge(kpi),
        value.removeprefix(short).strip() if short and kpi.unit != "%" else "",
        whole,
        signal_badge(kpi) if kpi.counted else None,
        words.period_short(kpi.counted) if kpi.counted else "",
    )


@dataclass(frozen=True)
class Told:
    """A change since the period before, for the page."""

    department: str
    title: str
    href: str
    before: Badge
    after: Badge


def _told(found: Sequence[Change], month: Month) -> list[Told]:
    told = []
    for change in found:
        department = month.department(change.department)
        if department is None or change.before is None or change.after is None:
            continue
        link = kpi_href(department, change.kpi) or "index.html"
        told.append(
            Told(
                department.name,
                department.title_of(change.kpi),
                f"{department.folder}/{link}",
                signal_badge(change.before),
                signal_badge(change.after),
            )
        )
    return told


def _provenance(month: Month) -> list[Any]:
    from svclib.report.render import provenance_facts

    manifest = month.manifest
    snapshot = manifest.get("snapshot")
    digest = snapshot.get("digest") if isinstance(snapshot, Mapping) else snapshot
    facts = {"snapshot": digest, "as_of": month.as_of, "code": manifest.get("code") or manifest.get("commit")}
    return provenance_facts({name: fact for name, fact in facts.items() if fact})


@dataclass(frozen=True)
class PeriodLine:
    """A period in the list of all."""

    label: str
    name: str
    href: str
    departments: int
    made: int
    troubles: int
    concerns: int
    cannot_meet: int
    improvements: int
    unknown: int
    after_fdr: int


def portal_page(months: Sequence[Month]) -> str:
    """The page over all periods, the latest first."""
    latest = max(months, key=lambda month: Period.parse(month.label).start, default=None)
    language = latest.language if latest else "en"
    with words.use_language(language):
        lines = [_period_line(month) for month in sorted(months, key=_newest_first)]
        return write_page(
            "portal.html.j2",
            language=language,
            with_script="find.js",
            title=words.say("portal.title"),
            organisation=latest.organisation if latest else "",
            latest=_latest(latest) if latest and latest.departments else None,
            years=_by_year(lines),
            contents=[],
            provenance=[],
            glossary=glossary_name(language) if latest else None,
        )


def _newest_first(month: Month) -> tuple[int, int]:
    period = Period.parse(month.label)
    return (-period.start.toordinal(), -period.end.toordinal())


def _period_line(month: Month) -> PeriodLine:
    counts = tally(month)
    reports = [report for department in month.departments for report in department.reports.values()]
    return PeriodLine(
        month.label,
        words.period_name(month.label),
        f"{month.label}/index.html",
        len(month.departments),
        sum(report.ok for report in reports),
        sum(len(department.missing) for department in month.departments),
        counts["concern", False],
        counts["cannot_meet", False],
        counts["improvement", False],
        sum(count for (state, weak), count in counts.items() if weak or state in UNKNOWN),
        signals_of(month).after_fdr,
    )


def _by_year(lines: Sequence[PeriodLine]) -> list[tuple[str, list[PeriodLine]]]:
    years: dict[str, list[PeriodLine]] = {}
    for line in lines:
        years.setdefault(line.label[:4], []).append(line)
    return list(years.items())


@dataclass(frozen=True)
class Latest:
    """What the portal says of the latest period."""

    name: str
    href: str
    lede: str
    signals: Signals
    strongest: Sequence[Strong]
    troubles: int
    departments: Sequence[tuple[str, str, str]]


def _latest(month: Month) -> Latest:
    first = list(strongest(month))[:_ON_THE_PORTAL]
    signals = [replace(s, href=f"{month.label}/{'index.html' if s.parts else ''}{s.href}", parts=()) for s in first]
    departments = [
        (d.name, f"{month.label}/{d.folder}/index.html", answer(d, month.label))
        for d in sorted(month.departments, key=lambda d: (d.name, d.code))
    ]
    return Latest(
        words.period_name(month.label),
        f"{month.label}/index.html",
        lede(month),
        signals_of(month),
        signals,
        sum(len(d.missing) for d in month.departments),
        departments,
    )
