"""Rows that broke the contract, written out with their place, their reasons and what stood there."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.read import ORDER
from svclib.collect.stage import Staged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONGEST = 1000


def neutral(value: Any) -> str:
    """A value that no spreadsheet takes for a formula.

    >>> neutral("=cmd|' /C calc'!A0"), neutral("-5"), neutral("10:30")
    ("'=cmd|' /C calc'!A0", "'-5", '10:30')
    """
    text = "" if value is None else str(value)[:_LONGEST]
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def bad_rows(
    connection: DuckDBPyConnection, staged: Staged, source: Source
) -> Iterator[tuple[str, int, list[str], list[Any]]]:
    """Each bad row: its file, its row number, the codes of its reasons, its original values."""
    names = [name for name in staged.raw.types if name != ORDER]
    values = ", ".join(f"r.{sql.name(name)}::VARCHAR" for name in names)
    rows = connection.cursor().execute(
        f"SELECT r._id, s._fate, s._broken, {values} FROM {staged.table} s JOIN {staged.raw.name} r ON r._id = s.{staged.id} "
        "WHERE s._fate IN ('bad', 'duplicate', 'duplicate_key') ORDER BY r._id, s.rowid"
    )
    while batch := rows.fetchmany(10_000):
        for rowid, fate, broken, *original in batch:
            file, row = staged.raw.locate(rowid)
            codes = [rule.code for bit, rule in enumerate(staged.rules) if broken >> bit & 1]
            yield file, row, codes if fate == "bad" else [fate], original


def write_quarantine(path: Path, connection: DuckDBPyConnection, staged: Staged, source: Source) -> int:
    """Write the quarantine file of a source; returns how many rows stand in it."""
    names = [name for name in staged.raw.types if name != ORDER]
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["source_file", "row", "reasons", *names, "line"])
        rejected = ((r.file, r.row, ["malformed"], [None] * len(names), r.text) for r in staged.raw.rejects)
        broken = ((*row, None) for row in bad_rows(connection, staged, source))
        for place, row, codes, values, line in chain(broken, rejected):
            out.writerow([neutral(place), row, "; ".join(codes), *map(neutral, values), neutral(line)])
            count += 1
    return count
