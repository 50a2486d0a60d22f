"""The KPI at the case mix of the time before: what is left of a change when the kinds of cases had stayed the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svclib.evaluate.window import Window

# Levels with fewer cases a period than this are put together.
FEWEST_CASES = 5.0
REST = "\x00rest"


def standardise(
    rows: pd.DataFrame, dimension: str, labels: Sequence[str], window: Window
) -> NDArray[np.float64] | None:
    """Direct standardisation of a mean or proportion by one dimension.

    Parameters
    ----------
    rows
        Case slice of one department: `period`, the dimension and `num` with `den`, or `value` (with `den` as weight).
    labels
        The spine's period labels.
    window
        Its periods before give the standard mix.

    Returns
    -------
    (periods,) values; NaN in periods without cases. None where the dimension has fewer than two levels or the rows
    hold neither `num` and `den` nor `value`.

    Notes
    -----
    A level without cases in a period takes its own mean over the side (before or after) that the period lies on.
    """
    if dimension not in rows or not ({"num", "den"} <= set(rows) or "value" in rows):
        return None
    weight = rows["den"].astype(float) if "den" in rows else pd.Series(1.0, index=rows.index)
    total = rows["num"].astype(float) if "num" in rows else rows["value"].astype(float) * weight
    level = rows[dimension].fillna("").astype(str)
    cells = pd.DataFrame({"period": rows["period"], "level": level, "total": total, "weight": weight}).dropna()
    often = cells.groupby("level")["weight"].sum() >= FEWEST_CASES * max(cells["period"].nunique(), 1)
    cells["level"] = cells["level"].where(cells["level"].map(often), REST)
    sums = cells.pivot_table(index="period", columns="level", values=["total", "weight"], aggfunc="sum", dropna=False)
    sums = sums.reindex(list(labels))
    totals, weights = (sums[name].fillna(0.0).to_numpy() for name in ("total", "weight"))
    if totals.shape[1] < 2 or not weights[window.before].any():
        return None
    standard = weights[window.before].sum(axis=0) / weights[window.before].sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(weights > 0, totals / weights, np.nan)
    for side in (window.before, ~window.before):
        pooled = totals[side].sum(axis=0) / np.maximum(weights[side].sum(axis=0), 1e-12)
        known = weights[side].sum(axis=0) > 0
        means[side] = np.where(np.isnan(means[side]) & known, pooled, means[side])
    known = ~np.isnan(means)
    shares = np.where(known, standard, 0.0)
    values = np.where(known, means, 0.0) * shares
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights.sum(axis=1) > 0, values.sum(axis=1) / shares.sum(axis=1), np.nan)
