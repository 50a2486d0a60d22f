"""How much of a source is bad: too much of it is refused, with what would read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.build import Declared
from svclib.collect.columns import Column
from svclib.collect.contracts import date_column
from svclib.collect.dates import KNOWN, PERIODS, Zones, stamp_of_text, swapped
from svclib.collect.quarantine import bad_rows
from svclib.collect.stage import Staged
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A reading has to fit nearly all values that cannot be read, for some of these may be junk.
_NEARLY_ALL = 0.9
# What `options` would read which texts as numbers.
_WHOLE = r"[+-]?\d{1,3}"
NUMBER_READINGS = {
    'decimal: ","': r"[+-]?\d+,\d+",
    'thousands: ","': rf"{_WHOLE}(,\d{{3}})+([.]\d+)?",
    'decimal: ",", thousands: "."': rf"{_WHOLE}([.]\d{{3}})*(,\d+)?",
}


def check_share(connection: DuckDBPyConnection, declared: Declared, staged: Staged) -> None:
    """Refuse a source of which too much is bad; full copies of rows do no harm and do not count here."""
    source = declared.source
    bad = count_bad(staged)
    serious = bad - staged.bad.get("duplicate", 0)
    considered = staged.fates.get("kept", 0) + bad
    if staged.fates.get("later") and not staged.fates.get("kept"):
        return  # the cut-off lies before the data: what cannot be dated is no measure of them
    if considered == 0:
        what = f"no row of source {source.name!r} is left: {_told(staged.left_out)}"
        raise InputRefused(Problem(declared.where, what, "check where, other_departments and the departments' codes"))
    if serious <= source.max_bad_share * considered:
        return
    reasons = _told(bad_reasons(staged))
    examples = "; ".join(_example(connection, staged, source))
    what = f"{serious} of {considered} rows ({serious / considered:.1%}) are bad: {reasons}. Examples: {examples}"
    cure = f"mend them at the source, or allow more than max_bad_share: {source.max_bad_share}"
    if readings := list(_readings(connection, staged, source)):
        cure = f"{'; '.join(readings)}; else {cure}"
    raise InputRefused(Problem(declared.where, f"source {source.name!r}: {what}", cure))


def count_bad(staged: Staged) -> int:
    """How many rows are bad; one with two faults is one row."""
    return sum(staged.fates.get(fate, 0) for fate in ("bad", "duplicate", "duplicate_key")) + len(staged.raw.rejects)


def bad_reasons(staged: Staged) -> dict[str, int]:
    """Reasons with the number of their rows, the most frequent first."""
    reasons = dict(staged.bad)
    if staged.raw.rejects:
        reasons["malformed"] = len(staged.raw.rejects)
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def bad_lately(connection: DuckDBPyConnection, staged: Staged, source: Source) -> dict[str, Any] | None:
    """The bad rows of the latest whole month, which a long history would hide in its own share; None without any.

    Full copies of rows do no harm and do not count. Needs what `cover_source` worked out.

    Returns
    -------
    dict or None
        ``month`` (first day), ``bad``, ``considered`` (rows) and ``reasons`` (rows by reason).
    """
    if not count_bad(staged):
        return None
    date = sql.name(date_column(source))
    month = (
        connection.execute(
            "SELECT date_trunc('month', max(_day) + INTERVAL 1 DAY)::DATE - INTERVAL 1 MONTH FROM _days"
        ).fetchone()
        or (None,)
    )[0]
    if month is None:
        return None
    first = month.date() if isinstance(month, dt.datetime) else month
    within = f"{date} >= DATE '{first}' AND {date} < DATE '{first}' + INTERVAL 1 MONTH"
    codes = ", ".join(
        f"count(*) FILTER (_fate = 'bad' AND _broken & {1 << bit} <> 0)" for bit in range(len(staged.rules))
    )
    bad, contradicting, *counts = connection.execute(
        f"SELECT count(*), count(*) FILTER (_fate = 'duplicate_key'), {codes or 0} FROM {staged.table} "
        f"WHERE _fate IN ('bad', 'duplicate_key') AND {within}"
    ).fetchone() or (0, 0)
    if not bad:
        return None
    kept = (
        connection.execute(
            f"SELECT coalesce(sum(_rows), 0) FROM _days WHERE _day >= DATE '{first}' AND _day < DATE '{first}' + INTERVAL 1 MONTH"
        ).fetchone()
        or (0,)
    )[0]
    reasons = {rule.code: count for rule, count in zip(staged.rules, counts, strict=False) if count}
    reasons |= {"duplicate_key": contradicting} if contradicting else {}
    return {"month": first.isoformat(), "bad": bad, "considered": int(kept) + bad, "reasons": reasons}


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in counts.items()) or "nothing"


def _example(connection: DuckDBPyConnection, staged: Staged, source: Source) -> Iterator[str]:
    names = list(staged.raw.types)
    for _, (file, row, codes, values) in zip(range(3), bad_rows(connection, staged, source), strict=False):
        shown = {name: value for name, value in zip(names, values, strict=False) if any(name in code for code in codes)}
        told = ", ".join(f"{name}={str(value)[:40]!r}" for name, value in shown.items())
        yield f"{file} row {row}: {' and '.join(codes)}" + (f" ({told})" if told else "")
    for reject in staged.raw.rejects[:2]:
        yield f"{reject.file} row {reject.row}: malformed ({reject.detail}: {reject.text[:40]!r})"


def _readings(connection: DuckDBPyConnection, staged: Staged, source: Source) -> Iterator[str]:
    """For each column with values that are no date or number: what would read nearly all of them."""
    columns = {column.name: column for column in staged.columns}
    dates: list[_Dates] = []
    numbers: list[str] = []
    for bit, rule in enumerate(staged.rules):
        family, _, name = rule.code.partition(":")
        if family != "wrong_type" or rule.code not in staged.bad or staged.raw.types.get(name) != "VARCHAR":
            continue
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE _unread AS SELECT trim(r.{sql.name(name)}) AS v FROM {staged.table} s "
            f"JOIN {staged.raw.name} r ON r._id = s.{staged.id} WHERE s._fate = 'bad' AND s._broken & {1 << bit} <> 0"
        )
        column = columns[name]
        if column.kind == "timestamp" and (found := _dates(connection, staged, source, column)):
            dates.append(found)
        elif column.kind in ("number", "integer"):
            numbers += _numbers(connection, source, name, whole=column.kind == "integer")
    if sure := [found for found in dates if found.declare and len(found.formats) == 1]:
        meant = ", ".join(f'{found.name}: "{found.formats[0]}"' for found in sure)
        told = ", ".join(repr(found.column) for found in sure)
        reads, total = sum(found.reads for found in sure), sum(found.total for found in sure)
        yield f"declare dates: {{{meant}}}: it reads {reads} of the {total} values of {told} that are no date now"
    for found in dates:
        told = f"the {found.total} values of {found.column!r} that are no date now"
        if not found.declare:
            yield f"make the column one format: {told} are written as {found.formats[0]}"
        elif len(found.formats) > 1:
            meant = " or ".join(f'{{{found.name}: "{format}"}}' for format in found.formats[:2])
            yield f"declare dates: {meant}, whichever is meant: it reads {found.reads} of {told}"
    yield from numbers


@dataclass(frozen=True)
class _Dates:
    """Formats that read most of the unread dates of a column; `declare` where they would not cost more than they read."""

    name: str
    column: str
    formats: list[str]
    reads: int
    total: int
    declare: bool


def _fitting(connection: DuckDBPyConnection, conditions: dict[str, str]) -> tuple[dict[str, int], int]:
    """Of how many unread values each condition holds, where it holds of nearly all; and how many there are."""
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions.values())
    total, *found = connection.execute(f"SELECT count(*), {counts} FROM _unread").fetchone() or (0,)
    fits = {name: count for name, count in zip(conditions, found, strict=False) if count >= _NEARLY_ALL * total > 0}
    return fits, total


def _dates(connection: DuckDBPyConnection, staged: Staged, source: Source, column: Column) -> _Dates | None:
    name, read, utc = column.name, column.format or "iso", Zones("UTC", "UTC")
    periods = PERIODS if source.shape == "counts" and name == "period" else ()
    formats = [format for format in ("iso", *(family.format for family in KNOWN), *periods) if format != read]
    fits, total = _fitting(connection, {f: f"({stamp_of_text('v', f, utc).value}) IS NOT NULL" for f in formats})
    if not fits:
        return None
    best = [format for format in fits if fits[format] == max(fits.values())]
    known = (connection.execute(f"SELECT count({sql.name(name)}) FROM {staged.table}").fetchone() or (0,))[0]
    # A swapped format has read the days up to the 12th, and wrongly.
    declare = total >= known or swapped(read.split(" ")[0], best[0])
    return _Dates(name, source.columns.get(name, name), best, fits[best[0]], total, declare)


def _numbers(connection: DuckDBPyConnection, source: Source, name: str, *, whole: bool) -> Iterator[str]:
    fits, total = _fitting(
        connection,
        {
            option: f"regexp_full_match(v, {sql.text(looks)})"
            for option, looks in NUMBER_READINGS.items()
            if not (whole and option.startswith("decimal"))
        },
    )
    if not fits:
        return
    best = [option for option in fits if fits[option] == max(fits.values())]
    best = [option for option in best if not (option.startswith(f"{best[0]}, "))]  # a thousands mark that nothing has
    meant = " or ".join(f"{{{option}}}" for option in best)
    sure = ", whichever is meant" if len(best) > 1 else ""
    told = f"the {total} values of {source.columns.get(name, name)!r} that are no number now"
    yield f"declare options: {meant}{sure}: it reads {max(fits.values())} of {told}"
