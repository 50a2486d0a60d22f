"""Spreadsheet tables as people keep them: rows of cells that know their address."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svclib.errors import InputRefused, Problem

_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T]0{1,2}:00(?::00)?)?")
_ISO_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]00:00(?::00)?)?")
# A title or a logo may stand above the table; the row of heads is looked for in this many rows.
_ROWS_ABOVE_THE_TABLE = 10


@dataclass(frozen=True)
class Cell:
    """One value and where it stands, e.g. ``action_plan.xlsx, sheet Plan, cell H7``."""

    value: Any
    where: str

    @property
    def text(self) -> str:
        """What the cell shows, without outer spaces; an empty text where it is empty.

        >>> Cell(3.0, "cell A2").text, Cell(None, "cell A3").text
        ('3', '')
        """
        if self.value is None:
            return ""
        if isinstance(self.value, float) and self.value.is_integer():
            return str(int(self.value))
        if isinstance(self.value, dt.datetime) and self.value.time() == dt.time():
            return self.value.date().isoformat()
        return str(self.value).strip()


@dataclass(frozen=True)
class Table:
    """The table of one sheet: `rows` by head (lower case); `where` names the sheet, `head_row` its row of heads."""

    where: str
    heads: dict[str, int]
    rows: list[dict[str, Cell]]
    head_row: int = 1


def read_workbook(path: Path) -> dict[str, list[list[Any]]]:
    """Values of every sheet of an .xlsx file, by the sheet's name; formulas give their stored result."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, data_only=True)
    except Exception as error:  # openpyxl raises whatever zipfile and its XML parser raise
        raise InputRefused(
            Problem(path.name, f"no readable Excel workbook ({error})", "save it again as .xlsx")
        ) from None
    try:
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    finally:
        book.close()


def read_text_table(path: Path) -> list[list[Any]]:
    """Rows of a .csv file (comma, semicolon or tab; UTF-8 with or without a byte-order mark)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(Problem(path.name, f"byte {error.start} is not UTF-8", "save it as CSV UTF-8")) from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        return [
            [value or None for value in row]
            for row in csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
        ]
    except csv.Error as error:
        raise InputRefused(Problem(path.name, f"cut off or broken CSV ({error})", "check the quotes")) from None


def as_table(where: str, grid: list[list[Any]], known: Mapping[str, str], *, lettered: bool) -> Table | None:
    """Find the row of heads and give each later, non-empty row by its known heads.

    Parameters
    ----------
    where
        What the addresses begin with.
    known
        Head as people write it, lower case, to the name it stands for.
    lettered
        Whether cells have addresses such as ``H7`` (a workbook) or lines and column names (a CSV file).

    Returns
    -------
    The table, its rows holding a cell for each known name; None where no row has two known heads.
    """
    for number, row in enumerate(grid[:_ROWS_ABOVE_THE_TABLE]):
        heads = {known[key]: index for index, value in enumerate(row) if (key := _head(value)) in known}
        if len(heads) >= 2:
            cells = list(_rows(where, grid[number + 1 :], heads, number + 2, row if not lettered else None))
            return Table(where, heads, cells, number + 1)
    return None


def _head(value: Any) -> str:
    return " ".join(str(value or "").replace("_", " ").lower().replace(" / ", "/").split())


def _rows(
    where: str, rows: Iterable[list[Any]], heads: Mapping[str, int], first: int, names: list[Any] | None
) -> Iterator[dict[str, Cell]]:
    for number, row in enumerate(rows, start=first):
        if all(value is None or str(value).strip() == "" for value in row):
            continue
        yield {
            name: Cell(row[index] if index < len(row) else None, address(where, number, index, names))
            for name, index in heads.items()
        }


def address(where: str, row: int, column: int, names: list[Any] | None = None) -> str:
    """Where a cell stands; `row` counts from 1 and `column` from 0.

    >>> address("action_plan.xlsx, sheet Plan", 7, 7)
    'action_plan.xlsx, sheet Plan, cell H7'
    >>> address("action_plan.csv", 7, 1, ["id", "due"])
    'action_plan.csv, line 7, column due'
    """
    if names is not None:
        return f"{where}, line {row}, column {names[column]}"
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{where}, cell {letters}{row}"


def read_dates(cells: Iterable[Cell], order: str | None) -> tuple[dict[str, dt.date], list[Problem]]:
    """Dates of one column, by address: real Excel dates and ISO text, or one other format throughout.

    Parameters
    ----------
    order
        ``"day"`` or ``"month"``: which comes first in dates like 03/04/2026; None where nothing in the sheet tells.

    Notes
    -----
    A spreadsheet turns what it understands into a date and leaves the rest as text: typed day-first into a
    month-first program, 03/04 becomes 4 March and 13/04 stays text. So numeric text beside real dates is refused.
    """
    found: dict[str, dt.date] = {}
    plain: list[Cell] = []
    numeric: list[Cell] = []
    problems = []
    for cell in cells:
        if isinstance(cell.value, dt.datetime | dt.date):
            found[cell.where] = cell.value.date() if isinstance(cell.value, dt.datetime) else cell.value
            plain.append(cell)
        elif match := _ISO_DATE.fullmatch(cell.text):
            try:
                found[cell.where] = dt.date.fromisoformat(match[1])
            except ValueError:
                problems.append(Problem(cell.where, f"{cell.text!r} is no day of the calendar"))
            plain.append(cell)
        elif _NUMERIC_DATE.fullmatch(cell.text):
            numeric.append(cell)
        elif cell.text:
            problems.append(Problem(cell.where, f"{cell.text!r} is no date", "write a date as 2026-10-31"))
    if numeric and plain:
        problems += _two_formats(numeric, plain[0])
    elif numeric and order is None:
        problems += [
            Problem(c.where, f"{c.text!r} could be day/month or month/day", "write a date as 2026-10-31")
            for c in numeric
        ]
    else:
        for cell in numeric:
            day = _numeric_date(cell.text, order or "day")
            if day is None:
                problems.append(Problem(cell.where, f"{cell.text!r} is not {order}-first as the others are"))
            else:
                found[cell.where] = day
    return found, problems


def _two_formats(numeric: Iterable[Cell], other: Cell) -> list[Problem]:
    return [
        Problem(
            cell.where,
            f"two date formats in one column: {cell.text!r} here, {other.text!r} in {other.where.rpartition(', ')[2]}",
            "write every date as 2026-10-31 or format the whole column as a date",
        )
        for cell in numeric
    ]


def date_order(cells: Iterable[Cell]) -> str | None:
    """``"day"`` or ``"month"``, where a date such as 31/10/2026 tells which comes first; None where none does.

    >>> date_order([Cell("31/10/2026", "cell A1"), Cell("03/04/2026", "cell A2")])
    'day'
    """
    orders = set()
    for cell in cells:
        if match := _NUMERIC_DATE.fullmatch(cell.text):
            if int(match[1]) > 12:
                orders.add("day")
            if int(match[3]) > 12:
                orders.add("month")
    return orders.pop() if len(orders) == 1 else None


def _numeric_date(text: str, order: str) -> dt.date | None:
    match = _NUMERIC_DATE.fullmatch(text)
    assert match
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    day, month = (first, second) if order == "day" else (second, first)
    try:
        return dt.date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None
