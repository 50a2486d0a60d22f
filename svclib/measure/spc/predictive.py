"""What the next period may bring, if the process stays as it was in the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from svclib.measure.spc.baseline import degrees_of_freedom
from svclib.measure.spc.exact import beta_binomial_quantile, beta_binomial_tails, gamma_poisson, gamma_poisson_tails
from svclib.measure.spc.scale import Scale, backward, falls, forward

# Counts are compared with targets times denominators: 0.95 * 20 is 19, not 19.000000000000004.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Predictive:
    """The distribution of the next period's value.

    Attributes
    ----------
    law
        ``t`` (from a centre and a sigma), ``beta_binomial``, ``gamma_poisson`` or ``constant``.
    points
        Points of the baseline.
    centre, sigma
        For ``t`` and ``constant``, on the judging scale, season included.
    events, cases, size
        For the count laws: totals of the baseline, and the next period's expected cases (or exposure).
    per
        A rate is shown per this many.
    phi, away
        For ``t``: lag-one correlation of neighbouring periods where it is beyond chance (else 0), and how far the
        latest period lies from the centre. `centre` and `sigma` are those of the process; `ahead` tells the rest.
    """

    law: Literal["t", "beta_binomial", "gamma_poisson", "constant"]
    points: int
    centre: float = np.nan
    sigma: float = np.nan
    scale: Scale = "identity"
    events: float = np.nan
    cases: float = np.nan
    size: float = np.nan
    per: float = 1.0
    phi: float = 0.0
    away: float = 0.0

    def ahead(self, periods: int = 1, season: float = 0.0) -> Predictive:
        """The distribution so many periods ahead: a dependent process comes back to its centre little by little.

        `season` is added on the judging scale (its difference from the next period's).

        Examples
        --------
        >>> law = Predictive("t", 24, centre=0.9, sigma=0.02, phi=0.5, away=0.04)
        >>> [round(law.ahead(h).centre, 3) for h in (1, 2, 3)], round(law.ahead(1).sigma, 4)
        ([0.92, 0.91, 0.905], 0.0173)
        """
        if self.law != "t":
            return self
        pull = self.phi**periods
        spread = self.sigma * np.sqrt(1 - pull**2)
        return replace(self, centre=self.centre + season + pull * self.away, sigma=float(spread), phi=0.0, away=0.0)

    def at_least(self, target: float) -> float:
        """P(next value >= target).

        Examples
        --------
        >>> round(Predictive("t", 24, centre=0.9, sigma=0.02).at_least(0.9), 2)
        0.5
        >>> round(Predictive("beta_binomial", 24, events=456, cases=480, size=20).at_least(0.95), 2)
        0.73
        >>> Predictive("constant", 24, centre=1.0).at_least(0.95)
        1.0
        """
        if self.law == "constant":
            return float(self._constant() >= target - _ROUNDING)
        if self.law == "t":
            if not np.isfinite(level := _bounded(target, self.scale)):
                return 1.0 if level < 0 else 0.0
            low = stats.t.cdf((level - self.centre) / self.sigma, **self._t())
            return float(low if falls(self.scale) else 1 - low)
        count = np.ceil(target / self.per * self.size - _ROUNDING)
        if count <= 0:
            return 1.0
        return float(self._tails(count)[1])

    def at_most(self, target: float) -> float:
        """P(next value <= target)."""
        if self.law == "constant":
            return float(self._constant() <= target + _ROUNDING)
        if self.law == "t":
            return 1 - self.at_least(target)
        count = np.floor(target / self.per * self.size + _ROUNDING)
        if count < 0:
            return 0.0
        return float(self._tails(count)[0])

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """Central interval of the next value.

        Examples
        --------
        >>> low, high = Predictive("t", 24, centre=0.9, sigma=0.02).interval()
        >>> round(low, 3), round(high, 3)
        (0.857, 0.943)
        """
        tails = ((1 - coverage) / 2, (1 + coverage) / 2)
        if self.law == "constant":
            return self._constant(), self._constant()
        if self.law == "t":
            ends = backward(self.centre + self.sigma * stats.t.ppf(np.array(tails), **self._t()), self.scale)
            return float(ends.min()), float(ends.max())
        low, high = (self._quantile(q) for q in tails)
        return low / self.size * self.per, high / self.size * self.per

    def _constant(self) -> float:
        return float(backward(np.array(self.centre), self.scale))

    def _t(self) -> dict[str, float]:
        return {"df": float(degrees_of_freedom(self.points)), "scale": float(np.sqrt(1 + 1 / self.points))}

    def _tails(self, count: float) -> tuple[float, float]:
        if self.law == "beta_binomial":
            if count > self.size:
                return 1.0, 0.0
            low, high = beta_binomial_tails(np.array([count]), np.array([self.size]), self.events, self.cases)
            return float(low[0]), float(high[0])
        low, high = gamma_poisson_tails(np.array(count), np.array(self.size), self.events, self.cases)
        return float(low), float(high)

    def _quantile(self, q: float) -> float:
        if self.law == "beta_binomial":
            return beta_binomial_quantile(self.size, self.events, self.cases, q)
        return float(gamma_poisson(self.events, self.cases, self.size).ppf(q))


def _bounded(target: float, scale: Scale) -> float:
    """The target on the judging scale; infinite where the scale cannot reach it."""
    if scale == "log" and target <= 0:
        return -np.inf
    if scale == "root_of_rest" and target > 1:
        return np.inf
    return float(forward(np.array(target), scale))
