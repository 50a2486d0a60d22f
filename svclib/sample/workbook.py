"""Workbooks that come out the same each time: no clock in the archive and none in its properties."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openpyxl import Workbook

_WRITTEN = dt.datetime(2026, 11, 6, 6, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def save_workbook(book: Workbook, path: Path) -> None:
    """Save a workbook so that the same content gives the same bytes.

    openpyxl stamps the moment of saving into `docProps/core.xml`, zip archives that of each part: both are set to a
    fixed one. The parts are stored without compression, whose result differs between builds of zlib.
    """
    book.properties.creator = "svclib sample"
    buffer = io.BytesIO()
    book.save(buffer)
    stamp = _WRITTEN.isoformat().encode() + b"Z"
    with zipfile.ZipFile(buffer) as written, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as fixed:
        for part in written.infolist():
            content = written.read(part)
            if part.filename == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>" + stamp, content)
            entry = zipfile.ZipInfo(part.filename, date_time=_WRITTEN.timetuple()[:6])
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            fixed.writestr(entry, content)
