"""One pass over the rows of a source, into a table: typed, departments named, rules checked, all in one query.

How columns are read is planned on the first rows. Each row is asked whether it contradicts the plan; only if one does,
the columns in doubt are planned on all rows and the table is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Department, Kpi, Source
from svclib.collect.columns import Column, plan_columns
from svclib.collect.contracts import Rule, source_rules
from svclib.collect.dates import Zones
from svclib.collect.departments import department_text, name_departments
from svclib.collect.few import admit_others, few_valued
from svclib.collect.read import RawTable, read_rows
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FIRST = 50_000  # rows on which the plan is made
_INTEGERS = {"SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
FATES = ("bad", "duplicate", "duplicate_key", "folded", "kept", "later", "left_out")


@dataclass(frozen=True)
class Declared:
    """What the catalogue says about one source, as far as collecting needs it."""

    source: Source
    departments: list[Department]
    kpis: list[Kpi]
    zones: Zones
    where: str  # params/sources.yaml:12
    where_column: str = ""  # where its `where` stands


@dataclass(frozen=True)
class Built:
    """The typed rows in `table`: its columns, the rules as bits of ``_broken``, and the raw table that was read.

    `id` is the column that holds the number of the raw row. ``_texts`` holds what stood in a broken row, where the
    raw table cannot be asked for it.
    """

    table: str
    id: str
    columns: list[Column]
    rules: list[Rule]
    raw: RawTable


def build_table(
    connection: DuckDBPyConnection, declared: Declared, raw: RawTable, latest: str | None,
    fate: Callable[[list[Column]], str],
) -> Built:  # fmt: skip
    """Read the rows of a source once, as ``staged_<source>``.

    Parameters
    ----------
    latest
        As `source_rules` takes it.
    fate
        From the columns to SQL of what becomes of a row, as far as the row alone can tell.

    Raises
    ------
    InputRefused
        For dates that cannot be read safely, damaged files, a source that names no department, or a `where` that does
        not run.
    """
    _define(connection, declared)
    _read_first(connection, raw)
    columns, _ = _plan(connection, declared, raw.types, "_first")
    unsure = [name for name in raw.types if name not in columns or columns[name].doubt == "true"]
    table = sql.name(f"staged_{declared.source.name}")
    while True:
        if unsure:
            columns |= _plan_whole(connection, declared, raw, unsure)
        planned = [columns[name] for name in raw.types]
        rules = source_rules(declared.source, planned, declared.kpis, latest)
        few = few_valued(connection, declared.source, planned, "_first")
        read = _read(connection, declared, planned, rules, raw, table, fate(planned), few)
        unsure = [column.name for column in planned if column.doubt != "false"]
        if not unsure or not _doubted(connection, table, len(rules)):
            admit_others(connection, table, read, planned, few)
            connection.execute("DROP TABLE _first")
            return Built(table, "_id" if declared.source.explode else "rowid", planned, rules, read)
        connection.execute(f"DROP TABLE {table}")


def _define(connection: DuckDBPyConnection, declared: Declared) -> None:
    home = sql.text(declared.zones.home)
    # DuckDB reads a time that comes twice as the second one; an hour before it the clock showed the same.
    connection.execute(
        f"CREATE OR REPLACE MACRO _twice(t) AS ((t AT TIME ZONE {home}) - INTERVAL 1 HOUR) AT TIME ZONE {home} = t"
    )
    connection.execute(f"CREATE OR REPLACE TYPE _fate AS ENUM ({sql.texts(FATES)})")
    connection.execute("CREATE OR REPLACE TYPE _lack AS ENUM ('missing', 'unknown')")


def _read_first(connection: DuckDBPyConnection, raw: RawTable) -> None:
    import duckdb

    try:
        connection.execute(f"CREATE OR REPLACE TABLE _first AS SELECT * FROM {raw.name} LIMIT {_FIRST}")
    except duckdb.Error as error:
        if raw.unread:
            raise raw.unread[0].refused(error) from None
        raise


def _plan(
    connection: DuckDBPyConnection, declared: Declared, types: dict[str, str], rows: str
) -> tuple[dict[str, Column], list[Problem]]:
    return plan_columns(connection, declared.source, types, rows, declared.zones, declared.where)


def _plan_whole(
    connection: DuckDBPyConnection, declared: Declared, raw: RawTable, names: list[str]
) -> dict[str, Column]:
    """Columns planned on all rows: of that nothing is left to doubt. One refused, and all are asked."""
    chosen = ", ".join(map(sql.name, names))
    read_rows(connection, raw, "_whole", lambda rows: f"SELECT {chosen} FROM {rows}")
    columns, problems = _plan(connection, declared, {name: raw.types[name] for name in names}, "_whole")
    connection.execute("DROP TABLE _whole")
    if problems and len(names) < len(raw.types):  # what the first rows did not tell of the others is told too
        return _plan_whole(connection, declared, raw, list(raw.types))
    if problems:
        raise InputRefused(problems)
    return {name: replace(column, doubt="false") for name, column in columns.items()}


def _doubted(connection: DuckDBPyConnection, table: str, bit: int) -> bool:
    query = f"SELECT 1 FROM {table} WHERE _broken & {1 << bit} <> 0 LIMIT 1"
    return connection.execute(query).fetchone() is not None


def _read(
    connection: DuckDBPyConnection, declared: Declared, columns: list[Column], rules: list[Rule], raw: RawTable,
    table: str, fate: str, few: dict[str, str],
) -> RawTable:  # fmt: skip
    source = declared.source
    named = [column for column in columns if column.name != "department"]
    written = department_text(source, declared.departments, columns, declared.where)
    code = name_departments(connection, declared.departments, source, f"SELECT DISTINCT {written} FROM _first")
    missing = sql.text(source.department_missing) if source.department_missing else "NULL"
    lack = "NULL" if source.department_missing else "'missing'"
    blank = "WHEN _written IS NULL OR trim(_written) = '' THEN"
    doubt = " OR ".join(f"({column.doubt})" for column in columns if column.doubt != "false") or "false"
    checks = [*(rule.broken for rule in rules), "_doubt"]
    integer = next(name for name, bits in _INTEGERS.items() if len(checks) < bits)
    bits = " | ".join(f"CASE WHEN {check} THEN {1 << bit}::{integer} ELSE 0 END" for bit, check in enumerate(checks))
    days = [column for column in named if column.whole_days == sql.name(f"d:{column.name}")]
    values = [f"({c.value})::{c.stored} AS {sql.name(f'v:{c.name}')}" for c in named]
    read = ["_id"] if source.explode else []
    read += [f"{sql.name(f'v:{c.name}')} AS {sql.name(c.name)}" for c in named]
    read += [f"{c.failed} AS {sql.name(f'f:{c.name}')}" for c in named if c.failed != "false"]
    read += [f"coalesce({c.date_only}, false) AS {c.whole_days}" for c in days]
    texts = [sql.name(f"t:{name}") for name in raw.types] if raw.unread else []
    read += [f"{sql.name(name)} AS {text}" for name, text in zip(raw.types, texts, strict=False)]
    kept = ["_id"] if source.explode else []
    kept += [sql.name(c.name) for c in named] + [str(c.whole_days) for c in days]
    numbers = [f"try_cast({sql.name(name)} AS {type}) AS {sql.name(name)}" for name, type in few.items()]
    counted = f"* REPLACE ({', '.join(numbers)})" if few else "*"
    asked = " OR ".join(["_broken <> 0", *(f"{sql.name(name)} IS NULL" for name in few)])
    originals = f", CASE WHEN {asked} THEN [{', '.join(texts)}] END AS _texts" if texts else ""

    def query(rows: str) -> str:
        # One layer upon the other, so that nothing is worked out twice.
        layer = f"SELECT *, {', '.join(values)}, {written} AS _written FROM {_explode(source, raw, rows)}"
        layer = f"SELECT {', '.join(read)}, ({doubt}) AS _doubt, {code} AS _code, _written FROM ({layer})"
        layer = (
            f"SELECT *, CASE WHEN _code IS NOT NULL THEN _code {blank} {missing} END AS department, "
            f"(CASE WHEN _code IS NOT NULL THEN NULL {blank} {lack} ELSE 'unknown' END)::_lack AS _department FROM ({layer})"
        )
        layer = f"SELECT *, ({source.where or 'true'}) AS _where, {bits} AS _broken FROM ({layer})"
        return (
            f"SELECT department::_code AS department, {', '.join(kept)}, _department, _where, _broken, "
            f"({fate}) AS _fate{originals} FROM (SELECT {counted} FROM ({layer}))"
        )

    return _run(connection, declared, raw, table, query)


def _explode(source: Source, raw: RawTable, rows: str) -> str:
    """SQL of the rows to read: those of the raw table, or one for each element of a list; `_id` is the raw row."""
    if source.explode is None:
        return rows
    column = sql.name(source.explode)
    if raw.types[source.explode] == "VARCHAR":
        is_list = f"left(ltrim({column}), 1) = '[' AND json_valid({column})"
        values = f"CASE WHEN {is_list} THEN from_json({column}, '[\"VARCHAR\"]') ELSE [{column}] END"
    else:
        values = f"{column}::VARCHAR[]"
    # An empty list still is a row, of no element; what becomes of it is for the contract to say.
    elements = f"unnest(coalesce(nullif(list_distinct({values}), []), [NULL]))"
    others = ", ".join(sql.name(name) for name in raw.types if name != source.explode)
    return f"(SELECT {raw.rowid} AS _id, {others}, {elements} AS {column} FROM {rows})"


def _run(
    connection: DuckDBPyConnection, declared: Declared, raw: RawTable, table: str, query: Callable[[str], str]
) -> RawTable:
    import duckdb

    try:
        return read_rows(connection, raw, table, query)
    except duckdb.Error as error:
        if not declared.source.where or isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
            raise
        reason = " ".join(str(error).split("\n")[0].split())[:200]
        what = f"where: {declared.source.where!r} does not run: {reason}"
        known = ", ".join(sorted(set(declared.source.columns) | set(declared.source.dimension_columns)))
        raise InputRefused(Problem(declared.where_column or declared.where, what, f"columns: {known}")) from None
