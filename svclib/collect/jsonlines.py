"""JSON lines: one object a line (or one array of objects), read as text; lists stay lists for `explode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.read import Part, RawTable, Reject, file_name, pick_columns, unreadable, wanted_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONGEST_LINE = 16 << 20


def load(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Load JSON files. A key of a nested object is written with a dot: ``impact.start``."""
    wanted = wanted_columns(source)
    table = sql.name(f"raw_{source.name}")
    columns = ", ".join(f"{sql.name(column)} VARCHAR" for column in wanted)
    connection.execute(f"CREATE TABLE {table} ({columns})")
    parts: list[Part] = []
    rejects: list[Reject] = []
    first = 0
    for path in files:
        name = file_name(path, root)
        rejects += _stage_lines(connection, path, where, name)
        present = _keys(connection)
        picked = pick_columns(wanted, present, where, name)
        nulls = sql.texts(source.options.null_values)
        select = ", ".join(_value(present[column], nulls) for column in picked.values())
        connection.execute(f"INSERT INTO {table} SELECT {select} FROM lines ORDER BY row")
        numbers = connection.execute("SELECT row FROM lines ORDER BY row").fetchnumpy()["row"]
        parts.append(Part(name, first, len(numbers), rows=tuple(numbers.tolist())))
        first += len(numbers)
        connection.execute("DROP TABLE lines")
    return RawTable(table, dict.fromkeys(wanted, "VARCHAR"), parts, rejects)


def _value(path: str, nulls: str) -> str:
    value = f"json_extract_string(object, {sql.text(path)})"
    return f"CASE WHEN {value} NOT IN ({nulls}) THEN {value} END" if nulls else value


def _stage_lines(connection: DuckDBPyConnection, path: Path, where: str, name: str) -> list[Reject]:
    """The objects of a file as the table ``lines(row, object)``; what is no object is set aside."""
    import duckdb

    reader = (
        f"read_csv({sql.text(str(path))}, auto_detect=false, delim='\x01', quote='', escape='', header=false, "
        f"columns={{'line': 'VARCHAR'}}, max_line_size={_LONGEST_LINE})"
    )
    try:
        if _is_array(path):
            connection.execute(
                "CREATE TABLE lines AS SELECT row_number() OVER () AS row, json AS object "
                f"FROM read_json_objects({sql.text(str(path))}, format='array')"
            )
            return []
        connection.execute(f"CREATE TABLE text AS SELECT line FROM {reader}")
    except (duckdb.Error, OSError) as error:
        raise unreadable(where, name, error) from None
    valid = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    connection.execute(
        f"CREATE TABLE lines AS SELECT rowid + 1 AS row, line::JSON AS object FROM text WHERE line IS NOT NULL AND {valid}"
    )
    broken = connection.execute(
        f"SELECT rowid + 1, line FROM text WHERE line IS NOT NULL AND NOT {valid} ORDER BY rowid"
    ).fetchall()
    connection.execute("DROP TABLE text")
    return [Reject(name, row, line, "is no JSON object") for row, line in broken]


def _is_array(path: Path) -> bool:
    if path.suffix == ".gz":
        return False
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _keys(connection: DuckDBPyConnection) -> dict[str, str]:
    """Every key of any object, and of objects within them, with its JSON path."""
    found: dict[str, str] = {}
    top = connection.execute("SELECT DISTINCT unnest(json_keys(object)) AS key FROM lines ORDER BY key").fetchall()
    for (key,) in top:
        found[key] = f"$.{sql.name(key)}"
    for (key,) in top:
        inner = connection.execute(
            "SELECT DISTINCT unnest(json_keys(object, $path)) AS key FROM lines "
            "WHERE json_type(object, $path) = 'OBJECT' ORDER BY key",
            {"path": found[key]},
        ).fetchall()
        for (child,) in inner:
            found.setdefault(f"{key}.{child}", f"{found[key]}.{sql.name(child)}")
    return found
