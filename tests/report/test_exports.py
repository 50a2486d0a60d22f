"""What leaves the folder of reports: archives, workbooks, mails, the meeting, the comparison."""

import datetime as dt
import email
import email.policy
import hashlib
import re
import zipfile

import openpyxl
import pandas as pd
import pytest

from svclib.errors import InputRefused
from svclib.report import words
from svclib.report.compare import compare_periods, compare_table
from svclib.report.export import CHECKSUMS, find_chromium, write_archive, write_pdf, write_workbook
from svclib.report.mail import department_mail, write_mails
from svclib.report.meeting import SHEET, agenda, read_decisions, write_meeting
from svclib.report.portal import strongest, write_period_pages, write_portal
from svclib.report.results import read_month
from svclib.report.tables import neutralised, write_csv
from svclib.report.words.headline import UNKNOWN
from tests.report.reports_folder import NASTY, write_reports

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0", "|x", "%x", "\u00a0=1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = write_reports(tmp_path_factory.mktemp("reports"), pages=False)
    for period in ("2026-09", "2026-10"):
        write_period_pages(folder, period)
    write_portal(folder)
    return folder


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_and_workbook_hold_text_and_never_a_formula(tmp_path, text):
    frame = pd.DataFrame({text: [text, "fine"], "n": [-1.5, 2], "day": [dt.date(2026, 1, 1), None]})
    write_csv(frame, tmp_path / "a.csv")
    read = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False, skipinitialspace=False)
    assert read.iloc[0, 0] == f"'{text}"
    assert read.columns[0] == f"'{text}"
    assert read["n"].tolist() == ["-1.5", "2.0"]
    book = openpyxl.load_workbook(write_workbook({"sheet": frame}, tmp_path / "a.xlsx"))
    assert [cell.data_type for cell in book["sheet"]["A"]] == ["s", "s", "s"]
    assert book["sheet"]["B2"].value == -1.5
    assert book["sheet"]["C3"].value is None


def test_what_is_no_formula_stays_as_it_is():
    frame = pd.DataFrame({"text": ["a=b", "x@y.z", "", None], "n": [1, 2, 3, 4]})
    assert neutralised(frame).equals(frame)


def test_workbooks_take_any_name_and_any_text(tmp_path):
    sheets = {"a/b:c" * 20: pd.DataFrame({"x": ["\x00\x0bok", "é😀"]}), "A-B-C" * 20: pd.DataFrame({"x": []})}
    book = openpyxl.load_workbook(write_workbook(sheets, tmp_path / "a.xlsx"))
    assert len(set(book.sheetnames)) == 2
    assert book.worksheets[0]["A2"].value == "ok"


def test_equal_tables_give_equal_workbooks(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]})
    first = write_workbook({"s": frame}, tmp_path / "1.xlsx").read_bytes()
    assert write_workbook({"s": frame}, tmp_path / "2.xlsx").read_bytes() == first


def test_the_archive_holds_the_period_with_its_checksums(out):
    path = write_archive(out, "2026-10")
    first = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        listed = dict(line.split("  ")[::-1] for line in archive.read(CHECKSUMS).decode().splitlines())
        assert set(listed) == names - {CHECKSUMS}
        for name, digest in listed.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    assert "2026-10/manifest.json" in names
    assert not [name for name in names if "/." in name or name.startswith("2026-09")]
    assert (out / "2026-10.zip.sha256").read_text().split() == [hashlib.sha256(first).hexdigest(), "2026-10.zip"]
    assert write_archive(out, "2026-10").read_bytes() == first


def test_a_period_without_reports_is_refused(tmp_path):
    with pytest.raises(InputRefused, match="period 2026-10: has no reports"):
        write_archive(tmp_path, "2026-10")
    with pytest.raises(InputRefused, match="period 2026-09: has no reports"):
        compare_periods(tmp_path, "2026-09", "2026-10")


def test_each_department_gets_a_mail_without_attachment(out):
    paths = write_mails(out, "2026-10", base_url="https://reports.example/x/", to={"D01": "head@example.org"})
    assert len(paths) == 5
    message = email.message_from_bytes(paths[0].read_bytes(), policy=email.policy.default)
    assert message["To"] == "head@example.org"
    assert message["X-Unsent"] == "1"
    assert message["Date"] is None
    assert list(message.iter_attachments()) == []
    plain, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for part in (plain, html):
        assert "https://reports.example/x/2026-10/D01/index.html" in part
        assert "overdue" in part
    assert "<img" not in html
    assert "http" not in html.replace("https://reports.example/x/2026-10/D01/index.html", "")


def test_a_name_cannot_add_a_header_or_a_part(out):
    from dataclasses import replace

    month = read_month(out, "2026-10")
    evil = replace(month.departments[0], name=f"X\r\nBcc: all@example.org\r\n\r\n--svclib {NASTY}")
    message = email.message_from_bytes(department_mail(month, evil).as_bytes(), policy=email.policy.default)
    assert message["Bcc"] is None
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert "<img src=x" not in message.get_body(("html",)).get_content()


def test_mails_have_the_same_bytes_each_time(out):
    first = [path.read_bytes() for path in write_mails(out, "2026-10")]
    assert [path.read_bytes() for path in write_mails(out, "2026-10")] == first


def test_the_agenda_lists_signals_overdue_actions_and_missing_reports(out):
    month = read_month(out, "2026-10")
    items = agenda(month)
    assert [item.kind for item in items].count("signal") == len(list(strongest(month)))
    assert [item.subject for item in items if item.kind == "overdue"] == ["Call-back within the hour"] * 2
    assert [item.kind for item in items].count("report") == 2


def test_decisions_come_back_on_the_next_agenda(tmp_path):
    write_reports(tmp_path, pages=False)
    for period in ("2026-09", "2026-10"):
        write_period_pages(tmp_path, period)
    write_meeting(tmp_path, "2026-09")
    sheet = tmp_path / "2026-09" / SHEET
    book = openpyxl.load_workbook(sheet)
    row = book.active[2]
    subject = row[2].value
    row[4].value, row[5].value, row[6].value = "Two more people on the phones", "Head", dt.datetime(2026, 10, 15)
    book.active[3][4].value, book.active[3][7].value = "Nothing to do", "done"
    book.save(sheet)
    held = sheet.read_bytes()

    found = read_decisions(sheet, today=dt.date(2026, 11, 1))
    assert (found[0].subject, found[0].decision, found[0].overdue) == (subject, "Two more people on the phones", True)
    assert found[1].overdue is False

    page = next(path for path in write_meeting(tmp_path, "2026-10") if path.suffix == ".html").read_text()
    assert "Two more people on the phones" in page
    table = pd.read_excel(tmp_path / "2026-10" / SHEET)
    assert "Two more people on the phones" in table["Decision"].tolist()
    assert "Nothing to do" not in table["Decision"].tolist()
    write_meeting(tmp_path, "2026-09")
    assert sheet.read_bytes() == held  # what people wrote is never touched


def test_an_empty_or_missing_sheet_holds_no_decision(tmp_path):
    assert read_decisions(tmp_path / "none.xlsx", today=dt.date(2026, 11, 1)) == []


def test_compare_gives_a_table_a_text_and_a_page(out):
    text = compare_periods(out, "2026-09", "2026-10")
    assert text.startswith("September 2026 and October 2026")
    assert re.search(r"Billing\s+First-contact resolution\s+69\.3%\s+65\.8%\s+−3\.6 points", text)
    page = (out / "compare-2026-09-2026-10.html").read_text()
    assert "First-contact resolution" in page
    table = compare_table(read_month(out, "2026-09"), read_month(out, "2026-10"))
    assert len(table) == 30
    same = table[(table["change"] == "same") & ~table["state_after"].isin(UNKNOWN)]
    assert (same["state_before"] == same["state_after"]).all()
    known = table.dropna(subset=["before", "after"])
    assert (known["difference"] - (known["after"] - known["before"])).abs().max() < 1e-12
    withheld = table[(table["state_before"] == "withheld") & table["before"].notna()]
    assert withheld.empty


def test_a_period_compared_with_itself_has_no_change(out):
    assert words.say("period_page.no_changes") in compare_periods(out, "2026-10", "2026-10")


@pytest.mark.browser
def test_a_page_becomes_a_pdf(out, tmp_path):
    if find_chromium() is None:
        pytest.skip("no local Chromium on this machine")
    pdf = write_pdf(out / "2026-10" / "index.html", tmp_path / "x.pdf")
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.pdf"]


def test_pdf_without_a_browser_says_what_to_do(out, monkeypatch):
    monkeypatch.delenv("SVCLIB_CHROMIUM", raising=False)
    monkeypatch.setattr("svclib.report.export.shutil.which", lambda name: None)
    with pytest.raises(InputRefused, match="no Chromium on this machine"):
        write_pdf(out / "index.html")


@pytest.mark.browser
def test_a_printed_period_is_not_printed_again(out):
    if find_chromium() is None:
        pytest.skip("no local Chromium on this machine")
    from svclib.report.share import print_period

    printed = print_period(out, "2026-10")
    assert out / "2026-10" / "index.pdf" in printed
    assert all(path.read_bytes()[:5] == b"%PDF-" for path in printed)
    assert print_period(out, "2026-10") == []
    page = printed[0].with_suffix(".html")
    page.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    assert print_period(out, "2026-10") == [printed[0]]
    for path in printed:
        path.unlink()


def test_run_with_pdf_and_without_a_browser_starts_nothing(tmp_path, monkeypatch, capsys):
    from svclib import cli

    monkeypatch.delenv("SVCLIB_CHROMIUM", raising=False)
    monkeypatch.setattr("svclib.report.export.shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["svclib", "run", "--pdf", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert "no Chromium on this machine" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sharing_a_period_writes_it_all(out):
    from svclib.report.share import share_period

    written = share_period(out, "2026-10")
    assert {path.suffix for path in written} >= {".html", ".eml", ".zip"}
    assert written[-1].name == "2026-10.zip"
    with zipfile.ZipFile(written[-1]) as archive:
        assert "2026-10/agenda.html" in archive.namelist()
        assert "2026-10/mail/D01.eml" in archive.namelist()
    with pytest.raises(InputRefused, match="has no reports"):
        share_period(out, "2020-01")


@pytest.mark.parametrize("address", ["quality.example.org", "javascript:alert(1)", "https://a b/", "https://", ""])
def test_mails_link_to_no_address_that_is_none(out, address):
    from svclib.errors import InputRefused
    from svclib.report.share import share_period

    with pytest.raises(InputRefused, match="is no address that a mail could link to"):
        share_period(out, "2026-10", base_url=address)
