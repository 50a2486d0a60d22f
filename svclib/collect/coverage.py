"""What a source covers: first and last day, gaps, departments that fell silent, how complete its columns are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import SHAPE_COLUMNS, TIMESTAMPS, Department, Source
from svclib.collect.columns import known_columns
from svclib.collect.contracts import ENDS, date_column
from svclib.collect.stage import Staged, interval

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHOWN = 50  # gaps named in the snapshot; all of them are counted
# Without `silent_after`: silent is who has been without rows twice as long as ever before, and at least a month.
_SILENT_DAYS = 31
_DAILY_SHARE = 0.95
_NO_GAPS: dict[str, Any] = {"unit": "none", "expected": 0, "missing": 0, "shown": [], "days": []}


def cover_source(
    connection: DuckDBPyConnection, staged: Staged, source: Source, departments: Iterable[Department], table: Path
) -> dict[str, Any]:
    """The coverage of a staged source, ready for the snapshot's JSON; its table by department and month goes to `table`.

    Returns
    -------
    dict
        ``departments`` (with rows), ``first, last`` (days), ``frequency``, ``silent`` (departments), ``gaps``,
        ``completeness`` (share of rows with a value, by column).
    """
    date = sql.name(date_column(source))
    filled = ", ".join(f"{value} AS {sql.name(name)}" for name, value in _filled(staged).items())
    # Everything that is told of all rows, in one pass over them; all else is told from these few.
    connection.execute(
        f"CREATE OR REPLACE TABLE _days AS SELECT department AS _department, ({date})::DATE AS _day, count(*) AS _rows, "
        f"({_latest(staged, source)})::DATE AS _latest, {filled} FROM {staged.table} WHERE _fate = 'kept' GROUP BY 1, 2"
    )
    first, last, departments_seen = connection.execute(
        "SELECT min(_day), max(_day), count(DISTINCT _department) FROM _days"
    ).fetchone() or (None, None, 0)
    _write_table(connection, staged, table)
    return {
        "departments": departments_seen,
        "first": _iso(first),
        "last": _iso(last),
        "frequency": staged.frequency,
        # No outage for months is good news, not a gap.
        "silent": [] if source.shape == "outages" else _silent(connection, staged, source, departments),
        "gaps": _gaps(connection, staged) if source.shape != "outages" else _NO_GAPS,
        "completeness": _completeness(connection, staged, table),
    }


def _iso(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _filled(staged: Staged) -> dict[str, str]:
    """SQL that counts the values of each column but the department's, which every kept row has."""
    kinds = {column.name: column.kind for column in staged.columns}
    return {
        name: f"count(*) FILTER ({sql.name(name)} <> '')" if kinds[name] == "text" else f"count({sql.name(name)})"
        for name in staged.names[1:]
    }


def _completeness(connection: DuckDBPyConnection, staged: Staged, table: Path) -> dict[str, float]:
    """Share of rows with a value, from the table by department and month."""
    names = staged.names[1:]
    sums = ", ".join(f"sum({sql.name(name)})" for name in names)
    total, *counts = connection.execute(
        f"SELECT sum(rows), {sums} FROM read_parquet({sql.text(str(table))})"
    ).fetchone() or (0,)
    shares = (
        {name: round(int(count) / int(total), 6) for name, count in zip(names, counts, strict=True)} if total else {}
    )
    return {"department": 1.0 if total else 0.0, **{name: shares.get(name, 0.0) for name in names}}


def _write_table(connection: DuckDBPyConnection, staged: Staged, path: Path) -> None:
    filled = ", ".join(f"sum({sql.name(name)})::BIGINT AS {sql.name(name)}" for name in staged.names[1:])
    connection.execute(
        f"COPY (SELECT _department AS department, date_trunc('month', _day)::DATE AS month, sum(_rows)::BIGINT AS rows, "
        f"{filled} FROM _days GROUP BY 1, 2 ORDER BY 1, 2) TO {sql.text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _latest(staged: Staged, source: Source) -> str:
    """SQL: the latest day of which a group of rows knows, the end of the last period for figures."""
    if staged.frequency != "none":
        return f"max(date_trunc('{staged.frequency}', period) + {interval(staged.frequency)} - INTERVAL 1 DAY)"
    names = sorted(TIMESTAMPS & known_columns(source) & set(staged.names))
    return f"greatest({', '.join(f'max({sql.name(name)})' for name in names)})"


def last_stamp(connection: DuckDBPyConnection) -> dt.date | None:
    """The last day of which the rows that `cover_source` covered know."""
    row = connection.execute("SELECT max(_latest) FROM _days").fetchone()
    return row[0] if row else None


def first_later(connection: DuckDBPyConnection, staged: Staged, source: Source) -> dt.date | None:
    """The first day of the rows that a cut-off leaves out."""
    date = sql.name(date_column(source))
    row = connection.execute(f"SELECT min({date})::DATE FROM {staged.table} WHERE _fate = 'later'").fetchone()
    return row[0] if row else None


def _silent(
    connection: DuckDBPyConnection, staged: Staged, source: Source, departments: Iterable[Department]
) -> list[dict[str, Any]]:
    """Departments whose last row is older than their habit explains, seen from the source's own last day."""
    rows = connection.execute(
        "WITH steps AS (SELECT *, _day - lag(_day) OVER (PARTITION BY _department ORDER BY _day) AS _step FROM _days) "
        "SELECT _department, max(_day), coalesce(max(_step), 0), count(*), (SELECT max(_day) FROM _days) FROM steps "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    closed = {department.code: department.closed for department in departments}
    silent = []
    for department, last, longest, days, latest in rows:
        allowed = source.silent_after.days if source.silent_after else max(_SILENT_DAYS, 2 * longest)
        quiet = (latest - last).days
        # One or two days with rows are no habit from which anyone can fall silent.
        if quiet > allowed and (source.silent_after or days > 2) and not closed.get(department):
            silent.append(
                {"department": department, "last": last.isoformat(), "days": quiet, "longest_before": longest}
            )
    return silent


def _gaps(connection: DuckDBPyConnection, staged: Staged) -> dict[str, Any]:
    """Periods without a row between a department's first and last, and days without any row in a daily source."""
    unit = "month" if staged.frequency == "none" else staged.frequency
    step = "INTERVAL 3 MONTH" if unit == "quarter" else f"INTERVAL 1 {unit.upper()}"
    spine = (
        f"SELECT _department, unnest(generate_series(date_trunc('{unit}', min(_day)), date_trunc('{unit}', max(_day)), {step}))"
        "::DATE AS period FROM _days GROUP BY 1"
    )
    present = f"SELECT DISTINCT _department, date_trunc('{unit}', _day)::DATE AS period FROM _days"
    expected = (connection.execute(f"SELECT count(*) FROM ({spine})").fetchone() or (0,))[0]
    missing = connection.execute(f"({spine}) EXCEPT ({present}) ORDER BY 1, 2").fetchall()
    shown = [{"department": department, "period": period.isoformat()} for department, period in missing[:_SHOWN]]
    return {
        "unit": unit,
        "expected": expected,
        "missing": len(missing),
        "shown": shown,
        "days": _empty_days(connection),
    }


def _empty_days(connection: DuckDBPyConnection) -> list[str]:
    """Days without any row, where a source has rows on nearly every day."""
    spine = (
        "SELECT unnest(generate_series(min(_day)::TIMESTAMP, max(_day)::TIMESTAMP, INTERVAL 1 DAY))::DATE FROM _days"
    )
    missing = connection.execute(f"({spine}) EXCEPT (SELECT DISTINCT _day FROM _days) ORDER BY 1").fetchall()
    days = (connection.execute("SELECT count(DISTINCT _day) FROM _days").fetchone() or (0,))[0]
    if days == 0 or days < _DAILY_SHARE * (days + len(missing)):
        return []
    return [day.isoformat() for (day,) in missing[:_SHOWN]]


def quality_parts(report: dict[str, Any], source: Source) -> dict[str, float]:
    """Shares that make up a source's quality score, each 0..1.

    `valid`: rows that keep the contract. `unique`: rows that are no duplicate. `complete`: values that stand where the
    shape needs them or where a dimension is declared. `gapless`: periods with rows, of those between a department's
    first and last. `current`: departments that have not fallen silent.
    """
    bad = report["bad"]
    duplicates = bad.get("duplicate", 0) + bad.get("duplicate_key", 0)
    considered = max(1, report["considered"])
    needed = [*SHAPE_COLUMNS[source.shape][0], *source.dimension_columns]
    filled = [report["completeness"][name] for name in needed if name in report["completeness"] and name not in ENDS]
    gaps = report["gaps"]
    present = max(1, report["departments"])
    return {
        "valid": 1 - (report["bad_rows"] - duplicates) / considered,
        "unique": 1 - (duplicates + report["exact_copies"]) / considered,
        "complete": sum(filled) / len(filled) if filled else 1.0,
        "gapless": 1 - gaps["missing"] / max(1, gaps["expected"]),
        "current": 1 - len(report["silent"]) / present,
    }
