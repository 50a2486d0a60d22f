"""Trend and outlook: Theil-Sen slope, (seasonal) Mann-Kendall test, forecast of a stable process."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from svclib.measure.spc.control import ControlChart
from svclib.measure.spc.predictive import Predictive

_LEAST = 12
# With two full years each calendar month is compared with itself only.
_SEASONAL_FROM = 24
TREND_P = 0.01


@dataclass(frozen=True)
class Trend:
    """A monotone drift.

    Attributes
    ----------
    slope, lower, upper
        Theil-Sen slope a period and its 95 % interval, in the KPI's unit.
    p
        Mann-Kendall's two-sided p-value; seasonal where the series has two years.
    seasonal
        Whether each season was compared with itself only.
    """

    slope: float
    lower: float
    upper: float
    p: float
    seasonal: bool
    points: int


@dataclass(frozen=True)
class Forecast:
    """The next periods of a stable process: centre and 95 % interval, each on its own."""

    centre: list[float]
    lower: list[float]
    upper: list[float]


def trend(values: np.ndarray, season_length: int) -> Trend | None:
    """Test a series (NaN where missing) for a monotone drift; None below 12 points.

    Parameters
    ----------
    values
        On the gap-free spine.
    season_length
        Periods a year: 12, 52 or 4.

    References
    ----------
    Hirsch, Slack and Smith (1982), *Water Resources Research* 18(1); Sen (1968), *JASA* 63.

    Examples
    --------
    >>> found = trend(np.arange(24.0) + np.tile([0.5, -0.5, 0.2], 8), 12)
    >>> round(found.slope, 2), found.p < 0.01, found.seasonal
    (1.0, True, True)
    """
    known = np.flatnonzero(np.isfinite(values))
    if known.size < _LEAST:
        return None
    seasonal = known.size >= _SEASONAL_FROM and values.size >= 2 * season_length
    groups = [known[known % season_length == s] for s in range(season_length)] if seasonal else [known]
    score = sum(_score(values[g]) for g in groups)
    variance = sum(_variance(values[g]) for g in groups)
    p = 1.0 if variance == 0 else float(2 * stats.norm.sf(max(abs(score) - 1, 0) / np.sqrt(variance)))
    slope, _, low, high = stats.theilslopes(values[known], known)
    return Trend(float(slope), float(low), float(high), min(p, 1.0), seasonal, int(known.size))


def _score(y: np.ndarray) -> float:
    return float(sum(np.sign(b - a) for a, b in combinations(y, 2)))


def _variance(y: np.ndarray) -> float:
    n = y.size
    ties = np.unique(y, return_counts=True)[1]
    return float(n * (n - 1) * (2 * n + 5) - np.sum(ties * (ties - 1) * (2 * ties + 5))) / 18


def forecast(chart: ControlChart, periods: int = 3) -> Forecast | None:
    """The next periods, only where the chart is stable: full limits, and no signal in its latest phase.

    A forecast of an unstable process would promise what the chart denies.
    """
    law = chart.next
    phase = chart.points["phase"] == chart.points["phase"].iloc[-1]
    stable = chart.standing == "full" and not chart.points.loc[phase, "signals"].map(bool).any()
    if law is None or not stable or chart.level_p < TREND_P:
        return None
    steps = [_with_season(chart, law, ahead) for ahead in range(1, periods + 1)]
    least, most = (np.inf * sign if end is None else end for end, sign in zip(chart.possible, (-1, 1), strict=True))
    ends = np.clip([step.interval() for step in steps], least, most)  # nothing is foretold that cannot be
    return Forecast([_middle(step) for step in steps], ends[:, 0].tolist(), ends[:, 1].tolist())


def _middle(law: Predictive) -> float:
    if law.law == "beta_binomial" or law.law == "gamma_poisson":
        return law.events / law.cases * law.per
    low, high = law.interval(0.0)
    return (low + high) / 2


def _with_season(chart: ControlChart, law: Predictive, ahead: int) -> Predictive:
    """`next` already holds the season of the first period ahead; move on along last year's effects."""
    if not chart.season_ahead:
        return law.ahead(ahead)
    return law.ahead(ahead, chart.season_ahead[ahead - 1] - chart.season_ahead[0])
