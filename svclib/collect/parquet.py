"""Parquet files, with the types they carry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from svclib.catalogue.models import Source
from svclib.collect import sql
from svclib.collect.read import Part, RawTable, file_name, pick_columns, unreadable, wanted_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Load Parquet files, one after the other; a column's type is that of the first file."""
    import duckdb

    wanted = wanted_columns(source)
    table = sql.name(f"raw_{source.name}")
    parts: list[Part] = []
    first = 0
    for path in files:
        name = file_name(path, root)
        reader = f"read_parquet({sql.text(str(path))})"
        try:
            present = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()]
            picked = pick_columns(wanted, present, where, name)
            select = ", ".join(f"{sql.name(column)} AS {sql.name(own)}" for own, column in picked.items())
            verb = f"INSERT INTO {table}" if parts else f"CREATE TABLE {table} AS"
            connection.execute(f"{verb} SELECT {select} FROM {reader}")
        except duckdb.Error as error:
            raise unreadable(where, name, error) from None
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        count = (row[0] if row else 0) - first
        parts.append(Part(name, first, count, header=0))
        first += count
    return RawTable(table, column_types(connection, table), parts)


def column_types(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column to DuckDB's type, in the table's order."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
