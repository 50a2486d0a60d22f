"""The smallest piece of a report: markup that is ready, and the same as plain text. All data are escaped here, once."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

# Control characters have no place in text; the bidirectional ones could turn a sentence around.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


def escape(text: Any) -> str:
    """Plain text as HTML text or attribute: markup signs escaped, control characters dropped.

    >>> escape('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    return html.escape(_CONTROLS.sub("", str(text)), quote=True)


def slug(text: str) -> str:
    """An id for a heading.

    >>> slug("First-contact résolution (%)"), slug("😀")
    ('first-contact-resolution', 'part')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "part"


@dataclass(frozen=True)
class Block:
    """A piece of a report: `html` is ready and escaped, `plain` is what a terminal or an e-mail shows."""

    html: str
    plain: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": f'<div class="svc"><style>{_LAB_STYLE}</style>{self.html}</div>', "text/plain": self.plain}

    def __repr__(self) -> str:
        return self.plain


class Shown:
    """What a result of several parts shows of itself: in a notebook as markup, printed as the same in plain text.

    Its `repr` is one line: a bound method or an error message would otherwise spell out every table inside.
    """

    def _shown(self) -> Block:
        raise NotImplementedError

    @property
    def _called(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._shown()._repr_mimebundle_(include, exclude)

    def __str__(self) -> str:
        return self._shown().plain

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._called}>"


_LAB_STYLE = (
    ".svc{max-width:60rem;line-height:1.5}.svc figure{margin:1em 0}.svc .svc-plot{overflow-x:auto}"
    ".svc .svc-chart{background:#fff;max-width:max(100%,32rem);height:auto}.svc figcaption,.svc caption{text-align:left;font-weight:600;"
    "padding:.3em 0}.svc table{border-collapse:collapse;font-variant-numeric:tabular-nums}.svc .svc-scroll{overflow-x:"
    "auto}.svc th,.svc td{padding:.2em .7em;text-align:left!important;border-bottom:1px solid #8884}"
    ".svc .svc-n,.svc .svc-table td{text-align:right!important}.svc .svc-table .svc-t{text-align:left!important}.svc .svc-label{display:none}.svc .svc-sentence{font-size:1.05em}.svc .svc-beside{display:grid;gap:1em;"
    "grid-template-columns:repeat(auto-fit,minmax(20rem,1fr))}.svc .svc-note{border-left:4px solid #66717f;padding:"
    ".1em 1em;margin:1em 0}.svc .svc-note-warning,.svc .svc-note-caution{border-color:#c04a00}.svc .svc-note-good"
    "{border-color:#0067b1}.svc .svc-badge{white-space:nowrap;font-weight:600}.svc summary{cursor:pointer}"
    ".svc .svc-facts{display:flex;flex-wrap:wrap;gap:.3em 2em}.svc dt,.svc dd{float:none;"
    "width:auto;display:block;padding:0;margin:0}.svc dt{font-size:.85em;opacity:.8}"
    ".svc .svc-hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}"
    "@media(prefers-color-scheme:dark){.svc .svc-chart{background:#171c23}}"
)
