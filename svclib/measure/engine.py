"""Where KPI expressions run: an ibis connection, DuckDB unless another database is named.

ibis 12.0 calls methods that DuckDB 2.0 no longer has (``fetch_arrow_table``, ``fetch_record_batch``). `_Bridge` gives
them back under their new names; a test says when ibis no longer needs it.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib.measure.dialects import bounded, describe_query, spark_table, translate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from ibis.backends.sql import SQLBackend


class _Bridge:
    """A DuckDB connection or relation that still answers to the names ibis 12.0 calls."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _wrap(self, relation: Any) -> Any:
        return self if relation is None else _Bridge(relation)

    def sql(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return self._wrap(self._inner.sql(query, *args, **kwargs))

    def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
        # A relation, not the DB-API result: only relations hand over Arrow without a copy.
        if args or kwargs:
            self._inner.execute(query, *args, **kwargs)
            return self
        return self._wrap(self._inner.sql(query))

    def cursor(self) -> _Bridge:
        return _Bridge(self._inner.cursor())

    def fetch_arrow_table(self) -> pa.Table:
        return self._inner.to_arrow_table()

    def fetch_record_batch(self, rows_per_batch: int = 1_000_000) -> pa.RecordBatchReader:
        return self._inner.to_arrow_reader(rows_per_batch)


def connect(target: str | Path | None = None, *, read_only: bool = False, threads: int | None = None) -> SQLBackend:
    """An ibis connection.

    Parameters
    ----------
    target
        None for DuckDB in memory, a path for a DuckDB file, or an ibis URL (``sqlite:///x.db``, ``postgres://...``).
    read_only
        For DuckDB files: open without the right to write.
    threads
        For DuckDB: how many threads a query may use.

    Examples
    --------
    >>> frame(connect(), "select 40 + 2 as answer")["answer"].tolist()
    [42]
    """
    text = "" if target is None else str(target)
    if target is None or isinstance(target, Path) or text.startswith("duckdb://"):
        return _connect_duckdb(text.removeprefix("duckdb://") or ":memory:", read_only, threads)
    import ibis

    backend = ibis.connect(text)
    if backend.name == "postgres":
        backend._get_schema_using_query = partial(describe_query, backend)
    return backend


def _connect_duckdb(path: str, read_only: bool, threads: int | None) -> SQLBackend:
    import duckdb
    import ibis

    # duckdb:///relative.db names a path as the other URLs do; four slashes make it absolute.
    path = re.sub(r"^/(?!/)", "", path) if path.startswith("/") and not Path(path).exists() else path
    config: dict[str, Any] = {"threads": threads} if threads else {}
    connection = duckdb.connect(path, read_only=read_only, config=config)
    return ibis.duckdb.from_connection(_Bridge(connection))


def frame(backend: SQLBackend, query: str) -> pd.DataFrame:
    """Run a query that is written in DuckDB's dialect, on whatever database, and fetch it as a pandas frame.

    Nullable integers and booleans come as pandas' nullable types, so that missing is never zero.
    """
    if backend.name == "duckdb":
        return fetch(backend.sql(query, dialect="duckdb"))
    return fetch(backend.sql(translate(query, backend.name)))


def fetch(expression: Any) -> pd.DataFrame:
    """Fetch an ibis table expression as a pandas frame, through Arrow."""
    import warnings

    import pandas as pd
    import pyarrow as pa

    nullable = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    with warnings.catch_warnings():
        # ibis 12.0 asks pandas for an option that pandas 3 calls deprecated.
        warnings.filterwarnings("ignore", message="The 'future.infer_string' option", category=DeprecationWarning)
        backend = expression.get_backend()
        table = spark_table(backend, expression) if backend.name == "pyspark" else bounded(expression).to_pyarrow()
    result = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count and column.type in nullable:
            result[name] = column.to_pandas(types_mapper=nullable.get)
    return result
