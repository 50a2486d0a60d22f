"""The period to hand on: workbooks without formulas, an archive with checksums, PDF where a Chromium is at hand."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    import pandas as pd

CHECKSUMS = "SHA256SUMS"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold: archives of equal files are equal


def write_workbook(sheets: Mapping[str, pd.DataFrame], path: Path) -> Path:
    """Write tables as an Excel workbook, one sheet each, with a frozen head and no formulas.

    Text is stored as text, whatever it begins with, and is neutralised like in `svclib.report.tables.write_csv`, so
    that it stays text when somebody saves the sheet as CSV.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font

    from svclib.report.tables import neutralised

    book = Workbook()
    book.remove(book.active)
    for name, frame in sheets.items():
        sheet = book.create_sheet(_sheet_name(name, book.sheetnames))
        safe = neutralised(frame)
        _append(sheet, [str(column) for column in safe.columns], Font(bold=True))
        for row in safe.itertuples(index=False):
            _append(sheet, list(row))
        sheet.freeze_panes = "A2"
        for letter, column in zip(map(_letter, range(len(safe.columns))), safe.columns, strict=True):
            longest = max([len(str(column)), *(len(str(value)) for value in safe[column].head(200))])
            sheet.column_dimensions[letter].width = min(60, longest + 2)
    # openpyxl would write the time; equal tables give equal workbooks
    book.properties.created = book.properties.modified = dt.datetime(*_LONG_AGO[:6])
    beside = path.with_name(f".{path.name}.part")
    book.save(beside)
    _settle(beside)
    beside.replace(path)
    return path


def _append(sheet: Any, values: list[Any], font: Any = None) -> None:
    import pandas as pd

    row = sheet.max_row + (1 if sheet.max_row > 1 or sheet["A1"].value is not None else 0)
    for column, value in enumerate(values, start=1):
        missing = not isinstance(value, list | dict | tuple) and pd.isna(value)
        cell = sheet.cell(row, column)
        if not missing:
            cell.value = value if isinstance(value, int | float | bool | dt.date) else _text(value)
            if isinstance(value, str):
                cell.data_type = "s"  # never "f", even where the text begins with "="
        if font:
            cell.font = font


def _text(value: Any) -> str:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    return str(ILLEGAL_CHARACTERS_RE.sub("", str(value)))[:32_000]


def _letter(position: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(position + 1))


def _sheet_name(name: str, taken: list[str]) -> str:
    """A name that Excel takes: at most 31 characters, none of []:*?/\\, unique."""
    plain = "".join("-" if c in "[]:*?/\\'" else c for c in name)[:28] or "sheet"
    candidate, number = plain, 1
    while candidate.lower() in (t.lower() for t in taken):
        number += 1
        candidate = f"{plain} {number}"
    return candidate


def _settle(path: Path) -> None:
    """Rewrite a zip with fixed times, so that equal contents give equal bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    core = "docProps/core.xml"
    if core in members:
        import re

        members[core] = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>1980-01-01T00:00:00Z", members[core])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(_member(name), content)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def write_archive(out: Path, period: str) -> Path:
    """Write ``<period>.zip`` below `out`: the period's folder with the checksum of every file; returns its path.

    Beside it lies ``<period>.zip.sha256``, in the form that ``sha256sum --check`` reads, as inside `SHA256SUMS` does.
    Files whose name begins with a dot stay out. Equal folders give equal archives.

    Raises
    ------
    InputRefused
        The period has no reports.
    """
    folder = out / period
    if not (folder / "manifest.json").is_file():
        raise InputRefused(Problem(f"period {period}", f"has no reports in {out}", f"svclib run --period {period}"))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _hidden(path, folder)]
    files += sorted(out.glob("glossary-*.html"))
    sums = "".join(f"{_digest(path)}  {path.relative_to(out).as_posix()}\n" for path in files)
    target = out / f"{period}.zip"
    beside = out / f".{period}.zip.part"
    with zipfile.ZipFile(beside, "w") as archive:
        for path in files:
            archive.writestr(_member(path.relative_to(out).as_posix()), path.read_bytes())
        archive.writestr(_member(CHECKSUMS), sums)
    beside.replace(target)
    (out / f"{period}.zip.sha256").write_text(f"{_digest(target)}  {target.name}\n", encoding="utf-8")
    return target


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_chromium() -> str | None:
    """The local Chromium: the environment's ``SVCLIB_CHROMIUM``, else the first on the path."""
    return os.environ.get("SVCLIB_CHROMIUM") or next((p for p in map(shutil.which, _BROWSERS) if p), None)


def required_chromium() -> str:
    """The local Chromium.

    Raises
    ------
    InputRefused
        There is none on this machine; says what to do.
    """
    chromium = find_chromium()
    if chromium is None:
        cure = f"install Chromium ({', '.join(_BROWSERS)}), or print the page from any browser"
        raise InputRefused(Problem("--pdf", "there is no Chromium on this machine", cure))
    return chromium


def write_pdf(page: Path, pdf: Path | None = None, *, chromium: str | None = None, seconds: float = 60) -> Path:
    """Print a page to PDF beside it, as it prints from a browser: A4 or Letter by the system's locale.

    The browser gets a profile of its own that is thrown away, and can reach no other machine; the page's policy lets
    it run and fetch nothing.

    Raises
    ------
    InputRefused
        No Chromium on this machine, or it failed.
    """
    chromium = chromium or required_chromium()
    pdf = pdf or page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="svclib-pdf-") as profile:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        draft = Path(profile) / "page.pdf"
        command = [
            chromium, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-quic", "--no-pdf-header-footer",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *(["--no-sandbox"] if root else []),
            f"--user-data-dir={profile}/profile", f"--print-to-pdf={draft}", page.resolve().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise InputRefused(Problem(str(page), f"Chromium did not finish in {seconds:.0f} s", "try again")) from None
        if done.returncode or not draft.is_file():
            raise InputRefused(Problem(str(page), f"Chromium ended with {done.returncode}", "print it from a browser"))
        shutil.copyfile(draft, pdf.with_name(f".{pdf.name}.part"))
        pdf.with_name(f".{pdf.name}.part").replace(pdf)
    return pdf
