"""Cases by period and by every combination of the dimensions: the leaves that the segment scan adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

OTHER = "…"  # the value that holds the folded rest
MAXIMUM_VALUES = 30


@dataclass(frozen=True)
class CrossTable:
    """Leaves (rows of `codes`) by period.

    Attributes
    ----------
    dimensions : names, in the order of the columns of `codes`.
    values : for each dimension its values; a missing value is ``""`` and a value of its own.
    codes : leaves x dimensions, index into `values`.
    periods : labels, oldest first; the last one is the period under study.
    observed, exposure : periods x leaves; bad cases and cases, events and expected events, or a sum and its n.
    squares : periods x leaves, the sum of squares of single values, or None where there are no single values.
    folded : dimension to the number of values that went into `OTHER`.
    """

    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: np.ndarray
    periods: tuple[str, ...]
    observed: np.ndarray
    exposure: np.ndarray
    squares: np.ndarray | None = None
    folded: dict[str, int] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        return len(self.codes)


def fold_values(values: pd.Series, weight: pd.Series, maximum: int = MAXIMUM_VALUES) -> tuple[pd.Series, int]:
    """Keep the heaviest values and put the rest into `OTHER`; say how many were put there.

    Returns
    -------
    The series as text, missing as ``""``, and the number of folded values (0: nothing was folded).

    Examples
    --------
    >>> import pandas as pd
    >>> series, folded = fold_values(pd.Series(["a", "a", "b", "b", "c", None]), pd.Series([1] * 6), maximum=3)
    >>> series.tolist(), folded
    (['a', 'a', 'b', 'b', '…', '…'], 2)
    """
    text = values.astype("object").where(values.notna(), "").astype(str)
    totals = weight.groupby(text).sum()
    if len(totals) <= maximum:
        return text, 0
    # Ties are broken by name so that the same data always fold in the same way.
    kept = sorted(totals.index, key=lambda value: (-totals[value], value))[: maximum - 1]
    return text.where(text.isin(kept), OTHER), len(totals) - len(kept)


def cross_tabulate(
    rows: pd.DataFrame,
    dimensions: Sequence[str],
    *,
    current: str,
    period: str = "period",
    observed: str = "num",
    exposure: str = "den",
    squares: str | None = None,
    maximum_values: int = MAXIMUM_VALUES,
) -> CrossTable:
    """Add rows (cases, or totals of cells) up by period and leaf.

    Parameters
    ----------
    rows : one row a case or a cell; `period` sorts as text in the order of time.
    dimensions : columns to cross; a missing value counts as the value ``""``.
    current : the period under study; later periods are not looked at.
    observed, exposure, squares : columns to add up.
    maximum_values : more values than this in a dimension are folded into `OTHER`.

    Raises
    ------
    ValueError
        If there is no row of the current period.

    Examples
    --------
    >>> rows = pd.DataFrame({"period": ["1", "1", "2"], "team": ["a", "b", "a"], "num": [1, 0, 2], "den": [4, 5, 6]})
    >>> cross_tabulate(rows, ["team"], current="2").observed
    array([[1., 0.],
           [2., 0.]])
    """
    rows = rows[(rows[period] <= current) & rows[exposure].notna() & (rows[exposure] > 0)]
    if not (rows[period] == current).any():
        raise ValueError(f"there is no case in {current}")
    columns, folded = {}, {}
    for dimension in dimensions:
        columns[dimension], count = fold_values(rows[dimension], rows[exposure], maximum_values)
        if count:
            folded[dimension] = count
    measures = [observed, exposure] + ([squares] if squares else [])
    table = pd.DataFrame(columns, index=rows.index).assign(**{period: rows[period].astype(str)})
    codes_of, values_of = {}, {}
    for name in [period, *dimensions]:
        codes_of[name], uniques = pd.factorize(table[name], sort=True)
        values_of[name] = tuple(str(value) for value in uniques)
    shape = tuple(max(1, len(values_of[name])) for name in dimensions)
    leaf = np.zeros(len(rows), dtype=np.int64)
    for name, values in zip(dimensions, shape, strict=True):
        leaf = leaf * values + codes_of[name]
    leaf_codes, leaf_index = np.unique(leaf, return_inverse=True)
    size = (len(values_of[period]), len(leaf_codes))
    flat = codes_of[period] * size[1] + leaf_index
    sums = {
        name: np.bincount(flat, weights=rows[name].to_numpy(float), minlength=size[0] * size[1]).reshape(size)
        for name in measures
    }
    return CrossTable(
        tuple(dimensions),
        tuple(values_of[name] for name in dimensions),
        _unravel(leaf_codes, shape),
        values_of[period],
        sums[observed],
        sums[exposure],
        sums[squares] if squares else None,
        folded,
    )


def _unravel(leaf_codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Leaf numbers back into one column of value numbers for each dimension."""
    if not shape:
        return np.zeros((len(leaf_codes), 0), dtype=int)
    columns = []
    for size in reversed(shape):
        columns.append(leaf_codes % size)
        leaf_codes = leaf_codes // size
    return np.column_stack(columns[::-1])
