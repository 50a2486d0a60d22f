"""Snapshots: the same input gives the same bytes, the past is seen as it was, damage is told."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path

import pandas as pd
import pytest

from svclib.catalogue.models import Source
from svclib.collect import collect, find_snapshot, late_rows, list_snapshots, open_snapshot
from svclib.collect import snapshot as snapshot_module
from svclib.collect.digests import DigestCache
from svclib.collect.inputs import locate_inputs, may_be_kept
from svclib.errors import InputRefused

HEAD = "id,team,opened,closed\n"
TODAY = dt.date(2026, 11, 22)


def many(count: int, start: int = 0) -> str:
    rows = []
    for n in range(start, start + count):
        day = dt.datetime(2024, 1, 1) + dt.timedelta(hours=7 * n % 17000)
        rows.append(f"{n},D0{1 + n % 2},{day},{day + dt.timedelta(hours=n % 90)}\n")
    return HEAD + "".join(rows)


def tables(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.rglob("*") if file.suffix in (".parquet", ".csv")}


def test_same_input_same_bytes(snap, folder, tickets):
    source = tickets(many(150_000))
    first = snap(source, root=folder / "one")
    again = snap(source, root=folder / "two")
    assert first.digest == again.digest
    assert tables(first.path) == tables(again.path)
    assert first.path.name == first.digest[:16]


def test_threads_do_not_change_the_bytes(snap, folder, tickets, monkeypatch):
    import duckdb

    source = tickets(many(150_000))
    first = snap(source, root=folder / "one")
    connect = duckdb.connect
    monkeypatch.setattr(
        duckdb, "connect", lambda *a, config=None, **k: connect(*a, config={**(config or {}), "threads": 1}, **k)
    )
    assert tables(snap(source, root=folder / "two").path) == tables(first.path)


def test_another_input_another_digest(snap, folder, tickets, catalogue):
    first = snap(tickets(many(10)))
    assert snap(tickets(many(11))).digest != first.digest
    assert snap(tickets(many(10), silent_after="30d"), accept_shrunk=["tickets"]).digest != first.digest
    assert snap(tickets(many(10)), as_of=dt.date(2024, 6, 1)).digest != first.digest
    assert len(list_snapshots(folder / "snapshots")) == 4


def test_an_unchanged_source_is_not_read_again(snap, folder, tickets, catalogue):
    source = tickets(many(10))
    first = snap(source)
    stamp = (first.path / "snapshot.json").stat().st_mtime_ns
    assert snap(source).path == first.path
    assert snap(source, force=True).path == first.path
    assert (first.path / "snapshot.json").stat().st_mtime_ns == stamp
    assert find_snapshot(catalogue(source), today=TODAY) is not None
    (folder / "tickets.csv").write_text(many(11))
    assert find_snapshot(catalogue(source), today=TODAY) is None


def test_only_a_snapshot_of_files_of_these_sizes_may_be_the_same(snap, folder, tickets, catalogue):
    """Else the files are read anyway, and their digests taken meanwhile."""
    root, source = folder / "snapshots", tickets(many(10))
    assert not may_be_kept(locate_inputs(catalogue(source)), root)
    first = snap(source)
    assert may_be_kept(locate_inputs(catalogue(source)), root)
    assert not may_be_kept(locate_inputs(catalogue(tickets(many(11)))), root)
    assert snap(tickets(many(11))).digest != first.digest


def test_a_file_that_changes_while_it_is_read_is_refused(catalogue, folder, tickets):
    declared = catalogue(tickets(many(10)))
    with pytest.raises(InputRefused, match=r"files of 'tickets' changed while they were read.*collect again"):
        collect(declared, today=TODAY, progress=lambda name: (folder / "tickets.csv").write_text(many(11)))
    assert not list_snapshots(folder / "snapshots")
    assert collect(declared, today=TODAY).report("tickets")["kept"] == 11


def test_digests_are_remembered_by_size_and_time(tmp_path, monkeypatch):
    file = tmp_path / "a.csv"
    file.write_text("abc")
    os.utime(file, (time.time() - 60, time.time() - 60))
    cache = DigestCache(tmp_path)
    before = cache.digest(file, "a.csv")
    cache.save()
    monkeypatch.setattr("svclib.collect.digests.digest_file", lambda path: pytest.fail("read again"))
    assert DigestCache(tmp_path).digest(file, "a.csv") == before


def test_a_file_changed_just_now_is_not_remembered(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("abc")
    cache = DigestCache(tmp_path)
    cache.digest(file, "a.csv")
    cache.save()
    assert not (tmp_path / "digests.json").exists()


def test_as_of_cases(snap, tickets):
    rows = "1,D01,2026-01-05 08:00,2026-01-10 23:59\n2,D01,2026-01-10 08:00,2026-01-11 00:00\n3,D01,2026-01-11 00:00,\n"
    rows += "4,D01,2026-01-09 08:00,9999-12-31 00:00\n"
    snapshot = snap(tickets(HEAD + rows), as_of=dt.date(2026, 1, 10))
    frame = snapshot.rows("tickets")
    assert frame["case_id"].tolist() == ["1", "4", "2"]
    assert frame["resolved_at"].isna().tolist() == [False, True, True]
    report = snapshot.report("tickets")
    assert (report["later"], report["clipped"], report["bad"]) == (1, {"resolved_at": 2}, {})
    assert snapshot.as_of == dt.date(2026, 1, 10)


def test_as_of_the_other_shapes(snap, folder):
    (folder / "s.csv").write_text("at,team\n2026-01-05 10:00,D01\n2026-02-06,D01\n")
    (folder / "o.csv").write_text("from,to,team\n2026-01-05 10:00,2026-02-05 11:00,D01\n2026-02-06 10:00,,D01\n")
    (folder / "n.csv").write_text("month,team,value\n2025-12,D01,3\n2026-01,D01,4\n2026-02,D01,5\n")
    snapshot = snap(
        Source(name="s", shape="responses", read="s.csv", columns={"responded_at": "at", "department": "team"}),
        Source(
            name="o",
            shape="outages",
            read="o.csv",
            columns={"started_at": "from", "ended_at": "to", "department": "team"},
        ),
        Source(
            name="n", shape="counts", read="n.csv", columns={"period": "month", "department": "team", "value": "value"}
        ),
        as_of=dt.date(2026, 1, 30),
    )
    assert len(snapshot.rows("s")) == 1
    assert snapshot.rows("o")["ended_at"].isna().tolist() == [True]
    assert snapshot.rows("n")["value"].tolist() == [3.0]  # January ends on the 31st
    assert [snapshot.report(name)["later"] for name in "son"] == [1, 1, 2]


def test_as_of_an_event_log(snap, tickets):
    text = (
        HEAD.strip() + ",changed\n7,D01,2026-01-05 08:00,,2026-01-05 09:00\n7,D02,2026-01-05 08:00,,2026-01-20 09:00\n"
    )
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "changed_at": "changed"}
    source = tickets(text, columns=columns, keep="last by changed_at")
    assert snap(source, as_of=dt.date(2026, 1, 10)).rows("tickets")["department"].tolist() == ["D01"]
    assert snap(source).rows("tickets")["department"].tolist() == ["D02"]


def test_as_of_is_the_last_known_day_where_none_is_asked_for(snap, folder, tickets):
    assert snap(tickets(HEAD + "1,D01,2026-01-05 08:00,2026-02-10 23:59\n")).as_of == dt.date(2026, 2, 10)
    (folder / "n.csv").write_text("month,team,value\n2026-03,D01,4\n2026-11,D01,4\n")
    source = Source(
        name="n", shape="counts", read="n.csv", columns={"period": "month", "department": "team", "value": "value"}
    )
    snapshot = snap(source)
    assert snapshot.as_of == dt.date(2026, 3, 31)
    assert snapshot.report("n")["later"] == 1  # November has not ended


def test_a_cut_off_in_the_future(snap, tickets):
    with pytest.raises(InputRefused, match=r"lies in the future"):
        snap(tickets(many(3)), as_of=dt.date(2026, 11, 23))


def test_faults_of_the_future_are_judged_anew_when_their_day_comes(snap, tickets):
    source = tickets(HEAD + "1,D01,2026-01-05,\n2,D01,2026-11-25,\n")
    assert snap(source).report("tickets")["bad"] == {"future:opened_at": 1}
    assert snap(source, today=dt.date(2026, 11, 25)).report("tickets")["bad"] == {}


def test_a_source_that_shrank(snap, folder, tickets):
    snap(tickets(many(10)))
    before = list_snapshots(folder / "snapshots")
    with pytest.raises(InputRefused, match=r"source 'tickets' shrank: 9 rows, 10 in snapshot"):
        snap(tickets(many(9)))
    assert list_snapshots(folder / "snapshots") == before
    assert snap(tickets(many(9)), accept_shrunk=["tickets"]).report("tickets")["kept"] == 9


def test_the_command_that_accepts_fewer_rows_can_be_pasted(snap, folder, tickets, monkeypatch):
    other = tickets(name="more")
    snap(tickets(many(10)), other)
    for here, option in (
        (folder, ""),
        (folder.parent, f" --params {folder.name}/params"),
        ("/", f" --params {str(folder / 'params').removeprefix('/')}"),
    ):
        monkeypatch.chdir(here)
        with pytest.raises(InputRefused) as refused:
            snap(tickets(many(9)), other, accept_shrunk=["more"])
        (problem,) = refused.value.problems
        assert problem.cure.endswith(f": svclib collect{option} --accept-shrunk tickets")
    with pytest.raises(InputRefused) as refused:
        snap(tickets(many(9)), other)
    assert [p.cure.partition("--accept-shrunk ")[2] for p in refused.value.problems] == [
        "tickets (and --accept-shrunk for each other such source)",
        "more (and --accept-shrunk for each other such source)",
    ]


def test_a_corrupt_snapshot_is_told_and_made_anew(snap, tickets):
    source = tickets(many(100))
    path = snap(source).path
    table = path / "tickets.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:-10])
    with pytest.raises(InputRefused, match=rf"tickets.parquet has {len(data) - 10} bytes.*svclib collect"):
        open_snapshot(path)
    table.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(InputRefused, match=r"has been altered"):
        open_snapshot(path)
    assert snap(source).path == path
    assert table.read_bytes() == data
    table.unlink()
    with pytest.raises(InputRefused, match=r"tickets.parquet is missing"):
        open_snapshot(path)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"format": 99, "files": []}'])
def test_what_is_no_snapshot(tmp_path, text):
    if text is not None:
        (tmp_path / "snapshot.json").write_text(text)
    with pytest.raises(InputRefused, match=r"no readable snapshot.json|is of format 99"):
        open_snapshot(tmp_path)


def test_large_tables_are_hashed_only_when_asked(snap, tickets, monkeypatch):
    path = snap(tickets(many(100))).path
    table = path / "tickets.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    monkeypatch.setattr(snapshot_module, "_ALWAYS_VERIFIED", 10)
    open_snapshot(path)
    with pytest.raises(InputRefused):
        open_snapshot(path, verify=True)


def test_a_folder_that_cannot_be_written(snap, folder, tickets):
    (folder / "blocked").write_text("a file stands where the folder should be")
    with pytest.raises(InputRefused, match=r"cannot be written"):
        snap(tickets(many(3)), root=folder / "blocked" / "snapshots")


def test_an_interrupted_run_leaves_nothing(snap, folder, tickets):
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snap(tickets(many(3)), progress=stop)
    assert [path.name for path in (folder / "snapshots").iterdir() if path.name != "digests.json"] == []


def test_rows_are_sorted_and_only_what_is_asked_for_is_read(snap, tickets):
    snapshot = snap(tickets(many(1000)))
    frame = snapshot.rows("tickets")
    assert frame.equals(frame.sort_values(["department", "opened_at"], kind="stable").reset_index(drop=True))
    part = snapshot.rows("tickets", department="D02", columns=["case_id", "opened_at"], since=dt.date(2024, 7, 1))
    assert list(part) == ["case_id", "opened_at"]
    assert len(part) == ((frame["department"] == "D02") & (frame["opened_at"] >= "2024-07-01")).sum() > 0
    assert snapshot.rows("tickets", until=dt.date(2024, 7, 1))["opened_at"].max() < pd.Timestamp("2024-07-01")
    assert frame["opened_at"].dtype == "datetime64[us]"


def test_late_rows_with_a_key(snap, folder, tickets):
    text = HEAD + "1,D01,2026-01-05,2026-01-31\n2,D01,2026-01-06,\n"
    before = snap(tickets(text))
    after = snap(tickets(text.replace("2,D01", "9,D02") + "3,D01,2026-01-20,\n4,D01,2026-02-20,\n"))
    assert late_rows(before, after).to_numpy().tolist() == [
        ["tickets", "D01", "2026-01", 1, 1],
        ["tickets", "D02", "2026-01", 1, 0],
    ]
    assert late_rows(after, after).empty


def test_late_rows_without_a_key(snap, folder):
    def source(extra: str) -> Source:
        (folder / "s.csv").write_text("at,team\n2026-01-05,D01\n2026-02-01,D01\n" + extra)
        return Source(name="s", shape="responses", read="s.csv", columns={"responded_at": "at", "department": "team"})

    before = snap(source(""))
    after = snap(source("2026-01-06,D01\n2026-03-01,D01\n"))
    assert late_rows(before, after).to_numpy().tolist() == [["s", "D01", "2026-01", 1, 0]]


def test_the_manifest_names_no_path_of_this_machine(snap, folder, tickets):
    snapshot = snap(tickets(many(3)))
    text = (snapshot.path / "snapshot.json").read_text()
    assert str(folder) not in text
    manifest = json.loads(text)
    assert manifest["sources"][0]["files"][0]["name"] == "tickets.csv"
    assert len(manifest["sources"][0]["files"][0]["sha256"]) == 64
    assert not any(part in text for part in ("NaN", "Infinity"))


def test_rows_of_a_database_are_in_an_order_of_their_own(snap, folder, tickets):
    import duckdb

    with duckdb.connect(str(folder / "t.duckdb")) as duck:
        duck.execute(
            "create table cases as select range::varchar id, 'D01' team, timestamp '2026-01-05' opened, null::timestamp closed from range(100)"
        )
        duck.execute("create table turned as select * from cases order by id desc")
    one = snap(tickets(read="duckdb:///t.duckdb", table="cases"), root=folder / "a")
    two = snap(tickets(read="duckdb:///t.duckdb", table="turned"), root=folder / "b")
    assert one.table_path("tickets").read_bytes() == two.table_path("tickets").read_bytes()


def test_collect_is_a_function_of_its_catalogue(catalogue, folder, tickets):
    """No working directory, no environment: the same from anywhere."""
    source = tickets(many(5))
    here = os.getcwd()
    os.chdir("/")
    try:
        assert collect(catalogue(source), today=TODAY).report("tickets")["kept"] == 5
    finally:
        os.chdir(here)


def test_a_cut_off_before_the_data_is_refused_with_their_first_day(snap, folder, tickets):
    with pytest.raises(InputRefused) as refused:
        snap(tickets(many(10)), as_of=dt.date(2020, 1, 1))
    assert str(refused.value).startswith(
        "--as-of: 2020-01-01 lies before the data. Cure: name a day from 2024-01-01 on"
    )
    assert list_snapshots(folder / "snapshots") == []
    assert snap(tickets(many(10)), as_of=dt.date(2024, 1, 1)).report("tickets")["kept"] == 4


def test_a_source_that_began_after_the_cut_off_is_empty(snap, folder, tickets):
    """Rows without a date are no measure of what lies after the cut-off."""
    (folder / "s.csv").write_text("at,team\n2019-05-01,D01\n")
    old = Source(name="s", shape="responses", read="s.csv", columns={"responded_at": "at", "department": "team"})
    snapshot = snap(tickets(many(10) + "99,D01,31/02/2026,\n"), old, as_of=dt.date(2020, 1, 1))
    report = snapshot.report("tickets")
    assert (report["kept"], report["later"], report["later_from"]) == (0, 10, "2024-01-01")
    assert snapshot.rows("tickets").empty
    assert snapshot.quality[0].first is None


def test_what_a_killed_run_left_behind_is_cleared(snap, folder, tickets):
    left = folder / "snapshots" / ".collecting-dead"
    left.mkdir(parents=True)
    (left / "x").write_text("x")
    os.utime(left, (time.time() - 2 * 86_400,) * 2)
    snap(tickets(many(3)))
    assert not left.exists()


def test_a_full_disk_is_told(snap, folder, tickets, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("svclib.collect.collecting.write_quarantine", full)
    with pytest.raises(InputRefused, match=r"No space left on device.*disk full"):
        snap(tickets(many(3)))
    assert list_snapshots(folder / "snapshots") == []


def test_more_rules_than_bits_in_a_bigint(snap, tickets):
    names = [f"n{i}" for i in range(40)]
    text = "id,team,opened," + ",".join(names) + "\n1,D01,2026-01-05," + ",".join(["1.5"] * 40) + "\n"
    text += "2,D01,2026-01-05," + ",".join(["1.5"] * 39) + ",nan\n"
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", **{name: name for name in names}}
    source = tickets(text, columns=columns, types=dict.fromkeys(names, "number"))
    assert snap(source).report("tickets")["bad"] == {"not_finite:n39": 1}
