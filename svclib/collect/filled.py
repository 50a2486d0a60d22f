"""Columns that hold nothing, nothing any more, or one truth value alone: an export that lost one makes no row bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.collect.contracts import ENDS
from svclib.collect.coverage import latest_month
from svclib.collect.stage import Staged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BY_CHANCE = 1e-4  # that so many rows have no value, though nothing has changed
_LEFT = 0.1  # of the share before: a few values of rows that were written late
_USUAL_MONTHS = 12
_ENOUGH = 20  # rows; of fewer, none may have a value yet


def doubtful_columns(connection: DuckDBPyConnection, staged: Staged) -> list[dict[str, Any]]:
    """Columns whose values say less than a reader takes them to say. Needs what `cover_source` worked out.

    Returns
    -------
    list of dict
        ``column``, ``doubt`` and what it rests on. ``empty``: no row has a value. ``emptied``: hardly a row of the latest
        whole ``month`` (first day) of these ``departments`` has one, and rows before had. ``one_sided``: a mark that is
        only ever ``value`` in ``filled`` rows, and nothing in the ``blank`` others. Ends of cases are not held to be
        emptied: what began lately may not have ended yet.
    """
    if staged.fates.get("kept", 0) < _ENOUGH:
        return []
    names = staged.names[1:]
    empty = _empty(connection, names)
    found: list[dict[str, Any]] = [{"column": name, "doubt": "empty"} for name in names if name in empty]
    if month := latest_month(connection):
        for name in names:
            lost = _emptied(connection, name, month.isoformat()) if name not in ENDS and name not in empty else []
            if lost:
                found.append(
                    {"column": name, "doubt": "emptied", "month": month.isoformat(), "departments": lost}
                )  # fmt: skip
    return found + _one_sided(connection, staged)


def _empty(connection: DuckDBPyConnection, names: list[str]) -> set[str]:
    sums = ", ".join(f"coalesce(sum({sql.name(name)}), 0)" for name in names)
    counts = connection.execute(f"SELECT {sums} FROM _days").fetchone() or ()
    return {name for name, count in zip(names, counts, strict=True) if not count}


def _emptied(connection: DuckDBPyConnection, name: str, month: str) -> list[str]:
    """Departments whose rows of a month lack the values that those of the year before let expect."""
    now = f"_day >= DATE '{month}' AND _day < DATE '{month}' + INTERVAL 1 MONTH"
    usual = f"_day < DATE '{month}' AND _day >= DATE '{month}' - INTERVAL {_USUAL_MONTHS} MONTH"
    rows = connection.execute(
        f"SELECT _department, sum(_rows) FILTER ({now}), sum({sql.name(name)}) FILTER ({now}), "
        f"sum({sql.name(name)}) FILTER ({usual}) / sum(_rows) FILTER ({usual}) FROM _days GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return [str(code) for code, count, values, share in rows if count and share and _too_few(count, values, share)]


def _too_few(rows: int, values: int, share: float) -> bool:
    """Whether rows have far fewer values than the share of those before lets expect.

    >>> _too_few(20, 0, 0.9), _too_few(20, 12, 0.9), _too_few(3, 0, 0.5)
    (True, False, False)
    """
    return float(1 - share) ** int(rows) < _BY_CHANCE and values <= _LEFT * share * rows


def _one_sided(connection: DuckDBPyConnection, staged: Staged) -> list[dict[str, Any]]:
    names = [column.name for column in staged.columns if column.kind == "boolean" and column.name in staged.names]
    if not names:
        return []
    asked = ", ".join(f"count({c}), bool_and({c}), bool_or({c})" for c in map(sql.name, names))
    row = connection.execute(f"SELECT count(*), {asked} FROM {staged.table} WHERE _fate = 'kept'").fetchone()
    total, *facts = row or (0,)
    return [
        {"column": name, "doubt": "one_sided", "value": every, "filled": filled, "blank": total - filled}
        for name, filled, every, some in zip(names, facts[::3], facts[1::3], facts[2::3], strict=True)
        if 0 < filled < total and every == some
    ]
