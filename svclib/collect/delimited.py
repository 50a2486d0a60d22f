"""CSV in any dress: separator, encoding, byte-order mark, quotes; read by DuckDB, damaged rows set aside."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from svclib.catalogue.models import Source
from svclib.collect import sql
from svclib.collect.read import Part, RawTable, Reject, file_name, pick_columns, unreadable, wanted_columns
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SEPARATORS = (",", ";", "\t", "|")
_HEAD = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def load(connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str) -> RawTable:
    """Load CSV files, one after the other, as text."""
    wanted = wanted_columns(source)
    table = f"raw_{source.name}"
    columns = ", ".join(f"{sql.name(column)} VARCHAR" for column in wanted)
    connection.execute(f"CREATE TABLE {sql.name(table)} ({columns})")
    parts: list[Part] = []
    rejects: list[Reject] = []
    first = 0
    for path in files:
        name = file_name(path, root)
        with _as_utf8(path, source, where, name) as (readable, head):
            separator, header = _header(head, source, wanted, where, name)
            picked = pick_columns(wanted, header, where, name)
            damaged = _insert(connection, table, readable, source, separator, header, picked, where, name)
        row = connection.execute(f"SELECT count(*) FROM {sql.name(table)}").fetchone()
        count = (row[0] if row else 0) - first
        numbers = tuple(reject.row for reject in damaged)
        parts.append(
            Part(name, first, count, header=source.options.skip_rows + source.options.header, rejected=numbers)
        )
        rejects += damaged
        first += count
    return RawTable(sql.name(table), dict.fromkeys(wanted, "VARCHAR"), parts, rejects)


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _encoding(head: bytes, declared: str | None, where: str, name: str) -> str:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if declared is None:
        if b"\0" in head:
            cure = "declare options: {encoding: utf-16-le} if it is that, or export it as UTF-8"
            raise InputRefused(Problem(where, f"{name} is no UTF-8 text (it holds zero bytes)", cure))
        return "utf-8"
    try:
        return codecs.lookup(declared).name
    except LookupError:
        raise InputRefused(
            Problem(where, f"no encoding is named {declared!r}", "for example utf-8 or cp1252")
        ) from None


@contextmanager
def _as_utf8(path: Path, source: Source, where: str, name: str) -> Iterator[tuple[Path, str]]:
    """The file as DuckDB reads it (UTF-8) and its beginning; other encodings are rewritten piece by piece."""
    try:
        with _open(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise unreadable(where, name, error) from None
    encoding = _encoding(head, source.options.encoding, where, name)
    if encoding in ("utf-8", "utf-8-sig", "ascii"):
        yield path, head.decode("utf-8-sig", errors="replace")
        return
    with TemporaryDirectory(prefix="svclib-") as folder:
        readable = Path(folder) / "utf8.csv"
        _transcode(path, readable, encoding, where, name)
        with readable.open("rb") as file:
            beginning = file.read(_HEAD)
        yield readable, beginning.decode("utf-8", errors="replace")


def _transcode(path: Path, target: Path, encoding: str, where: str, name: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    with _open(path) as file, target.open("wb") as out:
        position = 0
        try:
            while piece := file.read(_HEAD):
                out.write(decoder.decode(piece).encode("utf-8"))
                position += len(piece)
            out.write(decoder.decode(b"", final=True).encode("utf-8"))
        except UnicodeDecodeError as error:
            what = f"{name} is not {encoding}: it holds {error.object[error.start : error.start + 2]!r}"
            raise InputRefused(Problem(where, f"{what} near byte {position}", "declare its true encoding")) from None


def _header(head: str, source: Source, wanted: dict[str, str], where: str, name: str) -> tuple[str, list[str]]:
    """The separator, and the names of the file's columns."""
    options = source.options
    lines = head.splitlines(keepends=True)[options.skip_rows :]
    if not any(line.strip() for line in lines):
        raise InputRefused(Problem(where, f"{name} is empty", "export it again; nothing can be measured on it"))
    candidates = [options.sep] if options.sep else list(SEPARATORS)
    first = {sep: _first_record(lines, sep, options.quote) for sep in candidates}
    if not options.header:
        separator = max(candidates, key=lambda sep: len(first[sep]))
        return separator, [f"column{index}" for index in range(len(first[separator]))]
    needed = set(wanted.values())
    # The separator is the one that brings the mapped columns to light; commas inside a header cannot mislead it.
    separator = max(candidates, key=lambda sep: (len(needed & {c.strip() for c in first[sep]}), len(first[sep])))
    if options.sep and len(first[separator]) == 1 and not needed & {first[separator][0].strip()}:
        _refuse_separator(lines, options.sep, options.quote, where, name)
    return separator, first[separator]


def _refuse_separator(lines: list[str], sep: str, quote: str, where: str, name: str) -> None:
    """Say what is wrong once, instead of missing every column that is mapped."""
    columns, other = max((len(_first_record(lines, other, quote)), other) for other in SEPARATORS)
    if columns > 1:
        what = f"{name} has only one column with sep {sep!r}, and {columns} with {other!r}"
        raise InputRefused(Problem(where, what, f"write sep: {other!r}, or leave it out: it is found by itself"))


def _first_record(lines: list[str], separator: str, quote: str) -> list[str]:
    text = io.StringIO("".join(lines), newline="")
    if quote:
        return next((row for row in csv.reader(text, delimiter=separator, quotechar=quote) if row), [])
    return next((row for row in csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE) if row), [])


def _insert(
    connection: DuckDBPyConnection, table: str, path: Path, source: Source, separator: str,
    header: list[str], picked: dict[str, str], where: str, name: str,
) -> list[Reject]:  # fmt: skip
    import duckdb

    options = source.options
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(header)))
    selected = ", ".join(f"c{header.index(column)}" for column in picked.values())
    reader = (
        f"read_csv({sql.text(str(path))}, auto_detect=false, columns={{{columns}}}, delim={sql.text(separator)}, "
        f"quote={sql.text(options.quote)}, escape={sql.text(options.quote)}, header={str(options.header).lower()}, "
        f"skip={options.skip_rows}, nullstr=[{sql.texts(options.null_values)}], "
        "store_rejects=true, rejects_table='rejected', rejects_scan='rejected_scans')"
    )
    try:
        connection.execute(f"INSERT INTO {sql.name(table)} SELECT {selected} FROM {reader}")
        rows = connection.execute(
            "SELECT line, any_value(error_type), any_value(csv_line), any_value(error_message) FROM rejected "
            "GROUP BY line ORDER BY line"
        ).fetchall()
    except duckdb.Error as error:
        raise unreadable(where, name, error) from None
    finally:
        connection.execute("DROP TABLE IF EXISTS rejected")
        connection.execute("DROP TABLE IF EXISTS rejected_scans")
    return [_reject(name, row, source, where) for row in rows]


def _reject(name: str, row: tuple[int, str, str, str], source: Source, where: str) -> Reject:
    line, kind, text, message = row
    text = text or ""
    if kind == "INVALID ENCODING" and source.options.encoding is None:
        cure = "declare the encoding, e.g. options: {encoding: cp1252}"
        raise InputRefused(Problem(where, f"{name}, row {line}: is not UTF-8 text, {text[:60]!r}", cure))
    if "unterminated quote" in (message or "") and ("\n" in text.rstrip("\r\n") or len(text) >= 10_000):
        # DuckDB looks for the end of the quote and skips what it cannot tell apart: how many rows, nobody knows.
        cure = "close the quote in that row, or declare options: {quote: ''} if quotes mean nothing in this file"
        what = f"{name}, row {line}: a quote opens and never closes, so the rows after it are lost: {text[:60]!r}"
        raise InputRefused(Problem(where, what, cure))
    return Reject(name, line, text, (message or kind).split("\n")[0])
