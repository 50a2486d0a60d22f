"""A source is read once: what its first rows seem to say must not change what is collected."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svclib.catalogue.models import Source
from svclib.collect import build, delimited, few, stage
from svclib.collect.heads import column_names
from svclib.errors import InputRefused

HEAD = "id,team,opened,closed,channel,code,score\n"
COLUMNS = {
    "case_id": "id", "department": "team", "opened_at": "opened", "resolved_at": "closed", "code": "code",
    "score": "score",
}  # fmt: skip
# For each column, values of which some rows may have only the first: the others mislead, or come too late.
POOLS = {
    "id": ["a", "b", "c", "d", "e", "f", "g", "h", ""],
    "team": ["D01", "D02", "field TEAM", "Support ", "D09", ""],
    "opened": [
        "2026-01-05 08:00:00", "2026-01-05 00:00:00", "2026-01-05", "2026-01-06T09:30", "2026-01-07 10:00:00+03:00",
        "2026-02-30 10:00:00", "n/a", "05/01/2026", " 2026-01-08 07:00:00",
    ],
    "closed": ["2026-01-09 08:00:00", "", "2026-01-09 00:00:00", "2026-01-09", "2026-01-01 08:00:00", "open"],
    "channel": ["Web", "Phone", "Mail", "", "Desk"],
    "code": ["1", "", "010", "7", "yes", "1.5", "2026-01-01", "x"],
    "score": ["", "3", "2.5", "true", "nan", "1e3", "123456789012345678901"],
}  # fmt: skip


def lines(draw: Any) -> list[str]:
    """Rows of few different values a column, so that a plan made on the first one is often nearly right."""
    chosen = {name: draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3)) for name, pool in POOLS.items()}
    row = st.tuples(*(st.sampled_from([pool[0], *chosen[name]]) for name, pool in POOLS.items()))
    return [",".join(values) for values in draw(st.lists(row, min_size=2, max_size=12))]


def outcome(snap: Any, source: Source, root: Path) -> Any:
    try:
        snapshot = snap(source, root=root)
    except InputRefused as refused:
        return str(refused)
    report = {key: value for key, value in snapshot.report("t").items() if key != "files"}
    rows = snapshot.rows("t").astype(object).map(repr).to_numpy().tolist()
    return report, rows, snapshot.quarantine_path("t").read_text(), snapshot.digest


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_first_rows_decide_nothing(snap, folder, kind, data):
    """Planned on one row and with one known value a dimension, or on all rows: the same, to the letter."""
    rows = lines(data.draw)
    half = len(rows) // 2
    for name, part in (("t1", rows[:half]), ("t2", rows[half:])):
        (folder / f"{name}.csv").write_text(HEAD + "".join(f"{line}\n" for line in part))
        query = f"SELECT * FROM read_csv('{folder}/{name}.csv', all_varchar=true, header=true, delim=',')"
        duckdb.sql(f"COPY ({query}) TO '{folder}/{name}.parquet'")
    source = Source(
        name="t", shape="cases", read=f"t?.{kind}", columns=COLUMNS, dimensions=["channel"], max_bad_share=1.0
    )
    count = len(list(folder.glob("run*")))
    whole = outcome(snap, source, folder / f"run{count}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "_FIRST", 1)
        patch.setattr(few, "_FEW", 2)
        patch.setattr(stage, "_HASHED", 2)
        assert outcome(snap, source, folder / f"run{count + 1}") == whole


def test_a_plan_that_holds_is_made_once(snap, folder, monkeypatch):
    """No second reading for junk that is no date in any format, for new values of a dimension, for faulty rows."""
    monkeypatch.setattr(build, "_FIRST", 1)
    text = (
        HEAD
        + "1,D01,2026-01-05 08:00:00,2026-01-06 08:00:00,Web,1,2.5\n2,D02,n/a,,Phone,2,3\n3,D09,2026-01-05 08:00:00,,,,\n"
    )
    (folder / "t.csv").write_text(text)
    reads = []
    real = delimited._read
    monkeypatch.setattr(delimited, "_read", lambda *given: reads.append(given) or real(*given))
    source = Source(name="t", shape="cases", read="t.csv", columns=COLUMNS, dimensions=["channel"], max_bad_share=1.0)
    report = snap(source).report("t")
    assert (len(reads), report["kept"], report["bad_rows"]) == (1, 1, 2)
    (folder / "t.csv").write_text(text + "4,D02,2026-01-05 08:00,,Phone,0x,3\n")
    assert snap(source).report("t")["types"]["code"] == "text"
    assert len(reads) == 4  # the plan fails, all rows are asked, and the rows are read anew


@pytest.mark.parametrize("first", ["", "2026-02-30"])
def test_a_column_without_any_date_is_refused_also_where_its_first_rows_are_empty(snap, folder, monkeypatch, first):
    monkeypatch.setattr(build, "_FIRST", 1)
    row = "{},D01,2026-01-05 08:00:00,{},Web,1,3\n"
    (folder / "t.csv").write_text(HEAD + row.format(1, first) + row.format(2, "open"))
    source = Source(name="t", shape="cases", read="t.csv", columns=COLUMNS, dimensions=["channel"], max_bad_share=1.0)
    with pytest.raises(InputRefused, match="holds no date that svclib knows"):
        snap(source)


def test_what_is_refused_is_told_of_all_columns_at_once(snap, folder, monkeypatch):
    """Also of those that the first rows speak well of."""
    monkeypatch.setattr(build, "_FIRST", 1)
    (folder / "t.csv").write_text(HEAD + "1,D01,2026-01-05 08:00:00,open,Web,,\n2,D01,05/01/2026,open,Web,,\n")
    source = Source(name="t", shape="cases", read="t.csv", columns=COLUMNS, max_bad_share=1.0)
    with pytest.raises(InputRefused) as refused:
        snap(source)
    told = [problem.what.split("'")[1] for problem in refused.value.problems]
    assert told == ["opened", "closed"]


def test_quarantine_holds_what_stood_there(snap, folder):
    """As it was written, also of rows that repeat another one: these are fine as long as one looks at them alone."""
    (folder / "t.csv").write_text(
        "id,team,opened,closed\n 1 , d01,2026-01-05 08:00,\nbroken\n 1 , d01,2026-01-05 08:00,\n 1 ,D01,2026-01-05 09:00:00,\n2,D01,05.01.26x,\n"
    )
    source = Source(
        name="t", shape="cases", read="t.csv", dates={"opened_at": "iso"}, max_bad_share=1.0,
        columns={"case_id": "id", "department": "team", "opened_at": "opened", "resolved_at": "closed"},
    )  # fmt: skip
    assert snap(source).quarantine_path("t").read_text().splitlines()[1:] == [
        "t.csv,4,duplicate, 1 , d01,2026-01-05 08:00,,",
        "t.csv,5,duplicate_key, 1 ,D01,2026-01-05 09:00:00,,",
        "t.csv,6,wrong_type:opened_at,2,D01,05.01.26x,,",
        "t.csv,3,malformed,,,,,broken",
    ]


def test_a_department_s_rows_can_be_read_alone(snap, tickets):
    rows = (f"{n},D0{1 + n % 2},2026-01-0{1 + n % 9} 08:00:00,\n" for n in range(400_000))
    snapshot = snap(tickets("id,team,opened,closed\n" + "".join(rows)))
    groups = pq.ParquetFile(snapshot.table_path("tickets")).metadata
    bounds = [groups.row_group(n).column(0).statistics for n in range(groups.num_row_groups)]
    assert [(found.min, found.max) for found in bounds] == [
        ("D01", "D01"), ("D01", "D02"), ("D02", "D02"), ("D02", "D02")
    ]  # fmt: skip


def test_damage_behind_the_first_rows_is_the_file_s_fault(snap, folder, tickets):
    rows = "".join(f"{n},D01,2026-01-05 08:00:00,{n * 7919 % 100003}\n" for n in range(300_000))
    whole = gzip.compress(("id,team,opened,closed\n" + rows).encode())
    (folder / "t.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputRefused, match=r"t\.csv\.gz cannot be read: .*export it again, whole"):
        snap(tickets(read="t.csv.gz", dimensions=["closed"]))


def test_a_character_that_the_beginning_cuts_in_two_is_no_damage(folder):
    text = "id,team\n" + "x" * (delimited._HEAD - len("id,team\n") - 1) + "é,D01\n"
    (folder / "t.csv").write_text(text, encoding="utf-8")
    source = Source(name="t", shape="cases", read="t.csv", columns=COLUMNS)
    with duckdb.connect() as connection:
        assert column_names(connection, source, folder / "t.csv", folder, "t") == ["id", "team"]
