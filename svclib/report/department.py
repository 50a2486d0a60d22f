"""A department's month on one page: the answer first, then what stands behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from svclib.report import words
from svclib.report.brief import (
    Badge,
    action_brief,
    action_title,
    answer_of,
    gap_brief,
    kpi_badges,
    kpi_brief,
    kpi_counts,
    kpi_href,
    outlook_text,
    signal_badge,
    value_words,
    verdict_badge,
    verdict_of,
)
from svclib.report.figures.spark import sparkline
from svclib.report.figures.svg import data_uri
from svclib.report.glossary import glossary_name
from svclib.report.page import write_page
from svclib.report.render import all_links
from svclib.report.results import NOTEBOOKS, STATE_ORDER, DepartmentMonth, KpiResult, Month
from svclib.report.show import slug
from svclib.report.words.headline import UNKNOWN
from svclib.report.words.where import QUIETER, gap_state

_SPARK_POINTS = 24
_DONE = frozenset({"done", "cancelled"})


@dataclass(frozen=True)
class Item:
    """A line of a card: what it is about, where to read more, its badge, its sentence."""

    name: str
    text: str
    href: str | None = None
    badge: Badge | None = None


@dataclass(frozen=True)
class Tile:
    """A KPI of the strip."""

    code: str
    title: str
    href: str | None
    value: str
    against: str
    badges: Sequence[Badge]
    why: str
    spark: str
    spark_alt: str


@dataclass(frozen=True)
class ActionLine:
    """An action of the plan, due dates first."""

    id: str
    title: str
    kpi: str
    owner: str
    due: str
    overdue: bool
    progress: str
    verdict: Badge
    brief: str
    stop: bool = False
    blocked: bool = False
    order: tuple[Any, ...] = field(repr=False, default=())

    @property
    def anchor(self) -> str:
        return slug(self.id)


def department_page(
    month: Month, department: DepartmentMonth, *, earlier: Month | None = None, later: Month | None = None
) -> str:
    """The page of a department's period, from its reports' results.

    Parameters
    ----------
    earlier, later
        The neighbouring periods, for the links.
    """
    language = department.language or month.language
    with words.use_language(language):
        return write_page(
            "department.html.j2",
            language=language,
            title=department.name,
            organisation=month.organisation,
            department=department.name,
            period=month.label,
            as_of=month.as_of,
            answer=answer(department, month.label),
            attention=attention(department, month.label),
            improved=improved(department, month.label),
            unknown=unknown(department, month.label),
            quiet=[kpi.title for kpi in department.kpis if kpi.group == "common_cause"],
            missed=[
                kpi.title for kpi in department.kpis if kpi.group == "common_cause" and kpi.entry.get("met") is False
            ],
            tiles=[tile(department, kpi) for kpi in ranked(department.kpis)],
            causes=causes(department),
            actions=actions(department, month.label),
            quality=[quality_line(entry) for entry in department.data_quality],
            links=_links(month, department, earlier, later, language),
            reports=_report_links(department),
            contents=[],
            provenance=[],
        )


def _links(
    month: Month, department: DepartmentMonth, earlier: Month | None, later: Month | None, language: str
) -> dict[str, str | None]:
    links: dict[str, str | None] = {"portal": "../../index.html", "period": "../index.html"}
    for name, other in (("previous", earlier), ("next", later)):
        there = other.department(department.code) if other else None
        if other and there:
            links[name] = f"../../{other.label}/{there.folder}/index.html"
    links["glossary"] = f"../../{glossary_name(language)}"
    return all_links(links)


@dataclass(frozen=True)
class ReportLink:
    """A report behind the month: its page and notebook, or why there is none."""

    name: str
    href: str | None
    notebook: str | None
    status: str
    reason: str


def _report_links(department: DepartmentMonth) -> list[ReportLink]:
    links = []
    for name in NOTEBOOKS:
        report = department.reports[name]
        if report.status == "not_run":
            continue
        files = report.entry.get("files")
        has_notebook = report.ok if files is None else f"{name}.ipynb" in files
        links.append(
            ReportLink(
                words.say(f"notebook.{name}"),
                f"{name}.html" if report.has_page else None,
                f"{name}.ipynb" if has_notebook else None,
                report.status,
                failure_reason(report.entry) if report.status == "failed" else "",
            )
        )
    return links


def failure_reason(entry: Mapping[str, Any]) -> str:
    """Why a report failed, in the reader's language."""
    reason = str((entry.get("failure") or {}).get("reason") or "other")
    return words.say(f"failure.{reason}") if words.known(f"failure.{reason}") else words.say("failure.other")


def ranked(kpis: Sequence[KpiResult]) -> list[KpiResult]:
    """KPIs with what matters first: by standing, then by the strength of the evidence, then as declared."""
    order = {state: place for place, state in enumerate(STATE_ORDER)}
    return sorted(kpis, key=lambda k: (order.get(k.standing, len(order)), 1.0 if k.p is None else k.p))


def attention(department: DepartmentMonth, period: str) -> list[Item]:
    """What needs attention: signals the wrong way or of no side, what moved without one, targets out of reach, actions
    overdue or blocked.
    """
    found = _kpi_items(department, period, {"concern", "cannot_meet", "neutral", "moving"})
    for line in actions(department, period):
        concern = line.verdict.state == "concern"
        if line.overdue or line.blocked or concern:
            chased = line.overdue and not line.stop  # nobody is to finish what is to be stopped
            late = words.say("department.overdue_since", due=line.due, owner=line.owner) if chased else ""
            state = "overdue" if line.overdue else "blocked"
            mark = line.verdict if concern else Badge("concern", words.say(f"department.{state}"))
            text = f"{late} {line.brief if concern or line.blocked else ''}".strip()
            found.append(Item(line.title, text, f"outcome_evaluation.html#{line.anchor}", mark))
    return found


def improved(department: DepartmentMonth, period: str) -> list[Item]:
    """What got better: signals the wanted way, actions that worked."""
    return _kpi_items(department, period, {"improvement", "moving_better"}) + _action_items(department, "improvement")


def unknown(department: DepartmentMonth, period: str) -> list[Item]:
    """What nobody can say yet, and since when one could; changes that may be chance are among it."""
    found = _kpi_items(department, period, {*UNKNOWN, "unknown"}) + _action_items(department, "provisional")
    for report in department.missing:
        name = words.say(f"notebook.{report.notebook}")
        text = (
            failure_reason(report.entry) if report.status == "failed" else words.say(f"report_status.{report.status}")
        )
        href = f"{report.notebook}.html" if report.has_page else None
        found.append(Item(name, text, href, Badge("fault", words.say(f"report_status_short.{report.status}"))))
    return found


def _kpi_items(department: DepartmentMonth, period: str, groups: Collection[str]) -> list[Item]:
    return [
        Item(kpi.title, kpi_brief(department, kpi, period), kpi_href(department, kpi.code), signal_badge(kpi))
        for kpi in ranked(department.kpis)
        if kpi.group in groups
    ]


def answer(department: DepartmentMonth, period: str) -> str:
    """The month in a sentence or three: KPIs, overdue actions, reports that are missing."""
    kpis = department.kpis
    sentences = [kpi_counts(kpis) if kpis else words.say("department.no_kpis")]
    overdue = sum(line.overdue for line in actions(department, period))
    sentences += [words.say("answer.overdue", count=overdue)] if overdue else []
    sentences += [words.say("answer.missing", count=len(department.missing))] if department.missing else []
    return " ".join(sentences)


def tile(department: DepartmentMonth, kpi: KpiResult) -> Tile:
    """A KPI's tile: its value against its target, its state, its recent history."""
    shown = list(kpi.points[-_SPARK_POINTS:]) if kpi.state != "withheld" else []
    values = [point.get("value") for point in shown]
    spark = sparkline(
        values, state=kpi.state, target=kpi.target, final=[bool(point.get("mature", True)) for point in shown]
    )

    def write(x: float | None) -> str:
        return words.value(x, kpi.unit, kpi.decimals)

    known = [v for v in values if v is not None]
    alt = (
        words.say("department.spark", count=len(known), first=write(known[0]), low=write(min(known)), high=write(max(known)), last=write(known[-1]))
        if known
        else words.say("department.spark_none")
    )  # fmt: skip
    return Tile(
        kpi.code,
        kpi.title,
        kpi_href(department, kpi.code),
        value_words(kpi),
        _tile_target(kpi, write),
        kpi_badges(kpi),
        outlook_text(kpi),
        data_uri(spark),
        alt,
    )  # fmt: skip


def _tile_target(kpi: KpiResult, write: Callable[[float | None], str]) -> str:
    if kpi.target is None:
        return words.say("department.no_target")
    key = "target_placeholder" if kpi.entry.get("target_source") == "placeholder" else "target"
    return words.say(f"department.{key}", target=write(kpi.target))


def causes(department: DepartmentMonth) -> list[Item]:
    """What the root-cause analysis found, one line a gap."""
    found = []
    for gap in department.gaps:
        code = str(gap.get("kpi", ""))
        grade = gap.get("grade")
        explained = bool(gap.get("explain"))
        text = words.say("department.grade", grade=str(grade)) if grade else words.say("department.no_grade")
        mark = Badge("neutral", text) if explained else _unexplained(gap)
        title = str(gap.get("title") or department.title_of(code))
        found.append(Item(title, gap_brief(gap), f"root_cause_analysis.html#{slug(code)}", mark))
    return found


def _unexplained(gap: Mapping[str, Any]) -> Badge:
    """A gap that nothing special explains, or one that cannot be judged yet."""
    state = gap_state(str(gap.get("answer")), gap.get("why_not"))
    if (answer := answer_of(gap)) in QUIETER:
        return Badge("improvement" if answer == "improved" else state, words.say(f"root_cause.answer.{answer}"))
    return Badge(state, words.say(f"state.{state}"))


def _action_items(department: DepartmentMonth, state: str) -> list[Item]:
    """The actions whose verdict has this state's shape."""
    found = []
    for action in department.actions:
        mark = verdict_badge(verdict_of(action))
        if mark.state == state and action.get("next_step") != "unblock":  # that one needs attention
            href = f"outcome_evaluation.html#{slug(str(action['id']))}"
            found.append(Item(action_title(action), action_brief(action), href, mark))
    return found


def actions(department: DepartmentMonth, period: str) -> list[ActionLine]:
    """The plan's actions: overdue first, then by due date."""
    from svclib.measure.periods import Period

    end = Period.parse(period).end
    lines = []
    for action in department.actions:
        progress = action.get("progress") or {}
        progress = progress if isinstance(progress, Mapping) else {"share": progress}
        due = action.get("due") or progress.get("due")
        status = str(action.get("status") or progress.get("status") or "")
        done = status.replace("_", " ") in _DONE
        overdue = bool(
            progress.get("overdue", due is not None and dt.date.fromisoformat(str(due)[:10]) < end and not done)
        )
        lines.append(
            ActionLine(
                str(action["id"]),
                action_title(action),
                str(action.get("kpi_title") or department.title_of(str(action.get("kpi") or ""))),
                str(action.get("owner") or action.get("responsible") or words.say("department.no_owner")),
                words.date(due, "medium") if due else words.say("department.no_due"),
                overdue,
                _progress(progress, status),
                verdict_badge(verdict_of(action)),
                action_brief(action),
                action.get("next_step") == "stop",
                action.get("next_step") == "unblock",
                (not overdue, done, str(due or "9999"), str(action["id"])),
            )
        )
    return sorted(lines, key=lambda line: line.order)


def _progress(progress: Mapping[str, Any], status: str) -> str:
    code = status.replace(" ", "_")
    named = words.say(f"action_status.{code}") if words.known(f"action_status.{code}") else status
    share = progress.get("share")
    if isinstance(share, int | float):
        return f"{named}, {words.percent(share, 0)}" if named else words.percent(share, 0)
    return named or words.say("value.none")


def quality_line(entry: Any) -> str:
    """A remark on the data as a sentence."""
    if isinstance(entry, Mapping):
        return str(entry.get("sentence") or entry.get("text") or ", ".join(f"{k}: {v}" for k, v in entry.items()))
    return str(entry)
