"""The columns that a file has, before any of them is mapped: asked of the same readers that load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect import delimited, jsonlines, workbooks
from svclib.collect.read import file_name, source_format, unreadable
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def column_names(connection: DuckDBPyConnection, source: Source, path: Path, root: Path, where: str) -> list[str]:
    """The columns of a file as it names them, in its order; what it names twice stands there twice.

    Parameters
    ----------
    source
        Says how to read the file: its `format`, `sheet` and `options`. Its `columns` do not matter.
    root, where
        As in `svclib.collect.loading.load_raw`.

    Raises
    ------
    InputRefused
        If the file is empty, cannot be read, has several sheets and none is named, or is of no known kind.
    """
    readers: dict[str, Callable[..., list[str]]] = {
        "csv": _of_csv, "xlsx": _of_workbook, "jsonl": _of_json, "parquet": _of_parquet,
    }  # fmt: skip
    format = source_format(source)
    if format not in readers:
        cure = "give a file of one of these kinds: .csv, .tsv, .txt, .xlsx, .jsonl, .parquet; save .xls as .xlsx"
        raise InputRefused(Problem(where, f"svclib cannot tell how to read {source.read!r}", cure))
    return readers[format](connection, source, path, where, file_name(path, root))


def _of_csv(connection: DuckDBPyConnection, source: Source, path: Path, where: str, name: str) -> list[str]:
    _, head = delimited._beginning(path, source, where, name)
    if source.options.encoding is None and "\ufffd" in head:
        cure = 'say its encoding: options={"encoding": "cp1252"} is usual for Windows, "latin-1" for older programs'
        raise InputRefused(Problem(where, f"{name} is no UTF-8 text", cure))
    return delimited._header(head, source, {}, where, name)[1]


def _of_workbook(connection: DuckDBPyConnection, source: Source, path: Path, where: str, name: str) -> list[str]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever the archive or its XML raise
        raise unreadable(where, name, error) from None
    try:
        sheet = workbooks._sheet(book, source, where, name)
        sheet.reset_dimensions()
        header = workbooks._header(enumerate(sheet.iter_rows(values_only=True), start=1), source)
    finally:
        book.close()
    if header is None:
        raise InputRefused(Problem(where, f"{name}, sheet {sheet.title!r}: is empty", "check the sheet's name"))
    return header


def _of_json(connection: DuckDBPyConnection, source: Source, path: Path, where: str, name: str) -> list[str]:
    jsonlines._stage_lines(connection, path, where, name)
    names = list(jsonlines._keys(connection))
    connection.execute("DROP TABLE lines")
    return names


def _of_parquet(connection: DuckDBPyConnection, source: Source, path: Path, where: str, name: str) -> list[str]:
    import duckdb

    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({sql.text(str(path))})").fetchall()
    except duckdb.Error as error:
        raise unreadable(where, name, error) from None
    return [row[0] for row in rows]
