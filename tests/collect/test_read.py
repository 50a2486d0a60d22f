"""Any source becomes the same table: separators, encodings, sheets, lists, databases."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import sqlite3
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pytest

from svclib.catalogue.models import Source
from svclib.errors import InputRefused

ROWS = [("1", "D01", "2026-01-05 08:00", "2026-01-06 09:30"), ("2", "Field team", "2026-01-07 10:00", "")]
HEADER = ("id", "team", "opened", "closed")


def as_csv(sep: str = ",", rows=ROWS, header=HEADER) -> str:
    return "".join(sep.join(row) + "\n" for row in [header, *rows])


def check(frame: pd.DataFrame) -> None:
    assert frame["case_id"].tolist() == ["1", "2"]
    assert frame["department"].tolist() == ["D01", "D02"]
    assert frame["opened_at"].tolist() == [pd.Timestamp("2026-01-05 08:00"), pd.Timestamp("2026-01-07 10:00")]
    assert frame["resolved_at"][0] == pd.Timestamp("2026-01-06 09:30")
    assert pd.isna(frame["resolved_at"][1])


def test_a_wrong_separator_is_one_fault(snap, tickets):
    with pytest.raises(InputRefused) as refused:
        snap(tickets(as_csv(";"), options={"sep": ","}))
    (problem,) = refused.value.problems
    assert "has only one column with sep ','" in problem.what
    assert problem.cure.startswith("write sep: ';'")


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
def test_the_separator_is_found(snap, tickets, sep):
    check(snap(tickets(as_csv(sep))).rows("tickets"))


def test_commas_in_a_header_do_not_mislead(snap, tickets):
    text = 'id;team;opened;"closed, or not, ever"\n1;D01;2026-01-05;\n'
    source = tickets(
        text,
        columns={"case_id": "id", "department": "team", "opened_at": "opened", "resolved_at": "closed, or not, ever"},
    )
    assert len(snap(source).rows("tickets")) == 1


def test_an_unusual_separator_is_declared(snap, tickets):
    check(snap(tickets(as_csv("~"), options={"sep": "~"})).rows("tickets"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings(snap, tickets, encoding):
    text = as_csv(rows=[("1é", "D01", "2026-01-05", "")])
    source = tickets(text.encode(encoding), options={} if encoding.startswith("utf-8") else {"encoding": encoding})
    assert snap(source).rows("tickets")["case_id"].tolist() == ["1é"]


def test_a_heading_in_another_encoding_is_told_as_that(snap, tickets):
    text = "id,team,opened €,closed\n1,D01,2026-01-05,\n".encode("cp1252")
    columns = {"case_id": "id", "department": "team", "opened_at": "opened €", "resolved_at": "closed"}
    with pytest.raises(InputRefused) as refused:
        snap(tickets(text, columns=columns))
    (problem,) = refused.value.problems
    assert problem.what == "tickets.csv is not UTF-8 text: its heading reads 'opened \ufffd'"
    assert problem.cure == "declare the encoding, e.g. options: {encoding: cp1252}"
    assert len(snap(tickets(columns=columns, options={"encoding": "cp1252"})).rows("tickets")) == 1


def test_utf16_needs_no_declaration_where_it_carries_its_mark(snap, tickets):
    check(snap(tickets(as_csv().encode("utf-16"))).rows("tickets"))


def test_an_undeclared_encoding_is_never_guessed(snap, tickets):
    with pytest.raises(InputRefused, match=r"row 2: is not UTF-8.*encoding: cp1252"):
        snap(tickets(as_csv(rows=[("1é", "D01", "2026-01-05", "")]).encode("cp1252")))


def test_utf8_that_is_declared_as_another_encoding_is_told_before_letters_are_garbled(snap, tickets):
    with pytest.raises(InputRefused, match=r"is UTF-8 text: read as cp1252.*Cure: leave the encoding out"):
        snap(tickets("id,team,opened,closed\n1,D01,2026-01-02,2026-01-03 Übergabe\n", options={"encoding": "cp1252"}))


def test_a_wrong_encoding_is_told(snap, tickets):
    with pytest.raises(InputRefused, match=r"is not ascii|is not cp1252"):
        snap(
            tickets("id,team,opened,closed\n1\x81,D01,2026-01-05,\n".encode("latin-1"), options={"encoding": "cp1252"})
        )
    with pytest.raises(InputRefused, match=r"no encoding is named 'klingon'"):
        snap(tickets(as_csv(), options={"encoding": "klingon"}))


def test_windows_and_old_mac_line_ends(snap, tickets):
    check(snap(tickets(as_csv().replace("\n", "\r\n"))).rows("tickets"))
    check(snap(tickets(as_csv().replace("\n", "\r"))).rows("tickets"))


def test_compressed(snap, folder, tickets):
    (folder / "tickets.csv.gz").write_bytes(gzip.compress(as_csv().encode()))
    check(snap(tickets(read="tickets.csv.gz")).rows("tickets"))


def test_no_header_and_skipped_rows(snap, tickets):
    columns = {"case_id": "column0", "department": "column1", "opened_at": "column2", "resolved_at": "column3"}
    body = as_csv().split("\n", 1)[1]
    check(snap(tickets(body, columns=columns, options={"header": False})).rows("tickets"))
    check(snap(tickets("Export of today\n\n" + as_csv(), options={"skip_rows": 2})).rows("tickets"))


def test_many_files_in_the_order_of_their_names(snap, folder, tickets):
    (folder / "data").mkdir()
    for month in (3, 1, 2):
        text = as_csv(rows=[(f"{month}", "D01", "2026-01-05", "")])
        (folder / "data" / f"2026-0{month}.csv").write_text(text)
    snapshot = snap(tickets(read="data/*.csv"))
    assert snapshot.rows("tickets")["case_id"].tolist() == ["1", "2", "3"]
    assert [name for name, _ in snapshot.report("tickets")["parts_of"]] == [f"data/2026-0{m}.csv" for m in (1, 2, 3)]


def test_files_may_order_their_columns_differently(snap, folder, tickets):
    (folder / "a.csv").write_text(as_csv(rows=ROWS[:1]))
    (folder / "b.csv").write_text("closed;opened;team;id\n;2026-01-07 10:00;D02;2\n")
    check(snap(tickets(read="[ab].csv")).rows("tickets"))


def test_a_missing_column_names_the_file_and_the_nearest(snap, folder, tickets):
    (folder / "a.csv").write_text(as_csv())
    (folder / "b.csv").write_text(as_csv(header=("id", "team", "opend", "closed")))
    with pytest.raises(InputRefused, match=r"b.csv has no column 'opened'.*write 'opend'"):
        snap(tickets(read="[ab].csv"))


def test_a_file_that_is_not_there(snap, tickets):
    with pytest.raises(InputRefused, match=r"no file 'nowhere.csv'"):
        snap(tickets(read="nowhere.csv"))


def test_a_column_twice_in_the_header(snap, tickets):
    with pytest.raises(InputRefused, match=r"column 'id' twice"):
        snap(tickets("id,id,team,opened,closed\n1,1,D01,2026-01-05,\n"))


def test_excel_by_sheet(snap, folder, tickets):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Cases")
    sheet.append(["Export"])
    sheet.append(list(HEADER))
    sheet.append([1, "D01", dt.datetime(2026, 1, 5, 8, 0), dt.datetime(2026, 1, 6, 9, 30)])
    sheet.append([])
    sheet.append([2.0, "Field team", dt.datetime(2026, 1, 7, 10, 0), None])
    book.save(folder / "t.xlsx")
    check(snap(tickets(read="t.xlsx", sheet="Cases", options={"skip_rows": 1})).rows("tickets"))
    check(snap(tickets(read="t.xlsx", sheet=1, options={"skip_rows": 1})).rows("tickets"))
    with pytest.raises(InputRefused, match=r"has 2 sheets.*'Notes', 'Cases'"):
        snap(tickets(read="t.xlsx"))
    with pytest.raises(InputRefused, match=r"no sheet 'Case'"):
        snap(tickets(read="t.xlsx", sheet="Case"))


def test_excel_row_numbers_are_those_of_the_sheet(snap, folder, tickets):
    book = openpyxl.Workbook()
    for row in [list(HEADER), [1, "D01", dt.date(2026, 1, 5), None], [None], [2, "D09", dt.date(2026, 1, 5), None]]:
        book.active.append(row)
    book.save(folder / "t.xlsx")
    quarantine = pd.read_csv(snap(tickets(read="t.xlsx")).quarantine_path("tickets"))
    assert quarantine[["source_file", "row", "reasons"]].to_numpy().tolist() == [["t.xlsx", 4, "department_unknown"]]


def test_a_broken_workbook(snap, folder, tickets):
    (folder / "t.xlsx").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputRefused, match=r"t.xlsx cannot be read"):
        snap(tickets(read="t.xlsx"))


def test_parquet(snap, folder, tickets):
    frame = pd.DataFrame(ROWS, columns=list(HEADER))
    frame["opened"] = pd.to_datetime(frame["opened"])
    frame["closed"] = pd.to_datetime(frame["closed"].replace("", None))
    frame["id"] = frame["id"].astype(int)
    frame.to_parquet(folder / "t.parquet")
    check(snap(tickets(read="t.parquet")).rows("tickets"))


def test_a_cut_parquet(snap, folder, tickets):
    pd.DataFrame(ROWS, columns=list(HEADER)).to_parquet(folder / "t.parquet")
    data = (folder / "t.parquet").read_bytes()
    (folder / "t.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputRefused, match=r"t.parquet cannot be read"):
        snap(tickets(read="t.parquet"))


def test_json_lines_with_nested_keys_and_broken_lines(snap, folder, tickets):
    lines = [
        json.dumps({"id": 1, "team": "D01", "when": {"opened": "2026-01-05 08:00", "closed": "2026-01-06 09:30"}}),
        "",
        '{"id": 3, "team": "D0',
        json.dumps({"id": 2, "team": "D02", "when": {"opened": "2026-01-07 10:00", "closed": None}}),
        "[1, 2]",
    ]
    (folder / "t.jsonl").write_text("\n".join(lines))
    columns = {"case_id": "id", "department": "team", "opened_at": "when.opened", "resolved_at": "when.closed"}
    snapshot = snap(tickets(read="t.jsonl", columns=columns))
    check(snapshot.rows("tickets"))
    assert snapshot.report("tickets")["bad"] == {"malformed": 2}
    assert pd.read_csv(snapshot.quarantine_path("tickets"))["row"].tolist() == [3, 5]


def test_json_arrays(snap, folder, tickets):
    (folder / "t.json").write_text(json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS]))
    check(snap(tickets(read="t.json")).rows("tickets"))


def test_explode_gives_a_row_for_each_element(snap, folder, tickets):
    rows = [
        {"id": "1", "team": ["D01", "Field team", "D01"], "opened": "2026-01-05"},
        {"id": "2", "team": [], "opened": "2026-01-06"},
        {"id": "4", "team": None, "opened": "2026-01-06"},
        {"id": "3", "team": "D02", "opened": "2026-01-06"},
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"case_id": "id", "department": "team", "opened_at": "opened"}
    source = tickets(read="t.jsonl", columns=columns, explode="department", other_departments="leave_out")
    snapshot = snap(source)
    kept = snapshot.rows("tickets")[["department", "case_id"]].to_numpy().tolist()
    assert kept == [["D01", "1"], ["D02", "1"], ["D02", "3"]]
    assert snapshot.report("tickets")["left_out"] == {"department_missing": 2}
    assert snapshot.report("tickets")["read"] == 4


def test_explode_a_parquet_list(snap, folder, tickets):
    frame = pd.DataFrame({"id": ["1"], "team": [["D01", "D02"]], "opened": [dt.date(2026, 1, 5)]})
    frame.to_parquet(folder / "t.parquet")
    columns = {"case_id": "id", "department": "team", "opened_at": "opened"}
    assert len(snap(tickets(read="t.parquet", columns=columns, explode="department")).rows("tickets")) == 2


@pytest.fixture
def databases(folder: Path) -> Path:
    with sqlite3.connect(folder / "t.db") as lite:
        lite.execute("create table cases (id text, team text, opened text, closed text)")
        lite.executemany("insert into cases values (?, ?, ?, nullif(?, ''))", ROWS)
    lite.close()
    with duckdb.connect(str(folder / "t.duckdb")) as duck:
        duck.execute("create table cases (id text, team text, opened timestamp, closed timestamp)")
        duck.executemany("insert into cases values (?, ?, ?, nullif(?, '')::timestamp)", ROWS)
    return folder


@pytest.mark.parametrize("address", ["sqlite:///t.db", "duckdb:///t.duckdb"])
@pytest.mark.parametrize("what", [{"table": "cases"}, {"sql": "select * from cases where id < '9'"}])
def test_databases_below_the_folder_of_params(snap, tickets, databases, address, what):
    snapshot = snap(tickets(read=address, **what))
    check(snapshot.rows("tickets"))
    assert [file["name"] for file in snapshot.report("tickets")["files"]] == [address.split("///")[1]]


def test_a_database_with_an_absolute_path(snap, tickets, databases):
    for scheme, name in (("sqlite", "t.db"), ("duckdb", "t.duckdb")):
        check(snap(tickets(read=f"{scheme}:///{databases / name}", table="cases")).rows("tickets"))


def test_a_database_without_its_table(snap, tickets, databases):
    with pytest.raises(InputRefused, match=r"no table is named.*tables: cases"):
        snap(tickets(read="sqlite:///t.db"))
    with pytest.raises(InputRefused, match=r"no table 'case'"):
        snap(tickets(read="duckdb:///t.duckdb", table="case"))
    with pytest.raises(InputRefused, match=r"no file|cannot connect"):
        snap(tickets(read="sqlite:///other.db", table="cases"))


def test_secrets_come_from_the_environment_and_stay_there(snap, tickets, databases, monkeypatch):
    monkeypatch.setenv("CASES_DB", str(databases / "t.db"))
    snapshot = snap(tickets(read="sqlite:///${CASES_DB}", table="cases"))
    check(snapshot.rows("tickets"))
    monkeypatch.delenv("CASES_DB")
    with pytest.raises(InputRefused, match=r"no variable 'CASES_DB'"):
        snap(tickets(read="sqlite:///${CASES_DB}", table="cases"))


def test_a_password_is_never_told(snap, tickets):
    source = tickets(read="postgres://anna:s3cret@127.0.0.1:1/db?sslmode=disable", table="cases")
    with pytest.raises(InputRefused) as refused:
        snap(source)
    assert "s3cret" not in str(refused.value)


def test_rows_without_a_number_get_their_place(snap, folder, tickets):
    (folder / "a.csv").write_text(as_csv())
    (folder / "b.csv").write_text(as_csv(rows=ROWS[:1]))
    columns = {"case_id": "#row", "department": "team", "opened_at": "opened"}
    assert sorted(snap(tickets(read="[ab].csv", columns=columns)).rows("tickets")["case_id"]) == ["a:1", "a:2", "b:1"]


def test_an_unknown_kind_of_file(snap, folder, tickets):
    (folder / "t.xls").write_text("x")
    with pytest.raises(InputRefused, match=r"cannot tell how to read.*save .xls as .xlsx"):
        snap(tickets(read="t.xls"))


def test_a_source_of_every_shape(snap, folder):
    (folder / "s.csv").write_text("at,team,score\n2026-01-05 10:00,D01,5\n2026-01-06,D02,3.5\n")
    (folder / "o.csv").write_text("from,to,team\n2026-01-05 10:00,2026-01-05 11:00,D01\n2026-01-06 10:00,,D01\n")
    (folder / "c.csv").write_text("at,team,ok\n2026-01-05 10:00,D01,yes\n2026-01-06,D02,No\n")
    (folder / "n.csv").write_text("month,team,num,den\n2026-01,D01,3,4\n2026-02,D01,,4\n")
    snapshot = snap(
        Source(name="s", shape="responses", read="s.csv", columns={"responded_at": "at", "department": "team", "score": "score"}),
        Source(name="o", shape="outages", read="o.csv", columns={"started_at": "from", "ended_at": "to", "department": "team"}),
        Source(name="c", shape="observations", read="c.csv", columns={"observed_at": "at", "department": "team", "passed": "ok"}),
        Source(
            name="n", shape="counts", read="n.csv",
            columns={"period": "month", "department": "team", "numerator": "num", "denominator": "den"},
        ),
    )  # fmt: skip
    assert snapshot.rows("s")["score"].tolist() == [5.0, 3.5]
    assert pd.isna(snapshot.rows("o")["ended_at"][1])
    assert snapshot.rows("c")["passed"].tolist() == [True, False]
    assert snapshot.rows("n")["numerator"].isna().tolist() == [False, True]
    assert snapshot.frequency("n") == "month"
    assert snapshot.frequency("s") == "none"
