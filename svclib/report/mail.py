"""A ready e-mail for each department: the month in plain text and in HTML, with a link and without attachments."""

from __future__ import annotations

import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from svclib.report import words
from svclib.report.department import Item, answer, attention, improved, unknown
from svclib.report.page import write_page
from svclib.report.results import DepartmentMonth, Month, read_month


def write_mails(out: Path, period: str, *, base_url: str | None = None, to: dict[str, str] | None = None) -> list[Path]:
    """Write ``<period>/mail/<department>.eml`` for every department; returns their paths.

    Parameters
    ----------
    base_url
        Where `out` is published, e.g. a share or a web address; the mail then links to the department's page. Without
        it the mail names the file.
    to
        Department code to its address; mails of the others have no receiver yet.

    Nothing is sent. The files open as drafts in mail programs (``X-Unsent: 1``).
    """
    month = read_month(out, period)
    folder = out / period / "mail"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for department in month.departments:
        message = department_mail(month, department, base_url=base_url, to=(to or {}).get(department.code))
        path = folder / f"{department.folder}.eml"
        path.write_bytes(message.as_bytes())
        written.append(path)
    return written


def department_mail(
    month: Month, department: DepartmentMonth, *, base_url: str | None = None, to: str | None = None
) -> EmailMessage:
    """The mail of a department's period, in the language of its reports; the same results give the same bytes."""
    language = department.language or month.language
    with words.use_language(language):
        title = words.say("mail.subject", department=department.name, period=words.period_name(month.label))
        place = f"{month.label}/{department.folder}/index.html"
        link = f"{base_url.rstrip('/')}/{place}" if base_url else None
        cards = [
            (words.say("department.attention"), attention(department, month.label)),
            (words.say("department.improved"), improved(department, month.label)),
            (words.say("department.unknown"), unknown(department, month.label)),
        ]
        summary = answer(department, month.label)
        html = write_page(
            "mail.html.j2",
            language=language,
            title=title,
            summary=summary,
            cards=cards,
            link=link,
            place=place,
            organisation=month.organisation,
        )
        message = EmailMessage(policy=SMTP.clone(max_line_length=78))
        message["Subject"] = _one_line(title)
        if to:
            message["To"] = Address(addr_spec=to)
        message["X-Unsent"] = "1"
        message.set_content(_plain(title, summary, cards, link or place))
        message.add_alternative(html, subtype="html")
        # the boundary comes from the contents: the same mail has the same bytes, and no text can contain its own digest
        message.set_boundary(f"svclib-{hashlib.sha256(html.encode()).hexdigest()[:32]}")
        return message


def _one_line(text: str) -> str:
    """A header's text: a line break in it could begin another header."""
    return " ".join(text.split())


def _plain(title: str, summary: str, cards: list[tuple[str, list[Item]]], link: str) -> str:
    parts = [title, "", summary]
    for heading, items in cards:
        if items:
            parts += ["", heading]
            parts += [
                f"- {item.name}{f' ({item.badge.text})' if item.badge else ''}: {item.text}".rstrip(": ")
                for item in items
            ]
    return "\n".join([*parts, "", words.say("mail.more"), link, ""])
