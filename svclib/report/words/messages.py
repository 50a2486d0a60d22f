"""The message catalogue: keys to sentences, one TOML file a language."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token
from decimal import Decimal
from functools import lru_cache
from types import TracebackType
from typing import Any

from babel import Locale, UnknownLocaleError

from svclib.errors import InputRefused, Problem
from svclib.paths import WORDS, is_report_language, report_languages

_PLURALS = frozenset({"zero", "one", "two", "few", "many", "other"})
_current: ContextVar[str] = ContextVar("language", default="en")

Message = str | Mapping[str, str]


class MessageMissing(LookupError):
    """A key that a language's catalogue lacks, or a placeholder that was given no value."""


class use_language:  # noqa: N801 - reads as a verb, as in contextlib
    """Speak this language from here on; as a context manager, only inside the block.

    A code without a catalogue of its own falls back to its base language (``it-CH`` speaks ``it``).

    Raises
    ------
    MessageMissing
        No catalogue for the language.

    Examples
    --------
    >>> with use_language("it-CH"):
    ...     current_language()
    'it'
    >>> use_language("xx")
    Traceback (most recent call last):
    svclib.report.words.messages.MessageMissing: no catalogue for the language 'xx'; there are en, it
    """

    def __init__(self, language: str) -> None:
        self._token: Token[str] = _current.set(resolve(language))

    def __enter__(self) -> use_language:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)


def check_language(language: str) -> None:
    """Refuse a language that reports cannot be written in.

    Raises
    ------
    InputRefused
        Names the known ones.
    """
    if not isinstance(language, str) or not is_report_language(language):
        what = f"no reports can be written in the language {language!r}"
        raise InputRefused(Problem("language", what, f"known: {', '.join(languages())}"))


def speak(language: str) -> None:
    """Speak a language from here on, as `use_language`; for a language that somebody asked for (`check_language`)."""
    check_language(language)
    use_language(language)


def current_language() -> str:
    """The language spoken now, a code such as ``en``."""
    return _current.get()


@lru_cache
def languages() -> tuple[str, ...]:
    """Languages that have a catalogue.

    >>> languages()
    ('en', 'it')
    """
    return report_languages()


def _base(language: str) -> str:
    return language.replace("_", "-").split("-")[0].lower()


@lru_cache
def resolve(language: str) -> str:
    """The catalogue that serves a language code."""
    for code in (language.replace("_", "-"), _base(language)):
        if code in languages():
            return code
    raise MessageMissing(f"no catalogue for the language {language!r}; there are {', '.join(languages())}")


@lru_cache
def locale(language: str) -> Locale:
    """Babel's locale of a catalogue."""
    try:
        return Locale.parse(language, sep="-")
    except UnknownLocaleError:
        raise MessageMissing(f"{language!r} is no language that Babel knows") from None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Message]]:
    for name, entry in table.items():
        key = f"{prefix}{name}"
        if isinstance(entry, str) or (entry and "other" in entry and entry.keys() <= _PLURALS):
            yield key, entry
        elif isinstance(entry, Mapping):
            yield from _flat(entry, f"{key}.")
        else:
            raise ValueError(f"message {key} is neither text nor a table")


@lru_cache
def messages(language: str) -> Mapping[str, Message]:
    """All messages of a language by dotted key; a message is text, or its plural forms.

    Raises
    ------
    ValueError
        An entry is neither text nor a table, or (`tomllib.TOMLDecodeError`) a key is written twice.
    """
    text = (WORDS / f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text)))


def placeholders(message: Message) -> frozenset[str]:
    """Names of the placeholders of a message.

    >>> sorted(placeholders("{title} met its target {target}."))
    ['target', 'title']
    """
    forms = [message] if isinstance(message, str) else message.values()
    return frozenset(name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name)


def known(key: str, language: str | None = None) -> bool:
    """Whether the catalogue has the key."""
    return key in messages(resolve(language) if language else _current.get())


def say(key: str, language: str | None = None, **values: Any) -> str:
    """The message of a key, its placeholders filled in.

    Parameters
    ----------
    key
        Dotted name, e.g. ``state.concern``.
    language
        The current language (`use_language`) where left out.
    **values
        One for each placeholder: text that is ready to read. A bare number is written in the language's way.
        A message with plural forms chooses by `count`, a whole number or a `Decimal` as it is printed.

    Raises
    ------
    MessageMissing
        The key is not in the catalogue, or a placeholder has no value.

    Examples
    --------
    >>> say("state.concern")
    'Concern'
    >>> say("nothing.here", "it")
    Traceback (most recent call last):
    svclib.report.words.messages.MessageMissing: no message 'nothing.here' in the catalogue of 'it'
    """
    code = resolve(language) if language else _current.get()
    message = messages(code).get(key)
    if message is None:
        raise MessageMissing(f"no message {key!r} in the catalogue of {code!r}")
    if not isinstance(message, str):
        message = _plural_form(key, code, message, values.get("count"))
    if "{" not in message and "}" not in message:
        return message
    from svclib.report.words.values import number

    ready = {name: entry if isinstance(entry, str) else number(entry, language=code) for name, entry in values.items()}
    try:
        return message.format_map(ready)
    except KeyError as missing:
        raise MessageMissing(f"message {key!r} of {code!r} needs a value for {missing}") from None


def _plural_form(key: str, language: str, forms: Mapping[str, str], count: Any) -> str:
    if not isinstance(count, int | Decimal):
        raise MessageMissing(f"message {key!r} has plural forms: give count, a whole number")
    return forms.get(locale(language).plural_form(abs(Decimal(count))), forms["other"])
