"""Second opinions on a step: a structural time series (statsmodels) and a synthetic control."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svclib.evaluate.peers import simplex_weights
from svclib.evaluate.window import Window

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SecondOpinion:
    """Estimate of another method; `sd` is None where it gives none, `rank_p` the placebo rank's p."""

    estimate: float
    sd: float | None
    rank_p: float | None = None
    attainable_p: float | None = None


def structural_step(values: FloatArray, common: FloatArray | None, window: Window) -> SecondOpinion | None:
    """Step in a local-level model with the peers' movement as regressor (Harvey & Durbin 1986).

    Parameters
    ----------
    values
        (periods,) of the treated department; periods outside the window are passed over as missing.
    common
        (periods,) the peers' expected movement; None without peers.

    Returns
    -------
    None where the likelihood finds no maximum.
    """
    from statsmodels.tools.sm_exceptions import ConvergenceWarning
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    used = np.flatnonzero(window.used)
    span = slice(used[0], used[-1] + 1)
    y = np.where(window.used, values, np.nan)[span]
    columns = [(np.arange(len(values)) >= np.flatnonzero(window.after)[0]).astype(float)[span]]
    if common is not None:
        columns.append(np.where(np.isnan(common), 0.0, common)[span])
    scale = float(np.nanstd(y)) or 1.0
    model = UnobservedComponents(
        (y - np.nanmean(y)) / scale, "llevel", exog=np.column_stack(columns), use_exact_diffuse=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        fit = model.fit(disp=False, maxiter=200)
        place = list(fit.param_names).index("beta.x1")
        estimate, variance = float(fit.params[place]), float(fit.cov_params()[place, place])
    if not (np.isfinite(estimate) and np.isfinite(variance) and variance > 0):
        return None
    return SecondOpinion(estimate * scale, float(np.sqrt(variance)) * scale)


def synthetic_control(values: FloatArray, peers: FloatArray, window: Window) -> SecondOpinion | None:
    """Mean gap after the plan to a simplex-weighted control, with the placebo rank of Abadie et al. (2010).

    The rank compares ratios of the mean squared gap after to that before, each department treated in turn.
    """
    complete = ~np.isnan(peers[window.used]).any(axis=0)
    panel = np.column_stack([values, peers[:, complete]])
    known = window.without(np.isnan(values))
    if panel.shape[1] < 4 or known.n_before < 6:
        return None
    panel = panel - panel[known.before].mean(axis=0)
    gaps = [_control_gap(panel, j, known) for j in range(panel.shape[1])]
    ratios = [float(np.mean(g[known.after] ** 2)) / max(float(np.mean(g[known.before] ** 2)), 1e-12) for g in gaps]
    count = len(ratios)
    rank = sum(ratio >= ratios[0] for ratio in ratios)
    return SecondOpinion(float(gaps[0][known.after].mean()), None, rank / count, 1 / count)


def _control_gap(panel: FloatArray, j: int, window: Window) -> FloatArray:
    others = np.delete(panel, j, axis=1)
    weights = simplex_weights(panel[window.before, j], others[window.before], shrink=False)
    return panel[:, j] - others @ weights
