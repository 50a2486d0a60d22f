"""The action plan of the sample as its managers keep it: a sheet of actions, a sheet of steps."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svclib.sample.span import Span
from svclib.sample.workbook import save_workbook

HEADS = (
    "id", "department", "kpi", "segment", "Service Gap", "Improvement Objective", "Action Steps",
    "Responsible Person/Team", "Timeline", "Status", "Outcome/Evaluation", "baseline_from", "baseline_to",
    "target_type", "target_value", "announced", "start", "full_effect", "due", "exclude_peers",
)  # fmt: skip
STEP_HEADS = ("id", "Step", "Owner", "Start", "End", "Done on", "Note")
_WIDTHS = {"Service Gap": 44, "Improvement Objective": 44, "Action Steps": 44, "Outcome/Evaluation": 30, "Step": 44,
           "Responsible Person/Team": 24, "Timeline": 20, "kpi": 24, "segment": 30, "Note": 44, "Owner": 24}  # fmt: skip

Place = tuple[int, int]  # month by offset, days after its first


@dataclass(frozen=True)
class _Step:
    title: str
    owner: str
    start: Place
    end: Place
    done: Place | None = None
    note: str | None = None


@dataclass(frozen=True)
class _Row:
    id: str
    department: str
    kpi: str
    gap: str
    objective: str
    responsible: str
    status: str
    baseline: tuple[Place, Place]
    target: tuple[str, float]
    announced: Place
    start: Place
    full_effect: Place
    due: Place
    steps: tuple[_Step, ...] = field(default_factory=tuple)
    segment: str | None = None
    exclude_peers: str | None = None
    outcome: str | None = None


ROWS: tuple[_Row, ...] = (
    _Row(
        "A-2025-01", "D04", "csat",
        "Satisfaction with the IT service desk has been below 80 % for over a year.",
        "Raise CSAT of the IT service desk to at least 85 %.",
        "IT service manager", "done", ((-24, 0), (-14, 30)), ("level", 0.85), (-14, 14), (-13, 0), (-12, 0), (-4, 30),
        (
            _Step("Print posters with the service promise", "Communications", (-13, 0), (-13, 20), (-13, 18)),
            _Step("Send a monthly newsletter to all offices", "IT service desk", (-12, 0), (-4, 30), (-4, 30)),
        ),
        exclude_peers="D01, D03",
    ),
    _Row(
        "A-2025-02", "D03", "resolution_time",
        "Half of the billing cases take longer than 30 hours; refunds wait for a second signature.",
        "Cut the median time to resolution in billing by 40 %.",
        "Head of billing", "done", ((-24, 0), (-13, 30)), ("relative", -0.40), (-13, 10), (-12, 0), (-11, 0), (-4, 30),
        (
            _Step("Agree the limit of 50 pounds with the auditors", "Head of billing", (-13, 10), (-13, 28), (-13, 27)),
            _Step("Change the approval rule in the billing system", "IT service desk", (-12, 0), (-12, 20), (-12, 22),
                  "Two days late: release calendar"),
            _Step("Train the team in the new rule", "Team lead billing", (-12, 10), (-12, 30), (-12, 28)),
        ),
    ),
    _Row(
        "A-2025-03", "D05", "escalation_rate",
        "Escalations in installations jumped in the last quarter.",
        "Bring the escalation rate back to 14 % or less.",
        "Head of installations", "done", ((-15, 0), (-13, 30)), ("level", 0.14), (-12, 14), (-11, 0), (-10, 0), (-4, 30),
        (
            _Step("Weekly round with all team leads", "Head of installations", (-11, 0), (-10, 27), (-10, 27)),
            _Step("Escalations only after a call to the team lead", "Team leads", (-11, 7), (-11, 28), (-11, 26)),
        ),
        exclude_peers="D01, D04",
    ),
    _Row(
        "A-2025-04", "D02", "first_contact_resolution",
        "Four of ten field service cases need a second visit, most often because a part is missing.",
        "Resolve at least 66 % of the cases at the first contact.",
        "Field service and stores", "done", ((-24, 0), (-12, 30)), ("level", 0.66), (-11, 9), (-10, 0), (-9, 0), (-2, 30),
        (
            _Step("List the forty parts used most", "Stores", (-11, 9), (-11, 24), (-11, 23)),
            _Step("Fit every van with a stock of these parts", "Fleet manager", (-10, 0), (-10, 27), (-10, 28)),
            _Step("Refill by scanner each evening", "Field service", (-10, 14), (-9, 14), (-9, 12)),
        ),
    ),
    _Row(
        "A-2025-05", "D01", "csat",
        "Calls to customer support are long and answers differ from agent to agent.",
        "Raise CSAT of customer support by 3 percentage points through the same answer from everyone.",
        "Head of customer support", "in progress", ((-24, 0), (-12, 30)), ("change", 0.03), (-12, 10), (-11, 0), (-10, 0),
        (-1, 30),
        (
            _Step("Write scripts for the thirty commonest questions", "Quality assurance", (-12, 10), (-11, 10), (-11, 12)),
            _Step("Make the scripts binding for all calls", "Head of customer support", (-11, 0), (-11, 30), (-11, 30)),
            _Step("Listen to twenty calls a month and score them", "Quality assurance", (-10, 0), (-1, 30), None,
                  "Continues; scores are good, callers are not pleased"),
        ),
        exclude_peers="D03",
    ),
    _Row(
        "A-2025-06", "D06", "handoffs",
        "Repair cases change hands 0.83 times on average; the service board wants 0.8.",
        "Reduce hand-offs in returns and repairs to 0.72 a case or fewer.",
        "Head of the repair centre", "done", ((-24, 0), (-12, 30)), ("level", 0.72), (-11, 14), (-10, 0), (-9, 0), (-3, 30),
        (
            _Step("Hang up a chart of who does what", "Repair centre", (-10, 0), (-10, 14), (-10, 14)),
            _Step("Talk about hand-offs in the weekly meeting", "Repair centre", (-10, 0), (-3, 30), (-3, 26)),
        ),
    ),
    _Row(
        "A-2026-01", "D05", "first_contact_resolution",
        "Four of ten installations need a second contact, mostly because documents are missing.",
        "Resolve at least 66 % of the installation cases at the first contact.",
        "Head of installations", "blocked", ((-15, 0), (-4, 30)), ("level", 0.66), (-3, 14), (-2, 0), (1, 0), (5, 30),
        (
            _Step("Send a checklist with each appointment", "Team leads", (-2, 0), (-1, 14), (-1, 20), "Six days late"),
            _Step("Call new customers two days before the visit", "Installations", (-2, 14), (-1, 30), None,
                  "Late: two posts are vacant"),
            _Step("Upload of documents in the portal", "IT service desk", (-1, 0), (0, 20), None,
                  "Blocked: the portal's supplier has not delivered the change"),
            _Step("Compare second contacts before and after", "Quality assurance", (1, 14), (2, 20)),
        ),
        exclude_peers="D02",
    ),
    _Row(
        "A-2026-02", "D01", "escalation_rate",
        "Since September login cases in the chat are passed up far more often.",
        "Escalate no more than 12 % of the login cases in the chat.",
        "Digital channels", "in progress", ((-14, 0), (-2, 30)), ("level", 0.12), (0, 1), (0, 4), (1, 0), (5, 30),
        (
            _Step("Hand logins to a person after one failed try", "Digital channels", (0, 4), (0, 24), (0, 26)),
            _Step("Teach the assistant the ten commonest login faults", "Digital channels", (0, 18), (1, 27)),
            _Step("Check the transcripts each week", "Quality assurance", (0, 18), (5, 30)),
        ),
        segment="channel=Chat; category=Login and access",
        exclude_peers="D04",
    ),
)  # fmt: skip


def _day(span: Span, place: Place | None) -> dt.date | None:
    """A day of the month; its last one where the month is shorter."""
    if place is None:
        return None
    return min(span.day(*place), span.day(place[0] + 1, -1))


def _cells(row: _Row, span: Span) -> list[Any]:
    dates = [_day(span, place) for place in (*row.baseline, row.announced, row.start, row.full_effect, row.due)]
    timeline = f"{dates[3]:%b %Y} to {dates[5]:%b %Y}"
    steps = "; ".join(step.title for step in row.steps)
    return [
        row.id, row.department, row.kpi, row.segment, row.gap, row.objective, steps, row.responsible, timeline,
        row.status, row.outcome, *dates[:2], *row.target, *dates[2:], row.exclude_peers,
    ]  # fmt: skip


def write_plan(path: Path, span: Span) -> None:
    """Write the workbook with the sheets `Plan` and `Steps`; dates are real dates, heads are bold and stay in view."""
    from openpyxl import Workbook

    book = Workbook()
    plan = book.active
    plan.title = "Plan"
    _fill(plan, HEADS, [_cells(row, span) for row in ROWS])
    steps = [
        [row.id, step.title, step.owner, _day(span, step.start), _day(span, step.end), _day(span, step.done), step.note]
        for row in ROWS
        for step in row.steps
    ]
    _fill(book.create_sheet("Steps"), STEP_HEADS, steps)
    save_workbook(book, path)


def _fill(sheet: Any, heads: tuple[str, ...], rows: list[list[Any]]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    sheet.append(heads)
    for cells in rows:
        sheet.append(cells)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", start_color="FFE7EDF3")
    for line in sheet.iter_rows(min_row=2):
        for cell in line:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if isinstance(cell.value, dt.date):
                cell.number_format = "yyyy-mm-dd"
    for number, head in enumerate(heads, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(head, 14)
    sheet.freeze_panes = "B2"
