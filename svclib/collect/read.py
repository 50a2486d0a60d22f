"""Any source as one raw table: the mapped columns under svclib's names, in the source's order, rows traceable to files.

Nothing is judged here. Text stays text (CSV, Excel, JSON lines); Parquet and databases keep their own types.
"""

from __future__ import annotations

import glob
import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from svclib.catalogue.models import Source
from svclib.collect import sql
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".dat": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(r"(?<=://)([^/@:]*:)([^/@]*)(?=@)")
ROW = "#row"  # a "column" for sources that number nothing: the file and the place of the row in it
ORDER = "_order"  # the column of `keep: last by ...`, where no svclib name is mapped to it


@dataclass(frozen=True)
class Reject:
    """A piece of a file that is no row: too few or too many fields, an unclosed quote, broken JSON."""

    file: str
    row: int
    text: str
    detail: str


@dataclass(frozen=True)
class Part:
    """The rows of one file: where they start in the raw table and how their numbers in the file are found."""

    file: str
    first: int
    count: int
    header: int = 1
    rows: tuple[int, ...] = ()  # row numbers, where they do not simply follow one another
    rejected: tuple[int, ...] = ()

    def row(self, rowid: int) -> int:
        """Row number in the file, the header being row 1, as a spreadsheet counts; empty lines of a CSV do not count."""
        index = rowid - self.first
        if self.rows:
            return self.rows[index]
        row = index + 1 + self.header
        for rejected in self.rejected:  # each unreadable row before it pushed this one down
            if rejected > row:
                break
            row += 1
        return row


@dataclass(frozen=True)
class RawTable:
    """A table `name` in the connection whose columns are svclib's names; `types` are DuckDB's."""

    name: str
    types: dict[str, str]
    parts: list[Part]
    rejects: list[Reject] = field(default_factory=list)
    rowid: str = "rowid"  # the column that numbers the rows from 0, through all files

    @property
    def rows(self) -> int:
        return sum(part.count for part in self.parts)

    def locate(self, rowid: int) -> tuple[str, int]:
        """File and row number of a row of the raw table."""
        part = self.parts[bisect_right([part.first for part in self.parts], rowid) - 1]
        return part.file, part.row(rowid)


def wanted_columns(source: Source) -> dict[str, str]:
    """svclib's name to the source's column, for all that a source maps.

    >>> wanted_columns(Source(name="t", shape="cases", read="t.csv", columns={"case_id": "Nr"}, dimensions=["team"]))
    {'case_id': 'Nr', 'team': 'team'}
    """
    wanted = {own: column for own, column in source.columns.items() if column != ROW} | source.dimension_columns
    if source.keep:
        by = source.keep.split(" by ", 1)[1].strip()
        if by not in wanted:
            wanted[ORDER] = by
    return wanted


def source_format(source: Source) -> str:
    """csv, parquet, xlsx, jsonl or database: as declared, or as the name of the source tells."""
    if source.format:
        return source.format
    if "://" in source.read:
        return "database"
    name = source.read.lower().removesuffix(".gz")
    return _FORMATS.get(Path(name).suffix, "")


def find_files(source: Source, root: Path, where: str) -> list[Path]:
    """The files that a source names, in the order of their names.

    Raises
    ------
    InputRefused
        If there is none.
    """
    if source_format(source) == "database":
        file = database_file(source, root, where)
        return [file] if file else []
    pattern = str(root / source.read)
    paths = sorted(Path(path) for path in glob.glob(pattern, recursive=True) if Path(path).is_file())
    if not paths and Path(pattern).is_file():  # a name that holds [ or *
        paths = [Path(pattern)]
    if not paths:
        cure = f"check the path; it starts from {root.name}/, the folder that holds params/"
        raise InputRefused(Problem(where, f"no file {source.read!r}", cure))
    return paths


def database_address(source: Source, where: str) -> str:
    """The address of a database, ``${NAME}`` filled in from the environment: credentials stand in no file.

    Raises
    ------
    InputRefused
        If the environment has no such variable.
    """
    missing = [name for name in _VARIABLE.findall(source.read) if name not in os.environ]
    if missing:
        what = f"the environment has no variable {missing[0]!r}"
        raise InputRefused(Problem(where, what, "set it before svclib runs"))

    # A password may hold any sign; in an address some of them mean something else.
    def quoted(match: re.Match[str]) -> str:
        return match[1] + _VARIABLE.sub(lambda variable: quote(os.environ[variable[1]], safe=""), match[2])

    address = _PASSWORD.sub(quoted, source.read)
    return _VARIABLE.sub(lambda match: os.environ[match[1]], address)


def database_file(source: Source, root: Path, where: str) -> Path | None:
    """The file behind a SQLite or DuckDB address, None for a server.

    ``sqlite:///data/x.db`` starts from the folder that holds `params/`, ``sqlite:////srv/x.db`` from the root.

    Raises
    ------
    InputRefused
        If the file is not there.
    """
    scheme, _, rest = database_address(source, where).partition("://")
    if scheme not in ("sqlite", "duckdb"):
        return None
    path = Path(rest.split("?", 1)[0].removeprefix("/"))
    for candidate in (path if path.is_absolute() else root / path, Path("/") / path):
        if candidate.is_file():
            return candidate
    raise InputRefused(Problem(where, f"no file {source.read!r}", "check the path of the database"))


def load_raw(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Load a source into the connection.

    Parameters
    ----------
    files
        As `find_files` gives them.
    root
        The folder that file names are told relative to.
    where
        Where the source is declared, for messages.

    Raises
    ------
    InputRefused
        If a file cannot be read, lacks a mapped column, or its damage reaches further than single rows.
    """
    from svclib.collect import databases, delimited, jsonlines, parquet, workbooks

    readers = {
        "csv": delimited.load, "parquet": parquet.load, "xlsx": workbooks.load, "jsonl": jsonlines.load,
    }  # fmt: skip
    format = source_format(source)
    if format == "database":
        return _number_rows(connection, source, databases.load(connection, source, root, where))
    if format not in readers:
        known = "csv, tsv, txt, parquet, xlsx, jsonl, or an address such as duckdb:///file.db"
        cure = f"name a file of one of these kinds or declare format: {known}; save .xls as .xlsx"
        raise InputRefused(Problem(where, f"svclib cannot tell how to read {source.read!r}", cure))
    return _number_rows(connection, source, readers[format](connection, source, files, root, where))


def _number_rows(connection: DuckDBPyConnection, source: Source, raw: RawTable) -> RawTable:
    """Fill the columns that are mapped to ``#row``."""
    numbered = [own for own, column in source.columns.items() if column == ROW]
    if numbered and raw.rowid != "rowid":  # a view cannot take a column more
        table = sql.name(f"numbered_{source.name}")
        connection.execute(
            f"CREATE TABLE {table} AS SELECT * EXCLUDE ({raw.rowid}) FROM {raw.name} ORDER BY {raw.rowid}"
        )
        raw = RawTable(table, raw.types, raw.parts, raw.rejects)
    for own in numbered:
        connection.execute(f"ALTER TABLE {raw.name} ADD COLUMN {sql.name(own)} VARCHAR")
        for part in raw.parts:
            value = f"{sql.text(Path(part.file).stem + ':')} || (rowid - {part.first} + 1)"
            rows = f"rowid BETWEEN {part.first} AND {part.first + part.count - 1}"
            connection.execute(f"UPDATE {raw.name} SET {sql.name(own)} = {value} WHERE {rows}")
        raw.types[own] = "VARCHAR"
    return raw


def file_name(path: Path, root: Path) -> str:
    """The name of a file as messages, quarantine and snapshot tell it: never a path of this machine.

    >>> file_name(Path("/a/b/data/x.csv"), Path("/a/b"))
    'data/x.csv'
    """
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name


def pick_columns(wanted: dict[str, str], present: Iterable[str], where: str, file: str) -> dict[str, str]:
    """svclib's name to the column of this file; surrounding blanks of a header do not matter.

    Raises
    ------
    InputRefused
        Naming every column that is missing, with the nearest that is there.

    Examples
    --------
    >>> pick_columns({"case_id": "Nr"}, [" Nr "], "sources.yaml:1", "a.csv")
    {'case_id': ' Nr '}
    """
    from svclib.catalogue.names import nearest

    by_name: dict[str, list[str]] = {}
    for column in present:
        by_name.setdefault(column.strip(), []).append(column)
    problems = []
    for column in dict.fromkeys(wanted.values()):
        if column not in by_name:
            problems.append(Problem(where, f"{file} has no column {column!r}", nearest(column, by_name)))
        elif len(by_name[column]) > 1:
            problems.append(Problem(where, f"{file} has the column {column!r} twice", "give each its own name"))
    lowered = [name.lower() for name in wanted]
    for name in {name for name in wanted if lowered.count(name.lower()) > 1}:
        problems.append(Problem(where, f"{name!r} is mapped twice (case does not count)", "rename one of them"))
    if problems:
        raise InputRefused(problems)
    return {name: by_name[column][0] for name, column in wanted.items()}


def unreadable(where: str, file: str, error: Exception | str) -> InputRefused:
    """A file that its reader refuses, in one line."""
    reason = str(error).strip().split("\n")[0][:300]
    return InputRefused(Problem(where, f"{file} cannot be read: {reason}", "export it again, whole"))
