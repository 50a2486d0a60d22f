"""The action plan: what people type is read or refused with its cell's address; their register stays theirs."""

import csv
import datetime as dt

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.styles import PatternFill

from svclib.catalogue.models import Kpi
from svclib.catalogue.plan import read_plan
from svclib.catalogue.register import RegisterRow, write_register, write_template
from svclib.errors import InputRefused

HEADS = ["Service Gap", "ID", "Improvement Objective", "KPI", "department", "Start", "DUE", "Target Value", "our notes"]
ROW = ["Slow", "A1", "Faster", "resolution", "D01", dt.datetime(2026, 1, 1), dt.datetime(2026, 6, 30), 0.8, "keep me"]
KNOWN = {"departments": ["D01", "D02", "010"], "kpis": ["resolution", "csat"]}


def workbook(path, *rows, heads=HEADS, steps=None):
    book = Workbook()
    sheet = book.active
    sheet.title = "Plan"
    for row in (heads, *rows):
        sheet.append(row)
    if steps is not None:
        other = book.create_sheet("Steps")
        for row in (["action", "step", "Owner", "start", "end", "Done on", "note"], *steps):
            other.append(row)
    book.save(path)
    return path


def changed(**cells):
    return [cells.get(head, value) for head, value in zip(HEADS, ROW, strict=True)]


def refused(path, **more):
    with pytest.raises(InputRefused) as caught:
        read_plan(path, **(KNOWN | more))
    return {problem.where: problem for problem in caught.value.problems}


def test_heads_in_any_case_and_order_and_extra_columns(tmp_path):
    steps = [["A1", "Train", "Ann", "2026-01-01", dt.datetime(2026, 2, 1), None, None], ["A1", "Buy", *[None] * 5]]
    [action] = read_plan(workbook(tmp_path / "action_plan.xlsx", ROW, steps=steps), **KNOWN)
    assert (action.id, action.department, action.kpi, action.target_value) == ("A1", "D01", "resolution", 0.8)
    assert (action.start, action.due, action.status) == (dt.date(2026, 1, 1), dt.date(2026, 6, 30), "planned")
    assert [(step.title, step.end) for step in action.steps] == [("Train", dt.date(2026, 2, 1)), ("Buy", None)]


def test_title_above_the_table(tmp_path):
    path = workbook(tmp_path / "p.xlsx", HEADS, ROW, heads=["Action plan of our service", *[None] * 8])
    assert read_plan(path, **KNOWN)[0].id == "A1"
    path = workbook(tmp_path / "q.xlsx", HEADS, changed(department="D9"), heads=["Our plan", *[None] * 8])
    assert list(refused(path)) == ["q.xlsx, sheet Plan, cell E3"]


@pytest.mark.parametrize("grid", [[], [HEADS], [HEADS, [None] * 9, ["", " ", *[None] * 7]]])
def test_an_empty_plan_is_no_error(tmp_path, grid):
    book = Workbook()
    book.active.title = "Plan"
    for row in grid:
        book.active.append(row)
    book.save(tmp_path / "empty.xlsx")
    assert read_plan(tmp_path / "empty.xlsx", **KNOWN) == []


def test_all_problems_at_once_with_addresses_and_nearest_names(tmp_path):
    rows = [
        changed(department="DO1", KPI="resolutions"),
        changed(ID="A1", Start=dt.datetime(2026, 9, 1)),
        changed(ID="A3", **{"Service Gap": None, "Target Value": "high"}),
    ]
    steps = [["A4", "Train", None, "2026-03-01", "2026-02-01", None, None]]
    problems = refused(workbook(tmp_path / "action_plan.xlsx", *rows, steps=steps))
    here = "action_plan.xlsx, sheet Plan, cell "
    assert set(problems) == {here + c for c in ("E2", "D2", "B3", "F3", "A4", "H4")} | {
        "action_plan.xlsx, sheet Steps, cell A2",
        "action_plan.xlsx, sheet Steps, cell E2",
    }
    assert problems[here + "E2"].cure == "write 'D01'"
    assert problems[here + "D2"].cure == "write 'resolution'"
    assert "stands twice, first in cell B2" in problems[here + "B3"].what
    assert "starts 2026-09-01 after it is due 2026-06-30" in problems[here + "F3"].what


def test_two_date_formats_in_a_column(tmp_path):
    """Day-first typing in a month-first program: 03/04 became a date (4 March), 13/04 stayed text."""
    rows = [changed(Start=dt.datetime(2026, 3, 4)), changed(ID="A2", Start="13/04/2026")]
    problems = refused(workbook(tmp_path / "p.xlsx", *rows))
    assert list(problems) == ["p.xlsx, sheet Plan, cell F3"]
    assert "two date formats" in problems["p.xlsx, sheet Plan, cell F3"].what
    assert "cell F2" in problems["p.xlsx, sheet Plan, cell F3"].what


def test_one_numeric_format_is_read_where_the_sheet_tells_which_comes_first(tmp_path):
    rows = [changed(Start="03/04/2026", DUE="30/06/2026"), changed(ID="A2", Start="04/04/2026", DUE="01/07/2026")]
    first, second = read_plan(workbook(tmp_path / "p.xlsx", *rows), **KNOWN)
    assert (first.start, second.due) == (dt.date(2026, 4, 3), dt.date(2026, 7, 1))
    unclear = [changed(Start="03/04/2026", DUE="05/06/2026")]
    assert len(refused(workbook(tmp_path / "q.xlsx", *unclear))) == 2


@pytest.mark.parametrize("text", ["soon", "2026-02-30", "31.02.2026", "Q3"])
def test_no_date(tmp_path, text):
    assert refused(workbook(tmp_path / "p.xlsx", changed(Start=text)))


def test_numbers_and_segments(tmp_path):
    heads = [*HEADS, "segment", "target_type", "status", "exclude_peers"]
    row = [*changed(**{"Target Value": "80%"}), "channel = phone; priority=high", "Relative", "Completed", "D02; 010"]
    [action] = read_plan(workbook(tmp_path / "p.xlsx", row, heads=heads), **KNOWN)
    assert action.target_value == pytest.approx(0.8)
    assert action.segment == {"channel": "phone", "priority": "high"}
    assert (action.target_type, action.status, action.exclude_peers) == ("relative", "done", ["D02", "010"])
    problems = refused(tmp_path / "p.xlsx", dimensions={"resolution": ["chanel", "priority"]})
    assert problems["p.xlsx, sheet Plan, cell J2"].cure == "write 'chanel'"


@pytest.mark.parametrize("value", ["NaN", "inf", float("inf")])
def test_no_finite_target(tmp_path, value):
    path = tmp_path / "action_plan.csv"
    path.write_text(
        f"id,department,kpi,Service Gap,Improvement Objective,start,due,target_value\nA1,D01,csat,g,o,2026-01-01,2026-02-01,{value}\n"
    )
    assert list(refused(path)) == ["action_plan.csv, line 2, column target_value"]


def test_done_in_the_future(tmp_path):
    steps = [["A1", "Train", None, None, None, "2026-12-01", None]]
    path = workbook(tmp_path / "p.xlsx", ROW, steps=steps)
    assert read_plan(path, **KNOWN)[0].steps[0].done_on == dt.date(2026, 12, 1)
    assert list(refused(path, today=dt.date(2026, 11, 1))) == ["p.xlsx, sheet Steps, cell F2"]


def test_csv_with_semicolons_byte_order_mark_and_steps_beside(tmp_path):
    path = tmp_path / "action_plan.csv"
    head = "id;department;kpi;Service Gap;Improvement Objective;Start;Due\n"
    path.write_text(head + "010;010;csat;gap;objective;2026-01-01;2026-06-01\n", encoding="utf-8-sig")
    (tmp_path / "action_plan_steps.csv").write_text("action;step;end\n010;Train;2026-02-01\n", encoding="utf-8")
    [action] = read_plan(path, **KNOWN)
    assert (action.id, action.department, action.steps[0].end) == ("010", "010", dt.date(2026, 2, 1))
    path.write_text(head + "1;D09;csat;gap;objective;2026-01-01;soon\n", encoding="utf-8")
    assert set(refused(path)) == {
        "action_plan.csv, line 2, column department",
        "action_plan.csv, line 2, column Due",
        "action_plan_steps.csv, line 2, column action",
    }


def test_files_that_are_no_plan(tmp_path):
    broken = tmp_path / "p.xlsx"
    broken.write_bytes(b"PK\x03\x04 cut off")
    assert "no readable Excel workbook" in refused(broken)["p.xlsx"].what
    (tmp_path / "p.csv").write_bytes(b"id;kpi\n\xe9;x")
    assert "UTF-8" in refused(tmp_path / "p.csv")["p.csv"].what
    book = Workbook()
    book.active.title = "Other"
    book.create_sheet("Notes")
    book.save(broken)
    assert "no sheet 'Plan'" in refused(broken)["p.xlsx"].what
    missing = refused(workbook(tmp_path / "m.xlsx", ["A1", "D01"], heads=["id", "department"]))
    assert missing["m.xlsx, sheet Plan"].cure == "add it to the row of heads"


def test_the_register_leaves_their_cells_untouched(tmp_path):
    source = workbook(tmp_path / "p.xlsx", [*ROW, None], heads=[*HEADS, "Outcome/Evaluation"])
    book = load_workbook(source)
    book["Plan"]["A2"].fill = PatternFill("solid", fgColor="FFFF00")
    book["Plan"]["L1"] = "=1+1"
    book["Plan"].column_dimensions["A"].width = 51
    book.save(source)
    before = source.read_bytes()
    row = RegisterRow("on track", "Met & attributable", "A", 0.97, 0.1, 0.05, 0.15, None, dt.date(2026, 7, 1), "=1+2")
    write_register(source, tmp_path / "out.xlsx", {"A1": row})
    assert source.read_bytes() == before
    sheet = load_workbook(tmp_path / "out.xlsx")["Plan"]
    assert sheet["A2"].fill.fgColor.rgb == "00FFFF00"
    assert sheet.column_dimensions["A"].width == 51
    assert [sheet.cell(2, c).value for c in range(1, 10)] == ROW
    assert (sheet["L1"].value, sheet["L1"].data_type) == ("=1+1", "f")
    heads = {sheet.cell(1, c).value: c for c in range(13, sheet.max_column + 1)}
    assert sheet.cell(2, heads["svclib: verdict"]).value == "Met & attributable"
    explanation = sheet.cell(2, heads["svclib: explanation"])
    assert (explanation.value, explanation.data_type, explanation.quotePrefix) == ("=1+2", "s", True)
    assert sheet["J2"].value == "Met & attributable. =1+2"
    again = write_register(tmp_path / "out.xlsx", tmp_path / "again.xlsx", {"A1": RegisterRow(verdict="Not met")})
    sheet = load_workbook(again)["Plan"]
    assert sheet.cell(2, heads["svclib: verdict"]).value == "Not met"
    assert sheet.cell(2, heads["svclib: explanation"]).value is None
    assert sheet["J2"].value == "Not met"
    assert read_plan(again, **KNOWN)[0].outcome == "Not met"
    sheet["J2"] = "We agreed to go on."
    sheet.parent.save(again)
    write_register(again, tmp_path / "third.xlsx", {"A1": RegisterRow(verdict="Worsened")})
    assert load_workbook(tmp_path / "third.xlsx")["Plan"]["J2"].value == "We agreed to go on."


def test_a_register_from_csv(tmp_path):
    source = tmp_path / "action_plan.csv"
    source.write_text(
        "id,department,kpi,Service Gap,Improvement Objective,start,due\nA1,D01,csat,=cmd|x,o,2026-01-01,2026-02-01\n"
    )
    sheet = load_workbook(write_register(source, tmp_path / "o.xlsx", {"A1": RegisterRow(verdict="Not met")}))["Plan"]
    assert (sheet["D2"].value, sheet["D2"].data_type) == ("=cmd|x", "s")
    assert sheet["I2"].value == "Not met"


def test_the_template_is_an_empty_plan_with_drop_downs(tmp_path):
    path = write_template(
        tmp_path / "t.xlsx", departments={"D01": "Support", "010": "=Sum"}, kpis={"csat": "Satisfaction"}
    )
    assert read_plan(path, **KNOWN) == []
    book = load_workbook(path)
    rules = {str(rule.sqref): (rule.type, rule.formula1) for rule in book["Plan"].data_validations.dataValidation}
    assert rules["B2:B201"] == ("list", "=Lists!$A$2:$A$3")
    assert rules["R2:R201"][0] == "date"
    assert [cell.value for cell in book["Plan"][1]][4:11] == [
        "Service Gap", "Improvement Objective", "Action Steps", "Responsible Person/Team", "Timeline", "Status",
        "Outcome/Evaluation",
    ]  # fmt: skip
    assert book["Lists"]["B3"].data_type == "s"
    sheet = book["Plan"]
    filled = dict(zip([c.value for c in sheet[1]], range(1, 30), strict=False))
    for head, value in zip(HEADS[:-1], ROW[:-1], strict=True):
        key = head if head in filled else head.lower().replace(" ", "_")
        sheet.cell(2, filled[key], value)
    book.save(path)
    assert read_plan(path, **KNOWN)[0].due == dt.date(2026, 6, 30)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "a.txt",
            "an action plan is an .xlsx or a .csv file. Cure: name it a.xlsx, a workbook with drop-downs, or a.csv",
        ),
        ("no dir/a.xlsx", "no dir' does not exist. Cure: make it first (mkdir -p '"),
    ],
)
def test_a_template_that_cannot_be_written_there_is_refused(tmp_path, name, said):
    with pytest.raises(InputRefused) as refused:
        write_template(tmp_path / name, departments={}, kpis={})
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_csv_template(tmp_path):
    write_template(tmp_path / "t.csv", departments={}, kpis={})
    assert read_plan(tmp_path / "t.csv", **KNOWN) == []
    with (tmp_path / "t_steps.csv").open(encoding="utf-8-sig") as stream:
        assert next(csv.reader(stream))[0] == "action"


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("level", 75, ("the target 75 can never be reached: possible is 0 to 1", "write 0.75 for 75 %")),
        ("level", "75%", None),
        ("level", -0.1, ("the target -0.1 can never be reached", "write 0.8 for 80 %")),
        ("change", 10, ("a change of 10 can never be reached", "write 0.1 for 10 points")),
        ("change", 0.1, None),
        ("relative", 1.5, None),
    ],
)
def test_a_target_that_no_value_can_meet_is_refused_at_its_cell(tmp_path, kind, value, said):
    kpi = Kpi(
        code="resolution",
        title="Resolved",
        source="s",
        kind="proportion",
        numerator="a",
        direction="increase",
        unit="%",
    )
    row = [cell if head != "Target Value" else value for head, cell in zip(HEADS, ROW, strict=True)]
    path = workbook(tmp_path / "p.xlsx", [*row, kind], heads=[*HEADS, "target type"])
    if said is None:
        assert read_plan(path, **KNOWN, declared={"resolution": kpi})[0].id == "A1"
    else:
        [problem] = refused(path, declared={"resolution": kpi}).values()
        assert problem.where.endswith("H2")
        assert (problem.what.startswith(said[0]), problem.cure) == (True, said[1])
