"""PostgreSQL gives the figures that DuckDB gives, feeds snapshots like a file does, and its password is told nowhere."""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import quote_plus

import ibis
import psycopg
import pytest
from same_figures import CODES, KPIS, check_same, check_segments, duckdb_with, generated, measure, single_rows

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.models import Department, Organisation, Source
from svclib.collect import collect
from svclib.errors import InputRefused
from svclib.measure.engine import connect

COLUMNS = {"case_id": "nr", "department": "team", "opened_at": "opened", "resolved_at": "closed", "cost": "cost"}
ROWS = [
    ("1", "D01", "2026-01-05 10:00:00", "2026-01-07 09:30:00", "12.5"),
    ("2", "North 2", "2026-01-06 11:00:00", None, "0.3333333333333333"),
    ("3", "D01", "2026-02-01 00:00:00", "2026-02-01 00:00:01", None),
]


@pytest.fixture(scope="module")
def duck():
    return duckdb_with(generated())


@pytest.fixture(scope="module")
def server(postgres):
    backend = connect(postgres.address)
    for name, table in generated().items():
        backend.create_table(name, table)
    yield backend
    backend.disconnect()


@pytest.mark.parametrize("code", KPIS)
def test_every_kind_of_kpi_has_the_same_figures(server, duck, code):
    check_same(measure(server, code), measure(duck, code))


@pytest.mark.parametrize("code", KPIS)
def test_the_rows_behind_a_kpi_are_the_same(server, duck, code):
    check_same(single_rows(server, code), single_rows(duck, code))


@pytest.mark.parametrize("code", ["condition", "median", "mean"])
def test_the_segments_of_a_kpi_are_the_same(server, duck, code):
    check_segments(server, duck, code)


def test_ibis_still_cannot_describe_a_query(postgres):
    plain = ibis.connect(postgres.address)
    with pytest.raises(psycopg.errors.SyntaxError):  # when this fails, `describe_query` has had its day
        plain.sql("select 1 as one")
    plain.disconnect()


@pytest.fixture(scope="module")
def desk(server):
    """A help desk's table, with the types that PostgreSQL's own tables have."""
    server.raw_sql("create table desk (nr varchar(9), team text, opened timestamp(0), closed timestamp, cost numeric)")
    with server.con.cursor() as cursor:
        cursor.executemany("insert into desk values (%s, %s, %s, %s, %s)", ROWS)
    return "desk"


@pytest.fixture
def take(tmp_path):
    """Collect one source into a snapshot below a folder of its own."""

    def make(name, **declared):
        (tmp_path / name / "params").mkdir(parents=True)
        lines = [",".join(value or "" for value in row) for row in [tuple(COLUMNS.values()), *ROWS]]
        (tmp_path / name / "desk.csv").write_text("\n".join(lines) + "\n")
        source = Source(name="desk", shape="cases", columns=COLUMNS, types={"cost": "number"}, **declared)
        departments = [Department(code=code, name=code) for code in CODES]
        organisation = Organisation(name="Test", time_zone="Europe/Rome")
        return collect(
            Catalogue(tmp_path / name / "params", organisation, departments, [source], []), today=dt.date(2026, 3, 1)
        )

    return make


@pytest.mark.parametrize("what", [{"table": "desk"}, {"sql": "select * from desk where team <> 'elsewhere';"}])
def test_a_table_and_a_query_give_the_snapshot_of_a_file(take, postgres, desk, monkeypatch, what, tmp_path):
    monkeypatch.setenv("SVC_PASSWORD", postgres.password)
    address = f"postgres://{postgres.user}:${{SVC_PASSWORD}}@/postgres?host={postgres.socket}"
    found = take("server", read=address, **what)
    check_same(found.rows("desk"), take("file", read="desk.csv").rows("desk"))
    assert not told(tmp_path, postgres.password)


def told(folder, password):
    """Files that tell the password, as it is or as an address writes it."""
    secrets = [text.encode() for text in (password, quote_plus(password), json.dumps(password)[1:-1])]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "snapshot.json" for path in files)
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


@pytest.mark.parametrize(
    ("address", "declared"),
    [
        ("postgres://analyst:${SVC_PASSWORD}@/postgres?host={socket}", {"table": "nowhere"}),
        ("postgres://analyst:${SVC_PASSWORD}@/postgres?host={socket}", {"sql": "select * from nowhere"}),
        ("postgres://nobody:${SVC_PASSWORD}@/postgres?host={socket}", {"table": "desk"}),
        ("postgres://analyst:${SVC_PASSWORD}x@/postgres?host={socket}", {"table": "desk"}),
        ("postgres://analyst:${SVC_PASSWORD}@127.0.0.1:1/postgres", {"table": "desk"}),
        ("postgres://analyst@/${SVC_PASSWORD}?host={socket}", {"table": "desk"}),
    ],
)
def test_no_message_tells_the_password(take, postgres, desk, monkeypatch, caplog, capfd, address, declared):
    monkeypatch.setenv("SVC_PASSWORD", postgres.password)
    with pytest.raises(InputRefused) as refused:
        take("server", read=address.replace("{socket}", str(postgres.socket)), **declared)
    said = [str(refused.value), repr(refused.value), caplog.text, *capfd.readouterr()]
    for piece in (postgres.password, quote_plus(postgres.password), "s3cret", "c4nary"):
        assert not [text for text in said if piece in text]
