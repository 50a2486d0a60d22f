"""Exact predictive distributions: what the next period may bring, given a baseline of counts.

For proportions the next count is beta-binomial, for counts and rates negative binomial (gamma-Poisson), both from
Jeffreys priors: the baseline's own uncertainty is in the limits, so twelve months promise less than twenty-four.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from svclib.measure.spc.charts import Limits

# Two-sided chance of a point beyond three sigma of a normal distribution.
ALPHA = 0.0027


def beta_binomial_tails(
    count: np.ndarray, size: np.ndarray, events: float, cases: float
) -> tuple[np.ndarray, np.ndarray]:
    """P(X <= count) and P(X >= count) for the next `size` cases, after `events` in `cases`.

    Parameters
    ----------
    count, size
        Whole numbers, one pair a period.
    events, cases
        Totals of the baseline.

    Examples
    --------
    >>> low, high = beta_binomial_tails(np.array([5]), np.array([20]), 190, 200)
    >>> bool(low[0] < 1e-6), bool(high[0] > 0.999)
    (True, True)
    """
    a, b = events + 0.5, cases - events + 0.5
    low, high = np.ones(len(count)), np.ones(len(count))
    for i, (x, n) in enumerate(zip(count, size, strict=True)):
        if not (np.isfinite(x) and np.isfinite(n)) or n <= 0:
            low[i] = high[i] = np.nan
            continue
        low[i], high[i] = _tails(x, n, a, b)
    return low, high


def _tails(x: float, n: float, a: float, b: float) -> tuple[float, float]:
    first, mass = _support(n, a, b)
    at = int(np.clip(round(x) - first, -1, mass.size))
    return float(mass[: at + 1].sum()), float(mass[max(at, 0) :].sum())


def _support(n: float, a: float, b: float) -> tuple[int, np.ndarray]:
    """Probabilities of the counts that matter, and the first of them; what lies 12 sigma away is nothing."""
    mean = n * a / (a + b)
    reach = 12 * np.sqrt(mean * b / (a + b) * (a + b + n) / (a + b + 1)) + 30
    first, last = max(0, int(mean - reach)), min(round(n), int(mean + reach) + 1)
    return first, np.exp(_log_mass(np.arange(first, last + 1), round(n), a, b))


def _log_mass(k: np.ndarray, n: float, a: float, b: float) -> np.ndarray:
    choose = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return choose + special.betaln(k + a, n - k + b) - special.betaln(a, b)


def p_exact_limits(
    numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray, *, alpha: float = ALPHA
) -> Limits:
    """Exact p chart: the shares between which a next count lies with probability 1 - alpha at least.

    A point *on* a line is inside. Unlike p -+ 3 sigma the lines respect 0 and 100 %, and each side holds at most
    alpha / 2.

    Examples
    --------
    >>> n = np.full(13, 20.0)
    >>> lines = p_exact_limits(np.full(13, 19.0), n, np.full(13, True))
    >>> lines.lower[0].item(), lines.upper[0].item()
    (0.75, 1.0)
    """
    events, cases = _totals(numerator, denominator, baseline)
    usable = np.isfinite(denominator) & (denominator > 0)

    def line(side: float) -> np.ndarray:
        return _share_quantile(denominator, usable, events, cases, side)

    centre = np.where(usable, events / cases if cases else np.nan, np.nan)
    return _exact(centre, usable, line, alpha)


def _exact(centre: np.ndarray, usable: np.ndarray, line, alpha: float) -> Limits:
    near = 2 * stats.norm.sf(2)
    return Limits(
        centre=centre,
        lower=line(alpha / 2),
        upper=line(1 - alpha / 2),
        sigma=np.full(centre.shape, np.nan),
        near_lower=line(near / 2),
        near_upper=line(1 - near / 2),
    )


def _totals(numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray) -> tuple[float, float]:
    used = baseline & np.isfinite(numerator) & np.isfinite(denominator) & (denominator > 0)
    return float(numerator[used].sum()), float(denominator[used].sum())


def _share_quantile(size: np.ndarray, usable: np.ndarray, events: float, cases: float, q: float) -> np.ndarray:
    line = np.full(size.shape, np.nan)
    known: dict[float, float] = {}
    for i in np.flatnonzero(usable):
        n = float(size[i])
        if n not in known:
            known[n] = beta_binomial_quantile(n, events, cases, q) / n
        line[i] = known[n]
    return line


def beta_binomial_quantile(size: float, events: float, cases: float, q: float) -> float:
    """Smallest count k of the next `size` cases with P(X <= k) >= q.

    Examples
    --------
    >>> beta_binomial_quantile(10, 500, 1000, 0.5)
    5.0
    """
    first, mass = _support(size, events + 0.5, cases - events + 0.5)
    return float(min(first + int(np.searchsorted(np.cumsum(mass), q - 1e-12)), round(size)))


def gamma_poisson(events: float, exposure: float, size: np.ndarray | float):
    """The frozen negative binomial distribution of the next count in `size` units of exposure."""
    shape = events + 0.5
    return stats.nbinom(shape, exposure / (exposure + np.asarray(size, dtype=float)))


def u_exact_limits(
    numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray, *, alpha: float = ALPHA
) -> Limits:
    """Exact u chart (and c chart, with a denominator of 1): the rates between which the next count should lie.

    Examples
    --------
    >>> c = np.array([1.0, 0, 2, 1, 0, 1, 3, 0, 1, 1, 2, 0, 1])
    >>> lines = u_exact_limits(c, np.ones(13), np.full(13, True))
    >>> lines.lower[0].item(), lines.upper[0].item()
    (0.0, 6.0)
    """
    events, exposure = _totals(numerator, denominator, baseline)
    usable = np.isfinite(denominator) & (denominator > 0)
    safe = np.where(usable, denominator, 1.0)

    def line(side: float) -> np.ndarray:
        if not exposure:
            return np.full(safe.shape, np.nan)
        return np.where(usable, gamma_poisson(events, exposure, safe).ppf(side) / safe, np.nan)

    return _exact(np.where(usable, events / exposure if exposure else np.nan, np.nan), usable, line, alpha)


def middle(kind: str, numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """The predictive median of each period, given its size.

    Small shares near 100 % lie above their mean most of the time; runs are counted against the median, and a point
    on it takes no side.

    Examples
    --------
    >>> n = np.array([6.0, 20.0, 6.0, 20.0])
    >>> middle("p", np.array([6.0, 19.0, 5.0, 19.0]), n, np.full(4, True)).tolist()
    [1.0, 0.95, 1.0, 0.95]
    """
    events, cases = _totals(numerator, denominator, baseline)
    usable = np.isfinite(denominator) & (denominator > 0)
    if not cases:
        return np.full(denominator.shape, np.nan)
    if kind == "p":
        return _share_quantile(denominator, usable, events, cases, 0.5)
    safe = np.where(usable, denominator, 1.0)
    return np.where(usable, gamma_poisson(events, cases, safe).ppf(0.5) / safe, np.nan)


def run_weights(
    kind: str, values: np.ndarray, denominator: np.ndarray, median: np.ndarray, events: float, cases: float
) -> np.ndarray:
    """How much each point adds to a run on its side of the median: 1 where both sides are as likely, less where its
    side is the likelier one.

    A run's weight is then minus the logarithm (base 2) of its chance, as its length is where sides are even.

    Examples
    --------
    >>> n, median = np.array([20.0, 20.0]), np.array([0.95, 0.95])
    >>> run_weights("p", np.array([1.0, 0.8]), n, median, 190, 200).round(2).tolist()
    [0.83, 1.0]
    """
    tails = beta_binomial_tails if kind == "p" else gamma_poisson_tails
    counts = np.round(median * denominator)
    below, above = tails(counts - 1, denominator, events, cases)[0], tails(counts + 1, denominator, events, cases)[1]
    mine = np.where(values > median, above, below)
    with np.errstate(invalid="ignore", divide="ignore"):
        bits = -np.log2(mine / (above + below))
    return np.where(np.isfinite(bits), np.minimum(bits, 1.0), 1.0)


def gamma_poisson_tails(
    count: np.ndarray, size: np.ndarray, events: float, exposure: float
) -> tuple[np.ndarray, np.ndarray]:
    """P(X <= count) and P(X >= count) for the next `size` units of exposure, after `events` in `exposure`.

    Examples
    --------
    >>> low, high = gamma_poisson_tails(np.array([9.0]), np.array([1.0]), 13, 13)
    >>> bool(high[0] < 0.001)
    True
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        law = gamma_poisson(events, exposure, size)
        return law.cdf(count), law.sf(count - 1)


def two_sided(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Twice the smaller tail, at most 1."""
    return np.minimum(1.0, 2 * np.minimum(low, high))
