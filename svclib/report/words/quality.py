"""Why a row lies in quarantine, in words."""

from __future__ import annotations

from svclib.report.words.messages import known, say


def quarantine_reason(code: str) -> str:
    """A code of the data contracts in words; the columns keep the names that the data have.

    Parameters
    ----------
    code
        As `svclib.collect.contracts` lists them; one that has no words stays as it is.

    Examples
    --------
    >>> quarantine_reason("order:opened_at>resolved_at")
    '“resolved_at” lies before “opened_at”'
    >>> quarantine_reason("malformed")
    'no row at all: too few or too many fields'
    """
    family, _, column = code.partition(":")
    first, _, second = column.partition(">")
    key = f"quarantine.{family}"
    return say(key, column=column, first=first, second=second) if known(key) else code
