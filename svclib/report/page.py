"""The frame of every page: one template folder, one style sheet, a content-security policy made for the page."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from svclib.report import words

TEMPLATES = Path(__file__).parents[2] / "templates"


def policy(style: str, script: str = "") -> str:
    """The content-security policy of a page: nothing is fetched, and only this style and this script run.

    >>> policy("p{}")
    "default-src 'none'; img-src data:; style-src 'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='; \
base-uri 'none'; form-action 'none'"
    """
    allowed = [f"style-src {_digest(style)}"] + ([f"script-src {_digest(script)}"] if script else [])
    return f"default-src 'none'; img-src data:; {'; '.join(allowed)}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# They are many, and have none of the portal's grids and cards.
_PLAIN_PAGES = frozenset({"report.html.j2", "failure.html.j2", "glossary.html.j2"})


@lru_cache
def style_sheet(*names: str) -> str:
    """Style sheets, one behind the other, without comments and idle space."""
    text = "\n".join((TEMPLATES / "static" / f"{name}.css").read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s*\n\s*", "\n", text)
    return re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r":\s+", ":", text)).replace(";}", "}").strip()


@lru_cache
def script(name: str) -> str:
    """A script of the portal, as it stands in the page."""
    return (TEMPLATES / "static" / name).read_text(encoding="utf-8").strip()


@lru_cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    # messages are looked up with the page's language, which is current while it is written
    environment.globals.update({name: getattr(words, name) for name in words.__all__})
    return environment


def write_page(template: str, *, language: str, with_script: str = "", **values: Any) -> str:
    """A page from a template of ``templates/pages``; values are plain text unless they are `Markup`."""
    sheets = ("report",) if template in _PLAIN_PAGES else ("report", "portal")
    style, code = style_sheet(*sheets), script(with_script) if with_script else ""
    with words.use_language(language):
        text = (
            _environment()
            .get_template(template)
            .render(language=words.current_language(), style=style, script=code, policy=policy(style, code), **values)
        )
    return re.sub(r"\n\s*\n+", "\n", text)
