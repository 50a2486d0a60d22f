"""Interrupted series of counts as the field publishes them: Poisson and quasi-Poisson segmented regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from svclib.evaluate.window import season_columns


@dataclass(frozen=True)
class RateRatio:
    """Rate after over rate before, all else equal; `dispersion` is Pearson's chi-square a degree of freedom."""

    ratio: float
    lower: float
    upper: float
    p: float
    dispersion: float


def fit_rate_ratio(
    events: ArrayLike,
    exposure: ArrayLike,
    after: ArrayLike,
    times: ArrayLike,
    *,
    harmonics: int = 0,
    per_year: float = 12.0,
    quasi: bool = True,
) -> RateRatio:
    """Step of a count series with a linear trend (and a season), in a log-linear model with offset log(exposure).

    Parameters
    ----------
    events, exposure
        (n,) counts and what they are per.
    after
        (n,) 0 before the plan and 1 after.
    times
        (n,) period numbers.
    harmonics
        Pairs of sine and cosine of the year.
    quasi
        Whether the variance is scaled by the dispersion (quasi-Poisson).

    Notes
    -----
    Lopez Bernal, Cummins & Gasparrini (2017), Int J Epidemiol 46:348-355. Autocorrelation is not modelled: this is
    the published model, offered beside ours, not instead of it.
    """
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    times = np.asarray(times)
    x = np.column_stack(
        [np.ones(len(times)), np.asarray(after, float), times, season_columns(times, per_year, harmonics)]
    )
    model = GLM(np.asarray(events, float), x, family=Poisson(), offset=np.log(np.asarray(exposure, float)))
    fit = model.fit(scale="X2" if quasi else 1.0)
    low, high = fit.conf_int()[1]
    dispersion = float(fit.pearson_chi2 / fit.df_resid)
    ratio, lower, upper = (float(np.exp(x)) for x in (fit.params[1], low, high))
    return RateRatio(ratio, lower, upper, float(fit.pvalues[1]), dispersion)
