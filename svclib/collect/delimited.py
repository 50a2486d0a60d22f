"""CSV in any dress: separator, encoding, byte-order mark, quotes; read by DuckDB, damaged rows set aside."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import ReadOptions, Source
from svclib.collect.read import Part, RawTable, Reject, Unread, file_name, pick_columns, unreadable, wanted_columns
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SEPARATORS = (",", ";", "\t", "|")
_HEAD = 1 << 20
_UTF8 = ("utf-8", "utf-8-sig", "ascii")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def load(
    connection: DuckDBPyConnection, source: Source, files: list[Path], root: Path, where: str, folder: Path
) -> RawTable:
    """Open CSV files, one after the other, as text: a view that reads them anew each time it is asked.

    `folder` takes copies of files in other encodings than UTF-8; it must stay as long as the view is used.
    """
    wanted = wanted_columns(source)
    view = sql.name(f"raw_{source.name}")
    unread: list[Unread] = []
    selects: list[str] = []
    for path in files:
        name = file_name(path, root)
        readable, head = _as_utf8(path, source, where, name, folder / f"{len(unread)}.csv")
        separator, header = _header(head, source, wanted, where, name)
        picked = _pick(wanted, header, source, where, name)
        reader = _reader(readable, source.options, separator, header, picked)
        selects.append(reader.format("ignore_errors=true"))
        keep = "store_rejects=true, rejects_table='rejected', rejects_scan='rejected_scans'"
        read = partial(_read, connection, source, where, name)
        unread.append(Unread(f"({reader.format(keep)})", read, partial(unreadable, where, name)))
    connection.execute(f"CREATE VIEW {view} AS {' UNION ALL '.join(selects)}")
    return RawTable(view, dict.fromkeys(wanted, "VARCHAR"), [], unread=tuple(unread))


def _pick(wanted: dict[str, str], header: list[str], source: Source, where: str, name: str) -> dict[str, str]:
    """The mapped columns; one that is missing because its name is written in another encoding is told as that."""
    try:
        return pick_columns(wanted, header, where, name)
    except InputRefused:
        strange = [column for column in header if "\ufffd" in column]
        if not strange or source.options.encoding is not None:
            raise
        what = f"{name} is not UTF-8 text: its heading reads {strange[0]!r}"
        cure = "declare the encoding, e.g. options: {encoding: cp1252}"
        raise InputRefused(Problem(where, what, cure)) from None


def _read(
    connection: DuckDBPyConnection, source: Source, where: str, name: str, first: int, count: int
) -> tuple[Part, list[Reject]]:
    """What is known of a file now that its rows were read."""
    rows = connection.execute(
        "SELECT line, any_value(error_type), any_value(csv_line), any_value(error_message) FROM rejected "
        "GROUP BY line ORDER BY line"
    ).fetchall()
    connection.execute("DROP TABLE rejected")
    connection.execute("DROP TABLE rejected_scans")
    damaged = [_reject(name, row, source, where) for row in rows]
    numbers = tuple(reject.row for reject in damaged)
    header = source.options.skip_rows + source.options.header
    return Part(name, first, count, header=header, rejected=numbers), damaged


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
        encoding = codecs.lookup(declared).name
    except LookupError:
        raise InputRefused(
            Problem(where, f"no encoding is named {declared!r}", "for example utf-8 or cp1252")
        ) from None
    if not encoding.startswith("utf") and not head.isascii() and _reads_as_utf8(head):
        what = f"{name} is UTF-8 text: read as {declared}, its letters would be garbled, as Ã¼ for ü"
        raise InputRefused(Problem(where, what, "leave the encoding out"))
    return encoding


def _reads_as_utf8(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8; other encodings hardly ever are by chance."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # a character that it cuts in two is no damage
    except UnicodeDecodeError:
        return False
    return True


def _beginning(path: Path, source: Source, where: str, name: str) -> tuple[str, str]:
    """The encoding of a file, and its beginning."""
    try:
        with _open(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise unreadable(where, name, error) from None
    encoding = _encoding(head, source.options.encoding, where, name)
    # A character that the beginning cuts in two is no damage.
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding in _UTF8 else encoding)(errors="replace")
    return encoding, decoder.decode(head)


def _as_utf8(path: Path, source: Source, where: str, name: str, copy: Path) -> tuple[Path, str]:
    """The file as DuckDB reads it (UTF-8) and its beginning; other encodings are rewritten piece by piece, to `copy`."""
    encoding, head = _beginning(path, source, where, name)
    if encoding in _UTF8:
        return path, head
    _transcode(path, copy, encoding, where, name)
    return copy, head


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


def _reader(path: Path, options: ReadOptions, separator: str, header: list[str], picked: dict[str, str]) -> str:
    """SQL of the picked columns of a file; braces are left for what becomes of damaged rows."""
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(header)))
    selected = ", ".join(f"c{header.index(column)} AS {sql.name(own)}" for own, column in picked.items())
    fixed = (
        f"SELECT {selected} FROM read_csv({sql.text(str(path))}, auto_detect=false, columns={{{columns}}}, "
        f"delim={sql.text(separator)}, quote={sql.text(options.quote)}, escape={sql.text(options.quote)}, "
        f"header={str(options.header).lower()}, skip={options.skip_rows}, nullstr=[{sql.texts(options.null_values)}], "
    )
    return fixed.replace("{", "{{").replace("}", "}}") + "{})"


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
