"""Weeks, months and quarters as half-open ranges of local days."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

from svclib.errors import InputRefused, Problem

Frequency = Literal["week", "month", "quarter"]

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_WEEK = re.compile(r"(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])")
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")


def _add_months(year: int, month: int, months: int) -> dt.date:
    index = year * 12 + month - 1 + months
    return dt.date(index // 12, index % 12 + 1, 1)


@dataclass(frozen=True, order=True)
class Period:
    """A week (ISO), month or quarter; `start` is its first day and `end` the first day after it.

    Examples
    --------
    >>> Period.parse("2026-10").end
    datetime.date(2026, 11, 1)
    >>> Period.parse("2026-W01").start
    datetime.date(2025, 12, 29)
    >>> [p.label for p in Period.parse("2026-Q1").last(3)]
    ['2025-Q3', '2025-Q4', '2026-Q1']
    """

    start: dt.date
    end: dt.date
    label: str
    frequency: Frequency

    @classmethod
    def parse(cls, label: str) -> Period:
        """Read ``2026-10``, ``2026-W43`` or ``2026-Q3``; anything else is a `ValueError`."""
        if match := _MONTH.fullmatch(label):
            return cls.containing(dt.date(int(match[1]), int(match[2]), 1), "month")
        if match := _QUARTER.fullmatch(label):
            return cls.containing(dt.date(int(match[1]), 3 * int(match[2]) - 2, 1), "quarter")
        if match := _WEEK.fullmatch(label):
            try:
                return cls.containing(dt.date.fromisocalendar(int(match[1]), int(match[2]), 1), "week")
            except ValueError:
                raise ValueError(f"{label}: the year {match[1]} has no week {match[2]}") from None
        raise ValueError(f"{label!r} is no period; write 2026-10 (month), 2026-W43 (week) or 2026-Q3 (quarter)")

    @classmethod
    def containing(cls, day: dt.date, frequency: Frequency) -> Period:
        """The period that holds the day.

        >>> Period.containing(dt.date(2026, 12, 31), "week").label
        '2026-W53'
        """
        if frequency == "week":
            year, week, weekday = day.isocalendar()
            start = day - dt.timedelta(days=weekday - 1)
            return cls(start, start + dt.timedelta(days=7), f"{year}-W{week:02d}", "week")
        if frequency == "month":
            start = day.replace(day=1)
            return cls(start, _add_months(day.year, day.month, 1), f"{day.year}-{day.month:02d}", "month")
        quarter = (day.month - 1) // 3
        start = dt.date(day.year, 3 * quarter + 1, 1)
        return cls(start, _add_months(start.year, start.month, 3), f"{day.year}-Q{quarter + 1}", "quarter")

    def next(self) -> Period:
        return Period.containing(self.end, self.frequency)

    def previous(self) -> Period:
        return Period.containing(self.start - dt.timedelta(days=1), self.frequency)

    def last(self, count: int) -> list[Period]:
        """This period and those before it, oldest first."""
        periods = [self]
        while len(periods) < count:
            periods.append(periods[-1].previous())
        return periods[::-1]

    def __str__(self) -> str:
        return self.label


def read_period(label: object) -> Period:
    """The period that a person wrote; `InputRefused` where it is none.

    >>> read_period("2026-13")
    Traceback (most recent call last):
    svclib.errors.InputRefused: period 2026-13: '2026-13' is no period. Cure: write 2026-10 (month), 2026-W43 (week) or 2026-Q3 (quarter)
    """
    try:
        return Period.parse(str(label))
    except ValueError as error:
        what, _, cure = str(error).partition("; ")
        cure = cure or "write 2026-10 (month), 2026-W43 (week) or 2026-Q3 (quarter)"
        raise InputRefused(Problem(f"period {label}", what.removeprefix(f"{label}: "), cure)) from None


def spine(first: dt.date, last: dt.date, frequency: Frequency) -> list[Period]:
    """Every period from the one that holds `first` to the one that holds `last`: no gap is skipped.

    >>> [p.label for p in spine(dt.date(2026, 1, 31), dt.date(2026, 3, 1), "month")]
    ['2026-01', '2026-02', '2026-03']
    """
    periods = [Period.containing(first, frequency)]
    while periods[-1].end <= last:
        periods.append(periods[-1].next())
    return periods
