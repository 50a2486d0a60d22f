"""The glossary: every term that the reports use, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svclib.report import words
from svclib.report.page import write_page
from svclib.report.show import STANDING_SIGNS, slug
from svclib.report.words.messages import resolve


@dataclass(frozen=True)
class Term:
    """A term and what it means; `sign` is its shape where it is a state."""

    name: str
    meaning: str
    sign: str = ""

    @property
    def anchor(self) -> str:
        return slug(self.name)


def terms(language: str | None = None) -> list[Term]:
    """The terms in alphabetical order: the catalogue's ``term.<code>.name`` and ``term.<code>.meaning``.

    Examples
    --------
    >>> [term.name for term in terms("en") if term.anchor.startswith("control")]
    ['Control chart', 'Control limits']
    """
    language = language or words.current_language()
    codes = [key.split(".")[1] for key in words.messages(language) if key.startswith("term.") and key.endswith(".name")]
    found = [Term(words.say(f"term.{c}.name", language), words.say(f"term.{c}.meaning", language)) for c in codes]
    return sorted(found, key=lambda term: slug(term.name))


def states(language: str | None = None) -> list[Term]:
    """The states of a KPI, each with its shape."""
    return [
        Term(words.say(f"state.{code}", language), words.say(f"state_meaning.{code}", language), sign)
        for code, sign in STANDING_SIGNS.items()
    ]


def glossary_page(language: str) -> str:
    """The glossary as a page."""
    with words.use_language(language):
        return write_page(
            "glossary.html.j2",
            language=language,
            title=words.say("page.glossary"),
            organisation="",
            terms=terms(),
            states=states(),
            contents=[],
            provenance=[],
        )


def glossary_name(language: str) -> str:
    """File name of the glossary that serves a language.

    >>> glossary_name("it-CH")
    'glossary-it.html'
    """
    return f"glossary-{resolve(language)}.html"


def write_glossary(out: Path, language: str) -> Path:
    """Write the glossary of a language into the folder of all reports."""
    path = out / glossary_name(language)
    path.write_text(glossary_page(language), encoding="utf-8", newline="\n")
    return path
