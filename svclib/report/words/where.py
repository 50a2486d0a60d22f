"""A part of the cases in words: its dimensions by a name for people, its values as the data have them."""

from __future__ import annotations

from collections.abc import Iterable

from svclib.explain.crosstab import OTHER
from svclib.report.words.messages import say


def label(name: str) -> str:
    """A column or dimension as people say it.

    >>> label("customer_type")
    'customer type'
    """
    return name.replace("_", " ").strip() or name


def value_name(value: str) -> str:
    """A value of a dimension; a missing one and the folded rest have names of their own."""
    if value == "":
        return say("root_cause.where.missing_value")
    return say("root_cause.where.other_value") if value == OTHER else value


def where_of(where: Iterable[tuple[str, str]]) -> str:
    """A segment in words.

    >>> where_of((("channel", "Chat"), ("customer_type", "")))
    'channel Chat, customer type (not stated)'
    """
    parts = [say("root_cause.where.item", dimension=label(name), value=value_name(value)) for name, value in where]
    return ", ".join(parts) or say("root_cause.where.all")
