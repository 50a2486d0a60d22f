"""Mix or rate? Exact decompositions of a change into what the segments did and how much of each there was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

CHANCE_WEIGHT = 4  # degrees of freedom


@dataclass(frozen=True)
class Decomposition:
    """A change of a total, split exactly.

    Attributes
    ----------
    dimension : the dimension that was split.
    kind : ``rate`` (levels weighted by cases) or ``count`` (totals).
    before, after, delta : the total's level, or its count.
    rate, mix : effect of the segments' own levels, and of their shares; they add up to `delta` (levels).
    volume : effect of more cases at the same mix (counts; 0 for levels).
    interaction : what belongs to both in the threefold form; there ``rate_before + mix_before + interaction = delta``.
    segments : one row a value: `value`, `n0`, `n1`, `level0`, `level1`, `rate`, `mix`, `volume`, `total`.
    simpson : the levels of all segments with cases in both periods move against the total, or stand still.
    """

    dimension: str
    kind: str
    before: float
    after: float
    delta: float
    rate: float
    mix: float
    volume: float
    rate_before: float
    mix_before: float
    interaction: float
    segments: pd.DataFrame
    simpson: bool


def decompose_level(before: pd.DataFrame, after: pd.DataFrame, dimension: str) -> Decomposition:
    """Kitagawa's decomposition of a share, rate or mean into the segments' levels and the mix.

    With shares w and levels r of the segments at both times, ``rate = sum((w0 + w1) / 2 * (r1 - r0))`` and
    ``mix = sum((r0 + r1) / 2 * (w1 - w0))``, exactly ``delta`` together (Kitagawa 1955, JASA 50: 1168-1194, eq. 4). The
    mix effect of a segment is measured from the average total, so that growing a segment that is worse than average
    counts as harm. A segment that is there at one time only takes its level from that time: its whole effect is mix.

    Parameters
    ----------
    before, after : columns `dimension`, ``num`` and ``den``; rows are cases or totals, summed by the values.

    Raises
    ------
    ValueError
        If either time has no case.

    Examples
    --------
    >>> before = pd.DataFrame({"kind": ["simple", "complex"], "num": [40, 60], "den": [800, 200]})
    >>> after = pd.DataFrame({"kind": ["simple", "complex"], "num": [12, 196], "den": [300, 700]})
    >>> split = decompose_level(before, after, "kind")
    >>> round(split.rate, 4), round(split.mix, 4), split.simpson
    (-0.0145, 0.1225, True)
    """
    table = _by_value(before, after, dimension)
    n0, n1 = table["n0"].to_numpy(), table["n1"].to_numpy()
    if n0.sum() <= 0 or n1.sum() <= 0:
        raise ValueError("a decomposition needs cases at both times")
    w0, w1 = n0 / n0.sum(), n1 / n1.sum()
    r0, r1 = _levels(table)
    total0, total1 = float(w0 @ r0), float(w1 @ r1)
    delta = total1 - total0
    rate = (w0 + w1) / 2 * (r1 - r0)
    mix = ((r0 + r1) / 2 - (total0 + total1) / 2) * (w1 - w0)
    segments = table.assign(level0=np.where(n0 > 0, r0, np.nan), level1=np.where(n1 > 0, r1, np.nan))
    segments = segments.assign(rate=rate, mix=mix, volume=0.0, total=rate + mix)
    rate_before, mix_before = float(w0 @ (r1 - r0)), float((w1 - w0) @ r0)
    return Decomposition(
        dimension=dimension, kind="rate", before=total0, after=total1, delta=delta,
        rate=float(rate.sum()), mix=float(mix.sum()), volume=0.0,
        rate_before=rate_before, mix_before=mix_before, interaction=delta - rate_before - mix_before,
        segments=_sorted(segments), simpson=_simpson(n0, n1, r1 - r0, delta),
    )  # fmt: skip


def mix_change_p(cases: pd.DataFrame, dimension: str, current: str) -> float:
    """Chance that the shares of a dimension's values differ as much as they do between the usual periods and the current.

    Pearson's chi-squared of the current period against all usual ones together, over what the usual periods scatter among
    themselves (at least what drawing cases would; McCullagh & Nelder 1989, ch. 4.5): a mix that swings from month to month
    has to change more. What few periods tell of their scatter is drawn towards chance alone, as if four more degrees of
    freedom had shown that.

    Parameters
    ----------
    cases : columns ``period, den`` and `dimension`; the usual periods and the current one.
    current : label of the current period.

    Examples
    --------
    >>> usual = pd.DataFrame({"period": np.repeat(["1", "2", "3", "4"], 2), "kind": ["a", "b"] * 4,
    ...                       "den": [50.0, 50, 48, 52, 52, 48, 51, 49]})
    >>> p = {bad: mix_change_p(pd.concat([usual, pd.DataFrame({"period": "5", "kind": ["a", "b"], "den": [100 - bad, bad]})]),
    ...                        "kind", "5") for bad in (52.0, 80.0)}
    >>> p[52.0] > 0.5, p[80.0] < 0.01
    (True, True)
    """
    value = cases[dimension].astype("object").where(cases[dimension].notna(), "").astype(str)
    counts = pd.crosstab(cases["period"], value.to_numpy(), values=cases["den"], aggfunc="sum").fillna(0.0)
    usual, now = counts.drop(index=current), counts.loc[current]
    values = counts.shape[1]
    if values < 2 or usual.empty:
        return 1.0
    statistic = _homogeneity(np.array([usual.sum().to_numpy(), now.to_numpy()]))
    freedom = (len(usual) - 1) * (values - 1) + CHANCE_WEIGHT
    scatter = max(1.0, (_homogeneity(usual.to_numpy()) + CHANCE_WEIGHT) / freedom)
    return float(stats.f.sf(statistic / (values - 1) / scatter, values - 1, freedom))


def _homogeneity(table: np.ndarray) -> float:
    """Pearson's chi-squared of a table of counts against equal shares in every row."""
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(np.sum(np.divide((table - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0)))


def decompose_count(before: pd.DataFrame, after: pd.DataFrame, dimension: str) -> Decomposition:
    """Price-volume-mix for a count: events per case (price), the number of cases (volume), and their mix.

    ``volume = (N1 - N0) * R0``, ``mix = N1 * sum((w1 - w0) * r0)`` and ``rate = sum(n1 * (r1 - r0))`` add up exactly to
    the change of the count. Without a denominator (`den` 1 in each row of a period) all of it is volume by segment.

    Examples
    --------
    >>> before = pd.DataFrame({"team": ["a", "b"], "num": [10.0, 30.0], "den": [100.0, 100.0]})
    >>> after = pd.DataFrame({"team": ["a", "b"], "num": [20.0, 90.0], "den": [100.0, 300.0]})
    >>> split = decompose_count(before, after, "team")
    >>> round(split.volume), round(split.mix), round(split.rate), split.delta
    (40, 20, 10, 70.0)
    """
    table = _by_value(before, after, dimension)
    n0, n1 = table["n0"].to_numpy(), table["n1"].to_numpy()
    if n0.sum() <= 0 or n1.sum() <= 0:
        raise ValueError("a decomposition needs cases at both times")
    r0, r1 = _levels(table)
    total = n0.sum(), n1.sum()
    level = float(n0 @ r0) / total[0]
    w0, w1 = n0 / total[0], n1 / total[1]
    # A segment's volume is its share of the growth of all; its mix, cases beyond that growth, off the average level.
    volume = (total[1] - total[0]) * w0 * r0
    mix = total[1] * (w1 - w0) * r0
    rate = n1 * (r1 - r0)
    segments = table.assign(level0=np.where(n0 > 0, r0, np.nan), level1=np.where(n1 > 0, r1, np.nan))
    segments = segments.assign(rate=rate, mix=mix, volume=volume, total=rate + mix + volume)
    before_count, after_count = float(n0 @ r0), float(n1 @ r1)
    delta = after_count - before_count
    return Decomposition(
        dimension=dimension, kind="count", before=before_count, after=after_count, delta=delta,
        rate=float(rate.sum()), mix=float(mix.sum()), volume=float((total[1] - total[0]) * level),
        rate_before=float((n0 * (r1 - r0)).sum()), mix_before=float(((n1 - n0) * r0).sum()),
        interaction=float(((n1 - n0) * (r1 - r0)).sum()),
        segments=_sorted(segments), simpson=_simpson(n0, n1, r1 - r0, after_count / total[1] - level),
    )  # fmt: skip


def _by_value(before: pd.DataFrame, after: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Totals of each value at both times; a missing value is the value ``""``."""
    sums = []
    for suffix, rows in (("0", before), ("1", after)):
        value = rows[dimension].astype("object").where(rows[dimension].notna(), "").astype(str)
        grouped = rows[["num", "den"]].astype(float).groupby(value.to_numpy()).sum()
        sums.append(grouped.rename(columns={"num": f"num{suffix}", "den": f"n{suffix}"}))
    table = sums[0].join(sums[1], how="outer").fillna(0.0)
    return table.rename_axis("value").reset_index()


def _levels(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    n0, n1 = table["n0"].to_numpy(), table["n1"].to_numpy()
    r0 = np.divide(table["num0"].to_numpy(), n0, out=np.full(len(n0), np.nan), where=n0 > 0)
    r1 = np.divide(table["num1"].to_numpy(), n1, out=np.full(len(n1), np.nan), where=n1 > 0)
    filled0 = np.where(np.isnan(r0), r1, r0)
    filled1 = np.where(np.isnan(r1), r0, r1)
    return np.nan_to_num(filled0), np.nan_to_num(filled1)


def _simpson(n0: np.ndarray, n1: np.ndarray, change: np.ndarray, delta: float) -> bool:
    both = (n0 > 0) & (n1 > 0)
    if both.sum() < 2 or abs(delta) < 1e-12:
        return False
    against = np.sign(delta) * change[both]
    # Parts that stand still are no paradox: all of the change is then one of the mix.
    return bool(np.all(against <= 1e-12) and np.any(against < -1e-12))


def _sorted(segments: pd.DataFrame) -> pd.DataFrame:
    order = segments["total"].abs().sort_values(ascending=False, kind="stable").index
    return segments.loc[order].reset_index(drop=True)
