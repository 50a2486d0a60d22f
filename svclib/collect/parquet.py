"""Parquet files, with the types they carry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.read import Part, RawTable, file_name, pick_columns, unreadable, wanted_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Open Parquet files, one after the other, without copying them; types that differ become the wider one."""
    import duckdb

    wanted = wanted_columns(source)
    view = sql.name(f"raw_{source.name}")
    parts: list[Part] = []
    selects: list[str] = []
    first = 0
    for path in files:
        name = file_name(path, root)
        reader = f"read_parquet({sql.text(str(path))}, file_row_number=true)"
        try:
            present = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()]
            picked = pick_columns(wanted, present, where, name)
            select = ", ".join(f"{sql.name(column)} AS {sql.name(own)}" for own, column in picked.items())
            selects.append(f"SELECT {first} + file_row_number AS _rowid, {select} FROM {reader}")
            row = connection.execute(f"SELECT count(*) FROM {reader}").fetchone()
        except duckdb.Error as error:
            raise unreadable(where, name, error) from None
        count = row[0] if row else 0
        parts.append(Part(name, first, count, header=0))
        first += count
    try:
        connection.execute(f"CREATE VIEW {view} AS {' UNION ALL '.join(selects)}")
        types = column_types(connection, view)
    except duckdb.Error as error:
        raise unreadable(where, source.read, error) from None
    types.pop("_rowid")
    return RawTable(view, types, parts, rowid="_rowid")


def column_types(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column to DuckDB's type, in the table's order."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
