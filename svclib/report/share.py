"""Everything that a period's reports are handed on with, in one call."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from svclib.errors import InputRefused, Problem
from svclib.report.export import required_chromium, write_archive, write_pdf
from svclib.report.mail import write_mails
from svclib.report.meeting import write_meeting
from svclib.report.results import period_labels, read_month


def share_period(out: Path, period: str, *, base_url: str | None = None, pdf: bool = False) -> list[Path]:
    """Write the meeting's agenda and decisions sheet, a mail for each department, PDFs on request, and the archive.

    Parameters
    ----------
    base_url
        Where `out` is published; the mails link there.
    pdf
        Also print every department's month and reports to PDF; needs a local Chromium.

    Returns
    -------
    list of Path
        What was written, the archive (which holds the rest) last.

    Raises
    ------
    InputRefused
        The period has no reports, there is no Chromium for `pdf`, or `base_url` is no address.
    """
    if period not in period_labels(out):
        raise InputRefused(Problem(f"period {period}", f"has no reports in {out}", f"svclib run --period {period}"))
    if base_url is not None and not _is_address(base_url):
        cure = "write where the reports are published, as https://quality.example.org/reports"
        raise InputRefused(Problem("--base-url", f"{base_url!r} is no address that a mail could link to", cure))
    written = [*write_meeting(out, period), *write_mails(out, period, base_url=base_url)]
    if pdf:
        written += print_period(out, period)
    return [*written, write_archive(out, period)]


def _is_address(text: str) -> bool:
    """Whether a reader's program opens the text as a page, of the web or of a share.

    >>> [_is_address(text) for text in ("https://q.example.org/r", "q.example.org", "javascript:alert(1)", "https://a b")]
    [True, False, False, False]
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    named = bool(parts.hostname) or (parts.scheme == "file" and bool(parts.path))
    return parts.scheme in ("http", "https", "file") and named and not re.search(r"[\s<>\"]", text)


def print_period(out: Path, period: str, departments: Collection[str] | None = None) -> list[Path]:
    """Print a period's pages to PDF beside them: its grid, the agenda, each department's month and its reports.

    Only the month and reports of some `departments` where these are named.

    A PDF that is newer than its page stays as it is.

    Raises
    ------
    InputRefused
        There is no Chromium on this machine, or it failed.
    """
    pages = [out / period / "index.html", out / period / "agenda.html"] if departments is None else []
    for department in read_month(out, period).departments:
        if departments is not None and department.code not in departments:
            continue
        folder = out / period / department.folder
        reports = [folder / f"{report.notebook}.html" for report in department.reports.values() if report.ok]
        pages += [folder / "index.html", *reports]
    chromium = required_chromium()
    return [write_pdf(page, chromium=chromium) for page in pages if page.is_file() and not _printed(page)]


def _printed(page: Path) -> bool:
    pdf = page.with_suffix(".pdf")
    return pdf.exists() and pdf.stat().st_mtime_ns >= page.stat().st_mtime_ns
