"""The scale on which a chart judges: as measured, logarithmic, or the root of what is missing to 100 %."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from svclib.measure.spc.charts import Limits, rescaled

Scale = Literal["identity", "log", "root_of_rest"]
# Nelson's exponent: it makes exponential waiting times nearly normal, and it bears zeros.
_EXPONENT = 3.6


def forward(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Measured values on the judging scale.

    >>> forward(np.array([1.0, np.e]), "log").tolist()
    [0.0, 1.0]
    >>> forward(np.array([1.0, 0.0]), "root_of_rest").tolist()
    [0.0, 1.0]
    """
    if scale == "log":
        return np.log(values)
    if scale == "root_of_rest":
        return np.power(np.maximum(1 - values, 0), 1 / _EXPONENT)
    return values


def backward(values: np.ndarray, scale: Scale) -> np.ndarray:
    """The inverse of `forward`.

    >>> backward(forward(np.array([0.25, 0.9]), "root_of_rest"), "root_of_rest").round(12).tolist()
    [0.25, 0.9]
    """
    if scale == "log":
        return np.exp(values)
    if scale == "root_of_rest":
        return 1 - np.power(np.maximum(values, 0), _EXPONENT)
    return values


def falls(scale: Scale) -> bool:
    """Whether more on the judging scale means less as measured."""
    return scale == "root_of_rest"


def lines_backward(lines: Limits, scale: Scale) -> Limits:
    """Limits found on the judging scale, as measured; near 100 % a period with nothing missing is never outside."""
    if scale == "identity":
        return lines
    found = rescaled(lines, lambda x: backward(x, scale), flip=falls(scale))
    return replace(found, upper=np.where(np.isfinite(found.upper), 1.0, np.nan)) if scale == "root_of_rest" else found
