"""A part of the cases in words: its dimensions by a name for people, its values as the data have them."""

from __future__ import annotations

from collections.abc import Iterable

from svclib.explain.crosstab import OTHER
from svclib.report.words.messages import say

#: What a quiet gap is told as, where "no special cause" would deny what its chart or its history shows.
QUIETER = ("weak_signal", "improved", "changed_before", "drifting")


def shown_answer(answer: str, why_not: str | None, looked_at: int | None) -> str:
    """The answer to a gap as every page names it, told apart where a reader would take it for another.

    Parameters
    ----------
    answer, why_not
        As `svclib.explain.analysis.Gap` and its question have them.
    looked_at
        How many parts of the cases were looked at; None where none could be.

    >>> shown_answer("unlocated", "", None), shown_answer("general", "", 0), shown_answer("general", "", 15)
    ('unsearched', 'general_small', 'general')
    >>> shown_answer("no_special_cause", "weak_signal", None)
    'weak_signal'
    """
    if answer == "unlocated" and looked_at is None:
        return "unsearched"
    if answer == "general" and not looked_at:
        return "general_small"
    return why_not if why_not in QUIETER else answer


def gap_state(answer: str, why_not: str | None) -> str:
    """The state whose badge a gap has: a special cause is a concern, and what cannot be judged says by what.

    >>> gap_state("not_evaluable", "withheld"), gap_state("not_evaluable", "no_limits"), gap_state("local", None)
    ('withheld', 'too_few', 'concern')
    """
    if why_not == "improved":
        return "improvement"
    known = {"withheld": "withheld", "missing": "missing", "too_few": "too_few", "no_limits": "too_few"}
    states = {"no_special_cause": "common_cause", "not_evaluable": known.get(why_not or "", "provisional")}
    return states.get(answer, "concern")


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
