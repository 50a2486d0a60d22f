"""A real Chromium on real pages; without one these tests skip and say so."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from svclib.report.compare import compare_periods
from svclib.report.meeting import write_meeting
from svclib.report.portal import write_period_pages, write_portal
from tests.report.reports_folder import DEPARTMENTS, write_reports

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium():
    """The browser, shared by a file's tests; each test opens its own pages.

    It ends with the file: its event loop would stand in the way of other files' kernels in the same process.
    """
    path = os.environ.get("SVCLIB_CHROMIUM") or next((p for p in map(shutil.which, NAMES) if p), None)
    if path is None:
        pytest.skip(f"no local Chromium ({', '.join(NAMES)}) on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # root (as in containers) cannot use Chromium's sandbox; these pages are ours and run no foreign script
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=path, args=[*arguments, *quiet])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory) -> Path:
    """Two periods of reports with every kind of page."""
    out = tmp_path_factory.mktemp("reports")
    names = {code: DEPARTMENTS[code] for code in ("D01", "D02", "D03", "010")}
    write_reports(out, names=names, pages=("D01", "D03"))
    for period in ("2026-09", "2026-10"):
        write_period_pages(out, period)
        write_meeting(out, period)
    write_portal(out)
    compare_periods(out, "2026-09", "2026-10")
    return out


@pytest.fixture
def open_page(chromium):
    """Open a file; the page collects what it wrote to the console and every request it made."""
    with contextlib.ExitStack() as stack:

        def open_file(path: Path, **options):
            page = chromium.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
            stack.callback(page.close)
            page.complaints, page.requests = [], []
            page.on("console", lambda message: page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("request", lambda request: page.requests.append(request.url))
            page.goto(path.as_uri())
            return page

        yield open_file
