"""Dates as people write them: one format for a whole column, never guessed row by row.

How a stamp becomes a naive local time of the organisation:

* a stamp with an offset (``+03:00``, ``Z``) is converted exactly;
* a stamp without one is read in the source's time zone. In a zone that is also the organisation's it is kept as
  written. From another zone it is converted: a time in the hour that the clocks skip moves forward by that hour, a
  time in the hour that comes twice counts as the second one (standard time);
* a date without a time stays that date, at local midnight, whatever the zones; it is never moved to another day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svclib import sql
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CLOCK = r"([T ,]+\d{1,2}:\d{2}(:\d{2}([.]\d{1,6})?)?( ?[AaPp][Mm])?)?"
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_ISO = r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}(:\d{2}(:\d{2}([.]\d{1,9})?)?)?)?"
_OFFSET = r" ?([Zz]|UTC|[+-]\d{2}(:?\d{2})?)"
# An order of day and month that so few values decide is rather a typing error in the other order.
_NEARLY_AMBIGUOUS = 0.1
_ENOUGH = 30


@dataclass(frozen=True)
class Family:
    """One way to write a date: the format that `sources.yaml` would declare and the values that look like it."""

    format: str
    looks: str

    def parse(self, value: str) -> str:
        """SQL that reads a text as a timestamp, NULL where it is written otherwise."""
        formats = ", ".join(sql.text(self.format + time) for time in _TIMES)
        # One space between date and time is what the formats above expect.
        tidy = f"regexp_replace({value}, '[T ,]+(\\d{{1,2}}:)', ' \\1')"
        return (
            f"CASE WHEN regexp_full_match({value}, {sql.text(self.looks + _CLOCK)}) "
            f"THEN try_strptime({tidy}, [{formats}]) END"
        )


def _numeric(separator: str) -> list[Family]:
    s = {"/": "/", "-": "-", ".": "[.]"}[separator]
    two, four = r"\d{1,2}", r"\d{4}"
    families = [
        Family(f"%d{separator}%m{separator}%Y", f"{two}{s}{two}{s}{four}"),
        Family(f"%m{separator}%d{separator}%Y", f"{two}{s}{two}{s}{four}"),
        Family(f"%d{separator}%m{separator}%y", f"{two}{s}{two}{s}\\d{{2}}"),
        Family(f"%m{separator}%d{separator}%y", f"{two}{s}{two}{s}\\d{{2}}"),
    ]
    return (
        families
        if separator == "-"
        else [*families, Family(f"%Y{separator}%m{separator}%d", f"{four}{s}{two}{s}{two}")]
    )


KNOWN: tuple[Family, ...] = (
    *_numeric("/"),
    *_numeric("-"),
    *_numeric("."),
    Family("%d %b %Y", r"\d{1,2} [A-Za-z]{3} \d{4}"),
    Family("%d-%b-%Y", r"\d{1,2}-[A-Za-z]{3}-\d{4}"),
    Family("%d %B %Y", r"\d{1,2} [A-Za-z]{4,} \d{4}"),
    Family("%b %d, %Y", r"[A-Za-z]{3} \d{1,2}, \d{4}"),
    Family("%B %d, %Y", r"[A-Za-z]{4,} \d{1,2}, \d{4}"),
    Family("%Y%m%d", r"\d{8}"),
)
PERIODS = {"%Y-%m": r"\d{4}-\d{2}", "%Y-Q": r"\d{4}-?Q[1-4]", "%G-W%V": r"\d{4}-?W\d{2}"}
SPECIAL = ("iso", "epoch", "epoch_ms", "excel", *PERIODS)


@dataclass(frozen=True)
class Zones:
    """The zone that stamps without an offset were written in, and the organisation's own."""

    source: str
    home: str

    def naive(self, stamp: str) -> str:
        """SQL for a stamp without an offset, as local time of the organisation."""
        if self.source == self.home:
            return stamp
        return f"(({stamp}) AT TIME ZONE {sql.text(self.source)}) AT TIME ZONE {sql.text(self.home)}"

    def exact(self, stamp: str) -> str:
        """SQL for a stamp with an offset, as local time of the organisation."""
        return f"({stamp}) AT TIME ZONE {sql.text(self.home)}"


@dataclass(frozen=True)
class Stamp:
    """SQL of a column that holds dates: the stamp in local time, and whether a value is a date without a time.

    `doubt`, where the format was told from some of the rows: whether a value may show that it is another one.
    """

    value: str
    date_only: str
    format: str
    doubt: str = "false"


def _iso(value: str, zones: Zones) -> Stamp:
    # Three lengths cover nearly every value of an export and cannot hold an offset; regular expressions are for the rest.
    plain = f"(strlen({value}) = 16 OR strlen({value}) = 19 AND {value}[17] = ':') AND {value}[14] = ':'"
    tight = f"regexp_replace({value}, ' ([Zz+-]|UTC)', '\\1')"
    parsed = (
        f"CASE WHEN {value}[5] <> '-' THEN NULL WHEN strlen({value}) = 10 THEN try_cast({value} AS TIMESTAMP) "
        f"WHEN {plain} THEN {zones.naive(f'try_cast({value} AS TIMESTAMP)')} "
        f"WHEN regexp_full_match({value}, {sql.text(_ISO + _OFFSET)}) "
        f"THEN {zones.exact(f'try_cast({tight} AS TIMESTAMPTZ)')} "
        f"WHEN regexp_full_match({value}, {sql.text(_ISO)}) THEN {zones.naive(f'try_cast({value} AS TIMESTAMP)')} END"
    )
    return Stamp(parsed, f"(strlen({value}) <= 10)", "iso")


def plain_iso(connection: DuckDBPyConnection, table: str, text: str, zones: Zones) -> Stamp | None:
    """SQL for a column of nothing but ``2026-01-31`` and ``2026-01-31 08:30[:00]``; None where anything else stands.

    Nearly every export is so, and it is read in a third of the time that `stamp_of_text` needs. What has the form and
    is no date, such as the 30th of February, is NULL as ever.
    """
    days, times = f"{text} LIKE '____-__-__'", f"({text} LIKE '____-__-_____:__:__' OR {text} LIKE '____-__-_____:__')"
    parsed = f"try_cast({text} AS TIMESTAMP)"
    total, day, time, read = connection.execute(
        f"SELECT count({text}), count(*) FILTER ({days}), count(*) FILTER ({times}), count({parsed}) FROM {table}"
    ).fetchone() or (0, 0, 0, 0)
    if total != day + time:
        return None
    if read == 0:  # rows without a date tell nothing of the others, which may hold none either
        return Stamp(parsed, "true", "iso", f"{text} IS NOT NULL")
    if time == 0:
        return Stamp(parsed, "true", "iso", _unlike(text, days))
    if day == 0:
        return Stamp(zones.naive(parsed), "false", "iso", _unlike(text, times))
    date_only = f"(strlen({text}) = 10)"
    value = f"CASE WHEN {date_only} THEN {parsed} ELSE {zones.naive(parsed)} END"
    return Stamp(value, date_only, "iso", _unlike(text, f"({days} OR {times})"))


def _unlike(text: str, form: str) -> str:
    """SQL: whether a text has another form, and could be a date all the same. (The engine reads words such as epoch.)"""
    return f"CASE WHEN {form} THEN false ELSE {dated(text)} OR try_cast({text} AS TIMESTAMP) IS NOT NULL END"


def dated(text: str) -> str:
    """SQL: whether a text could be a date in some format; none is written without a digit.

    >>> dated("x")
    "regexp_matches(x, '[0-9]')"
    """
    return f"regexp_matches({text}, '[0-9]')"


def _family(value: str, family: Family, zones: Zones) -> Stamp:
    date_only = f"NOT contains({value}, ':')"
    parsed = family.parse(value)
    if zones.source != zones.home:
        parsed = f"CASE WHEN {date_only} THEN {parsed} ELSE {zones.naive(parsed)} END"
    return Stamp(parsed, f"({date_only})", family.format)


def _period(value: str, format: str) -> Stamp:
    if format == "%Y-%m":
        parsed = f"try_strptime({value}, '%Y-%m')"
    elif format == "%Y-Q":
        month = f"(3 * {value}[-1]::INTEGER - 2)"
        parsed = f"make_timestamp({value}[:4]::BIGINT, {month}, 1, 0, 0, 0)"
    else:
        parsed = f"try_strptime({value}[:4] || '-W' || {value}[-2:] || '-1', '%G-W%V-%u')"
    looks = sql.text(PERIODS[format])
    return Stamp(f"CASE WHEN regexp_full_match({value}, {looks}) THEN {parsed} END", "true", format)


def _declared(value: str, format: str, zones: Zones) -> Stamp:
    parsed = f"try_strptime({value}, {sql.text(format)})"
    if "%z" in format:
        return Stamp(zones.exact(f"({parsed})::TIMESTAMPTZ"), "false", format)
    if not any(code in format for code in ("%H", "%I", "%c", "%X", "%-H", "%-I")):
        return Stamp(parsed, "true", format)
    return Stamp(zones.naive(f"({parsed})::TIMESTAMP"), "false", format)


def stamp_of_text(column: str, format: str, zones: Zones) -> Stamp:
    """SQL that reads a text column written in one format.

    Parameters
    ----------
    column
        An SQL expression of type VARCHAR.
    format
        ``iso``, a format of `KNOWN` (any time of day may follow it), ``%Y-%m``, ``%Y-Q``, ``%G-W%V``, ``epoch``,
        ``epoch_ms``, ``excel`` (serial days), or any other format of strptime, taken to the letter.
    """
    value = f"trim({column})"
    if format == "iso":
        return _iso(value, zones)
    if format in PERIODS:
        return _period(value, format)
    if format in ("epoch", "epoch_ms"):
        scale = 1e6 if format == "epoch" else 1e3
        return Stamp(zones.exact(f"make_timestamptz((try_cast({value} AS DOUBLE) * {scale})::BIGINT)"), "false", format)
    if format == "excel":
        days = f"try_cast({value} AS DOUBLE)"
        serial = f"TIMESTAMP '1899-12-30' + to_microseconds(round({days} * 86400)::BIGINT * 1000000)"
        return Stamp(zones.naive(serial), f"({days} = floor({days}))", format)
    for family in KNOWN:
        if family.format == format:
            return _family(value, family, zones)
    return _declared(value, format, zones)


def stamp_of_type(column: str, kind: str, zones: Zones) -> Stamp:
    """SQL for a column that the source itself types as a date or a timestamp.

    >>> stamp_of_type("x", "DATE", Zones("UTC", "UTC")).date_only
    'true'
    """
    if kind == "DATE":
        return Stamp(f"({column})::TIMESTAMP", "true", "date")
    if kind == "TIMESTAMP WITH TIME ZONE":
        return Stamp(zones.exact(column), "false", "timestamp with offset")
    return Stamp(zones.naive(f"({column})::TIMESTAMP"), "false", "timestamp")


def decide_format(
    connection: DuckDBPyConnection, table: str, text: str, *, where: str, declare: str, told: str, periods: bool = False
) -> str:
    """The one format in which a whole text column is written.

    Parameters
    ----------
    table, text
        A table of the connection and an SQL expression over it, of type VARCHAR.
    where
        Where the column is declared, for the message: ``params/sources.yaml:12``.
    declare
        The name under which `dates` of the source would declare the format.
    told
        The source's own name of the column.
    periods
        Whether months, quarters and weeks (``2026-10``, ``2026-Q3``, ``2026-W43``) may stand for dates.

    Raises
    ------
    InputRefused
        If two formats fit (day and month cannot be told apart), if some values need one and some another, or if no
        known format fits anything. Single values that fit nothing are left to the data contract.
    """
    quoted = f"trim({text})"
    utc = Zones("UTC", "UTC")
    total, iso = connection.execute(
        f"SELECT count({quoted}), count({stamp_of_text(text, 'iso', utc).value}) FROM {table}"
    ).fetchone() or (0, 0)
    if total == iso:
        return "iso"
    formats = ["iso", *(family.format for family in KNOWN), *(PERIODS if periods else ())]
    parsed = {format: stamp_of_text(text, format, utc).value for format in formats}
    counts = connection.execute(f"SELECT {', '.join(f'count({p})' for p in parsed.values())} FROM {table}").fetchone()
    fits = dict(zip(parsed, counts or (), strict=True))
    best = max(fits, key=lambda format: fits[format])
    examples = _Examples(connection, table, quoted, parsed)
    if fits[best] == 0:
        raise _refuse(where, told, declare, f"holds no date that svclib knows, e.g. {examples.any()}", "%d/%m/%Y %H:%M")
    other = _other_format(examples, fits, best)
    if other:
        what = (
            f"mixes formats: {fits[best]} values read as {best}, e.g. {examples.fitting(best, but=other)}, "
            f"others as {other}, e.g. {examples.fitting(other, but=best)}"
        )
        raise _refuse(where, told, declare, what, best)
    rivals = [format for format in formats if format != best and fits[format] == fits[best]]
    if rivals:
        what = f"can be read as {best} and as {rivals[0]}, e.g. {examples.fitting(best)}; svclib does not guess"
        raise _refuse(where, told, declare, what, best)
    return best


def _other_format(examples: _Examples, fits: dict[str, int], best: str) -> str | None:
    """A format that some values need, where the best one does not fit them; or the rival that few values decide against."""
    for format, count in fits.items():
        if format == best or count == 0:
            continue
        only = examples.count_only(format, but=best)
        if only:
            return format
        decided = fits[best] - count
        if fits[best] >= _ENOUGH and decided < _NEARLY_AMBIGUOUS * fits[best] and swapped(format, best):
            return format
    return None


def swapped(one: str, other: str) -> bool:
    return one != other and sorted(one) == sorted(other)


@dataclass(frozen=True)
class _Examples:
    connection: DuckDBPyConnection
    table: str
    column: str
    parsed: dict[str, str]

    def _first(self, condition: str) -> str:
        query = f"SELECT {self.column} FROM {self.table} WHERE {condition} LIMIT 3"
        return ", ".join(repr(row[0][:40]) for row in self.connection.execute(query).fetchall())

    def any(self) -> str:
        return self._first(f"{self.column} IS NOT NULL")

    def fitting(self, format: str, *, but: str | None = None) -> str:
        only = f" AND ({self.parsed[but]}) IS NULL" if but else ""
        return self._first(f"({self.parsed[format]}) IS NOT NULL{only}") or self._first(
            f"({self.parsed[format]}) IS NOT NULL"
        )

    def count_only(self, format: str, *, but: str) -> int:
        condition = f"({self.parsed[format]}) IS NOT NULL AND ({self.parsed[but]}) IS NULL"
        row = self.connection.execute(f"SELECT count(*) FROM {self.table} WHERE {condition}").fetchone()
        return row[0] if row else 0


def _refuse(where: str, column: str, declare: str, what: str, format: str) -> InputRefused:
    cure = f'declare what is meant: dates: {{{declare}: "{format}"}} (or make the column one format)'
    return InputRefused(Problem(where, f"the dates of {column!r}: the column {what}", cure))
