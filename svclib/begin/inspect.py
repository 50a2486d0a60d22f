"""What stands in the columns of a file: type, format of dates, values; asked of the readers that a run uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.columns import infer_kind
from svclib.collect.dates import KNOWN, PERIODS, Zones, decide_format, stamp_of_text, swapped
from svclib.collect.heads import column_names
from svclib.collect.loading import load_raw
from svclib.collect.read import RawTable
from svclib.errors import InputRefused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Kind = Literal["text", "integer", "number", "boolean", "date", "unclear_date", "empty", "twice", "nameless"]
MOST_VALUES = 300  # a column with more different values names no departments
_DATES = 0.9  # of the values of a column; the others are faults, for the data contract to tell
_EXAMPLES = 3
# Dates that only a declaration reads, offered where every value fits: the month's name leaves nothing to be guessed.
_SPELLED = tuple(
    f"{day}{time}"
    for day in ("%b %d %Y", "%B %d %Y", "%d %b, %Y", "%a %d %b %Y", "%a %b %d %Y", "%b %Y", "%B %Y", "%b-%Y")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
)
_PARTED = r"[+-]?[1-9]\d{0,2}([.]\d{3})+"  # 1.353: a thousand and more, or one and a third
_COMMA = r"[+-]?(\d+|[1-9]\d{0,2}([.]\d{3})+),\d+"
_BOTH = r"[+-]?[1-9]\d{0,2}([.]\d{3})+,\d+"  # 1.353,20: one reading only
_PERCENT = r"[+-]?\d+([.,]\d+)?\s?%"

Signs = Literal["", "comma", "both", "point", "percent"]


@dataclass(frozen=True)
class ColumnFound:
    """One column of a file.

    Attributes
    ----------
    kind
        ``unclear_date``: dates that can be read in several ways (`formats`); ``twice`` and ``nameless`` columns
        cannot be mapped.
    format
        The format that all dates fit, as `dates` of a source declares it.
    filled, distinct
        Values that are there, and how many different ones.
    values
        The different values, the most frequent first; only where there are at most 300.
    low, high, total
        Of numbers: the smallest, the greatest, the sum.
    why
        Of unclear dates: what stands in the way, in the words of the reader.
    signs
        What could be meant by the signs in numbers: ``comma``, numbers written with a comma are text as long as
        nobody says what it parts; ``point``, every point stands before three digits and could part thousands.
    sample
        A value that shows it.
    """

    name: str
    kind: Kind
    filled: int = 0
    distinct: int = 0
    examples: tuple[str, ...] = ()
    format: str | None = None
    formats: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    total: float | None = None
    offset: bool = False
    dateless: bool = False
    why: str = ""
    signs: Signs = ""
    sample: str = ""


@dataclass(frozen=True)
class Inspected:
    """The columns of a file, in its order, and how many rows could be read and how many could not."""

    columns: tuple[ColumnFound, ...]
    rows: int
    rejected: int


def inspect_files(source: Source, paths: list[Path], root: Path, where: str) -> Inspected:
    """Read a file, or several that have the columns of the first, and tell what the columns hold.

    Parameters
    ----------
    source
        How to read the file: `read`, `sheet`, `options`. Its columns are found here.

    Raises
    ------
    InputRefused
        As the readers do: a column that a later file lacks, no such kind of file, several sheets, a wrong encoding, an unclosed quote.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = column_names(connection, source, paths[0], root, where)
        counts = Counter(name.strip() for name in names)
        single = [name for name in names if name.strip() and counts[name.strip()] == 1]
        asked = source.model_copy(update={"columns": {f"c{i}": name.strip() for i, name in enumerate(single)}})
        raw = load_raw(connection, asked, paths, root, where)
        keys = dict(zip(single, asked.columns, strict=True))
        columns = tuple(
            _column(connection, asked, raw, name, keys.get(name), counts[name.strip()], where) for name in names
        )
    return Inspected(columns, raw.rows, len(raw.rejects))


def _column(
    connection: DuckDBPyConnection, source: Source, raw: RawTable, name: str, key: str | None, times: int, where: str
) -> ColumnFound:
    name = name.strip()
    if key is None:
        return ColumnFound(name, "twice" if times > 1 and name else "nameless")
    text = f"CAST({sql.name(key)} AS VARCHAR)"
    table = f"(SELECT * FROM {raw.name} WHERE trim({text}) <> '')"
    filled, distinct = connection.execute(f"SELECT count(*), count(DISTINCT {text}) FROM {table}").fetchone() or (0, 0)
    if not filled:
        return ColumnFound(name, "empty")
    values = _values(connection, table, f"trim({text})") if distinct <= MOST_VALUES else ()
    examples = values[:_EXAMPLES] or _first(connection, table, text)
    found = ColumnFound(name, "text", filled, distinct, examples)
    kind = infer_kind(connection, table, text, source.options)
    fits = _date_fits(connection, table, text)
    best = max(fits, key=lambda format: fits[format])
    plausible = kind in ("text", "timestamp") or (best == "%Y%m%d" and fits[best] == filled and distinct > 1)
    if plausible and fits[best] >= _DATES * filled:
        return _date(connection, table, text, found, fits, where)
    if kind == "text" and (format := _spelled(connection, table, text, filled)):
        return ColumnFound(name, "date", filled, distinct, examples, format=format, dateless="%M" not in format)
    mixed = _mixed(fits, filled) if kind == "text" else ()
    signs, sample = _signs(connection, table, text, source, filled) if kind in ("text", "number") else ("", "")
    narrow: Kind = kind if kind in ("integer", "number", "boolean") else "text"  # type: ignore[assignment]
    low, high, total = _extent(connection, table, text, source) if narrow in ("integer", "number") else (None,) * 3
    return ColumnFound(
        name, narrow, filled, distinct, examples, values=values, low=low, high=high, total=total, signs=signs,
        sample=sample, formats=mixed,
    )  # fmt: skip


def _mixed(fits: dict[str, int], filled: int) -> tuple[str, ...]:
    """The two ways to write dates that together read nearly all values of a column, where neither does alone."""
    first, *others = sorted(fits, key=lambda format: -fits[format])
    second = next(format for format in others if not swapped(first, format))  # that one reads the same values
    together = fits[first] < _DATES * filled <= fits[first] + fits[second] and fits[second] > 0.05 * filled
    return (first, second) if together else ()


def _spelled(connection: DuckDBPyConnection, table: str, text: str, filled: int) -> str | None:
    """The format with the month's name that all values fit, their years in four digits: Jan-24 could be a day."""
    year = f"regexp_matches({text}, '\\b(19|20)\\d{{2}}\\b')"
    reads = (f"try_strptime(trim({text}), {sql.text(format)}) IS NOT NULL" for format in _SPELLED)
    counts = ", ".join(f"count(*) FILTER ({year} AND {read})" for read in reads)
    row = connection.execute(f"SELECT {counts} FROM {table}").fetchone() or ()
    return next((format for format, count in zip(_SPELLED, row, strict=False) if count == filled), None)


def _signs(connection: DuckDBPyConnection, table: str, text: str, source: Source, filled: int) -> tuple[Signs, str]:
    """Whether the numbers of a column are written with signs that keep them from being read; a value that shows it."""
    options, plain = source.options, f"trim({text})"
    percent = f"regexp_full_match({plain}, {sql.text(_PERCENT)})"
    query = f"SELECT count(*) FILTER ({percent}), min({plain}) FILTER ({percent}) FROM {table}"
    share, example = connection.execute(query).fetchone() or (0, "")
    if share >= _DATES * filled:
        return "percent", example
    if options.thousands or options.decimal == ",":
        return "", ""
    comma, parted, both = (f"regexp_full_match({plain}, {sql.text(looks)})" for looks in (_COMMA, _PARTED, _BOTH))
    whole = f"regexp_full_match({plain}, '[+-]?\\d+')"
    row = connection.execute(
        f"SELECT count(*) FILTER ({comma}), count(*) FILTER ({parted}), count(*) FILTER ({whole}), "
        f"min({plain}) FILTER ({comma}), min({plain}) FILTER ({parted}), "
        f"min({plain}) FILTER ({both}) FROM {table}"
    ).fetchone() or (0, 0, 0, "", "", "")
    if row[0] and row[0] + row[1] + row[2] >= _DATES * filled:
        return ("both", row[5]) if row[5] else ("comma", row[3])
    return ("point", row[4]) if row[1] and row[1] + row[2] == filled else ("", "")


def _first(connection: DuckDBPyConnection, table: str, text: str) -> tuple[str, ...]:
    """Where nearly every value is another one, the frequent ones are the odd ones."""
    return tuple(row[0] for row in connection.execute(f"SELECT {text} FROM {table} LIMIT {_EXAMPLES}").fetchall())


def _values(connection: DuckDBPyConnection, table: str, text: str) -> tuple[str, ...]:
    """The most frequent values; spellings that differ in case or form only are one."""
    spellings = f"SELECT {text} AS t, lower(trim(nfc_normalize({text}))) AS k, count(*) AS n FROM {table} GROUP BY ALL"
    query = (
        "SELECT t FROM (SELECT t, sum(n) OVER (PARTITION BY k) AS total, "
        f"row_number() OVER (PARTITION BY k ORDER BY n DESC, t) AS place FROM ({spellings})) "
        f"WHERE place = 1 ORDER BY total DESC, t"
    )
    return tuple(row[0] for row in connection.execute(query).fetchall())


def _date_fits(connection: DuckDBPyConnection, table: str, text: str) -> dict[str, int]:
    """How many values each way to write dates can read."""
    utc = Zones("UTC", "UTC")
    formats = ["iso", *(family.format for family in KNOWN), *PERIODS]
    counts = ", ".join(f"count({stamp_of_text(text, format, utc).value})" for format in formats)
    row = connection.execute(f"SELECT {counts} FROM {table}").fetchone() or (0,) * len(formats)
    return dict(zip(formats, row, strict=True))


def _date(
    connection: DuckDBPyConnection, table: str, text: str, found: ColumnFound, fits: dict[str, int], where: str
) -> ColumnFound:
    said = {field: getattr(found, field) for field in ("name", "filled", "distinct", "examples")}
    offset, clock = _has(connection, table, text)
    try:
        format = decide_format(
            connection, table, text, where=where, declare=found.name, told=found.name, periods=True
        )  # fmt: skip
    except InputRefused as refused:
        rivals = tuple(_rivals(fits))
        return ColumnFound(kind="unclear_date", formats=rivals, why=refused.problems[0].what, **said)
    return ColumnFound(kind="date", format=format, offset=offset, dateless=not clock, **said)


def _rivals(fits: dict[str, int]) -> Iterator[str]:
    """Formats that read most of the values, the likeliest first."""
    most = max(fits.values())
    yield from (format for format, count in sorted(fits.items(), key=lambda item: -item[1]) if count > 0.3 * most)


def _has(connection: DuckDBPyConnection, table: str, text: str) -> tuple[bool, bool]:
    """Whether stamps carry an offset from UTC, and whether any has a time of day."""
    offset = f"regexp_matches({text}, ':\\d{{2}}([.]\\d+)? ?([Zz]|UTC|[+-]\\d{{2}}:?\\d{{0,2}})$')"
    row = connection.execute(f"SELECT bool_or({offset}), bool_or(contains({text}, ':')) FROM {table}").fetchone()
    return (bool(row[0]), bool(row[1])) if row else (False, False)


def _extent(connection: DuckDBPyConnection, table: str, text: str, source: Source) -> tuple[float, float, float]:
    plain = f"trim({text})"
    if source.options.thousands:
        plain = f"replace({plain}, {sql.text(source.options.thousands)}, '')"
    if source.options.decimal == ",":
        plain = f"replace({plain}, ',', '.')"
    value = f"try_cast({plain} AS DOUBLE)"
    row = connection.execute(f"SELECT min({value}), max({value}), sum({value}) FROM {table}").fetchone()
    return row or (0.0, 0.0, 0.0)
