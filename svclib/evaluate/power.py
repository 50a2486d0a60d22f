"""What effect could be seen by when: before a plan starts, and while it is too early to tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svclib.measure.autoregression import RHO, Ar1Fit, Mixture, step_variance
from svclib.measure.periods import Period

FloatArray = NDArray[np.float64]
POWER = 0.8
# A plan that cannot be judged within three years is not evaluable in practice.
HORIZON = 36
# Periods after at which the planning table gives the detectable effect.
SHOWN = (3, 4, 6, 9, 12, 18, 24, 36)
FEWEST_BEFORE, FEWEST_AFTER = 12, 3  # periods that a verdict needs


@dataclass(frozen=True)
class PowerPlan:
    """Detectable effects by the number of periods after.

    Attributes
    ----------
    periods_after
        3 ... 36.
    mde80
        Smallest true effect seen with 80 % probability after that many periods.
    needed
        The effect that the objective asks for; None without a target.
    enough
        First number of periods (at least 3) whose `mde80` is at most `needed`; None: never within the horizon.
    """

    periods_after: list[int]
    mde80: list[float]
    needed: float | None
    enough: int | None


def mde80(posterior: Mixture) -> float:
    """Smallest true effect that would be told from 0 (two-sided 5 %) with 80 % probability.

    It is the half-width of the 95 % interval plus the distance from the centre, here 0, to the 80th percentile.
    """
    return posterior.quantile(0.975) + posterior.quantile(POWER)


def projected(fit: Ar1Fit, before: Sequence[int], ramp: int, after: int, inflation: float = 1.0) -> Mixture:
    """Posterior of the step (centred on 0) that a later evaluation would have, noise and autocorrelation as known now.

    Parameters
    ----------
    fit
        Tells the variance under each autocorrelation and its probability.
    before
        Period numbers before the plan.
    ramp, after
        Periods left out and periods after.
    """
    start = max(before) + 1 + ramp
    spread = np.sqrt(step_variance(tuple(before), tuple(range(start, start + after))) * fit.variance)
    df = float(max(len(before) + after - 2, 1))
    return Mixture(np.zeros(len(RHO)), inflation * spread, fit.weight, df)


def plan_power(
    fit: Ar1Fit, before: Sequence[int], *, ramp: int = 0, needed: float | None = None, inflation: float = 1.0
) -> PowerPlan:
    """Detectable effect after 3 to 36 periods, and after how many the needed one can be seen.

    Examples
    --------
    >>> from svclib.measure.autoregression import fit_ar1
    >>> quiet = np.random.default_rng(1).normal(size=24)
    >>> fit = fit_ar1(quiet, np.ones((24, 1)), range(24))
    >>> plan = plan_power(fit, range(24), needed=2.0)
    >>> plan.mde80[0] > plan.mde80[-1], plan.enough
    (True, 3)
    """

    def detectable(after: int) -> float:
        return mde80(projected(fit, before, ramp, after, inflation))

    seen = {k: detectable(k) for k in SHOWN}
    enough = None
    if needed is not None and seen[HORIZON] <= abs(needed):
        later = next(k for k in SHOWN if seen[k] <= abs(needed))
        earlier = max((k for k in SHOWN if k < later), default=FEWEST_AFTER - 1)
        enough = next(k for k in range(earlier + 1, later + 1) if k == later or detectable(k) <= abs(needed))
    return PowerPlan(list(seen), list(seen.values()), needed, enough)


def date_of(enough: int | None, first_after: Period, maturity: dt.timedelta) -> dt.date | None:
    """Day on which that many periods after, from `first_after` on, are over and mature.

    >>> date_of(3, Period.parse("2026-04"), dt.timedelta(days=14))
    datetime.date(2026, 7, 15)
    """
    if enough is None:
        return None
    period = first_after
    for _ in range(enough - 1):
        period = period.next()
    return period.end + maturity
