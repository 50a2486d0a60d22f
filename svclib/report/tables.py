"""Tables that a screen reader can walk and that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from svclib.report import words
from svclib.report.block import Block, escape

Formats = Mapping[str, Callable[[Any], str]]
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def table(
    frame: pd.DataFrame,
    *,
    caption: str,
    formats: Formats | None = None,
    headers: Mapping[str, str] | None = None,
    row_headers: int = 1,
    most_rows: int | None = None,
    label: str = "",
    stacked: bool = False,
) -> Block:
    """A table with a caption, column heads and row heads, numbers to the right.

    Parameters
    ----------
    frame
        One row each; the index is not shown. A cell may be a `Block`, e.g. a badge.
    caption
        What the table holds; needed.
    formats
        Column to a function that writes a value; others are written by their type, and the columns ``period``
        and ``state`` as the words for their codes.
    headers
        Column to its heading; else the words' ``column.<name>``, else the name.
    row_headers
        How many columns from the left name the row.
    most_rows
        Show this many rows and say so below.
    label
        What one hears where the table scrolls, the caption where left out.
    stacked
        On a phone each row stands for itself, its cells below each other with their heads, so that nothing is cut.

    Examples
    --------
    >>> print(table(pd.DataFrame({"period": ["2026-10"], "value": [0.5]}), caption="Calls"))
    Calls
    Period        Value
    October 2026   0.50
    """
    headers, formats = headers or {}, formats or {}
    names = [str(headers.get(column, _heading(str(column)))) for column in frame.columns]
    shown = frame if most_rows is None else frame.head(most_rows)
    right = [_is_numeric(frame[column]) for column in frame.columns]
    cells = [
        [_cell(value, formats.get(column) or _BY_NAME.get(str(column))) for value in shown[column].tolist()]
        for column in frame.columns
    ]
    rows = list(zip(*cells, strict=True))
    head = "".join(f'<th scope="col"{_side(r)}>{_head(name)}</th>' for name, r in zip(names, right, strict=True))
    body = "".join(f"<tr>{_row(row, right, row_headers)}</tr>" for row in rows)
    more = ""
    if len(shown) < len(frame):
        more = words.say("show.first_rows", shown=len(shown), total=len(frame))
    if stacked:
        # a list to the eye; explicit roles keep it a table for assistive technology
        head = head.replace('<th scope="col"', '<th scope="col" role="columnheader"')
        body = "".join(f'<tr role="row">{_stacked(row, names, row_headers)}</tr>' for row in rows)
    part, line = (' role="rowgroup"', ' role="row"') if stacked else ("", "")
    kind = ' class="svc-table svc-stacked" role="table"' if stacked else ' class="svc-table"'
    html = (
        f'<div class="svc-scroll" role="group" tabindex="0" aria-label="{escape(label or caption)}"><table{kind}>'
        f"<caption>{escape(caption)}</caption><thead{part}><tr{line}>{head}</tr></thead><tbody{part}>{body}</tbody></table></div>"
        + (f'<p class="svc-more">{escape(more)}</p>' if more else "")
    )
    return Block(html, _plain_table(caption, names, [[cell.plain for cell in row] for row in rows], right, more))


def constant_columns(
    frame: pd.DataFrame, *, formats: Formats | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Columns, but the first, that say the same in each of several rows, as words; nothing is lost by dropping them.

    One that says nothing in any row has no words.

    >>> constant_columns(pd.DataFrame({"period": ["2026-01", "2026-02"], "target": [0.5, 0.5], "n": [3, 4]}))
    {'target': 'Target: 0.50'}
    """
    headers, formats = headers or {}, formats or {}
    found = {}
    for column in frame.columns[1:] if len(frame) > 1 else ():
        write = formats.get(column) or _BY_NAME.get(str(column))
        first, *others = frame[column].tolist()
        said = _cell(first, write).plain
        if all(_same(value, first) or _cell(value, write).plain == said for value in others):
            found[column] = f"{headers.get(column, _heading(str(column)))}: {said}" if said else ""
    return found


def _same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, float | int | str) and type(value) is type(other) and value == other)


def _heading(column: str) -> str:
    return words.say(f"column.{column}") if words.known(f"column.{column}") else column


def _head(name: str) -> str:
    """A heading; a blank one has a word for those who hear the table."""
    return escape(name) if name.strip() else f'<span class="svc-hidden">{escape(words.say("show.blank"))}</span>'


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _side(right: bool) -> str:
    return ' class="svc-n"' if right else ""


def _text_side(right: bool, html: str) -> str:
    # most cells of most tables are numbers or empty: the sheet sets those right, and text is what carries a class
    return "" if right or not html else ' class="svc-t"'


def _row(row: Sequence[Block], right: Sequence[bool], row_headers: int) -> str:
    return "".join(
        f'<th scope="row"{_side(r)}>{cell.html}</th>'
        if i < row_headers
        else f"<td{_text_side(r, cell.html)}>{cell.html}</td>"
        for i, (cell, r) in enumerate(zip(row, right, strict=True))
    )


def _stacked(row: Sequence[Block], names: Sequence[str], row_headers: int) -> str:
    """A row whose cells carry their heads, to be shown where the heads are not."""
    return "".join(
        f'<th scope="row" role="rowheader">{cell.html}</th>'
        if i < row_headers
        else f'<td class="svc-t" role="cell"><span class="svc-label" aria-hidden="true">{escape(name)}</span>{cell.html}</td>'
        for i, (cell, name) in enumerate(zip(row, names, strict=True))
    )


def _cell(value: Any, write: Callable[[Any], str] | None) -> Block:
    if isinstance(value, Block):
        return value
    if not isinstance(value, list | tuple | set | dict) and pd.isna(value):
        return Block("–", "–")
    text = write(value) if write else written(value)
    return Block(escape(text), text)


def written(value: Any) -> str:
    """A value by its type, in the reader's language.

    >>> written(True), written(1234), written(dt.date(2026, 11, 1)), written(["a", "b"])
    ('yes', '1,234', '1 Nov 2026', 'a and b')
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return words.say("show.yes" if value else "show.no")
    if isinstance(value, numbers.Integral):
        return words.number(int(value), 0)
    if isinstance(value, numbers.Real):
        return words.number(float(value))
    if isinstance(value, dt.datetime) and (value.hour or value.minute):
        return words.date_time(value)
    if isinstance(value, dt.date):
        return words.date(value, "medium")
    if isinstance(value, list | tuple | set):
        return words.list_of(str(item) for item in value)
    return str(value)


def _period(value: Any) -> str:
    try:
        return words.period_name(str(value))
    except ValueError:  # a column of this name that holds something else
        return str(value)


def _state(value: Any) -> str:
    return words.say(f"state.{value}") if words.known(f"state.{value}") else str(value)


_BY_NAME: Formats = {"period": _period, "state": _state}


def _plain_table(caption: str, names: list[str], rows: list[list[str]], right: list[bool], more: str) -> str:
    widths = [max(len(name), *(len(row[i]) for row in rows), 0) for i, name in enumerate(names)]
    lines = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [names, *rows]
    ]
    return "\n".join([caption, *lines, *([more] if more else [])])


def neutralised(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text that a spreadsheet would run as a formula made plain text by an apostrophe.

    Column names are treated alike (CWE-1236).

    Examples
    --------
    >>> neutralised(pd.DataFrame({"comment": ["=cmd|' /C calc'!A0", "fine"], "n": [-1, 2]})).values.tolist()
    [["'=cmd|' /C calc'!A0", -1], ['fine', 2]]
    """
    safe = frame.rename(columns=_plain_text)
    for position, kind in enumerate(safe.dtypes):
        if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind):
            continue
        values = safe.iloc[:, position].tolist()
        plain = [_plain_text(value) for value in values]
        if any(new is not old for new, old in zip(plain, values, strict=True)):
            safe.isetitem(position, pd.Series(plain, index=safe.index, dtype=object))
    return safe


def _plain_text(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" \u00a0\ufeff").startswith(_FORMULA_SIGNS):
        return f"'{value}"
    return value


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table for people and scripts: UTF-8, comma, ISO dates, empty where missing, formulas neutralised.

    The file is complete or absent: it is written beside its place and then moved there.
    """
    beside = path.with_name(f".{path.name}.part")
    neutralised(frame).to_csv(beside, index=False, lineterminator="\n", encoding="utf-8")
    beside.replace(path)
