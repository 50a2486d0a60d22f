"""The nearest known name to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from svclib.errors import InputRefused, Problem

Named = TypeVar("Named")


def nearest(name: str, known: Iterable[str]) -> str:
    """The cure for a misspelt name: the nearest known one, or all of them where none is near.

    >>> nearest("titel", ["title", "code"])
    "write 'title'"
    """
    known = list(known)
    folded = {other.lower(): other for other in known}
    if close := difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6):
        return f"write '{folded[close[0]]}'"
    if not known:
        return "none is declared"
    return "known: " + ", ".join(known[:25]) + (", ..." if len(known) > 25 else "")


def pick(found: Mapping[str, Named], name: str, kind: str, what: str) -> Named:
    """What bears a name; one that is not there is refused with the nearest.

    >>> pick({"csat": 1}, "csatt", "KPI", "has no figures in this report")
    Traceback (most recent call last):
    svclib.errors.InputRefused: KPI csatt: has no figures in this report. Cure: write 'csat'
    """
    if name not in found:
        raise InputRefused(Problem(f"{kind} {name}", what, nearest(name, found)))
    return found[name]
