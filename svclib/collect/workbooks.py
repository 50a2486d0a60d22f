"""Excel workbooks, cell by cell as text; real dates become ISO stamps, so that only typed ones can be ambiguous."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.read import Part, RawTable, file_name, pick_columns, unreadable, wanted_columns
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 20_000


def load(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Load one sheet of each workbook; row numbers are those of the sheet."""
    wanted = wanted_columns(source)
    table = sql.name(f"raw_{source.name}")
    columns = ", ".join(f"{sql.name(column)} VARCHAR" for column in wanted)
    connection.execute(f"CREATE TABLE {table} ({columns})")
    parts: list[Part] = []
    first = 0
    for path in files:
        name = file_name(path, root)
        numbers: list[int] = []
        for rows in _batches(path, source, wanted, where, name):
            _append(connection, table, [cells for _, cells in rows], list(wanted))
            numbers += [number for number, _ in rows]
        parts.append(Part(name, first, len(numbers), rows=tuple(numbers)))
        first += len(numbers)
    return RawTable(table, dict.fromkeys(wanted, "VARCHAR"), parts)


def _append(connection: DuckDBPyConnection, table: str, rows: list[list[str | None]], names: list[str]) -> None:
    import pyarrow as pa

    batch = pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=names)
    connection.register("batch", batch)
    connection.execute(f"INSERT INTO {table} SELECT * FROM batch")
    connection.unregister("batch")


def _batches(
    path: Path, source: Source, wanted: dict[str, str], where: str, name: str
) -> Iterator[list[tuple[int, list[str | None]]]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever the archive or its XML raise
        raise unreadable(where, name, error) from None
    try:
        sheet = _sheet(book, source, where, name)
        sheet.reset_dimensions()  # some programs write a wrong extent
        cells = enumerate(sheet.iter_rows(values_only=True), start=1)
        header = _header(cells, source)
        if header is None:
            raise InputRefused(Problem(where, f"{name}, sheet {sheet.title!r}: is empty", "check the sheet's name"))
        picked = pick_columns(wanted, header, where, f"{name}, sheet {sheet.title!r},")
        places = [header.index(column) for column in picked.values()]
        nulls = set(source.options.null_values)
        rows = _rows(cells, places, nulls)
        while batch := list(islice(rows, _BATCH)):
            yield batch
    finally:
        book.close()


def _sheet(book: Any, source: Source, where: str, name: str) -> Any:
    names = book.sheetnames
    listed = ", ".join(repr(sheet) for sheet in names)
    if source.sheet is None:
        if len(names) > 1:
            cure = f"declare sheet: with one of {listed}"
            raise InputRefused(Problem(where, f"{name} has {len(names)} sheets", cure))
        return book[names[0]]
    if isinstance(source.sheet, int) and 0 <= source.sheet < len(names):
        return book[names[source.sheet]]
    if source.sheet in names:
        return book[source.sheet]
    raise InputRefused(Problem(where, f"{name} has no sheet {source.sheet!r}", f"sheets (counted from 0): {listed}"))


def _header(cells: Iterator[tuple[int, tuple[Any, ...]]], source: Source) -> list[str] | None:
    """The header row; the rows before it that `skip_rows` names are passed over, empty ones too."""
    for number, row in cells:
        if number <= source.options.skip_rows or all(cell is None for cell in row):
            continue
        return [cell_text(cell) or "" for cell in row]
    return None


def _rows(
    cells: Iterator[tuple[int, tuple[Any, ...]]], places: list[int], nulls: set[str]
) -> Iterator[tuple[int, list[str | None]]]:
    for number, row in cells:
        if all(cell is None or cell == "" for cell in row):
            continue
        texts = [cell_text(row[place]) if place < len(row) else None for place in places]
        yield number, [None if text is None or text in nulls else text for text in texts]


def cell_text(cell: Any) -> str | None:
    """A cell as text, the way a CSV export would write it.

    >>> cell_text(12.0), cell_text(True), cell_text(dt.datetime(2026, 1, 31, 8, 30))
    ('12', 'true', '2026-01-31T08:30:00')
    """
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dt.datetime | dt.date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)
