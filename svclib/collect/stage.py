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

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.build import Declared, build_table
from svclib.collect.columns import Column, known_columns
from svclib.collect.contracts import ENDS, ORDERED, Rule, date_column, duplicate_key
from svclib.collect.read import ORDER, RawTable

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

_HASHED = 1 << 25  # hashes that are sorted at once, 256 MB


@dataclass(frozen=True)
class Staged:
    """A staged source: a table with one row for each row of the source (or list element) and its fate.

    `fates` counts rows by fate, `left_out` and `bad` by reason; `clipped` counts stamps after the cut-off by column.
    `id` is the column that holds the number of the raw row.
    """

    table: str
    id: str
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
    limit = f"TIMESTAMP '{(as_of or today) + dt.timedelta(days=1)}'"
    cutting = as_of is not None
    single = source.keep is None and source.shape != "counts"  # each row's fate can be told from the row alone

    def fate(columns: list[Column]) -> str:
        if not single:
            return "'kept'::_fate"
        return f"CASE WHEN {_later(source, columns, limit, 'none', cutting)} THEN 'later'::_fate ELSE {_settled(source)} END"

    built = build_table(connection, declared, raw, None if cutting else limit, fate)
    columns, table, row_id = built.columns, built.table, built.id
    frequency = _frequency(connection, source, columns, table)
    if not single:
        later = _later(source, columns, limit, frequency, cutting)
        connection.execute(f"UPDATE {table} SET _fate = 'later' WHERE {later}")
        _fold(connection, source, columns, table, row_id)
        connection.execute(f"UPDATE {table} SET _fate = {_settled(source)} WHERE _fate = 'kept'")
    copies = _mark_duplicates(connection, source, columns, table, row_id)
    clipped = _clip(connection, source, columns, table, limit) if cutting else {}
    fates = dict(connection.execute(f"SELECT _fate, count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall())
    left = connection.execute(
        f"SELECT CASE WHEN _where IS NOT TRUE THEN 'where' ELSE 'department_' || _department END, count(*) "
        f"FROM {table} WHERE _fate = 'left_out' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    bad = _count_bad(connection, built.rules, fates, table)
    originals = _keep_originals(connection, built.raw, table, row_id, fates)
    return Staged(
        table, row_id, columns, built.rules, originals, frequency, fates, dict(left), bad, clipped, copies
    )  # fmt: skip


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
        conditions.append(f"date_trunc('{frequency}', {date}) + {interval(frequency)} > {limit}{begun}")
    if cutting and source.keep:
        by = _order_column(source, columns)
        if by.kind == "timestamp":
            conditions.append(f"{sql.name(by.name)} >= {limit}")
    return " OR ".join(conditions) or "false"


def interval(frequency: str) -> str:
    """SQL of the length of a period.

    >>> interval("week")
    'INTERVAL 1 WEEK'
    """
    return {"quarter": "INTERVAL 3 MONTH"}.get(frequency, f"INTERVAL 1 {frequency.upper()}")


def _order_column(source: Source, columns: list[Column]) -> Column:
    by = (source.keep or "").split(" by ", 1)[1].strip()
    return next(column for column in columns if column.name in (by, ORDER))


def _fold(connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str, row_id: str) -> None:
    """Of an event log, the last (or first) line of each key stays; ties go to the later line of the source."""
    if source.keep is None:
        return
    key = [name for name in duplicate_key(source, columns) if name != source.explode or name in (source.key or [])]
    by = sql.name(_order_column(source, columns).name)
    direction = "DESC" if source.keep.startswith("last") else "ASC"
    keys = ", ".join(sql.name(name) for name in key)
    connection.execute(
        f"UPDATE {table} SET _fate = 'folded' FROM (SELECT rowid AS r, {row_id} <> first_value({row_id}) OVER (PARTITION BY {keys} "
        f"ORDER BY {by} {direction} NULLS LAST, {row_id} {direction}) AS older FROM {table} "
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
    left = f"WHEN {' OR '.join(conditions)} THEN 'left_out'::_fate " if conditions else ""
    return f"CASE {left}WHEN _broken <> 0 THEN 'bad'::_fate ELSE 'kept'::_fate END"


def _mark_duplicates(
    connection: DuckDBPyConnection, source: Source, columns: list[Column], table: str, row_id: str
) -> int:
    """All but the first row of a key; full copies and rows that contradict each other are told apart.

    Returns the copies in a source without a key: rows that equal an earlier one in every column are kept there.
    """
    key = duplicate_key(source, columns)
    whole = ", ".join(["department", *(sql.name(c.name) for c in columns if c.name != "department")])
    keys = ", ".join(map(sql.name, key)) or whole
    repeated = _repeated_hashes(connection, table, keys)
    if not key or not len(repeated):
        return len(repeated)
    connection.register("_suspects", {"hash": repeated})
    connection.execute(
        f"UPDATE {table} SET _fate = CASE WHEN d.copy > 1 THEN 'duplicate' ELSE 'duplicate_key' END::_fate FROM ("
        f"SELECT rowid AS r, row_number() OVER (PARTITION BY {keys} ORDER BY {row_id}) AS n, "
        f"row_number() OVER (PARTITION BY {whole} ORDER BY {row_id}) AS copy FROM {table} "
        f"WHERE _fate = 'kept' AND hash({keys}) IN (SELECT hash FROM _suspects)) d "
        f"WHERE {table}.rowid = d.r AND d.n > 1"
    )
    connection.unregister("_suspects")
    return 0


def _repeated_hashes(connection: DuckDBPyConnection, table: str, columns: str) -> np.ndarray:
    """The hashes that kept rows share, once for each row but the first.

    Whole keys of ten million rows do not fit into the memory; their hashes do, and sorting them is the fastest way to
    see which come twice.
    """
    import numpy as np

    rows = (connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,))[0]
    slices = 1 + rows // _HASHED
    repeated = []
    for n in range(slices):
        query = f"SELECT hash({columns}) AS hash FROM {table} WHERE _fate = 'kept'"
        if slices > 1:
            query = f"SELECT hash FROM ({query}) WHERE hash % {slices} = {n}"
        hashes = np.asarray(connection.execute(query).fetchnumpy()["hash"])
        for part in _sorted_halves(hashes):
            repeated.append(part[1:][part[1:] == part[:-1]])
    return np.concatenate(repeated)


def _sorted_halves(hashes: np.ndarray) -> list[np.ndarray]:
    """The lower and the upper half of what a hash can be, each sorted by a processor of its own."""
    from concurrent.futures import ThreadPoolExecutor

    lower = hashes < 1 << 63
    halves = [hashes[lower], hashes[~lower]]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda half: half.sort(), halves))  # NumPy lets go of the interpreter meanwhile
    return halves


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


def _keep_originals(
    connection: DuckDBPyConnection, raw: RawTable, table: str, row_id: str, fates: dict[str, int]
) -> RawTable:
    """Of the raw table only the bad rows are needed from here on; the others make room."""
    names = ", ".join(map(sql.name, raw.types))
    rows = f"SELECT {row_id} FROM {table} WHERE _fate IN "
    if raw.numbered:
        connection.execute(
            f"CREATE TABLE _originals AS SELECT {raw.rowid} AS _id, {names} FROM {raw.name} "
            f"WHERE {raw.rowid} IN ({rows}('bad', 'duplicate', 'duplicate_key'))"
        )
        if raw.rowid == "rowid":
            connection.execute(f"DROP TABLE {raw.name}")
        return replace(raw, name="_originals", rowid="_id")
    texts = ", ".join(f"_texts[{place}] AS {sql.name(name)}" for place, name in enumerate(raw.types, start=1))
    connection.execute(f"CREATE TABLE _originals AS SELECT {row_id} AS _id, {texts} FROM {table} WHERE _fate = 'bad'")
    if fates.keys() & {"duplicate", "duplicate_key"}:  # that a row repeats another shows when all are read
        connection.execute(
            f"INSERT INTO _originals SELECT * FROM (SELECT row_number() OVER () - 1 AS _id, {names} FROM {raw.name}) "
            f"WHERE _id IN ({rows}('duplicate', 'duplicate_key'))"
        )
    return replace(raw, name="_originals", rowid="_id", unread=())


def _count_bad(connection: DuckDBPyConnection, rules: list[Rule], fates: dict[str, int], table: str) -> dict[str, int]:
    counted = ", ".join(f"count(*) FILTER (_broken & {1 << bit} <> 0)" for bit in range(len(rules)))
    row = connection.execute(f"SELECT {counted or 0} FROM {table} WHERE _fate = 'bad'").fetchone() or ()
    bad = {rule.code: count for rule, count in zip(rules, row, strict=False) if count}
    return bad | {fate: fates[fate] for fate in ("duplicate", "duplicate_key") if fate in fates}


def final_columns(staged: Staged, source: Source) -> str:
    """SQL of the collected columns, ends without a time of day put in the middle of what is possible."""
    present = {column.name: column for column in staged.columns}
    starts = {
        then: first for first, then in ORDERED[source.shape] if then in ENDS and first in present and then in present
    }
    selected = []
    for name in staged.names:
        if name in starts:
            selected.append(f"{_end(present[name], present[starts[name]])} AS {sql.name(name)}")
        else:
            selected.append(sql.name(name))
    return ", ".join(selected)


def _end(end: Column, start: Column) -> str:
    e, s = sql.name(end.name), sql.name(start.name)
    whole_day = f"{end.whole_days} AND NOT {start.whole_days}"
    midnight = f"{e} + INTERVAL 1 DAY"
    halfway = f"{s} + to_seconds(date_diff('second', {s}, {midnight}) // 2)"
    return (
        f"CASE WHEN {whole_day} AND {e} = date_trunc('day', {s}) THEN {halfway} "
        f"WHEN {whole_day} THEN {e} + INTERVAL 12 HOUR "
        f"WHEN {e} < {s} THEN {s} ELSE {e} END"
    )
