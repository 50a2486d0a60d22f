"""From an executed notebook to a page that needs nothing but a browser.

Code stays in the notebook. Outputs are cleaned (`svclib.report.clean`), headings put in order
(`svclib.report.outline`), and the page fetches nothing and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from svclib.report import words
from svclib.report.clean import clean
from svclib.report.glossary import glossary_name
from svclib.report.outline import Entry, outline
from svclib.report.page import TEMPLATES, write_page
from svclib.report.show import escape

if TYPE_CHECKING:
    from nbconvert.exporters import TemplateExporter
    from nbformat import NotebookNode

#: Cells with these tags speak to the analyst, not to the reader of the report.
TAGS_LEFT_OUT = frozenset({"parameters", "injected-parameters", "analyst"})
_MOST_NOTES = 4000


@lru_cache(maxsize=1)
def exporter() -> TemplateExporter:
    """nbconvert's exporter with the `svc` template: made once, used for every report.

    It runs no preprocessor: nothing here needs one, and each would validate the notebook again.
    """
    from nbconvert.exporters import TemplateExporter

    class ReportExporter(TemplateExporter):
        """Writes the article of a report."""

        output_mimetype = "text/html"
        file_extension = ".html"

        def _validate_preprocessor(self, nbc: Any, preprocessor: Any) -> None:
            """Papermill has validated the notebook it wrote."""

    made = ReportExporter(
        template_name="svc",
        # absolute, and first: a folder of this name elsewhere must not shadow ours
        extra_template_basedirs=[str(TEMPLATES)],
        default_preprocessors=[],
    )
    filters = {"clean": clean, "plain": escape, "markdown": _markdown, "picture": _picture, "unshown": _unshown}
    for name, function in (filters | {"prose": _prose, "origin": _origin, "filter_data_type": _best_kind}).items():
        made.register_filter(name, function)
    return made


_KINDS = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")


def _best_kind(data: Mapping[str, Any]) -> list[str]:
    """The richest form of an output that a page without script can show."""
    return [next((kind for kind in _KINDS if kind in data), "none of these")]


def _unshown(cell: Mapping[str, Any]) -> str:
    return f'<p class="svc-more">{escape(words.say("report.unshown", cell=str(cell["execution_count"])))}</p>'


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)
    return clean(str(MarkdownWithMath(renderer=renderer).render(source)))


def _prose(cell: Mapping[str, Any]) -> str:
    """A markdown cell in the reader's language; where the catalogue has no translation, marked as English."""
    language = words.current_language()
    if language == _NOTEBOOKS_SPEAK:
        return _markdown(cell["source"])
    key = _prose_keys().get(_plain_words(cell["source"]))
    if key:
        return _markdown(words.say(key))
    return f'<div lang="{_NOTEBOOKS_SPEAK}">{_markdown(cell["source"])}</div>'


_NOTEBOOKS_SPEAK = "en"


@lru_cache(maxsize=1)
def _prose_keys() -> dict[str, str]:
    """The prose of the notebooks to its key in the catalogue."""
    found = words.messages(_NOTEBOOKS_SPEAK).items()
    return {_plain_words(str(text)): key for key, text in found if key.startswith("prose.")}


def _plain_words(text: str) -> str:
    return " ".join(text.split())


def _picture(output: Mapping[str, Any], kind: str, cell: Mapping[str, Any]) -> str:
    """A bare picture, as matplotlib shows one by itself: it has no words, so the page says so."""
    from urllib.parse import quote

    data = output["data"][kind]
    source = f"data:{kind},{quote(data)}" if kind.endswith("xml") else f"data:{kind};base64,{data.replace(chr(10), '')}"
    given = output.get("metadata", {}).get(kind, {}).get("alt")
    alt = given or words.say("report.no_alt", cell=str(cell.get("execution_count")))
    return clean(f'<figure class="svc-figure"><img class="svc-chart" src="{source}" alt="{escape(alt)}"></figure>')


def _origin(cell: Mapping[str, Any]) -> str:
    lines = [line.strip() for line in cell["source"].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    code = lines[-1] if lines else ""
    code = code if len(code) <= 90 else f"{code[:89]}…"
    text = escape(words.say("report.origin", cell=str(cell["execution_count"])))
    return f'<p class="svc-origin">{text} <code>{escape(code)}</code></p>'


LINKS = (
    "portal", "period", "department", "notebook", "previous", "next", "glossary",
    "kpi_analysis", "root_cause_analysis", "outcome_evaluation",
)  # fmt: skip


def all_links(links: Mapping[str, str | None]) -> dict[str, str | None]:
    """Each link a page may have, None where it has not.

    >>> all_links({"portal": "../../index.html"})["next"] is None
    True
    >>> all_links({"portla": "x"})
    Traceback (most recent call last):
    ValueError: a page has no link named 'portla'
    """
    for name in links.keys() - set(LINKS):
        raise ValueError(f"a page has no link named {name!r}")
    return {name: links.get(name) or None for name in LINKS}


def _with_glossary(links: Mapping[str, str | None], language: str) -> Mapping[str, str | None]:
    """The links with the glossary, which lies beside the portal."""
    portal = links.get("portal")
    if not portal or links.get("glossary"):
        return links
    return {**links, "glossary": portal.removesuffix("index.html") + glossary_name(language)}


@dataclass(frozen=True)
class Fact:
    """A line of the provenance: its name in the reader's language and its value."""

    name: str
    value: str


def provenance_facts(provenance: Mapping[str, Any]) -> list[Fact]:
    named = []
    for key, value in provenance.items():
        name = words.say(f"provenance.{key}") if words.known(f"provenance.{key}") else str(key)
        if isinstance(value, Mapping):
            facts = {part: entry for part, entry in value.items() if part != "changed"}
            told = [f"{part} {_short(entry)}" for part, entry in facts.items()]
            text = ", ".join(told + [words.say("provenance.changed")] * bool(value.get("changed")))
        elif isinstance(value, list | tuple):
            text = ", ".join(map(_short, value))
        else:
            text = _short(value)
        named.append(Fact(name, text))
    return named


def _short(value: Any) -> str:
    """A fact as text; a checksum by its beginning, which is enough to tell it from others."""
    if value is None:
        return words.say("value.none")
    if isinstance(value, bool):
        return words.say("show.yes" if value else "show.no")
    text = str(value)
    return text[:12] if re.fullmatch(r"[0-9a-f]{24,}", text) else text


def render_notebook(
    notebook: NotebookNode,
    *,
    title: str,
    language: str,
    department: str,
    period: str,
    provenance: Mapping[str, Any],
    links: Mapping[str, str | None],
    organisation: str = "",
) -> str:
    """The page of an executed notebook.

    Parameters
    ----------
    notebook
        Executed without an error.
    title
        Of the report, e.g. its name in the reader's language.
    language
        Language of the page; the outputs were written in it when the notebook ran.
    department
        Its name for people.
    period
        Label, e.g. ``2026-10``.
    provenance
        Name to value: snapshot, versions, parameters. Names that the catalogue knows (``provenance.<name>``) are
        translated.
    links
        Relative addresses: ``portal``, ``period``, ``department``, ``notebook``, ``previous``, ``next``, ``glossary``,
        ``kpi_analysis``, ``root_cause_analysis``, ``outcome_evaluation``; those left out or None are not shown.
    organisation
        Name above the title.

    Raises
    ------
    ValueError
        A cell of the notebook ended with an error: that calls for `render_failure`.
    """
    failed = [cell for cell in notebook.cells if _error(cell)]
    if failed:
        raise ValueError(f"cell {failed[0].get('execution_count')} of the notebook ended with an error")
    with words.use_language(language):
        body, contents = outline(_article(notebook), taken=frozenset({"main", "contents", "provenance", "notes"}))
        return write_page(
            "report.html.j2",
            language=language,
            title=title,
            organisation=organisation,
            department=department,
            period=period,
            body=Markup(body),
            contents=_contents(contents),
            notes=_notes(notebook.cells),
            provenance=provenance_facts(provenance),
            links=all_links(_with_glossary(links, language)),
        )


def _article(notebook: NotebookNode) -> str:
    cells = [
        cell
        for cell, idle in zip(notebook.cells, _introduces_nothing(notebook.cells), strict=True)
        if not idle and not TAGS_LEFT_OUT & set(cell.metadata.get("tags", []))
    ]
    chosen = type(notebook)({**notebook, "cells": cells})
    text, _ = exporter().from_notebook_node(chosen)
    return _shorter(str(text).strip())


def _shorter(html: str) -> str:
    """The same document without end tags and quotes that HTML does without; tables behind figures have thousands.

    >>> _shorter('<tr><th scope="row">Oct</th><td class="a b">3</td></tr></tbody>')
    '<tr><th scope=row>Oct<td class="a b">3</tbody>'
    """
    html = re.sub(r"</(?:td|th)>(?=<t[dh][ >]|</tr>)|</tr>(?=<tr[ >]|</tbody>|</thead>)", "", html)
    html = re.sub(r"</dt>(?=<dd>)|</dd>(?=</div>)|</li>(?=<li>|</ul>|</ol>)", "", html)
    html = re.sub(
        r"</p>(?=<(?:p|ul|ol|dl|div|table|figure|details|section|h[2-6])[ >]|</(?:div|section|details)>)", "", html
    )
    # within tags only: everywhere else a quoted word is text
    return re.sub(r"<[a-z][^<>]*>", lambda tag: _QUOTED.sub(r"\1\2", tag[0]), html)


_QUOTED = re.compile(r'( (?:class|scope|role|tabindex|width|height|aria-hidden|aria-label)=)"([\w-]+)"(?=[ >])')


def _introduces_nothing(cells: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which prose stands before a result that turned out empty, such as the actions of a plan that has none."""
    idle = []
    for cell, following in zip(cells, [*cells[1:], {}], strict=True):
        shown = [output.get("data", {}) for output in following.get("outputs", [])]
        blank = bool(shown) and all("text/html" in data and data.get("text/plain") == "" for data in shown)
        idle.append(cell["cell_type"] == "markdown" and blank)
    return idle


def _contents(entries: Sequence[Entry]) -> list[Entry]:
    deep = len(entries) <= 40
    return [entry for entry in entries if entry.level == 2 or (entry.level == 3 and deep)]


def _error(cell: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((output for output in cell.get("outputs", []) if output["output_type"] == "error"), None)


def _notes(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the cells printed, in order. Warnings stay in the notebook: they speak of code and paths."""
    printed = [
        output["text"].strip()
        for cell in cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stdout" and output["text"].strip()
    ]
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(printed))[:_MOST_NOTES]
    return [line for line in text.splitlines() if line.strip()]


def render_failure(
    failure: Mapping[str, Any],
    *,
    title: str,
    language: str,
    department: str,
    period: str,
    links: Mapping[str, str | None],
    provenance: Mapping[str, Any] | None = None,
    organisation: str = "",
) -> str:
    """The page of a report that could not be made: why, in plain words, and what to do. It shows no data.

    Parameters
    ----------
    failure
        ``reason``: a code of the catalogue (``failure.<code>``, e.g. ``died``) or plain text; where known ``cell``
        (number of the cell), ``source`` (its last lines), ``error`` (its kind), ``message`` (without data) and
        ``lines`` (places of the traceback).
    title, language, department, period, links, provenance, organisation
        As for `render_notebook`.
    """
    reason = str(failure["reason"])
    with words.use_language(language):
        code = reason if words.known(f"failure.{reason}") else "other"
        return write_page(
            "failure.html.j2",
            language=language,
            title=title,
            organisation=organisation,
            department=department,
            period=period,
            reason=words.say(f"failure.{code}") if code == reason else reason,
            cure=words.say(f"failure_cure.{code}"),
            cell=failure.get("cell"),
            error=failure.get("error", ""),
            message=failure.get("message", ""),
            source=failure.get("source", ""),
            lines=list(failure.get("lines") or ()),
            provenance=provenance_facts(provenance or {}),
            links=all_links(_with_glossary(links, language)),
        )
