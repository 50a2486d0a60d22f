"""Any source as one raw table: the mapped columns under svclib's names, in the source's order, rows traceable to files.

Nothing is judged here. Text stays text (CSV, Excel, JSON lines); Parquet and databases keep their own types.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect import databases, delimited, jsonlines, parquet, workbooks
from svclib.collect.read import ROW, RawTable, read_rows, source_format
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load_raw(
    connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str,
    folder: Path | None = None,
) -> RawTable:  # fmt: skip
    """Load a source into the connection.

    Parameters
    ----------
    files
        As `find_files` gives them.
    root
        The folder that file names are told relative to.
    where
        Where the source is declared, for messages.
    folder
        A folder that lives as long as the connection: then CSV files may stay unread until `read_rows` goes through
        them. None: all rows are copied into the connection.

    Raises
    ------
    InputRefused
        If a file cannot be read, lacks a mapped column, or its damage reaches further than single rows.

    Examples
    --------
    >>> import duckdb
    >>> tickets = Source(name="t", shape="cases", read="t.csv", columns={"case_id": "Nr"}, dimensions=["team"])
    >>> with TemporaryDirectory() as home, duckdb.connect() as connection:
    ...     file = Path(home, "t.csv")
    ...     _ = file.write_text("Nr,team,note\\n1,North,x\\n")
    ...     raw = load_raw(connection, tickets, [file], Path(home), "params/sources.yaml:3")
    ...     connection.sql(f"FROM {raw.name}").fetchall(), raw.types
    ([('1', 'North')], {'case_id': 'VARCHAR', 'team': 'VARCHAR'})
    """
    format = source_format(source)
    if format == "database":
        return _number_rows(connection, source, databases.load(connection, source, root, where))
    if format == "csv":
        if folder:
            return _number_rows(connection, source, delimited.load(connection, source, files, root, where, folder))
        with TemporaryDirectory(prefix="svclib-") as own:
            raw = delimited.load(connection, source, files, root, where, Path(own))
            return _number_rows(connection, source, _copied(connection, source, raw))
    readers = {"parquet": parquet.load, "xlsx": workbooks.load, "jsonl": jsonlines.load}
    if format not in readers:
        known = "csv, tsv, txt, parquet, xlsx, jsonl, or an address such as duckdb:///file.db"
        cure = f"name a file of one of these kinds or declare format: {known}; save .xls as .xlsx"
        raise InputRefused(Problem(where, f"svclib cannot tell how to read {source.read!r}", cure))
    return _number_rows(connection, source, readers[format](connection, source, files, root, where))


def _copied(connection: DuckDBPyConnection, source: Source, raw: RawTable) -> RawTable:
    """The rows of a view as a table."""
    table = sql.name(f"numbered_{source.name}")
    columns = ", ".join(map(sql.name, raw.types))
    order = f" ORDER BY {raw.rowid}" if raw.numbered else ""
    read = read_rows(connection, raw, table, lambda rows: f"SELECT {columns} FROM {rows}{order}")
    return RawTable(table, raw.types, read.parts, read.rejects)


def _number_rows(connection: DuckDBPyConnection, source: Source, raw: RawTable) -> RawTable:
    """Fill the columns that are mapped to ``#row``, and number the rows where one becomes several."""
    own_numbers = [own for own, column in source.columns.items() if column == ROW]
    if (own_numbers and raw.rowid != "rowid") or ((own_numbers or source.explode) and not raw.numbered):
        raw = _copied(connection, source, raw)
    for own in own_numbers:
        connection.execute(f"ALTER TABLE {raw.name} ADD COLUMN {sql.name(own)} VARCHAR")
        for part in raw.parts:
            value = f"{sql.text(Path(part.file).stem + ':')} || (rowid - {part.first} + 1)"
            rows = f"rowid BETWEEN {part.first} AND {part.first + part.count - 1}"
            connection.execute(f"UPDATE {raw.name} SET {sql.name(own)} = {value} WHERE {rows}")
        raw.types[own] = "VARCHAR"
    return raw
