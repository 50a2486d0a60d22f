"""Control limits from plain arrays: XmR, run, p, u, c, p', u', I', g and t.

Every function takes the whole series, a mask of the *baseline* (the points that may set the limits) and the `factor`
on sigma; it returns one centre, lower and upper line a point. Points that are not in the baseline never move a line.
Limits are not clipped here: `Limits.clipped` gives the lines for reading, the judgement uses the unclipped ones.

Sources: Montgomery, *Introduction to Statistical Quality Control* (7th ed., chapters 6 and 7); Laney (2002) for p' and
u'; Taylor (2017) for I'; Nelson (1994) for t; Kaminsky et al. (1992) for g.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svclib.errors import InputRefused, Problem

# 3 / d2 for ranges of two points, rounded as practice has it (2.66, not 2.6596), so that published limits come out.
XMR = 2.66
D2 = 1.128
# D4 for ranges of two points: the upper limit of a moving range is 3.267 times their mean.
SCREEN = 3.267
# Ranges below this share of the series' size are the noise of floating-point numbers.
_NOISE = 1e-12


@dataclass(frozen=True)
class Limits:
    """The lines of a control chart, one number a point (NaN where there is none).

    Attributes
    ----------
    centre, lower, upper
        Centre line and unclipped limits.
    sigma
        One standard deviation of a point; 0 for a series without variation, NaN where the limits are exact.
    near_lower, near_upper
        Two thirds of the way to the limits; the "two sigma" lines of the run rules.
    sigma_z
        The between-period variation of a p' or u' chart relative to what chance explains; 1 elsewhere.
    """

    centre: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    sigma: np.ndarray
    near_lower: np.ndarray
    near_upper: np.ndarray
    sigma_z: float = 1.0

    def clipped(self, possible: tuple[float | None, float | None]) -> Limits:
        """The same lines kept within the possible range, for drawing.

        Examples
        --------
        >>> lines = from_sigma(np.array([0.95]), np.array([0.04]))
        >>> lines.upper.round(2).tolist(), lines.clipped((0, 1)).upper.tolist()
        ([1.07], [1.0])
        """
        low, high = possible

        def clip(line: np.ndarray) -> np.ndarray:
            return line if low is None and high is None else np.clip(line, low, high)

        return replace(
            self,
            lower=clip(self.lower),
            upper=clip(self.upper),
            near_lower=clip(self.near_lower),
            near_upper=clip(self.near_upper),
        )

    def shifted(self, by: np.ndarray) -> Limits:
        """The lines moved by one number a point, to follow a season."""
        return replace(
            self,
            centre=self.centre + by,
            lower=self.lower + by,
            upper=self.upper + by,
            near_lower=self.near_lower + by,
            near_upper=self.near_upper + by,
        )


def from_sigma(centre: np.ndarray, sigma: np.ndarray, factor: float = 3.0, sigma_z: float = 1.0) -> Limits:
    """Symmetric limits `factor` sigma from the centre, near limits at two thirds of that."""
    reach = factor * sigma
    near = 2 / 3 * reach
    return Limits(centre, centre - reach, centre + reach, sigma, centre - near, centre + near, sigma_z)


def no_limits(size: int) -> Limits:
    """Lines for a series too short to have any."""
    empty = np.full(size, np.nan)
    return Limits(empty, empty, empty, empty, empty, empty)


def moving_ranges(values: np.ndarray, baseline: np.ndarray, *, across_gaps: bool = False) -> np.ndarray:
    """Absolute differences of neighbouring baseline points.

    Parameters
    ----------
    values
        The series on its gap-free spine, NaN where a period is missing.
    baseline
        Mask of the points that may set limits.
    across_gaps
        Whether the points on both sides of a gap count as neighbours, as NHSRplotthedots has it.

    Examples
    --------
    >>> y = np.array([1.0, 3.0, np.nan, 4.0, 4.5])
    >>> moving_ranges(y, np.isfinite(y)).tolist(), moving_ranges(y, np.isfinite(y), across_gaps=True).tolist()
    ([2.0, 0.5], [2.0, 1.0, 0.5])
    """
    kept = np.where(baseline, values, np.nan)
    if across_gaps:
        kept = kept[np.isfinite(kept)]
    ranges = np.abs(np.diff(kept))
    return ranges[np.isfinite(ranges)]


def mean_range(ranges: np.ndarray, *, screen: bool, size: float = 1.0) -> float:
    """Mean moving range, optionally without the ranges beyond 3.267 times it (one pass, as NHSRplotthedots).

    Where screening would leave only zeros (a series that moves once), the unscreened mean is kept: limits of no width
    would flag every point. `size` is the scale of the series; ranges that are rounding noise on it are zero.

    Examples
    --------
    >>> float(mean_range(np.array([1.0, 1.0, 1.0, 1.0, 9.0]), screen=True))
    1.0
    >>> float(mean_range(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0]), screen=True))
    1.0
    """
    if ranges.size == 0:
        return np.nan
    ranges = np.where(ranges <= _NOISE * max(size, np.finfo(float).tiny), 0.0, ranges)
    mean = float(ranges.mean())
    if not screen or mean == 0:
        return mean
    kept = ranges[ranges < SCREEN * mean]
    screened = float(kept.mean()) if kept.size else 0.0
    return screened or mean


def _size(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max()) if finite.size else 1.0


def xmr_limits(
    values: np.ndarray,
    baseline: np.ndarray,
    *,
    factor: float = 3.0,
    screen: bool = False,
    across_gaps: bool = False,
    inflate: float = 1.0,
) -> Limits:
    """Individuals (XmR) chart: mean -+ 2.66 mean moving range (Montgomery 6.33).

    Parameters
    ----------
    values, baseline, across_gaps
        As in `moving_ranges`.
    factor
        Limits lie this many sigma from the mean; 3 for the usual chart.
    screen
        Leave out moving ranges beyond 3.267 times their mean, once.
    inflate
        Multiplies sigma, for series whose neighbours depend on each other.

    Examples
    --------
    >>> y = np.array([310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304.0])
    >>> lines = xmr_limits(y, np.isfinite(y))
    >>> float(lines.centre[0]), float(lines.lower[0].round(2)), float(lines.upper[0].round(2))
    (300.5, 279.78, 321.22)
    """
    used = baseline & np.isfinite(values)
    if used.sum() < 2:
        return no_limits(values.size)
    ranges = moving_ranges(values, used, across_gaps=across_gaps)
    if ranges.size == 0:
        ranges = moving_ranges(values, used, across_gaps=True)
    sigma = mean_range(ranges, screen=screen, size=_size(values[used])) * XMR / 3 * inflate
    centre = float(values[used].mean()) if sigma > 0 else float(values[used][0])
    return from_sigma(np.full(values.size, centre), np.full(values.size, sigma), factor)


def run_limits(values: np.ndarray, baseline: np.ndarray) -> Limits:
    """Run chart: the median and no limits.

    Examples
    --------
    >>> float(run_limits(np.array([1.0, 9.0, 2.0]), np.array([True, True, True])).centre[0])
    2.0
    """
    used = baseline & np.isfinite(values)
    lines = no_limits(values.size)
    return replace(lines, centre=np.full(values.size, np.median(values[used]))) if used.any() else lines


def _rate(numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray) -> tuple[float, np.ndarray]:
    """The weighted mean of the baseline, and the mask of points that can be judged (denominator > 0)."""
    if np.any(denominator[np.isfinite(denominator)] < 0) or np.any(numerator[np.isfinite(numerator)] < 0):
        raise InputRefused(Problem("series", "a negative numerator or denominator", "mend the KPI's expressions"))
    usable = np.isfinite(numerator) & np.isfinite(denominator) & (denominator > 0)
    used = baseline & usable
    total = denominator[used].sum()
    return (float(numerator[used].sum() / total) if total > 0 else np.nan), usable


def _chance_sigma(variance: float, denominator: np.ndarray, usable: np.ndarray) -> np.ndarray:
    sigma = np.full(denominator.shape, np.nan)
    sigma[usable] = np.sqrt(variance / denominator[usable])
    return sigma


def p_limits(numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray, *, factor: float = 3.0) -> Limits:
    """p chart: p -+ factor sqrt(p (1 - p) / n) (Montgomery 7.8 and 7.9).

    A period with denominator 0 has no lines.

    Examples
    --------
    >>> lines = p_limits(np.array([12.0, 8, 6]), np.array([100.0, 80, 80]), np.array([True, True, True]))
    >>> lines.upper.round(4).tolist()
    [0.19, 0.2006, 0.2006]
    """
    share, usable = _rate(numerator, denominator, baseline)
    sigma = _chance_sigma(share * (1 - share), denominator, usable)
    return from_sigma(np.where(usable, share, np.nan), sigma, factor)


def u_limits(numerator: np.ndarray, denominator: np.ndarray, baseline: np.ndarray, *, factor: float = 3.0) -> Limits:
    """u chart: u -+ factor sqrt(u / n) (Montgomery 7.19)."""
    rate, usable = _rate(numerator, denominator, baseline)
    return from_sigma(np.where(usable, rate, np.nan), _chance_sigma(rate, denominator, usable), factor)


def c_limits(counts: np.ndarray, baseline: np.ndarray, *, factor: float = 3.0) -> Limits:
    """c chart: c -+ factor sqrt(c) (Montgomery 7.16).

    Examples
    --------
    >>> lines = c_limits(np.array([16.0, 24, 20]), np.array([True, True, True]))
    >>> lines.centre[0].item(), lines.upper[0].round(2).item()
    (20.0, 33.42)
    """
    return u_limits(counts, np.where(np.isfinite(counts), 1.0, np.nan), baseline, factor=factor)


def _prime(
    plain: Limits,
    numerator: np.ndarray,
    denominator: np.ndarray,
    baseline: np.ndarray,
    factor: float,
    screen: bool,
    floor: float,
    inflate: float,
) -> Limits:
    """Laney's correction: the moving range of the z-scores says how much wider than chance the series varies."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(plain.sigma > 0, (numerator / denominator - plain.centre) / plain.sigma, np.nan)
    ranges = moving_ranges(z, baseline & np.isfinite(z), across_gaps=True)
    sigma_z = mean_range(ranges, screen=screen) / D2 if ranges.size else 1.0
    sigma_z = max(sigma_z, floor)
    return from_sigma(plain.centre, plain.sigma * sigma_z * inflate, factor, sigma_z)


def p_prime_limits(
    numerator: np.ndarray,
    denominator: np.ndarray,
    baseline: np.ndarray,
    *,
    factor: float = 3.0,
    screen: bool = True,
    floor: float = 1.0,
    inflate: float = 1.0,
) -> Limits:
    """Laney's p' chart: the p chart's sigma times sigma_z.

    Parameters
    ----------
    floor
        Least sigma_z. 1 by default: limits narrower than chance are false alarms (1.5 % a point at 6-40 cases a month
        instead of 0.7 %). 0 gives Laney's chart as published.

    References
    ----------
    Laney (2002), Improved control charts for attributes, *Quality Engineering* 14(4).
    """
    plain = p_limits(numerator, denominator, baseline)
    return _prime(plain, numerator, denominator, baseline, factor, screen, floor, inflate)


def u_prime_limits(
    numerator: np.ndarray,
    denominator: np.ndarray,
    baseline: np.ndarray,
    *,
    factor: float = 3.0,
    screen: bool = True,
    floor: float = 1.0,
    inflate: float = 1.0,
) -> Limits:
    """Laney's u' chart: the u chart's sigma times sigma_z."""
    plain = u_limits(numerator, denominator, baseline)
    return _prime(plain, numerator, denominator, baseline, factor, screen, floor, inflate)


def i_prime_limits(
    values: np.ndarray,
    sizes: np.ndarray,
    baseline: np.ndarray,
    *,
    factor: float = 3.0,
    screen: bool = False,
    inflate: float = 1.0,
) -> Limits:
    """Taylor's I' chart for means of `sizes` cases: weighted mean -+ factor s / sqrt(n).

    s is the mean over neighbouring baseline points of sqrt(pi/2) |y_i - y_{i-1}| / sqrt(1/n_i + 1/n_{i-1}).

    Examples
    --------
    >>> y, n = np.array([10.0, 12, 11, 13]), np.array([4.0, 4, 16, 4])
    >>> lines = i_prime_limits(y, n, np.full(4, True))
    >>> (lines.upper - lines.centre).round(2).tolist()
    [5.14, 5.14, 2.57, 5.14]
    """
    usable = np.isfinite(values) & np.isfinite(sizes) & (sizes > 0)
    used = np.flatnonzero(baseline & usable)
    if used.size < 2:
        return no_limits(values.size)
    y, n = values[used], sizes[used]
    spread = np.sqrt(np.pi / 2) * np.abs(np.diff(y)) / np.sqrt(1 / n[1:] + 1 / n[:-1])
    s = mean_range(spread, screen=screen, size=_size(y)) * inflate
    centre = np.where(usable, np.average(y, weights=n) if s > 0 else y[0], np.nan)
    return from_sigma(centre, np.where(usable, s / np.sqrt(np.where(usable, sizes, 1)), np.nan), factor)


def g_limits(gaps: np.ndarray, baseline: np.ndarray, *, factor: float = 3.0) -> Limits:
    """g chart of cases between rare events: mean -+ factor sqrt(m (m + 1)), centre line at the median.

    Examples
    --------
    >>> lines = g_limits(np.array([10.0, 30, 20]), np.array([True, True, True]))
    >>> lines.centre[0].item(), lines.upper[0].round(1).item()
    (20.0, 81.5)
    """
    used = baseline & np.isfinite(gaps)
    if not used.any():
        return no_limits(gaps.size)
    mean = float(gaps[used].mean())
    lines = from_sigma(np.full(gaps.size, mean), np.full(gaps.size, np.sqrt(mean * (mean + 1))), factor)
    return replace(lines, centre=np.full(gaps.size, float(np.median(gaps[used]))))


def t_limits(times: np.ndarray, baseline: np.ndarray, *, factor: float = 3.0, inflate: float = 1.0) -> Limits:
    """t chart of times between rare events: XmR on x^(1/3.6), drawn on the original scale (Nelson 1994).

    Examples
    --------
    >>> lines = t_limits(np.array([4.0, 9, 1, 16, 4]), np.full(5, True))
    >>> bool(lines.lower[0] >= 0 and lines.upper[0] > 16)
    True
    """
    return rescaled(
        xmr_limits(np.power(times, 1 / 3.6), baseline, factor=factor, inflate=inflate), lambda x: _power(x, 3.6)
    )


def _power(x: np.ndarray, exponent: float) -> np.ndarray:
    return np.power(np.maximum(x, 0), exponent)


def rescaled(lines: Limits, back, *, flip: bool = False) -> Limits:
    """Lines that were found on another scale, brought back by a monotone function; `flip` where it is decreasing.

    Examples
    --------
    >>> rescaled(from_sigma(np.array([0.0]), np.array([1.0])), np.exp).upper.round(1).tolist()
    [20.1]
    """
    lower, upper, near_lower, near_upper = (
        back(x) for x in (lines.lower, lines.upper, lines.near_lower, lines.near_upper)
    )
    if flip:
        lower, upper, near_lower, near_upper = upper, lower, near_upper, near_lower
    return Limits(back(lines.centre), lower, upper, lines.sigma, near_lower, near_upper, lines.sigma_z)
