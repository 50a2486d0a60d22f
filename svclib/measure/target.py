"""Targets by date, and what it means to meet one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from svclib.catalogue.models import Band, Kpi

# 0.1 + 0.2 meets a target of 0.3: values are compared unrounded, apart from the noise of floating-point numbers.
_NOISE = 1e-12


def target_values(kpi: Kpi, starts: Sequence[dt.date]) -> np.ndarray:
    """The target in force on the first day of each period; NaN where there is none.

    A target that begins within a period holds from the next one on.
    """
    found = (kpi.target_on(day) for day in starts)
    return np.array([np.nan if target is None else target.value for target in found])


def meets(value: float, target: float | None, direction: str | Band) -> bool | None:
    """Whether a value is on the wanted side of the target, or within the band; None where nothing is asked.

    Examples
    --------
    >>> meets(0.1 + 0.2, 0.3, "decrease"), meets(0.9, None, "increase"), meets(5, None, Band(between=[4.0, 5.0]))
    (True, None, True)
    """
    if value is None or not np.isfinite(value):
        return None
    slack = _NOISE * max(1.0, abs(value))
    if isinstance(direction, Band):
        return bool(direction.between[0] - slack <= value <= direction.between[1] + slack)
    if direction == "neutral" or target is None or not np.isfinite(target):
        return None
    return bool(value >= target - slack) if direction == "increase" else bool(value <= target + slack)
