"""Which few values make most of the excess: Pareto tables of the gap, one a dimension."""

from __future__ import annotations

import pandas as pd

from svclib.explain.decompose import Decomposition


def pareto_of_excess(split: Decomposition, worse: int, cases: float) -> pd.DataFrame:
    """Values by what each adds to the deterioration (level and mix together), in the KPI's bad units.

    Parameters
    ----------
    split : of one dimension.
    worse : 1 where more is worse.
    cases : what a level is multiplied by to give cases (the current denominator); 1 for counts.

    Returns
    -------
    ``value, excess, rate, mix, volume, share, cumulative``; the greatest excess first, then those that got better.
    `share` is of all that the values with an excess add up to, and `cumulative` its running sum; both are missing for
    the values that got better.

    Examples
    --------
    >>> from svclib.explain.decompose import decompose_level
    >>> before = pd.DataFrame({"team": ["a", "b"], "num": [10, 10], "den": [100, 100]})
    >>> after = pd.DataFrame({"team": ["a", "b"], "num": [20, 12], "den": [100, 100]})
    >>> pareto_of_excess(decompose_level(before, after, "team"), 1, 200)[["value", "excess", "cumulative"]].round(2)
      value  excess  cumulative
    0     a    10.0        0.83
    1     b     2.0        1.00
    """
    segments, factor = split.segments, worse * cases
    table = pd.DataFrame(
        {
            "value": segments["value"],
            "excess": segments["total"] * factor,
            "rate": segments["rate"] * factor,
            "mix": segments["mix"] * factor,
            "volume": segments["volume"] * factor,
        }
    )
    table = table.sort_values(["excess", "value"], ascending=[False, True], kind="stable", ignore_index=True)
    worsened = table["excess"].where(table["excess"] > 0)
    table["share"] = worsened / worsened.sum()
    table["cumulative"] = table["share"].cumsum()
    return table
