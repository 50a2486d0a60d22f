"""Linear models with AR(1) errors whose autocorrelation is integrated out.

Twelve to forty periods say little about the autocorrelation, and every method that plugs in one estimate of it gives
intervals that are too narrow. Here each value of a grid is fitted by generalised least squares and weighted by its
restricted likelihood times a prior, so that what is not known widens the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

FloatArray = NDArray[np.float64]

RHO = np.round(np.arange(-0.30, 0.951, 0.05), 2)


class NotEstimable(ValueError):
    """The design has no more rows than columns, or its columns are dependent."""


@dataclass(frozen=True)
class Mixture:
    """Posterior of one number: a mixture of t distributions.

    Attributes
    ----------
    location, scale, weight
        One entry a component; the weights add up to 1.
    df
        Degrees of freedom, the same for all components.
    """

    location: FloatArray
    scale: FloatArray
    weight: FloatArray
    df: float

    def cdf(self, x: float) -> float:
        """Probability of at most `x`."""
        return float(self.weight @ stdtr(self.df, (x - self.location) / self.scale))

    def quantile(self, q: float) -> float:
        """Value below which the share `q` lies (0 < q < 1)."""
        reach = stdtrit(self.df, q) * self.scale + self.location
        low, high = float(reach.min()), float(reach.max())
        # In exact arithmetic the quantile lies between; rounding can put it on an end.
        if self.cdf(low) >= q:
            return low
        if self.cdf(high) <= q:
            return high
        return float(brentq(lambda x: self.cdf(x) - q, low, high, xtol=1e-10 * (1 + abs(high))))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Central interval that holds the share `level`."""
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    @property
    def mean(self) -> float:
        return float(self.weight @ self.location)

    @property
    def sd(self) -> float:
        """Standard error: that of the normal distribution with the same central 68.3 %."""
        return (self.quantile(0.8413447) - self.quantile(0.1586553)) / 2

    @property
    def moment_sd(self) -> float:
        """Standard deviation of the mixture, its tails cut to the normal's: quick, for scores of many series."""
        return float(np.sqrt(self.weight @ (self.scale**2 + (self.location - self.mean) ** 2)))

    @property
    def p(self) -> float:
        """Two-sided tail probability of zero."""
        below = self.cdf(0.0)
        return 2 * min(below, 1 - below)

    def widened(self, factor: float) -> Mixture:
        """The same centre with every distance from it stretched by `factor`."""
        centre = self.mean
        return Mixture(centre + factor * (self.location - centre), factor * self.scale, self.weight, self.df)

    def scaled(self, factor: float) -> Mixture:
        """The distribution of `factor` (not 0) times the number."""
        return Mixture(factor * self.location, abs(factor) * self.scale, self.weight, self.df)


@dataclass(frozen=True)
class Ar1Fit:
    """A regression under every autocorrelation of the grid.

    Attributes
    ----------
    coefficients
        (rho, columns).
    covariance
        (rho, columns, columns), with the residual variance in it.
    weight
        Posterior probability of each rho of `RHO`.
    variance
        Residual (marginal) variance under each rho.
    df
        Rows minus columns.
    """

    coefficients: FloatArray
    covariance: FloatArray
    weight: FloatArray
    variance: FloatArray
    df: int

    def contrast(self, c: ArrayLike) -> Mixture:
        """Posterior of a linear combination of the coefficients."""
        c = np.asarray(c, dtype=float)
        spread = self.covariance @ c @ c
        return Mixture(self.coefficients @ c, np.sqrt(np.maximum(spread, 1e-300)), self.weight, float(self.df))

    @property
    def rho(self) -> float:
        """Posterior mean of the autocorrelation."""
        return float(self.weight @ RHO)

    @property
    def sd(self) -> float:
        """Standard deviation of one period around the model."""
        return float(np.sqrt(self.weight @ self.variance))


def prior_of_rho(rho: ArrayLike = RHO) -> FloatArray:
    """Log prior density of the autocorrelation: Jeffreys' prior (1 - rho^2)^(-1/2), which needs no number chosen by us.

    Notes
    -----
    It is also the reference prior of a stationary first-order process (Berger & Yang 1994, Econometric Theory
    10:461-482). A flat or a bell-shaped prior says less about long memory, and then intervals are too narrow where it
    is long.

    Examples
    --------
    >>> np.exp(prior_of_rho([0.0, 0.6, 0.8])).round(2).tolist()
    [1.0, 1.25, 1.67]
    """
    return -0.5 * np.log(1 - np.asarray(rho, dtype=float) ** 2)


@lru_cache(maxsize=512)
def step_variance(before: tuple[int, ...], after: tuple[int, ...]) -> FloatArray:
    """Variance of the step between two stretches of periods, in residual variances, under each rho of `RHO`."""
    times = (*before, *after)
    x = np.column_stack([np.ones(len(times)), np.arange(len(times)) >= len(before)])
    xw = _whitening(times)[0] @ x
    return np.asarray(np.linalg.inv(xw.transpose(0, 2, 1) @ xw)[:, 1, 1], dtype=float)


@lru_cache(maxsize=128)
def _whitening(times: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Inverse Cholesky factors of the AR(1) correlation at these times, and its log determinants, one a rho.

    The process forgets all but its last value, so each row holds one innovation: y_i - rho^gap y_(i-1), scaled to
    variance 1.
    """
    carried = RHO[:, None] ** np.diff(times)[None, :]
    innovation = 1 - carried**2
    white = np.zeros((len(RHO), len(times), len(times)))
    place = np.arange(1, len(times))
    white[:, 0, 0] = 1.0
    white[:, place, place] = 1 / np.sqrt(innovation)
    white[:, place, place - 1] = -carried / np.sqrt(innovation)
    return white, np.log(innovation).sum(axis=1)


def fit_ar1(
    y: ArrayLike,
    x: ArrayLike,
    times: ArrayLike,
    *,
    log_prior: ArrayLike | None = None,
    prior_sd: ArrayLike | None = None,
) -> Ar1Fit:
    """Regress `y` on `x` with AR(1) errors, the autocorrelation integrated out.

    Parameters
    ----------
    y
        (n,) values, none missing.
    x
        (n, k) design.
    times
        (n,) whole period numbers, rising; periods left out (ramps, missing months) leave gaps and are handled exactly.
    log_prior
        Log prior over `RHO`; by default `prior_of_rho`.
    prior_sd
        (k,) prior standard deviation of each coefficient around 0, in residual standard deviations; inf = free.

    Raises
    ------
    NotEstimable
        Where n - k < 1 or the columns of `x` are dependent.

    Notes
    -----
    For each rho: generalised least squares with correlation rho^|lag|, weight proportional to the restricted
    likelihood -(n-k)/2 log s2 - 1/2 log|Omega| - 1/2 log|X' Omega^-1 X| (Harville 1974) times the prior.

    Examples
    --------
    >>> y = [3.0, 3.2, 2.9, 3.1, 3.0, 2.8, 4.1, 3.9, 4.2]
    >>> step = [0, 0, 0, 0, 0, 0, 1, 1, 1]
    >>> fit = fit_ar1(y, np.column_stack([np.ones(9), step]), range(9))
    >>> [round(v, 2) for v in fit.contrast([0, 1]).interval()]
    [0.82, 1.56]
    """
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    n, k = x.shape
    white, log_det = _whitening(tuple(int(t) for t in np.asarray(times)))
    xw, yw = white @ x, white @ y
    if prior_sd is not None:
        # A prior is one more observation of the coefficient, independent of the periods (Theil & Goldberger 1961).
        rows = np.diag(1 / np.asarray(prior_sd, dtype=float))
        rows = rows[rows.any(axis=1)]
        xw = np.concatenate([xw, np.broadcast_to(rows, (len(RHO), *rows.shape))], axis=1)
        yw = np.concatenate([yw, np.zeros((len(RHO), len(rows)))], axis=1)
        n += len(rows)
    if n - k < 1 or np.linalg.matrix_rank(xw[len(RHO) // 2]) < k:
        raise NotEstimable(f"{n} periods cannot carry {k} coefficients")
    transposed = xw.transpose(0, 2, 1)
    gram = transposed @ xw
    inverse = np.linalg.inv(gram)
    beta = (inverse @ (transposed @ yw[:, :, None]))[:, :, 0]
    rss = ((yw - (xw @ beta[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
    # A series without any variation would give a likelihood without bound.
    s2 = np.maximum(rss / (n - k), 1e-12 * max(float(np.mean(y**2)), 1e-12))
    ll = -(n - k) / 2 * np.log(s2) - log_det / 2 - np.linalg.slogdet(gram)[1] / 2
    weight = _normalised(ll + (prior_of_rho() if log_prior is None else np.asarray(log_prior)))
    return Ar1Fit(beta, inverse * s2[:, None, None], weight, s2, n - k)


def log_evidence_of_rho(y: ArrayLike, x: ArrayLike, times: ArrayLike) -> FloatArray:
    """Restricted log likelihood over `RHO`, its maximum set to 0: what one series says about the autocorrelation."""
    fit = fit_ar1(y, x, times, log_prior=np.zeros(len(RHO)))
    log_weight = np.log(np.maximum(fit.weight, 1e-300))
    return log_weight - log_weight.max()


def _normalised(log_weight: FloatArray) -> FloatArray:
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()
