"""Run rules: which points signal a special cause, and by which rule.

``nhs`` follows NHSRplotthedots 0.2.2 step by step, ``mdc2023`` the Making Data Count guidance since late 2023, and
``strict`` keeps the two rules that rarely cry wolf: beyond the limits, and Anhøj's unusually long run (Anhøj and
Olesen 2014, *PLoS ONE* 9(11)). A missing period (NaN) and a point on the centre line break the runs of the first two
sets; Anhøj's rule leaves such points out. No rule looks across a rebase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from svclib.measure.spc.charts import Limits

LENGTH = 7


@dataclass(frozen=True)
class Runs:
    """Anhøj's two statistics of a phase.

    Attributes
    ----------
    useful
        Points not on the centre line.
    longest, longest_max
        Longest run on one side, and the longest that chance explains.
    crossings, crossings_min
        How often the series crosses the centre line, and the fewest that chance explains.
    """

    useful: int
    longest: int
    longest_max: float
    crossings: int
    crossings_min: float

    @property
    def long_run(self) -> bool:
        return self.longest > self.longest_max

    @property
    def few_crossings(self) -> bool:
        return self.crossings < self.crossings_min


def sides(values: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """1 above the centre line, -1 below, 0 on it, NaN where unknown."""
    return np.sign(values - centre)


def beyond(values: np.ndarray, lines: Limits) -> np.ndarray:
    """1 above the upper limit, -1 below the lower, else 0; a point on a limit is inside."""
    with np.errstate(invalid="ignore"):
        return (values > lines.upper).astype(int) - (values < lines.lower).astype(int)


def shift(side: np.ndarray, length: int = LENGTH) -> np.ndarray:
    """1 or -1 where a run of `length` points on one side *ends*.

    Examples
    --------
    >>> shift(np.array([1, 1, 1, 1, 1, 1, 1, 1, -1])).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 0]
    """
    ends = np.zeros(side.size, dtype=int)
    for i in range(length - 1, side.size):
        window = side[i - length + 1 : i + 1]
        if window[0] in (1, -1) and np.all(window == window[0]):
            ends[i] = int(window[0])
    return ends


def trend(values: np.ndarray, length: int = LENGTH) -> np.ndarray:
    """1 or -1 where `length` points that all rise, or all fall, end; a tie or a gap breaks the trend.

    Examples
    --------
    >>> trend(np.array([2.0, 1, 2, 3, 4, 5, 6, 7, 3])).tolist()
    [0, 0, 0, 0, 0, 0, 0, 1, 0]
    """
    ends = np.zeros(values.size, dtype=int)
    steps = np.sign(np.diff(values))
    for i in range(length - 1, values.size):
        window = steps[i - length + 1 : i]
        if window[0] in (1, -1) and np.all(window == window[0]):
            ends[i] = int(window[0])
    return ends


def part_of(ends: np.ndarray, length: int = LENGTH) -> np.ndarray:
    """Every point of the runs that end where marked.

    Examples
    --------
    >>> part_of(np.array([0, 0, 0, 0, 0, 0, 0, -1, 0])).tolist()
    [0, 1, 1, 1, 1, 1, 1, 1, 0]
    """
    marked = np.zeros(ends.size, dtype=int)
    for i in np.flatnonzero(ends):
        marked[max(0, i - length + 1) : i + 1] = 1
    return marked


def two_of_three(close: np.ndarray, side: np.ndarray) -> np.ndarray:
    """1 on every point of a window of three, all on one side, that holds two close points or more.

    Examples
    --------
    >>> two_of_three(np.array([0, 0, 1, 1, 0, 0, 0]), np.ones(7)).tolist()
    [0, 1, 1, 1, 1, 0, 0]
    """
    marked = np.zeros(close.size, dtype=int)
    for i in range(close.size - 2):
        if abs(side[i : i + 3].sum()) == 3 and close[i : i + 3].sum() >= 2:
            marked[i : i + 3] = 1
    return marked


def anhoej(side: np.ndarray) -> Runs:
    """Longest run and crossings against Anhøj's limits: log2 n + 3 (rounded), and the 5th percentile of crossings.

    Examples
    --------
    >>> anhoej(np.array([1, -1] * 12))
    Runs(useful=24, longest=1, longest_max=8.0, crossings=23, crossings_min=8.0)
    """
    useful = side[np.isfinite(side) & (side != 0)]
    n = useful.size
    if n == 0:
        return Runs(0, 0, np.inf, 0, 0.0)
    turns = np.flatnonzero(np.diff(useful) != 0)
    longest = int(np.diff(np.concatenate([[-1], turns, [n - 1]])).max())
    if n < 10:
        return Runs(n, longest, np.inf, turns.size, 0.0)
    return Runs(n, longest, float(round(np.log2(n)) + 3), turns.size, float(stats.binom.ppf(0.05, n - 1, 0.5)))


def long_run_points(side: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """1 or -1 on the points of every run that is longer than Anhøj's limit.

    `weights` say how much each point adds to a run's length, where the two sides are not equally likely; 1 each else.

    Examples
    --------
    >>> int(long_run_points(np.array([1, -1] * 6 + [1] * 10)).sum())
    10
    """
    marked = np.zeros(side.size, dtype=int)
    limit = anhoej(side).longest_max
    useful = np.flatnonzero(np.isfinite(side) & (side != 0))
    if not np.isfinite(limit):
        return marked
    for run in np.split(useful, np.flatnonzero(np.diff(side[useful]) != 0) + 1):
        if (run.size if weights is None else weights[run].sum()) > limit:
            marked[run] = int(side[run[0]])
    return marked


def _named(base: str, sign: int) -> str:
    return base + ("_high" if sign > 0 else "_low")


def signals(
    values: np.ndarray,
    lines: Limits,
    rules: str,
    *,
    mute_runs: bool = False,
    middle: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> list[tuple[str, ...]]:
    """The rules each point of one phase breaks, the one that names it first.

    Parameters
    ----------
    values
        One phase; NaN where a point may not be judged.
    lines
        Its limits, unclipped.
    rules
        ``nhs``, ``mdc2023`` or ``strict``.
    mute_runs
        Only points beyond the limits signal: for series whose neighbours depend on each other.
    middle
        The line whose sides Anhøj's rule counts, where it is not the centre line.
    weights
        As in `long_run_points`.

    Returns
    -------
    list of tuple of str
        Codes ``beyond``, ``trend``, ``two_of_three``, ``shift`` or ``run``, each with ``_high`` or ``_low``.
        ``trend_high`` is a rise.

    Examples
    --------
    >>> from svclib.measure.spc.charts import xmr_limits
    >>> y = np.array([5.0, 6, 5, 4, 5, 6, 5, 4, 5, 6, 5, 4, 5, 12])
    >>> signals(y, xmr_limits(y, np.arange(14) < 13), "strict")[-1]
    ('beyond_high',)
    """
    side, outside = sides(values, lines.centre), beyond(values, lines)
    found: list[list[str]] = [[_named("beyond", s)] if s else [] for s in outside]
    if mute_runs:
        return [tuple(codes) for codes in found]
    if rules == "strict":
        for i, s in enumerate(long_run_points(side if middle is None else sides(values, middle), weights)):
            if s:
                found[i].append(_named("run", s))
        return [tuple(codes) for codes in found]
    with np.errstate(invalid="ignore"):
        past_near = (values > lines.near_upper) | (values < lines.near_lower)
    # NHSRplotthedots counts only points between two and three sigma; Making Data Count, since 2023, all beyond two.
    close = (past_near if rules == "mdc2023" else past_near & (outside == 0)).astype(int)
    rising = trend(values)
    in_trend, in_pair, in_shift = part_of(rising), two_of_three(close, side) * close, part_of(shift(side))
    for i in range(values.size):
        if in_trend[i]:
            found[i].append(_named("trend", _direction_of_trend(rising, i)))
        if in_pair[i]:
            found[i].append(_named("two_of_three", int(side[i])))
        if in_shift[i]:
            found[i].append(_named("shift", int(side[i])))
    return [tuple(codes) for codes in found]


def _direction_of_trend(ends: np.ndarray, i: int) -> int:
    """The point that a fall and a rise share belongs to the one on its right."""
    covering = [e for e in range(i, min(i + LENGTH, ends.size)) if ends[e]]
    return int(ends[covering[-1]])
