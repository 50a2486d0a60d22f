"""What comments say in the gap's segment against the rest: words by log-odds with a prior, and the code book's themes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats

from svclib.catalogue.models import Theme

_FALSE_WORDS = FALSE_THEMES = 0.05
_WORD = re.compile(r"[^\W\d_]{3,}")
# Whatever could lead to a person: addresses, numbers long enough for a telephone or a case.
_TRACES = re.compile(r"\S+@\S+|https?://\S+|\+?\d[\d\s/.-]{5,}\d")


@dataclass(frozen=True)
class WordFound:
    """A word that is more usual in the segment: `z` of its log-odds, and the comments that hold it."""

    word: str
    log_odds: float
    z: float
    inside: int
    outside: int


@dataclass(frozen=True)
class ThemeFound:
    """A theme of the code book: share of comments that speak of it, here and in the rest.

    `p` is two-sided (Fisher) and corrected for the number of themes (Benjamini and Hochberg 1995).
    """

    code: str
    title: str
    inside: int
    share: float
    share_outside: float
    p: float


@dataclass(frozen=True)
class Themes:
    """What the comments say; `quotes` are withheld where fewer comments than the disclosure minimum were written."""

    comments: int
    comments_outside: int
    words: tuple[WordFound, ...]
    themes: tuple[ThemeFound, ...]
    quotes: tuple[str, ...]
    withheld: bool

    @property
    def leading(self) -> tuple[ThemeFound, ...]:
        """The themes that come up more often than in the rest, beyond chance."""
        return tuple(found for found in self.themes if found.p < FALSE_THEMES and found.share > found.share_outside)


def compare_comments(
    inside: Sequence[str],
    outside: Sequence[str],
    code_book: Sequence[Theme] = (),
    *,
    quotable: Sequence[str] | None = None,
    minimum: int = 5,
    most: int = 8,
) -> Themes:
    """Compare the comments of a segment with all others.

    Words: log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, Political Analysis 16: 372-403,
    eqs. 15, 16, 22), counted once a comment; of those kept one in twenty may be chance, however many were compared
    (Benjamini and Hochberg 1995). Themes: a comment speaks of one if a word of it begins
    like one of the theme's words.

    Parameters
    ----------
    quotable : those of `inside` that may be quoted, as the ones by people who were not content; all where left out.

    Examples
    --------
    >>> found = compare_comments(["The bot never lets me log in"] * 9, ["Kind person, thank you"] * 40)
    >>> found.words[0].word in {"bot", "log", "lets", "never", "the"}, found.withheld
    (True, False)
    """
    inside, outside = _written(inside), _written(outside)
    withheld = len(inside) < minimum
    if withheld or not outside:
        return Themes(len(inside), len(outside), (), (), (), withheld)
    words = _words(inside, outside, minimum)[:most]
    themes = _themes(inside, outside, code_book)
    found = Themes(len(inside), len(outside), tuple(words), themes, (), False)
    return replace(found, quotes=_quotes(inside if quotable is None else _written(quotable), found, code_book))


def _written(comments: Sequence[str]) -> list[str]:
    return [text.strip() for text in comments if isinstance(text, str) and text.strip()]


def _words(inside: list[str], outside: list[str], minimum: int) -> list[WordFound]:
    here, there = (Counter(w for text in part for w in set(_tokens(text))) for part in (inside, outside))
    n, m = sum(here.values()), sum(there.values())
    if not n or not m:
        return []
    # The prior is worth as many words as the smaller side has, shared out as in all comments.
    weight = min(n, m) / (n + m)
    total = weight * (n + m)
    found = []
    for word, y in here.items():
        if y < minimum:  # it could point at a person
            continue
        z = there[word]
        a = weight * (y + z)
        odds = np.log((y + a) / (n + total - y - a)) - np.log((z + a) / (m + total - z - a))
        score = odds / np.sqrt(1 / (y + a) + 1 / (z + a))
        found.append(WordFound(word, float(odds), float(score), y, z))
    if not found:
        return []
    false = stats.false_discovery_control(stats.norm.sf([item.z for item in found]), method="bh")
    kept = [item for item, share in zip(found, false, strict=True) if share <= _FALSE_WORDS]
    return sorted(kept, key=lambda item: (-item.z, item.word))


def _tokens(text: str) -> list[str]:
    return _WORD.findall(_TRACES.sub(" ", text).casefold())


def speaks_of(text: str, words: Sequence[str]) -> bool:
    """Whether a comment holds a word that begins like one of the theme's.

    >>> speaks_of("Parcels got lost", ["parcel"]), speaks_of("No recipe", ["rec"]), speaks_of("A record", ["cord"])
    (True, True, False)
    """
    return _beginnings(tuple(words)).search(text.casefold()) is not None


@lru_cache(maxsize=256)
def _beginnings(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(word.casefold()) for word in words) + ")")


def _themes(inside: list[str], outside: list[str], code_book: Sequence[Theme]) -> tuple[ThemeFound, ...]:
    found = []
    for theme in code_book:
        a, b = (sum(speaks_of(text, theme.words) for text in part) for part in (inside, outside))
        p = float(stats.fisher_exact([[a, len(inside) - a], [b, len(outside) - b]]).pvalue)
        found.append(ThemeFound(theme.code, theme.title, a, a / len(inside), b / len(outside), p))
    if not found:
        return ()
    corrected = stats.false_discovery_control([item.p for item in found], method="bh")
    found = [replace(item, p=float(p)) for item, p in zip(found, corrected, strict=True)]
    return tuple(sorted(found, key=lambda item: (item.p, item.code)))


def _quotes(comments: list[str], found: Themes, code_book: Sequence[Theme], most: int = 3) -> tuple[str, ...]:
    """Up to three comments that hold most of what tells the segment apart; traces of persons blacked out, each once."""
    telling = {item.word for item in found.words}
    leading = {item.code for item in found.leading}
    books = [theme.words for theme in code_book if theme.code in leading]
    scored = []
    once = {" ".join(_tokens(text)): text for text in reversed(comments)}
    for text in once.values():
        score = len(telling & set(_tokens(text))) + sum(speaks_of(text, book) for book in books)
        scored.append((-score, len(text), text))
    chosen = [text for score, _, text in sorted(scored) if score < 0][:most]
    return tuple(_TRACES.sub("\u2588\u2588\u2588", text)[:240] for text in chosen)


def inside_of(rows: pd.DataFrame, where: Sequence[tuple[str, str]]) -> np.ndarray | None:
    """Which rows belong to a segment; None where they lack one of its dimensions.

    Examples
    --------
    >>> inside_of(pd.DataFrame({"channel": ["Chat", None, "Mail"]}), [("channel", "")])
    array([False,  True, False])
    """
    if any(name not in rows for name, _ in where):
        return None
    mask = np.ones(len(rows), dtype=bool)
    for name, value in where:
        mask &= (rows[name].astype("object").where(rows[name].notna(), "").astype(str) == value).to_numpy()
    return mask
