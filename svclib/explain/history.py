"""What of the history is usual: all of it but the parts, or whole periods, that stood out once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import sparse
from scipy.optimize import brentq
from scipy.special import logit
from scipy.stats import norm
from scipy.stats import t as student

from svclib.explain.family import Family, information, mean_of, signed_root
from svclib.explain.segments import Segments

LEVEL = 0.025  # share of ordinary histories that may lose a whole period, and as many again that may lose a part
FEWEST = 5  # periods, below which there is no telling
LEAST_INFORMATION = 5.0  # of a part in a period, about its bad cases: below, what it shows is far from normal
_MEDIAN_WORTH = 0.37  # of a median of squares beside their mean, in degrees of freedom


@cache
def outlier_limit(periods: int, level: float = LEVEL) -> float:
    """Median absolute deviations from the median that one of `periods` ordinary values passes with probability `level`.

    Hampel's identifier as Davies and Gather standardise it by the sample's size ("The identification of multiple outliers",
    J. Am. Stat. Assoc. 88, 1993, 782-792, doi:10.1080/01621459.1993.10476339): a fixed limit of three robust deviations
    would take a period from every fifth ordinary history, and its usual swing with it. By simulation of normal values, the
    same ones each time.

    Examples
    --------
    >>> [round(outlier_limit(periods), 1) for periods in (6, 12, 24)]
    [10.3, 7.7, 6.5]
    """
    away = np.abs(_around_median(periods))
    return float(np.quantile(away.max(axis=1) / np.median(away, axis=1), 1 - level))


@cache
def _median_square(periods: int) -> float:
    """The median of the squares of ordinary values around the median of `periods` of them."""
    return float(np.median(_around_median(periods) ** 2))


def _around_median(periods: int) -> np.ndarray:
    values = np.random.default_rng(1993).standard_normal((10_000, min(periods, 100)))
    return np.asarray(values - np.median(values, axis=1, keepdims=True))


def unusual_cells(
    segments: Segments, eta: np.ndarray, observed: np.ndarray, exposure: np.ndarray, family: Family, scale: float
) -> list[tuple[int, int]]:
    """Where everything, a value, or a pair of values stood out in a single period of the history.

    What happened once is no swing: left in, it makes the same thing look usual when it comes again; a usual period taken for
    a spike makes the swing look too small. So hardly any ordinary history loses anything (`LEVEL`), whether it is
    the swing or the sampling error that moves them. Every cell (a segment in a period) is compared with the median of the
    segment's periods, in units of what its cases and the usual swing lead to expect; the swing is the median one over all
    cells of its depth, which those that stand out do not move. The cell that stands out most is taken out, with all its
    leaves, and the others are looked at again without them; never more than half of the periods of a segment.

    Parameters
    ----------
    segments : everything, and the parts to look at.
    eta : level of each leaf over all periods, as linear predictor.
    observed, exposure : periods x leaves.
    scale : for means, the variance of single values; 1 else.

    Returns
    -------
    Period and segment, in that order.
    """
    info = segments.leaves @ (information(mean_of(eta, family), exposure, family, scale) * scale).T
    told = info >= np.where(segments.depth == 0, 1e-9, LEAST_INFORMATION)[:, None]
    told &= (told.sum(axis=1) >= FEWEST)[:, None]
    rows = np.flatnonzero(told.any(axis=1))
    if not len(rows):
        return []
    history = _History(
        segments.leaves[rows], segments.depth[rows], told[rows], observed, exposure, mean_of(eta, family), family, scale
    )
    cells: list[tuple[int, int]] = []
    taken = np.zeros(len(rows), dtype=int)
    while True:
        beyond = history.beyond()
        beyond[2 * (taken + 1) > history.told.sum(axis=1)] = 0.0
        row, period = (int(i) for i in np.unravel_index(int(np.argmax(beyond)), beyond.shape))
        if beyond[row, period] <= 1:
            return sorted(cells)
        cells.append((period, int(rows[row])))
        taken[row] += 1
        history = history.without(row, period)


@dataclass(frozen=True)
class _History:
    """Segments (segments x leaves) in all periods; `told` are the cells large enough to be compared."""

    leaves: sparse.csr_array
    depth: np.ndarray
    told: np.ndarray
    observed: np.ndarray
    exposure: np.ndarray
    mean: np.ndarray
    family: Family
    scale: float

    def without(self, row: int, period: int) -> _History:
        leaves = self.leaves[[row]].toarray()[0] > 0
        observed, exposure = self.observed.copy(), self.exposure.copy()
        observed[period, leaves], exposure[period, leaves] = 0.0, 0.0
        return replace(self, observed=observed, exposure=exposure)

    def beyond(self) -> np.ndarray:
        """How far each cell is from the median of its segment's periods, over the farthest that is usual."""
        away, info = self._away()
        # What moves everything moves its parts, and what moves a part moves everything and, against it, the others.
        alone = _centred(away - away[0])
        away = _centred(away)
        part = np.where(np.sign(alone) == np.sign(away), np.minimum(np.abs(alone), np.abs(away)), 0.0)
        told, periods = np.isfinite(away), len(self.observed)
        found = np.zeros(away.shape)
        # The swings of pairs come from those of their values: these are what there is to learn a swing from.
        freedom = _MEDIAN_WORTH * max(self.told[self.depth == 1].sum(), 1) * (1 - 1 / periods)
        limit = float(student.isf(LEVEL / (2 * max(self.told[self.depth > 0].sum(), 1)), freedom))
        for d in np.unique(self.depth):
            mine = told & (self.depth == d)[:, None]
            if not mine.any():
                continue
            if d:
                swing = _median_swing(alone[mine], info[mine], _median_square(periods))
                found[mine] = part[mine] / (limit * np.sqrt(1 / info[mine] + swing))
            else:
                sampling = norm.isf(LEVEL / (2 * periods)) / np.sqrt(info[mine])
                farthest = np.maximum(outlier_limit(periods) * np.median(np.abs(away[mine])), sampling)
                found[mine] = np.abs(away[mine]) / farthest
        return found

    def _away(self) -> tuple[np.ndarray, np.ndarray]:
        """How far a cell is from its level, on the scale of the linear predictor, and the information on that: such that
        without a swing both give the signed root of the deviance, which is nearly normal."""
        held = self.leaves @ self.exposure.T
        info = self.leaves @ information(self.mean, self.exposure, self.family, self.scale).T
        total, usual = self.leaves @ self.observed.T, self.leaves @ (self.exposure * self.mean).T
        away = _linear(total, held, self.family) - _linear(usual, held, self.family)
        if self.family != "gaussian":
            root = signed_root(total, usual, held, self.family, info)
            with np.errstate(divide="ignore", invalid="ignore"):
                info = np.clip(np.where(np.abs(away) > 0.1, (root / away) ** 2, info), info / 4, info * 4)
        return np.where(self.told & (info > 0), away, np.nan), info


def _centred(away: np.ndarray) -> np.ndarray:
    """Each segment's periods around their median."""
    some = np.isfinite(away).any(axis=1)
    away = away.copy()
    away[some] -= np.nanmedian(away[some], axis=1, keepdims=True)
    return away


def _linear(total: np.ndarray, held: np.ndarray, family: Family) -> np.ndarray:
    """The linear predictor of a total (of counts but for their exposure), with half a case, for there may be none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if family == "gaussian":
            return np.asarray(total / held)
        if family == "binomial":
            return np.asarray(logit((total + 0.5) / (held + 1)))
        return np.asarray(np.log(total + 0.5))


def _median_swing(away: np.ndarray, info: np.ndarray, middle: float) -> float:
    """The variance of the linear predictor from period to period at which the standardised squares have the median `middle`."""

    def beyond(swing: float) -> float:
        return float(np.median(away**2 / (1 / info + swing))) - middle

    return float(brentq(beyond, 0.0, np.max(away**2) / middle)) if beyond(0.0) > 0 else 0.0
