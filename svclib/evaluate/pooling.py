"""One action rolled out over several departments at different dates: its effects pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t


@dataclass(frozen=True)
class PooledEffect:
    """Mean effect over departments, and how much it differs between them.

    Attributes
    ----------
    estimate, lower, upper, p
        Of the mean effect.
    between_sd
        Standard deviation of the true effects between departments.
    count
        Departments pooled.
    """

    estimate: float
    lower: float
    upper: float
    p: float
    between_sd: float
    count: int


def pool_effects(estimates: Sequence[float], sds: Sequence[float]) -> PooledEffect:
    """Random-effects mean of the departments' effects (Paule-Mandel), with the Hartung-Knapp interval.

    Parameters
    ----------
    estimates, sds
        Effect and standard error of each department, in the same units; at least two.

    Notes
    -----
    With few departments the normal interval is far too narrow; Knapp & Hartung (2003) use t with k - 1 degrees of
    freedom. Its scale is kept at 1 or above, so that effects alike by chance do not feign certainty.

    Examples
    --------
    >>> pooled = pool_effects([1.0, 1.4, 0.9], [0.3, 0.4, 0.3])
    >>> round(pooled.estimate, 2), round(pooled.lower, 2), round(pooled.upper, 2)
    (1.05, 0.24, 1.86)
    """
    if len(estimates) < 2:
        raise ValueError("pooling needs the effects of at least two departments")
    from statsmodels.stats.meta_analysis import combine_effects

    fit = combine_effects(np.asarray(estimates, float), np.asarray(sds, float) ** 2, method_re="iterated", use_t=True)
    spread = float(np.sqrt(max(fit.scale_hksj_re, 1.0)) * fit.sd_eff_w_re)
    df = len(estimates) - 1
    reach = float(t.ppf(0.975, df)) * spread
    estimate = float(fit.mean_effect_re)
    p = float(2 * t.sf(abs(estimate) / spread, df))
    return PooledEffect(estimate, estimate - reach, estimate + reach, p, float(np.sqrt(max(fit.tau2, 0))), df + 1)
