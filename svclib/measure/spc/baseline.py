"""Which points may set the limits, and how far a next point may stray from so many.

Only mature, known points count. A phase begins at each declared rebase. Limits rest on the first 24 points of a phase
and are then frozen, so that a published yardstick does not drift: none below 6 points, a trial from 6 to 12, full
from 13.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from svclib.errors import InputRefused, Problem
from svclib.measure.spc.exact import ALPHA

Standing = Literal["none", "trial", "full"]
TRIAL, FULL, FREEZE = 6, 13, 24


def phases(starts: Sequence[dt.date], rebases: Sequence[dt.date]) -> np.ndarray:
    """Number the phases of a series: 0 before the first rebase, one more at each.

    Parameters
    ----------
    starts
        First day of each period of the gap-free spine, rising.
    rebases
        Declared dates; each is the first day of its new phase. Dates before the first or after the last period
        change nothing.

    Raises
    ------
    InputRefused
        Where a date falls inside the series but begins no period: a rebase that matches nothing must not be silent.

    Examples
    --------
    >>> months = [dt.date(2026, m, 1) for m in (1, 2, 3, 4)]
    >>> phases(months, [dt.date(2026, 3, 1)]).tolist()
    [0, 0, 1, 1]
    >>> phases(months, [dt.date(2026, 3, 15)])
    Traceback (most recent call last):
    svclib.errors.InputRefused: rebase 2026-03-15: no period begins on this date. Cure: write 2026-03-01 or 2026-04-01
    """
    problems = []
    for day in rebases:
        if starts and starts[0] < day <= starts[-1] and day not in starts:
            before, after = max(s for s in starts if s < day), min(s for s in starts if s > day)
            problems.append(Problem(f"rebase {day}", "no period begins on this date", f"write {before} or {after}"))
    if problems:
        raise InputRefused(problems)
    inside = [day for day in rebases if starts and starts[0] < day]
    return np.array([sum(day <= start for day in inside) for start in starts], dtype=int)


def baseline_mask(
    usable: np.ndarray, phase: np.ndarray, *, freeze: int | None = FREEZE, spare_latest: bool = False
) -> np.ndarray:
    """The points that set the limits of each phase: its first `freeze` usable ones.

    Parameters
    ----------
    usable
        Mature and known.
    freeze
        None: every usable point of the phase.
    spare_latest
        Leave out the latest usable point, so that the month that is judged does not move its own yardstick.

    Examples
    --------
    >>> baseline_mask(np.array([True, False, True, True]), np.zeros(4, int), freeze=2).tolist()
    [True, False, True, False]
    """
    mask = np.zeros(usable.shape, dtype=bool)
    candidates = usable.copy()
    if spare_latest and usable.any():
        candidates[np.flatnonzero(usable)[-1]] = False
    for number in np.unique(phase):
        members = np.flatnonzero(candidates & (phase == number))
        mask[members if freeze is None else members[:freeze]] = True
    return mask


def standing(points: int) -> Standing:
    """What a baseline of so many points can carry.

    >>> [standing(n) for n in (5, 6, 12, 13)]
    ['none', 'trial', 'trial', 'full']
    """
    return "none" if points < TRIAL else "trial" if points < FULL else "full"


def degrees_of_freedom(points: int | np.ndarray) -> float | np.ndarray:
    """Effective degrees of freedom of a sigma from the mean moving range of so many points.

    0.71 n + 0.1 reproduces the simulated tails of the next point for n from 6 to 36 (benchmarks/control_charts.py).
    """
    return 0.71 * np.asarray(points, dtype=float) + 0.1


def prediction_factor(points: int, alpha: float = ALPHA) -> float:
    """How many sigma from the centre the *next* point lies with probability alpha, after so many points.

    Three sigma promise 0.27 % only for an endless baseline.

    Examples
    --------
    >>> [round(float(prediction_factor(n)), 1) for n in (8, 13, 24, 36)]
    [5.3, 4.2, 3.6, 3.4]
    """
    reach = stats.t.ppf(1 - alpha / 2, degrees_of_freedom(points))
    return float(reach * np.sqrt(1 + 1 / points))


def next_point_p(z: np.ndarray, points: int) -> np.ndarray:
    """Two-sided p-value of a next point z sigma from the centre of so many points (t predictive).

    Examples
    --------
    >>> next_point_p(np.array([prediction_factor(13)]), 13).round(4).tolist()
    [0.0027]
    """
    return 2 * stats.t.sf(np.abs(z) / np.sqrt(1 + 1 / points), degrees_of_freedom(points))
