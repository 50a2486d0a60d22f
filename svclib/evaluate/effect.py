"""How much a plan moved its KPI: the step at its date, against peers where there are any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from svclib.evaluate.latent import Family, fit_latent
from svclib.evaluate.peers import Comparison, compare_with_peers, fit_gap, step_against_peers, weighted_mean
from svclib.evaluate.window import Window, shows_season, step_design
from svclib.measure.autoregression import Ar1Fit, Mixture, NotEstimable, fit_ar1

FloatArray = NDArray[np.float64]
Method = Literal[
    "peers_ar1", "peers_binomial", "peers_poisson", "series_ar1", "series_binomial", "series_poisson", "none"
]

# Kinds whose shocks multiply rather than add: peers are scaled to the treated department's level (where all levels
# are above 0). Shares and scores end at a ceiling; there a shock of all adds.
RATIO_KINDS = frozenset({"count", "rate", "mean", "time_to_event", "quantile"})
# Below this many expected cases of the rarer kind (proportion) or events (count, rate) a period, the normal
# approximation of one period is poor and the counts get their own likelihood.
FEW_SUCCESSES, FEW_EVENTS = 10.0, 20.0
# Without peers a trend is told from a step only by the past; a priori it is at most about this many SD a year.
TREND_SD = 1.0
_Z80 = 0.8416212


class Posterior(Protocol):
    """What is known of one number."""

    def cdf(self, x: float) -> float: ...
    def quantile(self, q: float) -> float: ...
    def interval(self, level: float = 0.95) -> tuple[float, float]: ...
    @property
    def p(self) -> float: ...


@dataclass(frozen=True)
class Mapped:
    """A posterior seen through a rising function, e.g. log odds as a difference of proportions."""

    base: Mixture
    forward: Callable[[float], float]

    def cdf(self, x: float) -> float:
        low, high = self.base.quantile(1e-6), self.base.quantile(1 - 1e-6)
        if x <= self.forward(low):
            return 0.0
        if x >= self.forward(high):
            return 1.0
        return self.base.cdf(float(brentq(lambda d: self.forward(d) - x, low, high)))

    def quantile(self, q: float) -> float:
        return self.forward(self.base.quantile(q))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    @property
    def p(self) -> float:
        return self.base.p


@dataclass(frozen=True)
class Series:
    """One department's KPI on the spine; all (periods,), NaN where missing or not mature.

    `numerator` and `denominator` are the counts behind proportions, counts and rates (a rate's `value` is
    per x numerator / denominator). `withheld` marks periods whose value may enter an estimate and never be shown.
    """

    value: FloatArray
    numerator: FloatArray | None = None
    denominator: FloatArray | None = None
    withheld: NDArray[np.bool_] | None = None

    def only(self, periods: NDArray[np.bool_]) -> Series:
        """The series with nothing known outside of these periods."""

        def cut(known: FloatArray | None) -> FloatArray | None:
            return None if known is None else np.where(periods, known, np.nan)

        return Series(np.where(periods, self.value, np.nan), cut(self.numerator), cut(self.denominator), self.withheld)


@dataclass(frozen=True)
class Panel:
    """A KPI of the treated department and of those it may be compared with.

    Attributes
    ----------
    kind
        The KPI's kind.
    per
        Factor of a rate.
    per_year
        Periods a year.
    """

    treated: Series
    peers: dict[str, Series]
    kind: str
    per: float = 1.0
    per_year: float = 12.0

    def without_peer(self, name: str) -> Panel:
        return self.with_peers({code: series for code, series in self.peers.items() if code != name})

    def with_peers(self, peers: dict[str, Series]) -> Panel:
        return Panel(self.treated, peers, self.kind, self.per, self.per_year)

    def peer_values(self) -> FloatArray:
        if not self.peers:
            return np.empty((len(self.treated.value), 0))
        return np.column_stack([series.value for series in self.peers.values()])


@dataclass(frozen=True)
class Effect:
    """The step that the plan's date brought, in the KPI's units.

    Attributes
    ----------
    posterior
        Of the mean effect over the periods after.
    sd
        Its standard error.
    mde80
        Smallest true effect that would be told from 0 (two-sided 5 %) with 80 % probability.
    fit
        The linear fit behind it (of the gap series, where there are peers); projections come from it.
    """

    posterior: Posterior
    estimate: float
    lower: float
    upper: float
    p: float
    sd: float
    mde80: float
    method: Method
    n_before: int
    n_after: int
    fit: Ar1Fit
    comparison: Comparison | None = None
    slope: Slope | None = None


@dataclass(frozen=True)
class Slope:
    """Does the effect hold? Level at the first period after, change a period since, effect at the last period."""

    level: float
    change: float
    change_interval: tuple[float, float]
    last: float
    last_interval: tuple[float, float]
    p: float


def estimate_effect(panel: Panel, window: Window, *, slope: bool = False) -> Effect:
    """Estimate the step at the plan's date, and level and slope after it where asked for.

    With at least two peers, the treated department minus its weighted peers; else its own series with trend and
    season. Proportions and counts of few cases are fitted in their own likelihood.

    Raises
    ------
    NotEstimable
        Where there are fewer than 3 periods before or none after.
    """
    window = window.without(np.isnan(panel.treated.value))
    if window.n_before < 3 or window.n_after < 1:
        raise NotEstimable(f"{window.n_before} periods before and {window.n_after} after are too few")
    comparison = compare_with_peers(
        panel.treated.value, panel.peer_values(), list(panel.peers), window, ratio=panel.kind in RATIO_KINDS
    )
    family = small_number_family(panel.kind, panel.treated, window)
    fit, posterior = _gaussian(panel, window, comparison)
    method: Method = "peers_ar1" if comparison else "series_ar1"
    if family:
        posterior = _in_own_likelihood(panel, window, comparison, family)
        method = f"{'peers' if comparison else 'series'}_{family}"  # type: ignore[assignment]
    lower, upper = posterior.interval()
    sd = (posterior.quantile(0.8413447) - posterior.quantile(0.1586553)) / 2
    return Effect(
        posterior=posterior,
        estimate=posterior.quantile(0.5),
        lower=lower,
        upper=upper,
        p=posterior.p,
        sd=sd,
        mde80=(upper - lower) / 2 + _Z80 * sd,
        method=method,
        n_before=window.n_before,
        n_after=window.n_after,
        fit=fit,
        comparison=comparison,
        slope=level_and_slope(panel, window, comparison) if slope else None,
    )


def _gaussian(panel: Panel, window: Window, comparison: Comparison | None) -> tuple[Ar1Fit, Posterior]:
    if comparison:
        return fit_gap(comparison, window), step_against_peers(comparison, window)
    fit = fit_series(panel.treated.value, window, panel.per_year)
    return fit, fit.contrast(np.eye(fit.coefficients.shape[1])[1])


def fit_series(values: FloatArray, window: Window, per_year: float, *, slope: bool = False) -> Ar1Fit:
    """Single interrupted series: intercept, step, trend and, with two years before, a yearly season.

    Below two years a free trend would leave nothing of the step; it is drawn to 0 by a prior of 1 SD a year.
    """
    long = shows_season(window, per_year)
    x, times = step_design(window, trend=True, harmonics=1 if long else 0, slope=slope, per_year=per_year)
    prior_sd = None if long else [np.inf] * (x.shape[1] - 1) + [TREND_SD]
    return fit_ar1(values[times], x, times, prior_sd=prior_sd)


def expected_without(effect: Effect, panel: Panel, window: Window) -> FloatArray:
    """The series as the estimate expects it without the plan, so that what is drawn and what is told are one.

    Against peers their level, moved to the department's own and followed as much as the department follows it; else the
    department's own level, trend and season (where the window is used, without the ramp).

    Returns
    -------
    (periods,) in the KPI's unit; NaN where unknown.
    """
    fit, compared = effect.fit, effect.comparison
    mean = fit.weight @ fit.coefficients
    if compared is not None:
        return np.asarray(compared.counterfactual + mean[0] + mean[-1] * compared.common)
    window = window.without(np.isnan(panel.treated.value))
    harmonics = 1 if shows_season(window, panel.per_year) else 0
    x, times = step_design(window, trend=True, harmonics=harmonics, per_year=panel.per_year)
    expected = np.full(len(panel.treated.value), np.nan)
    x[:, 1] = 0.0
    expected[times] = x @ mean
    return expected


def level_and_slope(panel: Panel, window: Window, comparison: Comparison | None) -> Slope | None:
    """Level and slope after the plan; None with fewer than 6 periods after."""
    if window.n_after < 6:
        return None
    try:
        if comparison:
            fit, factor = fit_gap(comparison, window, slope=True), comparison.inflation
        else:
            fit, factor = fit_series(panel.treated.value, window, panel.per_year, slope=True), 1.0
    except NotEstimable:
        return None
    last = np.flatnonzero(window.after)[[0, -1]]
    unit = np.eye(fit.coefficients.shape[1])
    change = fit.contrast(unit[2]).widened(factor)
    end = fit.contrast(unit[1] + (last[1] - last[0]) * unit[2]).widened(factor)
    return Slope(fit.contrast(unit[1]).mean, change.mean, change.interval(), end.mean, end.interval(), change.p)


def small_number_family(kind: str, series: Series, window: Window) -> Family | None:
    """The likelihood that few cases need; None where a period's value is near enough to normal."""
    if series.numerator is None:
        return None
    y = series.numerator[window.used]
    if kind == "proportion" and series.denominator is not None:
        n = series.denominator[window.used]
        if np.isnan(y).any() or np.isnan(n).any() or not (n > 0).all():
            return None
        share = y.sum() / n.sum()
        return "binomial" if np.median(n) * min(share, 1 - share) < FEW_SUCCESSES else None
    if kind in ("count", "rate"):
        exposure = np.ones(1) if kind == "count" or series.denominator is None else series.denominator[window.used]
        if np.isnan(y).any() or (y < 0).any() or not (exposure > 0).all():
            return None
        return "poisson" if np.median(y) < FEW_EVENTS else None
    return None


def _exposure(panel: Panel, series: Series) -> FloatArray:
    if panel.kind == "count" or series.denominator is None:
        return np.ones(len(series.value))
    return series.denominator


def _in_own_likelihood(panel: Panel, window: Window, comparison: Comparison | None, family: Family) -> Posterior:
    x, times = step_design(window)
    assert panel.treated.numerator is not None
    exposure = _exposure(panel, panel.treated)[times]
    offset = _peer_predictor(panel, comparison, family, window)[times] if comparison else np.zeros(len(times))
    known = ~np.isnan(offset)
    fit = fit_latent(
        panel.treated.numerator[times][known], exposure[known], x[known], times[known], family=family,
        offset=offset[known],
    )  # fmt: skip
    step = fit.contrast([0.0, 1.0]).widened(comparison.inflation if comparison else 1.0)
    level = fit.contrast([1.0, 0.0]).mean + offset[known & window.after[times]]
    inverse: Callable[[FloatArray], FloatArray] = expit if family == "binomial" else np.exp
    factor = panel.per if panel.kind == "rate" else 1.0
    return Mapped(step, lambda d: float(factor * np.mean(inverse(level + d) - inverse(level))))


def _peer_predictor(panel: Panel, comparison: Comparison | None, family: Family, window: Window) -> FloatArray:
    """Weighted mean of the peers' log odds or log rates around their means before the plan."""
    assert comparison
    columns = []
    for code in comparison.weights:
        series = panel.peers[code]
        columns.append(_predictor(series, _exposure(panel, series), family))
    panel_of_peers = np.column_stack(columns)
    panel_of_peers = panel_of_peers - np.nanmean(panel_of_peers[window.before], axis=0)
    return weighted_mean(panel_of_peers, np.array(list(comparison.weights.values())))


def _predictor(series: Series, exposure: FloatArray, family: Family) -> FloatArray:
    assert series.numerator is not None
    exposure = np.where(exposure > 0, exposure, np.nan)
    # Half a case on either side keeps the log finite (Haldane 1955).
    if family == "poisson":
        return np.log((series.numerator + 0.5) / exposure)
    return logit((series.numerator + 0.5) / (exposure + 1.0))
