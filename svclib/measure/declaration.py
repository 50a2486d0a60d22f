"""A KPI with the source that feeds it and the days which that source covers."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from svclib.catalogue.models import Kpi, Source
from svclib.measure.periods import Frequency, Period


@dataclass(frozen=True)
class Coverage:
    """The days whose rows a source holds in full, `end` exclusive, and how long it follows what became of them.

    An export of one year's cases may tell of closings long after that year: it is `followed` until then (exclusive).
    """

    start: dt.date
    end: dt.date
    followed: dt.date | None = None

    def cutoff(self, as_of: dt.datetime) -> dt.datetime:
        """Until when the source tells what became of its cases: the cut-off, or the end of an export that is older."""
        return min(as_of, dt.datetime.combine(self.followed or self.end, dt.time()))


@dataclass(frozen=True)
class Declaration:
    """A KPI, the source that feeds it, the days that source covers, and whom it is measured for.

    `booleans` are the source's columns, in lower case, that hold true and false.
    """

    kpi: Kpi
    source: Source
    coverage: Coverage
    departments: tuple[str, ...]
    booleans: frozenset[str] = frozenset()


def coverage_of(
    days: Iterable[dt.date], source: Source, as_of: dt.datetime, known_until: dt.date | None = None
) -> Coverage:
    """The days a source covers, told from the days on which it has rows.

    A first or last period is only partly covered where the source begins late in it, or ends early: later than its
    longest silence would explain. What the source declares (`final_from`, `final_to`) goes before. `known_until` is
    the last day of any stamp of the source.

    Examples
    --------
    Months as totals cover their whole month, although only its first day has a row.

    >>> source = Source(name="s", shape="counts", read="s.csv", columns={"period": "m", "department": "d"})
    >>> coverage_of([dt.date(2026, m, 1) for m in range(1, 10)], source, dt.datetime(2026, 11, 5))
    Coverage(start=datetime.date(2026, 1, 1), end=datetime.date(2026, 10, 1), followed=datetime.date(2026, 10, 1))
    """
    ordered = sorted(set(days))
    cutoff = as_of.date() if as_of.time() == dt.time() else as_of.date() + dt.timedelta(days=1)
    if not ordered:
        return Coverage(cutoff, cutoff, cutoff)
    silence = max(((b - a).days for a, b in itertools.pairwise(ordered)), default=1)
    frequency = _totals_of(ordered) if source.shape == "counts" else None
    if frequency:
        start, end = ordered[0], Period.containing(ordered[-1], frequency).end
    else:
        first = Period.containing(ordered[0], "month").start
        start = first if (ordered[0] - first).days < silence else ordered[0]
        end = ordered[-1] + dt.timedelta(days=1)
        if (cutoff - end).days < silence:
            end = cutoff
    if source.final_from:
        start = source.final_from
    if source.final_to:
        end = source.final_to + dt.timedelta(days=1)
    followed = max(end, known_until + dt.timedelta(days=1)) if known_until else end
    if not frequency and (cutoff - followed).days < silence:
        followed = cutoff
    return Coverage(start, min(end, cutoff), min(followed, cutoff))


def _totals_of(days: list[dt.date]) -> Frequency | None:
    """The frequency of totals whose dates are all first days of a quarter, month or week."""
    if len(days) < 2:
        return "month" if days[0].day == 1 else None
    for frequency in ("quarter", "month", "week"):
        if all(Period.containing(day, frequency).start == day for day in days):
            return frequency
    return None
