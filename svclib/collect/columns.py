"""What type each column has and how its values are read: decided for the whole column, as SQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import BOOLEANS, NUMBERS, SHAPE_COLUMNS, TIMESTAMPS, ReadOptions, Source
from svclib.collect.dates import (
    PERIODS,
    Stamp,
    Zones,
    dated,
    decide_format,
    plain_iso,
    stamp_of_text,
    stamp_of_type,
)  # fmt: skip
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

YES = ("true", "yes", "y", "1", "t", "sì", "si", "vero", "x")
NO = ("false", "no", "n", "0", "f", "falso")
_INTEGER = r"[+-]?(0|[1-9]\d{0,17})"
_NUMBER = r"[+-]?(0|[1-9]\d{0,14})([.]\d+)?([eE][+-]?\d{1,3})?"
_SAMPLE = 2000
_STORED = {"text": "VARCHAR", "number": "DOUBLE", "integer": "BIGINT", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP"}


@dataclass(frozen=True)
class Column:
    """How one column is read.

    `value` is SQL over the raw table: the typed value. `failed` is SQL over the raw table with ``v:name``, the value:
    whether something stands there that is no value of the type. So is `doubt`: whether a row may show that a plan made
    from other rows is wrong. `date_only` is SQL, for stamps only. `format` is the date format that was declared or
    decided.
    """

    name: str
    kind: str
    value: str
    failed: str = "false"
    date_only: str | None = None
    format: str | None = None
    doubt: str = "false"

    @property
    def whole_days(self) -> str | None:
        """SQL over the staged columns: whether the stamp is a date without a time; None for other kinds."""
        return self.date_only if self.date_only in (None, "true", "false") else sql.name(f"d:{self.name}")

    @property
    def stored(self) -> str:
        """DuckDB's type in the snapshot."""
        return _STORED[self.kind]


def known_columns(source: Source) -> set[str]:
    """The columns that the source's shape knows."""
    needed, optional = SHAPE_COLUMNS[source.shape]
    return {*needed, *optional}


def plan_columns(
    connection: DuckDBPyConnection, source: Source, types: dict[str, str], rows: str, zones: Zones, where: str
) -> tuple[dict[str, Column], list[Problem]]:
    """How columns of a raw table are read, as far as it can be told.

    Parameters
    ----------
    types
        The columns, with DuckDB's types.
    rows
        A table of the connection that holds these columns: the raw table, or some of its rows.

    Returns
    -------
    tuple
        The columns that could be planned, by name, and why the others could not: their dates are ambiguous or mixed,
        or a declared date format is none.
    """
    columns: dict[str, Column] = {}
    problems: list[Problem] = []
    for name, type in types.items():
        try:
            columns[name] = _plan(connection, source, rows, name, type, zones, where)
        except InputRefused as refused:
            problems += refused.problems
    return columns, problems


def _plan(
    connection: DuckDBPyConnection, source: Source, rows: str, name: str, type: str, zones: Zones, where: str
) -> Column:
    text, value = _text(name, type, source.options), sql.name(f"v:{name}")
    failed = f"{sql.name(name)} IS NOT NULL AND {value} IS NULL"
    kind, inferred = _kind(connection, source, rows, name, type, text)
    if kind == "text":
        doubt = f"{text} IS NOT NULL" if inferred and _empty(connection, rows, text) else "false"
        dimension = name in source.dimension_columns
        return Column(name, "text", f"coalesce({text}, '')" if dimension else text, doubt=doubt)
    if kind == "timestamp":
        stamp = _stamp(connection, source, rows, name, type, text, zones, where)
        failed = failed if type == "VARCHAR" else "false"
        doubt = f"({failed}) OR ({stamp.doubt})" if inferred else stamp.doubt
        return Column(name, "timestamp", stamp.value, failed, stamp.date_only, stamp.format, doubt)
    read = {"number": _number, "integer": _integer, "boolean": _boolean}[kind](name, type, text, source.options)
    doubt = f"{text} IS NOT NULL AND NOT ({_tests(text, source.options)[kind]})" if inferred else "false"
    if inferred and kind == "integer":  # nothing but digits; those that come back as they were are easily known
        read, doubt = f"try_cast({text} AS BIGINT)", f"CASE WHEN {value}::VARCHAR = {text} THEN false ELSE {doubt} END"
    return Column(name, kind, read, failed, doubt=doubt)


def _empty(connection: DuckDBPyConnection, rows: str, text: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {rows} WHERE {text} IS NOT NULL LIMIT 1").fetchone() is None


def _kind(
    connection: DuckDBPyConnection, source: Source, rows: str, name: str, type: str, text: str
) -> tuple[str, bool]:
    """The kind of a column, and whether only its values tell it."""
    if name in source.dimension_columns or name == "department":
        return "text", False
    declared = source.types.get(name)
    if declared:
        return "timestamp" if declared == "date" else declared, False
    known = name in known_columns(source)
    if name in source.dates or (known and name in TIMESTAMPS):
        return "timestamp", False
    if known:
        return "number" if name in NUMBERS else "boolean" if name in BOOLEANS else "text", False
    kind = _kind_of_type(type)
    return (kind, False) if kind else (infer_kind(connection, rows, text, source.options), True)


def _kind_of_type(type: str) -> str | None:
    if type == "VARCHAR":
        return None
    if type in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return "integer"
    if type in ("FLOAT", "DOUBLE", "HUGEINT", "UBIGINT") or type.startswith("DECIMAL"):
        return "number"
    if type == "BOOLEAN":
        return "boolean"
    return "timestamp" if type == "DATE" or type.startswith("TIMESTAMP") else "text"


def _tests(text: str, options: ReadOptions) -> dict[str, str]:
    """For each kind, the narrowest first: whether a text is a value of it."""
    return {
        "boolean": f"lower(trim({text})) IN ('true', 'false', 'yes', 'no')",
        "integer": f"regexp_full_match(trim({text}), {sql.text(_INTEGER)})",
        "number": f"regexp_full_match({_plain_number(text, options)}, {sql.text(_NUMBER)})",
        "timestamp": f"({stamp_of_text(text, 'iso', Zones('UTC', 'UTC')).value}) IS NOT NULL",
    }


def infer_kind(connection: DuckDBPyConnection, table: str, text: str, options: ReadOptions) -> str:
    """The narrowest type that every value of a text column has: boolean, integer, number, timestamp (ISO), or text.

    Codes are safe: ``010`` and numbers of more than 18 digits stay text.
    """
    tests = _tests(text, options)
    for sampled in (f"(SELECT * FROM {table} LIMIT {_SAMPLE})", table):
        fails = ", ".join(f"count(*) FILTER ({text} IS NOT NULL AND NOT ({test}))" for test in tests.values())
        row = connection.execute(f"SELECT count({text}), {fails or 0} FROM {sampled}").fetchone() or (0,)
        if row[0] or sampled == table:
            tests = {kind: test for (kind, test), fail in zip(tests.items(), row[1:], strict=False) if not fail}
        if sampled == table and not row[0]:
            return "text"
        if not tests:
            return "text"
    return next(iter(tests))


def _text(name: str, type: str, options: ReadOptions) -> str:
    """SQL for the value as text, NULL where it is missing."""
    column = sql.name(name)
    if type == "VARCHAR":
        return column
    if type in ("FLOAT", "DOUBLE"):
        # Whole numbers that a float column holds (because some are missing) are the codes 12, not 12.0.
        whole = f"isfinite({column}) AND {column} = floor({column}) AND abs({column}) < 1e15"
        return f"CASE WHEN {whole} THEN {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END"
    return f"{column}::VARCHAR"


def _plain_number(text: str, options: ReadOptions) -> str:
    value = f"trim({text})"
    if options.thousands:
        value = f"replace({value}, {sql.text(options.thousands)}, '')"
    return f"replace({value}, ',', '.')" if options.decimal == "," else value


def _number(name: str, type: str, text: str, options: ReadOptions) -> str:
    if type != "VARCHAR" and _kind_of_type(type) in ("integer", "number"):
        return f"{sql.name(name)}::DOUBLE"
    value = _plain_number(text, options)
    return f"CASE WHEN NOT contains({value}, '_') THEN try_cast({value} AS DOUBLE) END"


def _integer(name: str, type: str, text: str, options: ReadOptions) -> str:
    if type != "VARCHAR" and _kind_of_type(type) == "integer":
        return f"{sql.name(name)}::BIGINT"
    value = f"trim({text})"
    if options.thousands:
        value = f"replace({value}, {sql.text(options.thousands)}, '')"
    return f"CASE WHEN regexp_full_match({value}, '[+-]?\\d{{1,18}}') THEN {value}::BIGINT END"


def _boolean(name: str, type: str, text: str, options: ReadOptions) -> str:
    if type == "BOOLEAN":
        return sql.name(name)
    value = f"lower(trim({text}))"
    return f"CASE WHEN {value} IN ({sql.texts(YES)}) THEN true WHEN {value} IN ({sql.texts(NO)}) THEN false END"


def _stamp(
    connection: DuckDBPyConnection, source: Source, rows: str, name: str, type: str, text: str,
    zones: Zones, where: str,
) -> Stamp:  # fmt: skip
    if type == "DATE" or type.startswith("TIMESTAMP"):
        stamp = stamp_of_type(sql.name(name), type, zones)
        midnight = f"{sql.name(name)}::TIMESTAMP::TIME = TIME '00:00:00'"
    else:
        stamp = _stamp_of_texts(connection, source, rows, name, text, zones, where)
        midnight = f"regexp_full_match(trim({text}), '.*[T ]00:00(:00([.]0*)?)?')"
    if stamp.date_only == "true" or not _all_midnight(connection, rows, text, stamp, midnight):
        return stamp
    # Exports of a date column that add 00:00 to every value say nothing about the time of day.
    local = Zones(zones.home, zones.home)
    plain = (
        stamp_of_text(text, stamp.format, local) if type == "VARCHAR" else stamp_of_type(sql.name(name), type, local)
    )
    timed = f"{text} IS NOT NULL AND NOT ({stamp.date_only}) AND NOT ({midnight})"
    return Stamp(plain.value, "true", stamp.format, f"{timed} OR ({stamp.doubt})")


def _stamp_of_texts(
    connection: DuckDBPyConnection, source: Source, rows: str, name: str, text: str, zones: Zones, where: str
) -> Stamp:
    declared = source.dates.get(name)
    if declared in (None, "iso") and (plain := plain_iso(connection, rows, text, zones)):
        return plain
    decided = declared or decide_format(
        connection, rows, text, where=where, declare=name, told=source.columns.get(name, name),
        periods=source.shape == "counts" and name == "period",
    )  # fmt: skip
    stamp = stamp_of_text(text, decided, zones)
    _try_format(connection, stamp, where, name)
    if declared:
        return stamp
    # How clearly the order of day and month is decided, only all rows can tell.
    unread = f"CASE WHEN {sql.name(f'v:{name}')} IS NULL THEN {dated(text)} ELSE false END"
    return replace(stamp, doubt=unread if decided == "iso" else "true")


def _all_midnight(connection: DuckDBPyConnection, table: str, text: str, stamp: Stamp, midnight: str) -> bool:
    if "offset" in stamp.format:
        return False
    other = f"SELECT 1 FROM {table} WHERE {text} IS NOT NULL AND NOT ({stamp.date_only}) AND NOT ({midnight}) LIMIT 1"
    return connection.execute(other).fetchone() is None


def _try_format(connection: DuckDBPyConnection, stamp: Stamp, where: str, name: str) -> None:
    import duckdb

    try:
        connection.execute(f"SELECT {stamp.value} FROM (SELECT NULL::VARCHAR AS {sql.name(name)}) LIMIT 1")
        if "%" in stamp.format and stamp.format not in PERIODS:
            connection.execute(f"SELECT try_strptime('', {sql.text(stamp.format)})")
    except duckdb.Error as error:
        reason = str(error).split("\n")[0].split(": ", 1)[-1][:150]
        cure = 'write it like "%d/%m/%Y %H:%M", or iso'
        raise InputRefused(
            Problem(where, f"dates: {name}: {stamp.format!r} is no date format: {reason}", cure)
        ) from None
