"""The review meeting: an agenda from signals, overdue actions and open verdicts, and a sheet for its decisions.

The sheet lies at ``<period>/decisions.xlsx``; people fill it in, and next period's agenda takes it up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib.report import words
from svclib.report.brief import verdict_badge
from svclib.report.department import actions
from svclib.report.page import write_page
from svclib.report.portal import strongest, troubles
from svclib.report.render import all_links
from svclib.report.results import Month, neighbours, read_month

if TYPE_CHECKING:
    import pandas as pd

SHEET = "decisions.xlsx"
_COLUMNS = ("item", "department", "subject", "what", "decision", "responsible", "until", "status")
_OPEN = frozenset(
    {"inconclusive", "met_not_attributable", "improved_target_missed", "not_met", "worsened", "met_despite"}
)


@dataclass(frozen=True)
class Item:
    """A point of the agenda.

    Attributes
    ----------
    kind
        ``report`` (missing), ``signal``, ``overdue`` or ``verdict``.
    """

    kind: str
    department: str
    subject: str
    text: str
    href: str

    @property
    def code(self) -> str:
        """The same point in the sheet, from run to run."""
        return f"{self.kind}: {self.department}: {self.subject}"


@dataclass(frozen=True)
class Decision:
    """A line of a decisions sheet that somebody filled in."""

    item: str
    department: str
    subject: str
    decision: str
    responsible: str
    until: str
    status: str
    overdue: bool


def agenda(month: Month) -> list[Item]:
    """What the meeting should speak of: missing reports, signals by evidence, overdue actions, verdicts to act on."""
    return [*_missing(month), *_signals(month), *_actions(month)]


def _missing(month: Month) -> Iterator[Item]:
    for trouble in troubles(month):
        yield Item("report", trouble.department, trouble.notebook, trouble.reason, trouble.href or "index.html")


def _signals(month: Month) -> Iterator[Item]:
    for signal in strongest(month):
        among = signal.department or words.list_of(part.name for part in signal.parts)
        href = f"index.html{signal.href}" if signal.parts else signal.href
        yield Item("signal", among, signal.title, signal.sentence, href)


def _actions(month: Month) -> Iterator[Item]:
    for department in month.departments:
        page = f"{department.folder}/outcome_evaluation.html"
        lines = actions(department, month.label)
        for line in lines:
            if line.overdue and not line.stop:  # what is to be stopped stands among the verdicts
                text = words.say("department.overdue_since", due=line.due, owner=line.owner)
                yield Item("overdue", department.name, line.title, text, f"{page}#{line.anchor}")
            elif line.blocked:
                yield Item("overdue", department.name, line.title, line.brief, f"{page}#{line.anchor}")
        verdicts = {str(a["id"]): str(a.get("verdict") or "").lower().replace(" ", "_") for a in department.actions}
        for line in lines:
            if verdicts[line.id] in _OPEN:
                text = f"{verdict_badge(verdicts[line.id]).text}. {line.brief}".strip()
                yield Item("verdict", department.name, line.title, text, f"{page}#{line.anchor}")


def read_decisions(path: Path, *, today: dt.date) -> list[Decision]:
    """The decisions that a filled-in sheet holds; empty where there is none or nobody wrote in it.

    A decision is overdue when its date has passed and its status is not done.
    """
    import pandas as pd

    if not path.is_file():
        return []
    frame = pd.read_excel(path, sheet_name=0, dtype=object)
    found = []
    for row in frame.to_dict("records"):
        said = {name: _cell(value) for name, value in zip(_COLUMNS, list(row.values()), strict=False)}
        if not said.get("decision"):
            continue
        until = _date(said.get("until", ""))
        done = said.get("status", "").casefold() in _done_words()
        found.append(
            Decision(
                said["item"],
                said["department"],
                said["subject"],
                said["decision"],
                said.get("responsible", ""),
                words.date(until, "medium") if until else said.get("until", ""),
                said.get("status", ""),
                until is not None and until < today and not done,
            )
        )
    return found


def _done_words() -> set[str]:
    return {words.say("action_status.done", language).casefold() for language in words.languages()} | {"done", "x"}


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    return str(value).strip().removeprefix("'")


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def decisions_table(month: Month, earlier: list[Decision]) -> pd.DataFrame:
    """The sheet to fill in: last period's open decisions first, then this agenda's points."""
    import pandas as pd

    rows = [
        (
            d.item,
            d.department,
            d.subject,
            words.say("meeting.from_before"),
            d.decision,
            d.responsible,
            d.until,
            d.status,
        )
        for d in earlier
        if d.status.casefold() not in _done_words()
    ]
    rows += [(item.code, item.department, item.subject, item.text, "", "", "", "") for item in agenda(month)]
    return pd.DataFrame(rows, columns=[words.say(f"meeting.{name}") for name in _COLUMNS])


def write_meeting(out: Path, period: str) -> list[Path]:
    """Write ``<period>/agenda.html`` and, unless one lies there already, ``<period>/decisions.xlsx``.

    A sheet that exists is never touched: people may have written in it.
    """
    from svclib.measure.periods import Period
    from svclib.report.export import write_workbook

    month = read_month(out, period)
    before, _ = neighbours(out, period)
    with words.use_language(month.language):
        today = Period.parse(period).end
        earlier = read_decisions(out / before / SHEET, today=today) if before else []
        page = out / period / "agenda.html"
        page.write_text(agenda_page(month, earlier), encoding="utf-8", newline="\n")
        written = [page]
        if not (out / period / SHEET).exists():
            table = decisions_table(month, earlier)
            written.append(write_workbook({words.say("meeting.sheet"): table}, out / period / SHEET))
        return written


def agenda_page(month: Month, earlier: list[Decision]) -> str:
    """The agenda as a page to print or project."""
    with words.use_language(month.language):
        items = agenda(month)
        kinds = [
            (kind, [item for item in items if item.kind == kind]) for kind in ("report", "signal", "overdue", "verdict")
        ]
        return write_page(
            "agenda.html.j2",
            language=month.language,
            title=words.say("meeting.title", period=words.period_name(month.label)),
            organisation=month.organisation,
            period=month.label,
            decisions=earlier,
            kinds=[(kind, found) for kind, found in kinds if found],
            sheet=SHEET,
            links=all_links({"portal": "../index.html", "period": "index.html"}),
            contents=[],
            provenance=[],
        )
