"""Are the data as new as the calendar? An export that stopped makes no run fail, so that somebody has to say it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from svclib.measure.periods import Period

if TYPE_CHECKING:
    from svclib.prepared import Prepared

_DAY = dt.timedelta(days=1)
_NAMED = 5
_NEARLY = 7 * _DAY  # a weekend, or a holiday beside it, at the end of a period


def calendar_notes(prepared: Prepared, period: Period, *, asked: bool, as_of: str | None = None) -> list[str]:
    """What a run has to say of its period: that it is still running, or that the data end too early for it.

    Parameters
    ----------
    prepared
        As `svclib.prepared.prepare` gives it.
    period
        The period whose reports are made.
    asked
        Whether it was named, and is not the latest complete one by default.
    as_of
        The cut-off that was named; what the calendar says is told from it.
    """
    return list(_notes(prepared, period, asked, as_of))


def _notes(prepared: Prepared, period: Period, asked: bool, as_of: str | None) -> Iterator[str]:
    catalogue = prepared.catalogue
    today = dt.date.fromisoformat(as_of) + _DAY if as_of else catalogue.organisation.today()
    due = Period.containing(today, period.frequency).previous()
    if asked and period.end > today:
        last = period.end - _DAY
        yield f"{period.label} is still running until {last}; its reports carry no final figure"
        return
    if (catalogue.folder.parent / "data" / ".sample").exists():
        return  # made data end on the day that they were made for
    if asked:
        due = period
    covered, ended = prepared.covered_until(), {source.name for source in catalogue.sources if source.final_to}
    covered = {name: end for name, end in covered.items() if name not in ended} or covered  # it is known to have ended
    behind = {name: end for name, end in covered.items() if end < due.end}
    if not behind:
        if period.start < due.start:
            yield f"there is no figure of {due.label} yet, so these are the reports of {period.label}"
        return
    last = max(behind.values()) - _DAY
    everything = len(behind) == len(covered)
    where = "the data end" if everything else _told([f"'{name}' ({end - _DAY})" for name, end in behind.items()])
    when = f" on {last}" if everything else ""
    instead = f", so these are the reports of {period.label}" if period.start < due.start else ""
    cure = "Cure: see whether the export has stopped"
    if ended & behind.keys():
        cure += ", or 'final_to' in sources.yaml is out of date"
    if everything and not as_of and due.end - last <= _NEARLY:
        cure += f"; if it is complete, say so with --as-of {due.end - _DAY}"
    yield f"{where}{when} before {due.label} ended{instead}. {cure}"


def _told(names: Sequence[str]) -> str:
    """Sources with their last days, for the beginning of a sentence.

    >>> _told(["'tickets' (2026-08-30)", "'surveys' (2026-09-02)"])
    "the sources 'tickets' (2026-08-30), 'surveys' (2026-09-02) end"
    """
    if len(names) == 1:
        return f"the source {names[0]} ends"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the sources {', '.join(names[:_NAMED])}{more} end"
