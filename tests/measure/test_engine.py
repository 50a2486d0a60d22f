"""KPI expressions run through ibis, on DuckDB 2 and on any other database that ibis knows."""

import inspect
import sqlite3

import duckdb
import ibis
import pyarrow as pa
import pytest
from ibis.backends.duckdb import Backend

from svclib.measure.engine import connect, fetch, frame


def test_ibis_still_needs_the_bridge():
    """When this fails, ibis speaks DuckDB 2.0 itself: delete `_Bridge`."""
    assert not hasattr(duckdb.DuckDBPyConnection, "fetch_arrow_table")
    assert "fetch_arrow_table" in inspect.getsource(Backend)


def test_missing_whole_numbers_and_truth_values_stay_missing():
    backend = connect()
    backend.con.register("t", pa.table({"a": [1, None], "b": [True, None], "c": [1, 2], "d": ["x", None]}))
    found = frame(backend, "select * from t order by c")
    assert found["a"].isna().tolist() == found["b"].isna().tolist() == [False, True]
    assert str(found["a"].dtype) == "Int64"
    assert str(found["c"].dtype) == "int64"


def test_duckdb_expressions_run_on_another_database(tmp_path):
    path = tmp_path / "service.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (x integer, y text)")
        connection.executemany("insert into t values (?, ?)", [(1, "a"), (2, "a"), (3, "b")])
    connection.close()
    backend = connect(f"sqlite://{path}")
    found = frame(backend, "select y, sum(case when x >= 2 then 1 else 0 end) as n from t group by y order by y")
    assert found.to_dict("list") == {"y": ["a", "b"], "n": [1, 1]}


def test_duckdb_files_open_by_path_and_by_url(tmp_path):
    path = tmp_path / "service.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select 7 as x")
    assert fetch(connect(path, read_only=True).table("t"))["x"].tolist() == [7]
    assert fetch(connect(f"duckdb://{path}", read_only=True).table("t"))["x"].tolist() == [7]


@pytest.mark.parametrize("rows", [0, 3])
def test_batches_come_through_the_bridge(rows):
    backend = connect()
    expression = backend.sql(f"select * from range({rows}) as t(x)")
    assert sum(batch.num_rows for batch in expression.to_pyarrow_batches()) == rows
    assert isinstance(expression, ibis.Table)
