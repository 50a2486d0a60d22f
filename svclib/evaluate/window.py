"""Which periods came before a plan, which lie in its ramp, which show its effect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# With fewer periods before, two harmonics eat the series up and widen the interval for little.
PERIODS_FOR_SEASON = 24
PERIODS_A_YEAR = {"week": 52.18, "month": 12.0, "quarter": 4.0}


@dataclass(frozen=True)
class Window:
    """Periods of one evaluation, as positions on the gap-free spine.

    Attributes
    ----------
    before, ramp, after
        (periods,) masks; what is in none of them is not used (before the baseline, immature, missing).
    """

    before: BoolArray
    ramp: BoolArray
    after: BoolArray

    @property
    def used(self) -> BoolArray:
        return self.before | self.after

    @property
    def n_before(self) -> int:
        return int(self.before.sum())

    @property
    def n_after(self) -> int:
        return int(self.after.sum())

    def without(self, dropped: BoolArray) -> Window:
        """The window less some periods, e.g. months without a value."""
        return Window(self.before & ~dropped, self.ramp, self.after & ~dropped)


def split_periods(
    starts: Sequence[dt.date],
    ends: Sequence[dt.date],
    *,
    start: dt.date,
    full_effect: dt.date | None = None,
    announced: dt.date | None = None,
    not_before: dt.date | None = None,
    until: dt.date | None = None,
) -> Window:
    """Split a spine at a plan.

    Parameters
    ----------
    starts, ends
        First day of each period and the first day after it.
    start, full_effect, announced
        The plan's dates. Periods that touch the days from `announced` (else `start`) to `full_effect` are its ramp:
        people act before the start once they know, and the effect takes time to be whole.
    not_before
        Periods that begin earlier are not used (a change of definition, a new baseline).
    until
        Periods that begin on or after this day are not used (the next plan).

    Examples
    --------
    >>> days = [dt.date(2026, m, 1) for m in range(1, 8)]
    >>> window = split_periods(days[:-1], days[1:], start=dt.date(2026, 3, 10), full_effect=dt.date(2026, 5, 1))
    >>> window.before.nonzero()[0].tolist(), window.ramp.nonzero()[0].tolist(), window.after.nonzero()[0].tolist()
    ([0, 1], [2, 3], [4, 5])
    """
    first, whole = min(announced or start, start), max(full_effect or start, start)
    before = np.array([end <= first for end in ends], dtype=bool)
    after = np.array([begin >= whole for begin in starts], dtype=bool)
    ramp = ~before & ~after
    if not_before:
        before &= np.array([begin >= not_before for begin in starts], dtype=bool)
    if until:
        after &= np.array([begin < until for begin in starts], dtype=bool)
    return Window(before, ramp, after)


def shows_season(window: Window, per_year: float) -> bool:
    """Whether the time before tells a yearly season from a trend: two years and 24 periods."""
    return window.n_before >= max(PERIODS_FOR_SEASON, 2 * per_year)


def season_columns(times: NDArray[np.int_], per_year: float, harmonics: int = 1) -> FloatArray:
    """Sine and cosine columns (n, 2 x harmonics) of a yearly season."""
    angles = [2 * np.pi * k * times / per_year for k in range(1, harmonics + 1)]
    columns = [f(angle) for angle in angles for f in (np.sin, np.cos)]
    return np.column_stack(columns) if columns else np.empty((len(times), 0))


def step_design(
    window: Window, *, trend: bool = False, harmonics: int = 0, slope: bool = False, per_year: float = 12.0
) -> tuple[FloatArray, NDArray[np.int_]]:
    """Design of an interrupted series over the used periods of the window.

    Returns
    -------
    (n, k) columns: intercept, step, then slope after the step (per period, 0 at the first one), trend (per year,
    0 at the step), harmonics; and the (n,) period numbers.
    """
    times = np.flatnonzero(window.used)
    first = int(np.flatnonzero(window.after)[0]) if window.n_after else len(window.after)
    after = window.after[times].astype(float)
    columns = [np.ones(len(times)), after]
    if slope:
        columns.append(after * (times - first))
    if trend:
        columns.append((times - first) / per_year)
    return np.column_stack([*columns, season_columns(times, per_year, harmonics)]), times
