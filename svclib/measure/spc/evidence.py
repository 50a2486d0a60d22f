"""How strong is the evidence that something changed: p-values that can be compared across charts."""

from __future__ import annotations

import numpy as np
from scipy import stats

from svclib.measure.spc.baseline import FREEZE, degrees_of_freedom
from svclib.measure.spc.charts import D2

LEVEL_PERIODS = 6
_LEAST_REFERENCE = 12
_FARTHEST = 3.0  # sigma
_MOST_RHO = 0.95


def level_p(
    z: np.ndarray, judged: np.ndarray, *, floor: float = 0.0, recent: int = LEVEL_PERIODS, r1: float = 0.0
) -> float:
    """Two-sided p-value that the latest `recent` points lie on the level of those before them.

    A step that stays is found here long before single points leave their limits. The earlier points (the first 24)
    set mean and sigma (mean moving range), the later ones have no part in it. The autocorrelation of a short series is
    estimated too low by (1 + 3 rho) / n (Marriott and Pope 1954). A later point beyond three sigma has a
    rule of its own; here it counts as if it lay there, so that one month cannot make a level of six.

    Parameters
    ----------
    z
        Points of one phase, of roughly equal variance.
    judged
        Which points count; NaN elsewhere.
    floor
        Least sigma, 1 for z-scores of counts, which cannot vary less than chance.
    r1
        Lag-one autocorrelation that the earlier points show, where it is to be reckoned with. What it takes from the
        moving ranges and adds to the spread of a mean is put right; its own bias in short series, too.

    Returns
    -------
    float
        NaN with fewer than 12 earlier points.

    Examples
    --------
    >>> quiet = np.tile([0.0, 1.0, -1.0], 8)
    >>> step = np.concatenate([quiet[:18], quiet[:6] + 5])
    >>> bool(level_p(quiet, np.full(24, True)) > 0.5), bool(level_p(step, np.full(24, True)) < 0.001)
    (True, True)
    >>> spike = np.concatenate([quiet[:18], [1.0, 0.0, 9.0, 1.0, 1.0, 0.0]])
    >>> bool(level_p(spike, np.full(24, True)) > 0.0027)
    True
    """
    kept = z[judged & np.isfinite(z)]
    earlier, later = kept[:-recent][:FREEZE], kept[-recent:]
    if earlier.size < _LEAST_REFERENCE:
        return np.nan
    rho = min(r1 + (1 + 3 * r1) / earlier.size, _MOST_RHO) if r1 > 0 else 0.0
    sigma = max(float(np.abs(np.diff(earlier)).mean()) / D2 / np.sqrt(1 - rho), floor)
    constant = sigma <= 1e-12 * max(1.0, float(np.abs(kept).max()))
    farthest = np.inf if constant else _FARTHEST * sigma
    shifts = np.clip(later - earlier.mean(), -farthest, farthest)
    difference = float(shifts.mean())
    # One extreme month is no level: all but one of the later points must lie on the new side.
    if np.sum(np.sign(shifts) == np.sign(difference)) < recent - 1:
        return 1.0
    if constant:
        return 1.0 if abs(difference) <= 1e-12 else 0.0
    reach = difference / (sigma * np.sqrt(_variance_of_mean(later.size, rho) + _variance_of_mean(earlier.size, rho)))
    return float(2 * stats.t.sf(abs(reach), degrees_of_freedom(earlier.size)))


def _variance_of_mean(n: int, rho: float) -> float:
    """Variance of the mean of n neighbours of variance 1, a first-order autoregression with this rho.

    >>> _variance_of_mean(4, 0.0), round(_variance_of_mean(2, 0.5), 2)
    (0.25, 0.75)
    """
    lag = np.arange(1, n)
    return float((1 + 2 * np.sum((1 - lag / n) * rho**lag)) / n)


def combined_p(*looks: float) -> float:
    """The smallest of some p-values, times the number of looks that were taken (Bonferroni), at most 1.

    >>> combined_p(0.01, float("nan")), combined_p(0.01, 0.2)
    (0.01, 0.02)
    """
    known = [p for p in looks if np.isfinite(p)]
    return min(1.0, min(known) * len(known)) if known else float("nan")
