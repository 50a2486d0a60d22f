"""Gates: does a series break the assumptions of its chart? Autocorrelation, season, more spread than chance.

A gate that fires widens the limits, moves them with the season or changes the chart; it is reported as numbers and a
code, never silently.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from svclib.measure.spc.trend import TREND_P, trend

SeasonKind = Literal["none", "harmonic", "months", "suspected", "too_short"]
# A season is only fitted to three years: two of a kind may be chance.
SEASON_YEARS = 3
SEASON_P = 0.01
DISPERSION_P = 0.01


@dataclass(frozen=True)
class Autocorrelation:
    """Lag-one correlation of neighbouring periods, and what it does to the limits.

    Attributes
    ----------
    r1
        Lag-one autocorrelation of the baseline; NaN below 8 points.
    threshold
        1.645 / sqrt(n): a greater r1 fires the gate.
    inflate
        1 / sqrt(1 - r1) where the gate fires, else 1.
    step_explains, drift_explains
        The correlation is better explained by one sustained step, or by a drift beyond what it would bring about; the
        gate then stays open, for that is what a chart is to find.
    """

    r1: float
    threshold: float
    fired: bool
    inflate: float
    step_explains: bool = False
    drift_explains: bool = False


@dataclass(frozen=True)
class Season:
    """A yearly pattern.

    Attributes
    ----------
    kind
        ``harmonic`` (one wave a year), ``months`` (an effect for each calendar month), ``none``, or of a series of less
        than three years ``suspected`` (its periods resemble those a year before) or ``too_short``.
    p
        p-value of the test behind `kind`; NaN where the series is too short for any.
    effect
        What the season adds to each period of the series; mean zero over a year, zeros where there is none.
    amplitude
        Half the distance between the season's highest and lowest effect.
    """

    kind: SeasonKind
    p: float
    effect: np.ndarray
    amplitude: float


@dataclass(frozen=True)
class Dispersion:
    """Spread between periods against what chance alone explains.

    Attributes
    ----------
    ratio
        Pearson chi-squared over its degrees of freedom; 1 is chance.
    p
        Upper tail of the chi-squared test.
    """

    ratio: float
    p: float
    fired: bool


def autocorrelation(values: np.ndarray) -> Autocorrelation:
    """Lag-one correlation of a baseline (NaN for missing periods).

    Examples
    --------
    >>> wave = np.sin(np.arange(24) / 3)
    >>> autocorrelation(wave).fired
    True
    >>> autocorrelation(np.array([1.0, 1, 1, 1, 1, 1, 1, 1])).fired
    False
    """
    n = int(np.isfinite(values).sum())
    quiet = Autocorrelation(np.nan, np.nan, False, 1.0)
    if n < 8:
        return quiet
    centred = values - np.nanmean(values)
    total = np.nansum(centred**2)
    if total <= 1e-24 * max(1.0, np.nanmax(np.abs(values)) ** 2):
        return quiet
    r1 = float(np.nansum(centred[1:] * centred[:-1]) / total)
    threshold = 1.645 / np.sqrt(n)
    if r1 <= threshold:
        return Autocorrelation(r1, float(threshold), False, 1.0)
    if step_fits_better(values[np.isfinite(values)]):
        return Autocorrelation(r1, float(threshold), False, 1.0, step_explains=True)
    line = trend(values)
    if line is not None and line.p < TREND_P:
        return Autocorrelation(r1, float(threshold), False, 1.0, drift_explains=True)
    return Autocorrelation(r1, float(threshold), True, float(1 / np.sqrt(1 - min(r1, 0.95))))


# How much better, in units of the Bayesian information criterion, one step must fit than dependence. Under true
# dependence of 0.4 about one chart in twenty is taken for a step (benchmarks/control_charts.py).
STEP_MARGIN = 6.0


def step_fits_better(values: np.ndarray) -> bool:
    """Whether one sustained step explains a series clearly better than dependence between neighbours.

    Compares the residual variance of the best split into two levels (at least four points each) with that of a
    first-order autoregression, by the Bayesian information criterion.

    Examples
    --------
    >>> noise = np.array([0.3, -0.4, 0.1, -0.2, 0.4, -0.1, -0.3, 0.2, 0.0, 0.1, -0.2, 0.3])
    >>> step_fits_better(noise + np.repeat([0, 3], 6))
    True
    """
    n = values.size
    if n < 8:
        return False
    steps = [_two_levels(values, k) for k in range(4, n - 3)]
    now, before = values[1:], values[:-1]
    slope = np.polyfit(before, now, 1)
    dependent = float(np.sum((now - np.polyval(slope, before)) ** 2)) * n / (n - 1)
    step = max(min(steps), 1e-300)
    # The date of the step is a parameter too: three against two.
    return bool(n * np.log(max(dependent, 1e-300) / step) - np.log(n) > STEP_MARGIN)


def _two_levels(values: np.ndarray, k: int) -> float:
    return float(np.sum((values[:k] - values[:k].mean()) ** 2) + np.sum((values[k:] - values[k:].mean()) ** 2))


def season(values: np.ndarray, starts: Sequence[dt.date], phase: np.ndarray) -> Season:
    """Look for a yearly pattern in three years or more, by F tests at p < 0.01.

    Parameters
    ----------
    values
        The series, NaN where a point may not be used.
    starts
        First day of each period.
    phase
        Number of the phase of each period; each keeps its own level.

    Examples
    --------
    >>> months = [dt.date(2020 + i // 12, i % 12 + 1, 1) for i in range(36)]
    >>> y = np.cos(np.arange(36) * np.pi / 6) + 0.3 * np.sin(np.arange(36) ** 2)
    >>> season(y, months, np.zeros(36, int)).kind
    'harmonic'
    """
    known = np.isfinite(values)
    none = np.zeros(len(starts))
    days = np.array([s.toordinal() for s in starts], dtype=float)
    if known.sum() < 12 or days[known].max() - days[known].min() < SEASON_YEARS * 365.25 - 62:
        p = resemblance_p(values, round(365.25 / float(np.median(np.diff(days)))) if len(days) > 1 else 0)
        return Season("suspected" if p < SEASON_P else "too_short", p, none, 0.0)
    levels = np.column_stack([(phase == k) & known for k in np.unique(phase[known])]).astype(float)
    wave, months = _wave(starts), _months(starts)
    found = [("harmonic", wave, *_f_test(values, known, levels, wave))]
    if known.sum() >= months.shape[1] + levels.shape[1] + 12:
        found.append(("months", months, *_f_test(values, known, np.hstack([levels, wave]), months)))
    kind, design, p, _ = found[0]
    # Calendar months only where they tell more than the one wave does: a sharp dip each August.
    if len(found) > 1 and found[1][2] < SEASON_P / 2:
        kind, design, p = "months", months, found[1][2]
    elif p >= SEASON_P:
        return Season("none", float(p), none, 0.0)
    effect = design @ _coefficients(values, known, levels, design)
    effect = effect - effect[known].mean()
    return Season(kind, float(p), effect, float(np.ptp(effect) / 2))  # type: ignore[arg-type]


def resemblance_p(values: np.ndarray, year: int) -> float:
    """Chance that periods resemble those a year before so much; NaN with fewer than twelve such pairs.

    One-sided, of Pearson's correlation at the lag of a year, after a straight line or a single change of level, whichever
    leaves less, is taken out.

    Parameters
    ----------
    values
        The series, NaN where a point may not be used.
    year
        Periods a year.

    Examples
    --------
    >>> winters = np.tile([5.0, 4, 1, 1, 0, 1, 0, 0, 1, 0, 1, 4], 3)[:28] + np.tile([0.3, -0.2, 0.1], 10)[:28]
    >>> resemblance_p(winters, 12) < 0.001, resemblance_p(np.arange(28.0), 12) > 0.01
    (True, True)
    """
    at = np.flatnonzero(np.isfinite(values))
    if year < 1 or at.size < 4:
        return np.nan
    y = values[at]
    candidates = [y - np.polyval(np.polyfit(at, y, 1), at)]
    candidates += [np.concatenate([y[:k] - y[:k].mean(), y[k:] - y[k:].mean()]) for k in range(3, y.size - 2)]
    left = np.full(values.size, np.nan)
    left[at] = min(candidates, key=lambda residual: float(residual @ residual))
    pairs = np.isfinite(left[:-year]) & np.isfinite(left[year:])
    if pairs.sum() < 12:
        return np.nan
    before, now = left[:-year][pairs], left[year:][pairs]
    if min(np.ptp(before), np.ptp(now)) <= 1e-9 * max(1.0, float(np.abs(y).max())):
        return 1.0
    return float(stats.pearsonr(before, now, alternative="greater").pvalue)


def season_at(found: Season, starts: Sequence[dt.date], ahead: Sequence[dt.date]) -> np.ndarray:
    """The season's effect in periods to come: that of the same month in the latest year known.

    Examples
    --------
    >>> months = [dt.date(2020 + i // 12, i % 12 + 1, 1) for i in range(36)]
    >>> known = Season("months", 0.001, np.arange(36.0), 1.0)
    >>> season_at(known, months, [dt.date(2023, 1, 1)]).tolist()
    [24.0]
    """
    monthly = all(day.day == 1 for day in starts)

    def place(day: dt.date) -> int:
        # Week 53 is rare; it takes the season of week 52.
        return day.month if monthly else min(day.isocalendar()[1], 52)

    last = {place(day): effect for day, effect in zip(starts, found.effect, strict=True)}
    return np.array([last.get(place(day), 0.0) for day in ahead])


def _wave(starts: Sequence[dt.date]) -> np.ndarray:
    angle = np.array([2 * np.pi * (s.timetuple().tm_yday - 1) / 365.25 for s in starts])
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _months(starts: Sequence[dt.date]) -> np.ndarray:
    month = np.array([s.month for s in starts])
    return np.column_stack([(month == m).astype(float) - (month == 12) for m in range(1, 12)])


def _coefficients(values: np.ndarray, known: np.ndarray, levels: np.ndarray, design: np.ndarray) -> np.ndarray:
    fitted = np.linalg.lstsq(np.hstack([levels, design])[known], values[known], rcond=None)[0]
    return fitted[levels.shape[1] :]


def _f_test(values: np.ndarray, known: np.ndarray, base: np.ndarray, more: np.ndarray) -> tuple[float, int]:
    """p-value of what `more` adds to `base`, and its degrees of freedom."""
    small, y = base[known], values[known]
    large = np.hstack([small, more[known]])

    def rss(design: np.ndarray) -> tuple[float, int]:
        fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        return float(np.sum((y - design @ fitted) ** 2)), int(rank)

    (rss0, rank0), (rss1, rank1) = rss(small), rss(large)
    gained, left = rank1 - rank0, y.size - rank1
    if gained <= 0 or left <= 0 or rss0 <= 1e-24 * max(1.0, float(np.sum(y**2))):
        return 1.0, gained
    if rss1 <= 0:
        return 0.0, gained
    return float(stats.f.sf((rss0 - rss1) / gained / (rss1 / left), gained, left)), gained


def dispersion(numerator: np.ndarray, denominator: np.ndarray, *, binomial: bool) -> Dispersion:
    """Pearson's test that all periods share one proportion (or rate).

    Parameters
    ----------
    numerator, denominator
        The baseline; denominators above 0.
    binomial
        True for a proportion, False for a rate or count.

    Examples
    --------
    >>> even = dispersion(np.array([10.0, 11, 9, 10]), np.array([20.0, 20, 20, 20]), binomial=True)
    >>> even.ratio < 1, even.fired
    (True, False)
    """
    known = np.isfinite(numerator) & np.isfinite(denominator) & (denominator > 0)
    r, n = numerator[known], denominator[known]
    if r.size < 3 or r.sum() == 0 or (binomial and r.sum() >= n.sum()):
        return Dispersion(np.nan, 1.0, False)
    level = r.sum() / n.sum()
    variance = n * level * (1 - level if binomial else 1)
    chi2 = float(np.sum((r - n * level) ** 2 / variance))
    p = float(stats.chi2.sf(chi2, r.size - 1))
    return Dispersion(chi2 / (r.size - 1), p, p < DISPERSION_P)
