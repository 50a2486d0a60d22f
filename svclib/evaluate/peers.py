"""The treated department minus its weighted peers: what season, trend and common shocks leave over.

Peers do three services. Their weighted mean is what would have happened anyway. Their own scatter tells how strongly
such series are autocorrelated. And the steps that *they* show at the plan's date, where nothing was done, tell how
large a step means nothing: one that stands out is left out as contaminated, and where all scatter more (or less) than
their standard errors say, the treated department's interval follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from svclib.evaluate.window import Window, step_design
from svclib.measure.autoregression import RHO, Ar1Fit, Mixture, fit_ar1, log_evidence_of_rho, prior_of_rho

FloatArray = NDArray[np.float64]

# A peer needs a value in this share of the periods used.
COMPLETE = 0.8
# Half the peers' evidence on the autocorrelation counts: departments are alike, not the same.
SHARE_OF_EVIDENCE = 0.5
# A peer whose own step is this improbable (Bonferroni over the peers) is taken as contaminated and left out.
CONTAMINATED = 0.05
# Weight, in peers, of the belief that the standard errors are right (see `_inflation`).
TRUST_IN_STANDARD_ERRORS = 16
# A department answers to what moves all of them by 1 +- this much.
LOADING_SD = 0.3
# Fitted weights replace equal ones only where they predict left-out quarters of the past clearly better.
GAIN_NEEDED = 0.85
_FOLDS = 4
_SUM_TO_ONE = 1e4


@dataclass(frozen=True)
class PlaceboStep:
    """The step of a department in which nothing was done."""

    name: str
    estimate: float
    sd: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """A treated series with its counterfactual.

    Attributes
    ----------
    gap
        (periods,) treated minus counterfactual; NaN where either is missing.
    counterfactual
        (periods,) what the peers let expect, on the treated department's level.
    common
        (periods,) the same around its mean before the plan.
    weights
        Peer to weight; they add up to 1.
    method
        ``"equal"`` or ``"simplex"`` (fitted, shrunken to equal).
    left_out
        Peer to the reason: ``"incomplete"`` or ``"contaminated"``.
    log_prior
        Over the autocorrelation, with what the peers say about it.
    inflation
        Factor by which the peers' own steps scatter beyond their standard errors; below 1 where they scatter less.
    placebo
        The steps of the peers that stayed.
    """

    gap: FloatArray
    counterfactual: FloatArray
    common: FloatArray
    weights: dict[str, float]
    method: str
    left_out: dict[str, str] = field(default_factory=dict)
    log_prior: FloatArray = field(default_factory=prior_of_rho)
    inflation: float = 1.0
    placebo: tuple[PlaceboStep, ...] = ()


def compare_with_peers(
    treated: FloatArray, peers: FloatArray, names: Sequence[str], window: Window, *, ratio: bool = False
) -> Comparison | None:
    """Weigh the peers and subtract them.

    Parameters
    ----------
    treated, peers
        (periods,) and (periods, peers) values of one KPI; NaN = missing or not mature.
    names
        The peers' codes.
    window
        The plan's window; periods without a treated value are passed over.
    ratio
        Whether shocks multiply (counts, durations): peers are then scaled to the treated department's level.

    Returns
    -------
    None where fewer than two peers have enough values.
    """
    names = list(names)
    window = window.without(np.isnan(treated))
    complete = [j for j in range(len(names)) if _is_complete(peers[:, j], window)]
    left_out = {names[j]: "incomplete" for j in range(len(names)) if j not in complete}
    if len(complete) < 2:
        return None
    names, panel = [names[j] for j in complete], _centred(peers[:, complete], window, treated, ratio)
    own = treated - np.nanmean(treated[window.before])
    log_prior = prior_of_rho() + SHARE_OF_EVIDENCE * _evidence(panel, window)
    steps = placebo_steps(panel, names, window, log_prior)
    worst = min(range(len(steps)), key=lambda j: steps[j].p)
    if len(names) >= 3 and steps[worst].p < CONTAMINATED / len(names):
        left_out[names[worst]] = "contaminated"
        panel, names = np.delete(panel, worst, axis=1), [n for j, n in enumerate(names) if j != worst]
        steps = placebo_steps(panel, names, window, log_prior)
    weights, method, expected = _weigh(own, panel, window)
    return Comparison(
        gap=own - expected,
        counterfactual=expected + np.nanmean(treated[window.before]),
        common=expected,
        weights=dict(zip(names, map(float, weights), strict=True)),
        method=method,
        left_out=left_out,
        log_prior=log_prior,
        inflation=_inflation(steps),
        placebo=tuple(steps),
    )


def step_against_peers(comparison: Comparison, window: Window) -> Mixture:
    """The step of the gap series, with the peers' evidence on autocorrelation and scatter in it."""
    return fit_gap(comparison, window).contrast([0, 1, 0]).widened(comparison.inflation)


def fit_gap(comparison: Comparison, window: Window, *, slope: bool = False) -> Ar1Fit:
    """The regression behind `step_against_peers`: intercept, step, slope after where asked for, common movement."""
    return _fit_gap(comparison.gap, comparison.common, window, comparison.log_prior, slope)


def _fit_gap(gap: FloatArray, common: FloatArray, window: Window, log_prior: FloatArray, slope: bool = False) -> Ar1Fit:
    """Step of a gap whose department may answer more or less than its peers to what moves them all.

    The peers' own movement is a further column with a coefficient around 0: where they move much at the plan's date,
    the counterfactual is less sure and the interval wider.
    """
    x, times = step_design(window.without(np.isnan(gap)), slope=slope)
    noise = max(float(np.std(gap[times] - x @ np.linalg.lstsq(x, gap[times])[0])), 1e-12)
    columns = np.column_stack([x, common[times]])
    return fit_ar1(
        gap[times], columns, times, log_prior=log_prior, prior_sd=[*[np.inf] * x.shape[1], LOADING_SD / noise]
    )


def _is_complete(series: FloatArray, window: Window) -> bool:
    known = ~np.isnan(series)
    return all(known[part].mean() >= COMPLETE if part.any() else False for part in (window.before, window.after))


def _centred(peers: FloatArray, window: Window, treated: FloatArray, ratio: bool) -> FloatArray:
    level = np.nanmean(peers[window.before], axis=0)
    if ratio and np.all(level > 0):
        return (peers / level - 1) * np.nanmean(treated[window.before])
    return peers - level


def weighted_mean(panel: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean over the peers with a value, period by period; NaN where none has one."""
    known = ~np.isnan(panel)
    total = known @ weights
    sums = np.where(known, panel, 0.0) @ weights
    return np.divide(sums, total, out=np.full(len(panel), np.nan), where=total > 0)


def _gap_to_others(panel: FloatArray, j: int) -> FloatArray:
    others = np.delete(panel, j, axis=1)
    return panel[:, j] - weighted_mean(others, np.full(others.shape[1], 1 / others.shape[1]))


def _evidence(panel: FloatArray, window: Window) -> FloatArray:
    total = np.zeros(len(RHO))
    for j in range(panel.shape[1]):
        gap = _gap_to_others(panel, j)
        x, times = step_design(window.without(np.isnan(gap)))
        total += log_evidence_of_rho(gap[times], x, times)
    return total


def placebo_steps(panel: FloatArray, names: Sequence[str], window: Window, log_prior: FloatArray) -> list[PlaceboStep]:
    """The step of each peer against the others at the plan's date."""
    steps = []
    for j, name in enumerate(names):
        gap = _gap_to_others(panel, j)
        step = _fit_gap(gap, panel[:, j] - gap, window, log_prior).contrast([0, 1, 0])
        steps.append(PlaceboStep(name, step.mean, step.moment_sd, step.p))
    return steps


def _inflation(steps: Sequence[PlaceboStep]) -> float:
    """How much wider than their standard errors the peers' steps scatter, shrunken to 1.

    The z of J steps against the others' mean carry about J - 1 degrees of freedom; the belief that their variance
    is 1 enters with the weight of `TRUST_IN_STANDARD_ERRORS` further ones. It may fall below 1: a scale that could only
    widen would make every interval too wide where the standard errors are right.
    """
    z2 = sum((step.estimate / step.sd) ** 2 for step in steps if step.sd > 0)
    prior = TRUST_IN_STANDARD_ERRORS
    return float(np.sqrt((z2 + prior) / (len(steps) - 1 + prior)))


def _weigh(own: FloatArray, panel: FloatArray, window: Window) -> tuple[FloatArray, str, FloatArray]:
    """Equal or fitted weights, whichever predicts the left-out quarters of the past, and the expectation they give.

    With fitted weights the expectation of each quarter before the plan comes from weights fitted without it: else
    the fit would make the past look quieter than the future can be, and every interval too narrow.
    """
    count = panel.shape[1]
    equal = np.full(count, 1 / count)
    flat = weighted_mean(panel, equal)
    before = np.flatnonzero(window.before & ~np.isnan(panel).any(axis=1) & ~np.isnan(own))
    if count < 3 or len(before) < 12:
        return equal, "equal", flat
    fitted = weighted_mean(panel, weights := simplex_weights(own[before], panel[before]))
    for fold in np.array_split(before, _FOLDS):
        rest = np.setdiff1d(before, fold)
        fitted[fold] = panel[fold] @ simplex_weights(own[rest], panel[rest])
    errors = [np.var(own[before] - expected[before]) for expected in (flat, fitted)]
    if errors[1] < GAIN_NEEDED * errors[0]:
        return weights, "simplex", fitted
    return equal, "equal", flat


def simplex_weights(own: FloatArray, panel: FloatArray, *, shrink: bool = True) -> FloatArray:
    """Weights >= 0 with sum 1 that reproduce the treated series (Abadie's synthetic control without covariates).

    Parameters
    ----------
    own, panel
        (n,) and (n, peers), each centred on its own level.
    shrink
        Whether they are drawn towards equal weights, as a prior of sd 1/peers around 1/peers does.

    Examples
    --------
    >>> panel = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> simplex_weights(panel @ [0.75, 0.25], panel, shrink=False).round(3).tolist()
    [0.75, 0.25]
    """
    count = panel.shape[1]
    equal = np.full(count, 1 / count)
    noise = np.var(own - panel @ equal)
    scale = max(float(np.sqrt(noise)), float(np.abs(panel).max()), 1e-12)
    penalty = np.sqrt(noise) * count if shrink else 0.0
    rows = [panel, penalty * np.eye(count), _SUM_TO_ONE * scale * np.ones((1, count))]
    target = [own, penalty * equal, np.array([_SUM_TO_ONE * scale])]
    weights, _ = nnls(np.vstack(rows) / scale, np.concatenate(target) / scale)
    return weights / weights.sum() if weights.sum() > 0 else equal
