"""Headings in order, anchors that are unique, and the table of contents they make."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from svclib.report.show import slug

_HEADING = re.compile(r"(<section\b[^>]*>)?\s*<h([1-6])([^>]*)>(.*?)</h\2>", re.S)
_ID = re.compile(r'\s*\bid="([^"]*)"')
_BADGE = re.compile(r'<span class="svc-badge.*?</span>\s*\w*[^<]*</span>', re.S)


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents."""

    level: int
    title: str
    anchor: str


def outline(body: str, *, taken: frozenset[str] = frozenset()) -> tuple[str, list[Entry]]:
    """The clean body with its headings put in order, and its table of contents.

    The page's own title is its only ``h1``: the body's first ``h1`` goes, later ones become ``h2``; a level is never
    skipped. Each heading gets an anchor, its section's where there is one.

    Examples
    --------
    >>> body, entries = outline("<h1>Report</h1><h2>Calls</h2><h4>Calls</h4>")
    >>> body
    '<h2 id="calls">Calls</h2><h3 id="calls-2">Calls</h3>'
    >>> [(entry.level, entry.anchor) for entry in entries]
    [(2, 'calls'), (3, 'calls-2')]
    """
    entries: list[Entry] = []
    anchors = set(taken)
    state = {"titled": False, "level": 1}

    def place(match: re.Match[str]) -> str:
        section, level, attributes, inner = match[1] or "", int(match[2]), match[3], match[4]
        if level == 1 and not state["titled"]:
            state["titled"] = True
            return section
        level = min(max(level, 2), state["level"] + 1)
        state["level"] = level
        title = _plain(inner)
        wanted = _ID.search(section) or _ID.search(attributes)
        anchor = _unique(wanted[1] if wanted else slug(title), anchors)
        entries.append(Entry(level, title, anchor))
        return f'{_ID.sub("", section)}<h{level}{_ID.sub("", attributes)} id="{anchor}">{inner}</h{level}>'

    return _HEADING.sub(place, body), entries


def _plain(inner: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", _BADGE.sub("", inner))).strip()


def _unique(anchor: str, taken: set[str]) -> str:
    candidate, number = anchor, 1
    while candidate in taken:
        number += 1
        candidate = f"{anchor}-{number}"
    taken.add(candidate)
    return candidate
