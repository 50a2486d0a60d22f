"""Local stamps that exist once: the hours skipped or doubled when the clocks change are avoided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from svclib.sample.organisation import TIME_ZONE
from svclib.sample.span import Span

_HOUR = np.timedelta64(3600, "s")


@lru_cache(4)
def _changes(span: Span) -> Sequence[np.datetime64]:
    """The local hours that the clocks skip or show twice, by their first second."""
    zone = ZoneInfo(TIME_ZONE)
    first = dt.datetime.combine(span.first.start, dt.time(), tzinfo=dt.UTC)
    hours = (first + dt.timedelta(hours=h) for h in range(24 * (len(span.days) + 1)))
    changes = []
    previous = None
    for hour in hours:
        offset = hour.astimezone(zone).utcoffset()
        if previous is not None and offset != previous:
            standing = hour + min(offset, previous)  # type: ignore[operator, type-var]
            changes.append(np.datetime64(standing.replace(tzinfo=None), "s"))
        previous = offset
    return changes


def outside_clock_changes(stamps: np.ndarray, span: Span) -> np.ndarray:
    """Stamps an hour later where they fall into an hour that does not exist or exists twice.

    A ticket system that stores local time has such stamps; the sample has none, so that its planted facts do not
    depend on how they are read.

    Examples
    --------
    >>> from svclib.measure.periods import Period
    >>> span = Span(12, Period.parse("2026-10"))
    >>> outside_clock_changes(np.array(["2026-10-25T01:30:00", "2026-10-25T03:30:00"], "datetime64[s]"), span).tolist()
    [datetime.datetime(2026, 10, 25, 2, 30), datetime.datetime(2026, 10, 25, 3, 30)]
    """
    stamps = stamps.copy()
    for start in _changes(span):
        stamps[(stamps >= start) & (stamps < start + _HOUR)] += _HOUR
    return stamps
