"""Proportions and counts of few cases in their own likelihood, with autocorrelated drift between periods.

y_t is binomial or Poisson with linear predictor offset + X b + u_t, where u is AR(1) with sd tau and autocorrelation
rho. Both are integrated out on a grid; within each cell Laplace's approximation is taken around the mode
(Rasmussen & Williams 2006, algorithm 3.1, with the coefficients given a wide normal prior).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln

from svclib.measure.autoregression import Mixture, NotEstimable, prior_of_rho

FloatArray = NDArray[np.float64]
Family = Literal["binomial", "poisson"]

# Drift between periods in log odds or log rate: 0 is pure counting noise, 0.8 more than doubles the odds.
TAU = np.array([0.0, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9])
RHO_GRID = np.array([0.0, 0.25, 0.5, 0.75, 0.9])
TAU_PRIOR_SD = 0.5
_COEFFICIENT_SD = 5.0
_NEWTON_STEPS = 30


@dataclass(frozen=True)
class LatentFit:
    """Laplace approximation under every (tau, rho) of the grid.

    Attributes
    ----------
    coefficients
        (cells, k) posterior means.
    covariance
        (cells, k, k).
    weight
        (cells,) posterior probability.
    tau, rho
        (cells,) grid values.
    """

    coefficients: FloatArray
    covariance: FloatArray
    weight: FloatArray
    tau: FloatArray
    rho: FloatArray

    def contrast(self, c: ArrayLike) -> Mixture:
        """Posterior of a linear combination of the coefficients, in log odds or log rate."""
        c = np.asarray(c, dtype=float)
        spread = np.einsum("i,rij,j->r", c, self.covariance, c)
        return Mixture(self.coefficients @ c, np.sqrt(np.maximum(spread, 1e-300)), self.weight, 1e6)


def fit_latent(
    y: ArrayLike, exposure: ArrayLike, x: ArrayLike, times: ArrayLike, *, family: Family, offset: ArrayLike = 0.0
) -> LatentFit:
    """Regress counts on `x` with an AR(1) drift that is integrated out.

    Parameters
    ----------
    y
        (n,) successes (binomial) or events (poisson).
    exposure
        (n,) cases (binomial) or the exposure that the rate is per (poisson); above 0.
    x, times
        (n, k) design and (n,) period numbers.
    offset
        (n,) known part of the predictor, e.g. the peers' log odds around their mean.

    Raises
    ------
    NotEstimable
        Where n <= k or the columns of `x` are dependent.
    """
    y, exposure, x = (np.asarray(a, dtype=float) for a in (y, exposure, x))
    n, k = x.shape
    if n <= k or np.linalg.matrix_rank(x) < k:
        raise NotEstimable(f"{n} periods cannot carry {k} coefficients")
    # The coefficients' prior is centred on the pooled level, so that it says nothing about the level itself.
    level = _link((y.sum() + 0.5) / (exposure.sum() + 1.0), family)
    known = np.broadcast_to(np.asarray(offset, dtype=float), (n,)) + level
    tau, rho, log_prior = _grid()
    lag = np.abs(np.subtract.outer(np.asarray(times), np.asarray(times)))
    drift = tau[:, None, None] ** 2 * np.where(lag == 0, 1.0, rho[:, None, None] ** np.maximum(lag, 1))
    fixed = _COEFFICIENT_SD**2 * x @ x.T
    gradient, root, factor, ll = _laplace(y, exposure, known, fixed + drift, family)
    half = np.linalg.solve(factor, root[:, :, None] * (_COEFFICIENT_SD**2 * x)[None])
    covariance = _COEFFICIENT_SD**2 * np.eye(k) - np.einsum("rni,rnj->rij", half, half)
    beta = _COEFFICIENT_SD**2 * np.einsum("nk,rn->rk", x, gradient)
    evidence = ll - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1) + log_prior
    weight = np.exp(evidence - evidence.max())
    beta[:, 0] += level
    return LatentFit(beta, covariance, weight / weight.sum(), tau, rho)


def _grid() -> tuple[FloatArray, FloatArray, FloatArray]:
    tau, rho = (grid.ravel() for grid in np.meshgrid(TAU, RHO_GRID, indexing="ij"))
    keep = (tau > 0) | (rho == RHO_GRID[0])
    width = np.gradient(TAU)[np.searchsorted(TAU, tau)] * np.where(tau > 0, 1.0, 0.5)
    prior_rho = np.exp(prior_of_rho(RHO_GRID)) * np.gradient(RHO_GRID)
    share = np.where(tau > 0, (prior_rho / prior_rho.sum())[np.searchsorted(RHO_GRID, rho)], 1.0)
    log_prior = np.log(width * share) - 0.5 * (tau / TAU_PRIOR_SD) ** 2
    return tau[keep], rho[keep], log_prior[keep]


def _link(mean: float, family: Family) -> float:
    return float(np.log(mean) if family == "poisson" else np.log(mean) - np.log1p(-min(mean, 1 - 1e-9)))


def _moments(eta: FloatArray, exposure: FloatArray, family: Family) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the counts under a linear predictor."""
    if family == "poisson":
        mean = exposure * np.exp(np.clip(eta, -30, 30))
        return mean, mean
    share = expit(eta)
    return exposure * share, np.maximum(exposure * share * (1 - share), 1e-10)


def _log_likelihood(y: FloatArray, exposure: FloatArray, eta: FloatArray, family: Family) -> FloatArray:
    if family == "poisson":
        return (y * eta - exposure * np.exp(np.clip(eta, -30, 30)) - gammaln(y + 1)).sum(axis=-1)
    return (y * eta - exposure * np.logaddexp(0, eta)).sum(axis=-1)


def _laplace(
    y: FloatArray, exposure: FloatArray, known: FloatArray, kernel: FloatArray, family: Family
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Gradient at the mode of the latent values, root of the curvature, Cholesky factor of B, log likelihood."""
    cells, n = kernel.shape[:2]
    latent, a = np.zeros((cells, n)), np.zeros((cells, n))
    objective = np.full(cells, -np.inf)
    eye = np.eye(n)
    factor: NDArray[np.floating]
    for _ in range(_NEWTON_STEPS):
        mean, curvature = _moments(known + latent, exposure, family)
        root = np.sqrt(curvature)
        factor = np.linalg.cholesky(eye + root[:, :, None] * kernel * root[:, None, :])
        b = curvature * latent + y - mean
        kb = np.einsum("rij,rj->ri", kernel, b)
        inner = np.linalg.solve(factor, (root * kb)[:, :, None])
        proposal = b - root * np.linalg.solve(factor.transpose(0, 2, 1), inner)[:, :, 0]
        a, latent, new = _damped(y, exposure, known, kernel, a, latent, proposal, objective, family)
        if np.all(new - objective < 1e-8):
            break
        objective = new
    mean, curvature = _moments(known + latent, exposure, family)
    root = np.asarray(np.sqrt(curvature))
    factor = np.linalg.cholesky(eye + root[:, :, None] * kernel * root[:, None, :])
    return np.asarray(y - mean), root, np.asarray(factor, dtype=float), new


def _damped(
    y: FloatArray, exposure: FloatArray, known: FloatArray, kernel: FloatArray, a: FloatArray, latent: FloatArray,
    proposal: FloatArray, objective: FloatArray, family: Family,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Halve Newton's step in the cells where it would lower the objective."""
    step = np.ones(len(a))
    for _ in range(10):
        trial = a + step[:, None] * (proposal - a)
        values = np.einsum("rij,rj->ri", kernel, trial)
        new = _log_likelihood(y, exposure, known + values, family) - 0.5 * (trial * values).sum(axis=1)
        worse = new < objective - 1e-9
        if not worse.any():
            break
        step = np.where(worse, step / 2, step)
    return trial, values, new
