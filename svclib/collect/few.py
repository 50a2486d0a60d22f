"""Dimensions of few values, kept as numbers of these values: a tenth of the memory, and sorted and written faster.

The values are those of the first rows. What comes later and is another one is taken from the source once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.columns import Column
from svclib.collect.read import RawTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FEW = 500


def few_valued(connection: DuckDBPyConnection, source: Source, columns: Iterable[Column], first: str) -> dict[str, str]:
    """Make an ENUM for each dimension of few values in the table `first`; the name of its type by that of the column.

    A dimension never has NULL: where the ENUM lacks a value, and only there, the column will.
    """
    types: dict[str, str] = {}
    for column in columns:
        if column.name not in source.dimension_columns or source.explode:
            continue
        query = f"SELECT DISTINCT {column.value} FROM {first} ORDER BY 1 LIMIT {_FEW + 1}"
        values = [row[0] for row in connection.execute(query).fetchall()]
        if len(values) <= _FEW:
            types[column.name] = sql.name(f"few:{column.name}")
            connection.execute(f"CREATE OR REPLACE TYPE {types[column.name]} AS ENUM ({sql.texts(values)})")
    return types


def admit_others(
    connection: DuckDBPyConnection, table: str, raw: RawTable, columns: Iterable[Column], types: dict[str, str]
) -> None:
    """Put the values that the first rows did not have where `table` has NULL in a column of `types`.

    `table` has a row for each of `raw`, whose texts it keeps as ``_texts`` where `raw` bears no numbers.
    """
    for column in columns:
        name, type = sql.name(column.name), types.get(column.name)
        if type is None:
            continue
        missing = f"FROM {table} WHERE {name} IS NULL"
        if raw.unread:
            place = list(raw.types).index(column.name) + 1
            others = f"SELECT rowid AS row, coalesce(_texts[{place}], '') AS value {missing}"
        else:
            others = f"SELECT {raw.rowid} AS row, {column.value} AS value FROM {raw.name} WHERE {raw.rowid} IN (SELECT rowid {missing})"
        connection.execute(f"CREATE OR REPLACE TABLE _others AS {others}")
        known = f"SELECT unnest(enum_range(NULL::{type}))::VARCHAR AS value"
        query = f"SELECT value FROM ({known} UNION SELECT value FROM _others) ORDER BY 1 LIMIT {_FEW + 1}"
        values = [row[0] for row in connection.execute(query).fetchall()]
        if connection.execute("SELECT 1 FROM _others LIMIT 1").fetchone():
            wider = "VARCHAR"
            if len(values) <= _FEW:
                wider = sql.name(f"few, all:{column.name}")
                connection.execute(f"CREATE TYPE {wider} AS ENUM ({sql.texts(values)})")
            connection.execute(f"ALTER TABLE {table} ALTER {name} TYPE {wider}")
            connection.execute(f"UPDATE {table} SET {name} = o.value FROM _others o WHERE {table}.rowid = o.row")
        connection.execute("DROP TABLE _others")
