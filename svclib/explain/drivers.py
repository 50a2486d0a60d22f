"""Which drivers go with the outcome: shares of the explained variance by Lindeman, Merenda and Gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

_RIDGE = 1e-13  # columns that say the same are no trouble; below what any digit shows


@dataclass(frozen=True)
class DriverShares:
    """R squared of the regression on all drivers, and each one's share of it (they add up to `r2`)."""

    drivers: tuple[str, ...]
    shares: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    r2: float
    n: int

    def to_frame(self) -> pd.DataFrame:
        """One row a driver, the greatest share first."""
        table = pd.DataFrame({"driver": self.drivers, "share": self.shares, "lower": self.lower, "upper": self.upper})
        return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)

    @property
    def not_apart(self) -> tuple[str, ...]:
        """Drivers whose interval overlaps that of the greatest share, the greater first: which is first is open."""
        table = self.to_frame()
        return tuple(table["driver"].iloc[1:][table["upper"].iloc[1:] >= table["lower"].iloc[0]])


def lmg_shares(
    outcome: np.ndarray, drivers: Mapping[str, np.ndarray], *, resamples: int = 200, seed: int = 1
) -> DriverShares:
    """Average gain in R squared of each driver over all orders of entering it.

    Lindeman, Merenda and Gold (1980), as in Groemping (2006), J. Stat. Software 17(1), eq. 4. A driver of several columns
    (a dimension as dummies) enters as a whole. Association, not effect: a driver that only goes along with a cause shares
    its part.

    Parameters
    ----------
    outcome : one value a case.
    drivers : name to column or columns (cases x columns); at most 10.
    resamples : bootstrap repetitions for the 95 % interval; 0 for none (bounds NaN).

    Raises
    ------
    ValueError
        For more than 10 drivers.

    Examples
    --------
    >>> x = np.array([0.0, 1, 2, 3, 4, 5])
    >>> z = np.array([1.0, -1, 1, -1, 1, -1])
    >>> found = lmg_shares(2 * x + z, {"x": x, "z": z}, resamples=0)
    >>> round(found.r2, 6), bool(abs(found.shares.sum() - found.r2) < 1e-12)
    (1.0, True)
    """
    names = tuple(drivers)
    if len(names) > 10:
        raise ValueError("too many drivers: choose at most 10")
    columns = [np.atleast_2d(np.asarray(drivers[name], dtype=float).T).T for name in names]
    blocks, at = [], 1
    for block in columns:
        blocks.append(np.arange(at, at + block.shape[1]))
        at += block.shape[1]
    data = np.column_stack([np.ones(len(outcome)), *columns, np.asarray(outcome, dtype=float)])
    rng, even = np.random.default_rng(seed), np.full(len(data), 1 / len(data))
    weights = [np.ones(len(data)), *(rng.multinomial(len(data), even) for _ in range(resamples))]
    drawn, r2 = _shares(np.stack([(data * weight[:, None]).T @ data for weight in weights]), blocks)
    lower = upper = np.full(len(names), np.nan)
    if resamples:
        lower, upper = np.quantile(drawn[1:], [0.025, 0.975], axis=0)
    return DriverShares(names, drawn[0], lower, upper, float(r2[0]), len(data))


def _shares(grams: np.ndarray, blocks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the drivers (samples x drivers) and R squared of all of them, from each sample's cross products."""
    k = len(blocks)
    grams = _centred(grams)
    r2 = {}
    for size in range(k + 1):
        for subset in combinations(range(k), size):
            r2[subset] = _r_squared(grams, np.concatenate([[], *[blocks[i] - 1 for i in subset]]).astype(int))
    shares = np.zeros((len(grams), k))
    for i in range(k):
        others = [j for j in range(k) if j != i]
        for size in range(k):
            weight = factorial(size) * factorial(k - size - 1) / factorial(k)
            for subset in combinations(others, size):
                shares[:, i] += weight * (r2[tuple(sorted((*subset, i)))] - r2[subset])
    return shares, r2[tuple(range(k))]


def _centred(grams: np.ndarray) -> np.ndarray:
    """Correlations of the columns but the first, which is the constant; 0 with a column that does not vary."""
    first = grams[:, 0, :]
    centred = grams - first[:, :, None] * first[:, None, :] / grams[:, :1, :1]
    variance = np.diagonal(centred, axis1=1, axis2=2)[:, 1:]
    scale = np.where(variance > 1e-12 * np.diagonal(grams, axis1=1, axis2=2)[:, 1:], variance, np.inf) ** -0.5
    return centred[:, 1:, 1:] * scale[:, :, None] * scale[:, None, :]


def _r_squared(correlations: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of the last column on some others, for each sample; what others say already (a dummy too many) adds nothing."""
    if columns.size == 0:
        return np.zeros(len(correlations))
    among = correlations[:, columns[:, None], columns] + _RIDGE * np.eye(columns.size)
    with_outcome = correlations[:, columns, -1]
    return np.einsum("sc,sc->s", np.linalg.solve(among, with_outcome[:, :, None])[:, :, 0], with_outcome)


def dummies(values: pd.Series, most: int = 8) -> np.ndarray:
    """A dimension as columns of 0 and 1 (the most frequent value is the reference; rare ones share a column).

    Examples
    --------
    >>> dummies(pd.Series(["a", "b", "a", "c"]), most=3).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    text = values.astype("object").where(values.notna(), "").astype(str)
    counts = text.value_counts()
    order = sorted(counts.index, key=lambda value: (-counts[value], value))
    columns = [(text == value).to_numpy(dtype=float) for value in order[1:most]]
    if len(order) > most:
        columns.append(text.isin(order[most:]).to_numpy(dtype=float))
    return np.column_stack(columns) if columns else np.zeros((len(text), 0))
