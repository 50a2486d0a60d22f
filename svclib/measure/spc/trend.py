"""A slow drift: Theil-Sen slope, (seasonal) Mann-Kendall test, and a line whose neighbouring periods may lean on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from svclib.measure.autoregression import fit_ar1
from svclib.measure.spc.exact import ALPHA

_LEAST = 12
# With two full years each calendar month is compared with itself only.
_SEASONAL_FROM = 24
TREND_P = 0.01
RECENT = 6  # periods that are marked as those of a drift


@dataclass(frozen=True)
class Trend:
    """A monotone drift.

    Attributes
    ----------
    slope, lower, upper
        Theil-Sen slope a period and its 95 % interval, in the KPI's unit.
    p
        The larger of two: Mann-Kendall's two-sided p-value, seasonal where the series has two years, and that of a line
        with first-order autoregressive errors, its autocorrelation integrated out: slow wandering is no drift.
    seasonal
        Whether each season was compared with itself only.
    gradual
        A line leaves no more unexplained than the best single step, which looks like a drift to either test.
    """

    slope: float
    lower: float
    upper: float
    p: float
    seasonal: bool
    points: int
    gradual: bool = True

    @property
    def clear(self) -> bool:
        """Whether there is a drift to tell of."""
        return self.p < TREND_P and self.gradual and self.slope != 0


def trend(values: np.ndarray, season_length: int | None = None) -> Trend | None:
    """Test a series (NaN where missing) for a monotone drift; None below 12 points.

    Parameters
    ----------
    values
        On the gap-free spine.
    season_length
        Periods a year: 12, 52 or 4; None where the values hold no season.

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
    year = season_length or 1
    seasonal = season_length is not None and known.size >= _SEASONAL_FROM and values.size >= 2 * year
    groups = [known[known % year == s] for s in range(year)] if seasonal else [known]
    score = sum(_score(values[g]) for g in groups)
    variance = sum(_variance(values[g]) for g in groups)
    p = 1.0 if variance == 0 else float(2 * stats.norm.sf(max(abs(score) - 1, 0) / np.sqrt(variance)))
    y = values[known]
    gradual = True
    if p < 1:
        design = np.column_stack([np.ones(known.size), known - known.mean()])
        p = max(p, fit_ar1(y - y.mean(), design, known).contrast([0, 1]).p)
        gradual = _beats_a_step(y, design)
    slope, _, low, high = stats.theilslopes(y, known)
    return Trend(float(slope), float(low), float(high), min(p, 1.0), seasonal, int(known.size), gradual)


def drifting(values: np.ndarray) -> Trend | None:
    """The drift that a series without a season still follows, by less than a 0.27 % chance; None without one.

    Nor is there one where a step fits better. The latest six values have to lie on the far side of the mean, but for
    one that is not the last.

    Examples
    --------
    >>> noise = np.tile([0.3, -0.4, 0.1, -0.2, 0.4, -0.2], 5)
    >>> line = 7.5 - 0.05 * np.arange(30) + noise
    >>> drifting(line).slope < 0, drifting(np.append(line, 8.0)), drifting(np.repeat([7.5, 6.5], 15) + noise)
    (True, None, None)
    """
    found = trend(values)
    if found is None or not found.clear or found.p >= ALPHA:
        return None
    known = values[np.isfinite(values)]
    ahead = np.sign(known[-RECENT:] - known.mean()) == np.sign(found.slope)
    return found if ahead.sum() >= RECENT - 1 and ahead[-1] else None


def _beats_a_step(y: np.ndarray, design: np.ndarray) -> bool:
    """Whether a line leaves no more unexplained than the best single change of level."""
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    steps = [np.var(y[:k]) * k + np.var(y[k:]) * (y.size - k) for k in range(2, y.size - 1)]
    return bool(left @ left <= min(steps))


def _score(y: np.ndarray) -> float:
    return float(np.triu(np.sign(y[None, :] - y[:, None]), 1).sum())


def _variance(y: np.ndarray) -> float:
    n = y.size
    ties = np.unique(y, return_counts=True)[1]
    return float(n * (n - 1) * (2 * n + 5) - np.sum(ties * (ties - 1) * (2 * ties + 5))) / 18
