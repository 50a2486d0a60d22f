"""A change that comes bit by bit: when the drift began, and from where to where it has gone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from svclib.measure.change.onset import likely_run
from svclib.measure.change.step import LevelChange, latest_phase
from svclib.measure.spc.trend import RECENT, Trend


def gradual_change(points: pd.DataFrame, drift: Trend) -> LevelChange | None:
    """The likeliest broken line, level and then straight, through the latest phase; None where it goes the other way.

    Six periods at least lie on either part. A drift that is older than the history begins, here, after the first six.

    Parameters
    ----------
    points
        Columns ``period, value, n, judged`` and, where limits were declared anew, ``phase``; oldest first.
    drift
        The chart's (`svclib.measure.spc.trend.drifting`).

    Examples
    --------
    >>> noise = np.tile([0.3, -0.4, 0.1, -0.2, 0.4, -0.2], 5)
    >>> periods = pd.period_range("2024-01", periods=30, freq="M").astype(str)
    >>> points = pd.DataFrame({"period": periods, "value": noise, "n": 100.0, "judged": True})
    >>> points.loc[12:, "value"] -= 0.2 * np.arange(1, 19)
    >>> from svclib.measure.spc.trend import trend
    >>> found = gradual_change(points, trend(points["value"].to_numpy()))
    >>> found.earliest <= "2025-01" <= found.latest, round(found.before, 1), round(found.after, 1)
    (True, 0.1, -3.5)
    """
    known = latest_phase(points)
    known = known[known["judged"]]
    at, y = known.index.to_numpy(dtype=float), known["value"].to_numpy(dtype=float)
    weights = np.maximum(known["n"].fillna(1).to_numpy(dtype=float), 1e-9)
    corners = np.arange(RECENT - 1, y.size - RECENT)
    if corners.size == 0:
        return None
    root = np.sqrt(weights)
    fits = []
    for corner in corners:
        design = np.column_stack([np.ones(y.size), np.maximum(at - at[corner], 0)])
        fitted = design @ np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        fits.append((max(float(weights @ (y - fitted) ** 2), 1e-300), float(fitted[0]), float(fitted[-1])))
    left = np.array([fit[0] for fit in fits])
    first, best, last = likely_run(left, y.size)
    _, before, after = fits[best]
    rose = drift.slope > 0
    if (after > before) != rose:
        return None
    labels = known["period"].astype(str).to_list()
    begun, earliest, latest = (labels[corners[i] + 1] for i in (best, first, last))
    return LevelChange(begun, earliest, latest, drift.p, "drift", rose, before, after, lasted=False)
