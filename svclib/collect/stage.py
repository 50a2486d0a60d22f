"""One source from raw to typed: columns read, departments named, rules checked, every row's fate decided, in SQL.

The fates of a row, in the order in which they are asked: folded (an older line of an event log), later (after the
cut-off), left out (`where`, or a department that is nobody's here), bad (breaks a rule), duplicate, kept.

An end that is a date without a time of day (a case closed "on the 5th") is put in the middle of what is possible: at
noon, or halfway between the start and midnight where both fall on one day. It is off by half a day at most, and not at
all on average as far as ends are spread evenly over the day; midnight would shorten every time by half a day and make
same-day cases negative, the end of the day would lengthen it as much. Where the start is a date without a time as well,
both stay at midnight, so that the time is the difference of the dates.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from svclib.catalogue.models import TIMESTAMPS, Department, Kpi, Source
from svclib.collect import sql
from svclib.collect.columns import Column, known_columns, plan_columns
from svclib.collect.contracts import ENDS, ORDERED, Rule, date_column, duplicate_key, source_rules
from svclib.collect.dates import Zones
from svclib.collect.read import ORDER, RawTable
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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
class Staged:
    """A staged source: a table with one row for each row of the source (or list element) and its fate.

    `fates` counts rows by fate, `left_out` and `bad` by reason; `clipped` counts stamps after the cut-off by column.
    """

    table: str
    columns: list[Column]
    rules: list[Rule]
    raw: RawTable
    frequency: str
    fates: dict[str, int]
    left_out: dict[str, int]
    bad: dict[str, int]
    clipped: dict[str, int] = field(default_factory=dict)
    exact_copies: int = 0

    @property
    def names(self) -> list[str]:
        """The columns of the collected table, department first."""
        own = [c.name for c in self.columns if c.name != "department" and not c.name.startswith("_")]
        return ["department", *own]


def stage_source(
    connection: DuckDBPyConnection, declared: Declared, raw: RawTable, *, as_of: dt.date | None, today: dt.date
) -> Staged:
    """Stage a raw table as ``staged_<source>``.

    Parameters
    ----------
    as_of
        The last day that is seen. None: nothing is cut, and stamps after `today` are faults.

    Raises
    ------
    InputRefused
        For dates that cannot be read safely, a source that names no department, or a `where` that does not run.
    """
    source = declared.source
    columns = plan_columns(connection, source, raw, declared.zones, declared.where)
    _define(connection, declared)
    after = (as_of or today) + dt.timedelta(days=1)
    limit = f"TIMESTAMP '{after.isoformat()}'"
    rules = source_rules(source, columns, declared.kpis, None if as_of else limit)
    exploded = _explode(connection, source, raw)
    table = sql.name(f"staged_{source.name}")
    cutting = as_of is not None
    if source.keep is None and source.shape != "counts":  # each row's fate can be told from the row alone
        frequency = "none"
        later = _later(source, columns, limit, frequency, cutting)
        fate = f"CASE WHEN {later} THEN 'later' ELSE {_settled(source)} END"
        _build(connection, declared, columns, rules, exploded, table, fate)
    else:
        _build(connection, declared, columns, rules, exploded, table, "'kept'")
        frequency = _frequency(connection, source, columns, table)
        later = _later(source, columns, limit, frequency, cutting)
        connection.execute(f"UPDATE {table} SET _fate = 'later' WHERE {later}")
        _fold(connection, source, columns, table)
        connection.execute(f"UPDATE {table} SET _fate = {_settled(source)} WHERE _fate = 'kept'")
    _mark_duplicates(connection, source, columns, table)
    clipped = _clip(connection, source, columns, table, limit) if as_of else {}
    fates = dict(connection.execute(f"SELECT _fate, count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall())
    left = connection.execute(
        f"SELECT CASE WHEN _where IS NOT TRUE THEN 'where' ELSE 'department_' || _department END, count(*) "
        f"FROM {table} WHERE _fate = 'left_out' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    bad = _count_bad(connection, rules, table)
    copies = 0 if duplicate_key(source, columns) else _exact_copies(connection, columns, table)
    raw = _keep_originals(connection, raw, table)
    return Staged(table, columns, rules, raw, frequency, fates, dict(left), bad, clipped, copies)


def _define(connection: DuckDBPyConnection, declared: Declared) -> None:
    home = sql.text(declared.zones.home)
    # DuckDB reads a time that comes twice as the second one; an hour before it the clock showed the same.
    connection.execute(
        f"CREATE OR REPLACE MACRO _twice(t) AS ((t AT TIME ZONE {home}) - INTERVAL 1 HOUR) AT TIME ZONE {home} = t"
    )
    connection.execute("CREATE OR REPLACE MACRO _spelling(t) AS lower(trim(nfc_normalize(t)))")
    connection.execute("CREATE OR REPLACE TABLE _spellings (spelling VARCHAR PRIMARY KEY, code VARCHAR)")
    for spelling, code in _spellings(declared).items():
        connection.execute("INSERT OR IGNORE INTO _spellings SELECT _spelling($1), $2", [spelling, code])


def _spellings(declared: Declared) -> dict[str, str]:
    """Every spelling of a department to its code; codes come before aliases and these before names."""
    spellings: dict[str, str] = {}
    aliases: dict[str, set[str]] = {}
    for department in declared.departments:
        spellings[department.code] = department.code
        for alias in department.aliases:
            aliases.setdefault(alias.strip().lower(), set()).add(department.code)
    codes = {code.lower() for code in spellings}
    shared = {alias: owners for alias, owners in aliases.items() if len(owners | ({alias} & codes)) > 1}
    if shared:
        alias, owners = next(iter(shared.items()))
        what = f"the alias {alias!r} stands for {' and '.join(sorted(owners))}"
        raise InputRefused(Problem("params/departments.yaml", what, "give it to one of them"))
    for department in declared.departments:
        for alias in department.aliases:
            spellings.setdefault(alias, department.code)
    names = [department.name for department in declared.departments]
    for department in declared.departments:
        if names.count(department.name) == 1:  # a name that two share names neither
            spellings.setdefault(department.name, department.code)
    return spellings


def _explode(connection: DuckDBPyConnection, source: Source, raw: RawTable) -> str:
    """SQL of the rows to read: those of the raw table, or one for each element of a list; `_id` is the raw row."""
    if source.explode is None:
        return f"(SELECT {raw.rowid} AS _id, * FROM {raw.name})"
    column = sql.name(source.explode)
    if raw.types[source.explode] == "VARCHAR":
        is_list = f"left(ltrim({column}), 1) = '[' AND json_valid({column})"
        values = f"CASE WHEN {is_list} THEN from_json({column}, '[\"VARCHAR\"]') ELSE [{column}] END"
    else:
        values = f"{column}::VARCHAR[]"
    # An empty list still is a row, of no element; what becomes of it is for the contract to say.
    elements = f"unnest(coalesce(nullif(list_distinct({values}), []), [NULL]))"
    others = ", ".join(sql.name(name) for name in raw.types if name != source.explode)
    return f"(SELECT {raw.rowid} AS _id, {others}, {elements} AS {column} FROM {raw.name})"


def _build(
    connection: DuckDBPyConnection, declared: Declared, columns: list[Column], rules: list[Rule], rows: str,
    table: str, fate: str,
) -> None:  # fmt: skip
    source = declared.source
    named = [column for column in columns if column.name != "department"]
    typed = [f"({c.value})::{c.stored} AS {sql.name(c.name)}" for c in named]
    typed += [f"coalesce({c.failed}, false) AS {sql.name(f'f:{c.name}')}" for c in named if c.failed != "false"]
    typed += [f"coalesce({c.date_only}, false) AS {sql.name(f'd:{c.name}')}" for c in named if c.date_only]
    written = _department_text(declared, columns)
    integer = "BIGINT" if len(rules) <= 62 else "HUGEINT"
    bits = " | ".join(
        f"CASE WHEN {rule.broken} THEN {1 << bit}::{integer} ELSE 0 END" for bit, rule in enumerate(rules)
    )
    # Each spelling is looked up once, not once a row.
    connection.execute(
        f"CREATE OR REPLACE TABLE _written AS SELECT written, code FROM (SELECT DISTINCT {written} AS written FROM {rows}) "
        "LEFT JOIN _spellings ON spelling = _spelling(written) WHERE trim(written) <> ''"
    )
    missing = sql.text(source.department_missing) if source.department_missing else "NULL"
    select = ", ".join(["_id", "department", *(sql.name(c.name) for c in named), *_flags(named)])
    condition = "true"
    if source.where:
        condition = f"({source.where})"
    query = (
        f"CREATE TABLE {table} AS SELECT {select}, _department, ({condition}) AS _where, {bits or 0} AS _broken, "
        f"{fate} AS _fate FROM (SELECT t.*, "
        f"CASE WHEN w.written IS NULL THEN {missing} ELSE w.code END AS department, "
        f"CASE WHEN w.written IS NULL THEN {'NULL' if source.department_missing else sql.text('missing')} "
        "WHEN w.code IS NULL THEN 'unknown' END AS _department "
        f"FROM (SELECT _id, {', '.join([*typed, f'{written} AS _written'])} FROM {rows}) t "
        "LEFT JOIN _written w ON w.written = t._written)"
    )
    _run(connection, query, declared)


def _flags(columns: list[Column]) -> list[str]:
    return [sql.name(f"d:{c.name}") for c in columns if c.date_only]


def _department_text(declared: Declared, columns: list[Column]) -> str:
    source = declared.source
    for column in columns:
        if column.name == "department":
            return column.value
    code = source.department
    if code is None and len(declared.departments) == 1:
        code = declared.departments[0].code
    if code is None:
        cure = "map it: columns: {department: ...}, or declare department: for all its rows"
        raise InputRefused(Problem(declared.where, f"source {source.name!r} names no department", cure))
    return sql.text(code)


def _run(connection: DuckDBPyConnection, query: str, declared: Declared) -> None:
    import duckdb

    try:
        connection.execute(query)
    except duckdb.Error as error:
        if not declared.source.where:
            raise
        reason = " ".join(str(error).split("\n")[0].split())[:200]
        what = f"where: {declared.source.where!r} does not run: {reason}"
        known = ", ".join(sorted(set(declared.source.columns) | set(declared.source.dimension_columns)))
        raise InputRefused(Problem(declared.where_column or declared.where, what, f"columns: {known}")) from None


def _frequency(connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str) -> str:
    """How often figures of a `counts` source come: day, week, month or quarter; `none` for other shapes."""
    if source.shape != "counts":
        return "none"
    format = next(column.format for column in columns if column.name == "period")
    told = {"%Y-%m": "month", "%Y-Q": "quarter", "%G-W%V": "week"}.get(format or "")
    if told:
        return told
    query = (
        f"SELECT count(*), count(*) FILTER (day(p) = 1), count(*) FILTER (day(p) = 1 AND month(p) % 3 = 1), "
        f"count(*) FILTER (isodow(p) = 1) FROM (SELECT DISTINCT date_trunc('day', period) AS p FROM {table} "
        "WHERE period IS NOT NULL)"
    )
    days, firsts, quarters, mondays = connection.execute(query).fetchone() or (0, 0, 0, 0)
    if days and quarters == days and days > 1:
        return "quarter"
    if days and firsts == days:
        return "month"
    return "week" if days > 1 and mondays == days else "day"


def _later(source: Source, columns: list[Column], limit: str, frequency: str, cutting: bool) -> str:
    """Condition: the row is of after the cut-off, or a figure of a period that has not ended by then."""
    date = sql.name(date_column(source))
    conditions = [f"{date} >= {limit}"] if cutting else []
    if frequency != "none":
        begun = "" if cutting else f" AND {date} < {limit}"
        conditions.append(f"date_trunc('{frequency}', {date}) + {_interval(frequency)} > {limit}{begun}")
    if cutting and source.keep:
        by = _order_column(source, columns)
        if by.kind == "timestamp":
            conditions.append(f"{sql.name(by.name)} >= {limit}")
    return " OR ".join(conditions) or "false"


def _interval(frequency: str) -> str:
    return {"quarter": "INTERVAL 3 MONTH"}.get(frequency, f"INTERVAL 1 {frequency.upper()}")


def _order_column(source: Source, columns: list[Column]) -> Column:
    by = (source.keep or "").split(" by ", 1)[1].strip()
    return next(column for column in columns if column.name in (by, ORDER))


def _fold(connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str) -> None:
    """Of an event log, the last (or first) line of each key stays; ties go to the later line of the source."""
    if source.keep is None:
        return
    key = [name for name in duplicate_key(source, columns) if name != source.explode or name in (source.key or [])]
    by = sql.name(_order_column(source, columns).name)
    direction = "DESC" if source.keep.startswith("last") else "ASC"
    keys = ", ".join(sql.name(name) for name in key)
    connection.execute(
        f"UPDATE {table} SET _fate = 'folded' FROM (SELECT rowid AS r, _id <> first_value(_id) OVER (PARTITION BY {keys} "
        f"ORDER BY {by} {direction} NULLS LAST, _id {direction}) AS older FROM {table} "
        f"WHERE _fate = 'kept' AND {' AND '.join(f'{sql.name(name)} IS NOT NULL' for name in key)}) o "
        f"WHERE {table}.rowid = o.r AND o.older"
    )


def _settled(source: Source) -> str:
    """The fate of a row that is neither later nor folded."""
    conditions = []
    if source.where:
        # A condition that a faulty value leaves undecided must not hide the fault.
        conditions.append("_where IS FALSE OR _where IS NULL AND _broken = 0")
    if source.other_departments == "leave_out":
        conditions.append("_department IS NOT NULL")
    left = f"WHEN {' OR '.join(conditions)} THEN 'left_out' " if conditions else ""
    return f"CASE {left}WHEN _broken <> 0 THEN 'bad' ELSE 'kept' END"


def _mark_duplicates(connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str) -> None:
    """All but the first row of a key; full copies and rows that contradict each other are told apart."""
    key = duplicate_key(source, columns)
    if not key:
        return
    keys = ", ".join(sql.name(name) for name in key)
    suspects = f"SELECT hash({keys}) FROM {table} WHERE _fate = 'kept' GROUP BY 1 HAVING count(*) > 1"
    # Whole keys of ten million rows do not fit; their hashes do, and only the few that collide are compared.
    connection.execute(f"CREATE OR REPLACE TABLE _suspects AS {suspects}")
    if not (connection.execute("SELECT count(*) FROM _suspects").fetchone() or (0,))[0]:
        return
    whole = ", ".join(["department", *(sql.name(c.name) for c in columns if c.name != "department")])
    connection.execute(
        f"UPDATE {table} SET _fate = CASE WHEN d.copy > 1 THEN 'duplicate' ELSE 'duplicate_key' END FROM ("
        f"SELECT rowid AS r, row_number() OVER (PARTITION BY {keys} ORDER BY _id) AS n, "
        f"row_number() OVER (PARTITION BY {whole} ORDER BY _id) AS copy FROM {table} "
        f"WHERE _fate = 'kept' AND hash({keys}) IN (SELECT * FROM _suspects)) d "
        f"WHERE {table}.rowid = d.r AND d.n > 1"
    )


def _exact_copies(connection: DuckDBPyConnection, columns: list[Column], table: str) -> int:
    """Rows that equal an earlier one in every column, in a source without a key: counted, and kept."""
    whole = ", ".join(["department", *(sql.name(c.name) for c in columns if c.name != "department")])
    query = f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {table} WHERE _fate = 'kept' GROUP BY hash({whole}))"
    return int((connection.execute(query).fetchone() or (0,))[0])


def _clip(
    connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str, limit: str
) -> dict[str, int]:
    """What had not ended by the cut-off is open; how many of each stamp."""
    clipped = {}
    for name in sorted(ENDS & known_columns(source) & {column.name for column in columns}):
        query = f"SELECT count(*) FROM {table} WHERE _fate = 'kept' AND {sql.name(name)} >= {limit}"
        clipped[name] = (connection.execute(query).fetchone() or (0,))[0]
        if clipped[name]:
            connection.execute(
                f"UPDATE {table} SET {sql.name(name)} = NULL WHERE _fate = 'kept' AND {sql.name(name)} >= {limit}"
            )
    return {name: count for name, count in clipped.items() if count}


def _keep_originals(connection: DuckDBPyConnection, raw: RawTable, table: str) -> RawTable:
    """Of the raw table only the bad rows are needed from here on; the others make room."""
    connection.execute(
        f"CREATE TABLE _originals AS SELECT {raw.rowid} AS _id, {', '.join(map(sql.name, raw.types))} FROM {raw.name} "
        f"WHERE {raw.rowid} IN (SELECT _id FROM {table} WHERE _fate IN ('bad', 'duplicate', 'duplicate_key'))"
    )
    if raw.rowid == "rowid":
        connection.execute(f"DROP TABLE {raw.name}")
    return replace(raw, name="_originals", rowid="_id")


def _count_bad(connection: DuckDBPyConnection, rules: list[Rule], table: str) -> dict[str, int]:
    counted = ", ".join(f"count(*) FILTER (_broken & {1 << bit} <> 0)" for bit in range(len(rules)))
    row = connection.execute(f"SELECT {counted or 0} FROM {table} WHERE _fate = 'bad'").fetchone() or ()
    bad = {rule.code: count for rule, count in zip(rules, row, strict=False) if count}
    for fate in ("duplicate", "duplicate_key"):
        count = (connection.execute(f"SELECT count(*) FROM {table} WHERE _fate = '{fate}'").fetchone() or (0,))[0]
        if count:
            bad[fate] = count
    return bad


def final_columns(staged: Staged, source: Source) -> str:
    """SQL of the collected columns, ends without a time of day put in the middle of what is possible."""
    present = {column.name: column for column in staged.columns}
    starts = {
        then: first for first, then in ORDERED[source.shape] if then in ENDS and first in present and then in present
    }
    selected = []
    for name in staged.names:
        if name in starts:
            selected.append(f"{_end(name, starts[name])} AS {sql.name(name)}")
        else:
            selected.append(sql.name(name))
    return ", ".join(selected)


def _end(end: str, start: str) -> str:
    e, s = sql.name(end), sql.name(start)
    whole_day = f"{sql.name(f'd:{end}')} AND NOT {sql.name(f'd:{start}')}"
    midnight = f"{e} + INTERVAL 1 DAY"
    halfway = f"{s} + to_seconds(date_diff('second', {s}, {midnight}) // 2)"
    return (
        f"CASE WHEN {whole_day} AND {e} = date_trunc('day', {s}) THEN {halfway} "
        f"WHEN {whole_day} THEN {e} + INTERVAL 12 HOUR "
        f"WHEN {e} < {s} THEN {s} ELSE {e} END"
    )


def last_stamp(connection: DuckDBPyConnection, staged: Staged, source: Source) -> dt.date | None:
    """The last day of which the kept rows know: the end of the last period for figures, else the latest stamp."""
    names = sorted(TIMESTAMPS & known_columns(source) & set(staged.names))
    if staged.frequency != "none":
        latest = f"max(date_trunc('{staged.frequency}', period) + {_interval(staged.frequency)} - INTERVAL 1 DAY)"
    else:
        latest = f"greatest({', '.join(f'max({sql.name(name)})' for name in names)})"
    row = connection.execute(f"SELECT ({latest})::DATE FROM {staged.table} WHERE _fate = 'kept'").fetchone()
    return row[0] if row else None
