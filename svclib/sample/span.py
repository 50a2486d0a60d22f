"""The months that the sample runs over: complete ones, and a few days of the next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svclib.measure.periods import Period

DAYS_SEEN_OF_NEXT_MONTH = 5


def _month(year: int, month: int) -> Period:
    index = year * 12 + month - 1
    return Period.parse(f"{index // 12:04d}-{index % 12 + 1:02d}")


@dataclass(frozen=True)
class Span:
    """`months` complete months up to `last`, then the first five days of the month after it.

    Months are named by their offset from the last complete one: 0 is that month, -1 the one before.

    Examples
    --------
    >>> span = Span(36, Period.parse("2026-10"))
    >>> span.month(-35).label, span.as_of.isoformat(), span.day(1, 4).isoformat()
    ('2023-11', '2026-11-05', '2026-11-05')
    """

    months: int
    last: Period

    def month(self, offset: int) -> Period:
        return _month(self.last.start.year, self.last.start.month + offset)

    def day(self, offset: int, days: int = 0) -> dt.date:
        """The first day of a month by its offset, `days` later."""
        return self.month(offset).start + dt.timedelta(days=days)

    def position(self, offset: int) -> int:
        """The row of a month in the arrays of this sample; below 0 where it lies before the data."""
        return self.months - 1 + offset

    def covers(self, offset: int) -> bool:
        return 0 <= self.position(offset) <= self.months

    @property
    def first(self) -> Period:
        return self.month(1 - self.months)

    @property
    def as_of(self) -> dt.date:
        return self.day(1, DAYS_SEEN_OF_NEXT_MONTH - 1)

    @property
    def cut(self) -> np.datetime64:
        """The first moment that is not seen: midnight after `as_of`."""
        return np.datetime64(self.as_of + dt.timedelta(days=1), "s")

    @cached_property
    def days(self) -> np.ndarray:
        """Every day seen, as `datetime64[D]`."""
        return np.arange(np.datetime64(self.first.start, "D"), self.cut.astype("datetime64[D]"))

    @cached_property
    def month_of_day(self) -> np.ndarray:
        """The month's position (0 .. `months`) of every day seen."""
        return (self.days.astype("datetime64[M]") - self.days[0].astype("datetime64[M]")).astype(int)

    @cached_property
    def calendar_months(self) -> np.ndarray:
        """January is 0; one entry for each month seen, the incomplete one last."""
        return (self.first.start.month - 1 + np.arange(self.months + 1)) % 12
