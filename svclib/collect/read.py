"""What a source is before anything is judged: its files, its mapped columns, a raw table whose rows lead back to them."""

from __future__ import annotations

import glob
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from svclib.catalogue.models import Source
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".dat": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(r"(?<=://)([^/@:]*:)([^/@]*)(?=@)")
_SHOWN = 25
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
class Unread:
    """A file whose rows are read when they are asked for: SQL of its rows, and what is known of it once they are.

    `read` takes how many rows came before and how many came; it raises `InputRefused` for damage that reaches further
    than single rows. `refused` makes such an error of one of the reader's.
    """

    rows: str
    read: Callable[[int, int], tuple[Part, list[Reject]]]
    refused: Callable[[Exception], InputRefused]


@dataclass(frozen=True)
class RawTable:
    """A table or view `name` in the connection whose columns are svclib's names; `types` are DuckDB's.

    Of a view over `unread` files `parts` and `rejects` are known only when `read_rows` has gone through it.
    """

    name: str
    types: dict[str, str]
    parts: list[Part]
    rejects: list[Reject] = field(default_factory=list)
    rowid: str = "rowid"  # the column that numbers the rows from 0, through all files
    unread: tuple[Unread, ...] = ()

    @property
    def numbered(self) -> bool:
        """Whether the rows bear their numbers; those of unread files can only be counted."""
        return not self.unread

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


def read_rows(connection: DuckDBPyConnection, raw: RawTable, table: str, query: Callable[[str], str]) -> RawTable:
    """Go through a raw table once, into a new table whose rows follow one another as those of the source.

    Parameters
    ----------
    query
        From SQL of rows to the SELECT that makes the table; a row must give a row, unless `raw` is numbered.

    Returns
    -------
    RawTable
        The same, with the parts and rejects that were found on the way.

    Raises
    ------
    InputRefused
        If the damage of a file reaches further than single rows.

    Examples
    --------
    >>> import duckdb
    >>> raw = RawTable("raw", {"id": "VARCHAR"}, [Part("t.csv", 0, 2)])
    >>> with duckdb.connect() as connection:
    ...     _ = connection.execute("CREATE TABLE raw AS SELECT unnest(['b', 'a']) AS id")
    ...     read = read_rows(connection, raw, "shouted", lambda rows: f"SELECT upper(id) AS id FROM {rows}")
    ...     connection.sql("FROM shouted").fetchall(), read.locate(1)
    ([('B',), ('A',)], ('t.csv', 3))
    """
    import duckdb

    if not raw.unread:
        connection.execute(f"CREATE TABLE {table} AS {query(raw.name)}")
        return raw
    parts: list[Part] = []
    rejects: list[Reject] = []
    into = f"CREATE TABLE {table} AS"
    for file in raw.unread:
        try:
            rows = connection.execute(f"{into} {query(file.rows)}").fetchone() or (0,)
        except duckdb.Error:
            try:  # is it the file, or what was asked of its rows?
                connection.execute(f"SELECT count(*) FROM {file.rows}")
            except duckdb.Error as fault:
                raise file.refused(fault) from None
            raise
        part, damaged = file.read(sum(part.count for part in parts), rows[0])
        parts.append(part)
        rejects += damaged
        into = f"INSERT INTO {table}"
    return replace(raw, parts=parts, rejects=rejects)


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
            near = nearest(column, by_name)
            there = f"; its columns: {', '.join(list(by_name)[:_SHOWN])}{', ...' if len(by_name) > _SHOWN else ''}"
            cure = near if near.startswith("known") else f"{near} if that is it{there}"
            problems.append(Problem(where, f"{file} has no column {column!r}", cure))
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
