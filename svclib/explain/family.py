"""Shares, rates and means: the link of each, its variance, and how far a total is from its expectation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import expit

Family = Literal["binomial", "poisson", "gaussian"]


def mean_of(eta: np.ndarray, family: Family) -> np.ndarray:
    """The inverse link: a share, a rate, or a mean.

    >>> mean_of(np.array([0.0]), "binomial")
    array([0.5])
    """
    if family == "binomial":
        return expit(eta)
    return np.exp(np.clip(eta, -50, 50)) if family == "poisson" else np.asarray(eta)


def information(mean: np.ndarray, exposure: np.ndarray, family: Family, scale: float = 1.0) -> np.ndarray:
    """Variance of the total and, at once, the weight of a leaf on the scale of its linear predictor.

    For means both differ by `scale`; the total is then divided by it, so that the same formula holds.
    """
    if family == "binomial":
        return exposure * mean * (1 - mean)
    return exposure * mean if family == "poisson" else exposure / scale


def signed_root(
    observed: np.ndarray, expected: np.ndarray, held: np.ndarray, family: Family, info: np.ndarray
) -> np.ndarray:
    """Signed root of the deviance of totals against their expectation; standard normal under the null.

    Examples
    --------
    >>> signed_root(np.array([30.0]), np.array([20.0]), np.array([100.0]), "binomial", np.array([16.0])).round(2)
    array([2.37])
    """
    if family == "gaussian":
        return (observed - expected) / np.sqrt(info)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(observed > 0, observed * np.log(observed / expected), 0.0) - (observed - expected)
        if family == "binomial":
            left, right = held - observed, held - expected
            deviance = np.where(observed > 0, observed * np.log(observed / expected), 0.0)
            deviance = deviance + np.where(left > 0, left * np.log(left / right), 0.0)
    return np.sign(observed - expected) * np.sqrt(2 * np.maximum(deviance, 0.0))
