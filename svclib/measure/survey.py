"""Who answers a survey, and what the silence of the others could hide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint


@dataclass(frozen=True)
class ResponseRate:
    """Answers among those invited in one period.

    Attributes
    ----------
    rate, lower, upper
        Share who answered, with its Wilson interval.
    dimension, low, high, low_rate, high_rate, p
        The dimension by which answering differs most surely (chi-squared, Bonferroni over dimensions): the segments
        that answer least and most. Empty where none differs at p < 0.05.
    """

    invited: int
    answered: int
    rate: float
    lower: float
    upper: float
    dimension: str = ""
    low: str = ""
    high: str = ""
    low_rate: float = np.nan
    high_rate: float = np.nan
    p: float = np.nan


def response_rate(invitations: pd.DataFrame, dimensions: Sequence[str] = (), minimum: int = 5) -> ResponseRate | None:
    """Response rate of one period's invitations.

    Parameters
    ----------
    invitations
        One row an invitation: ``responded_at`` (NaT without an answer), and the dimensions.
    minimum
        Segments of fewer invitations are left out of the comparison.

    Examples
    --------
    >>> rows = pd.DataFrame({"responded_at": pd.to_datetime(["2026-01-02"] * 3 + [None] * 7)})
    >>> found = response_rate(rows)
    >>> found.answered, found.rate
    (3, 0.3)
    """
    invited = len(invitations)
    if invited == 0:
        return None
    answered = invitations["responded_at"].notna()
    lower, upper = proportion_confint(int(answered.sum()), invited, method="wilson")
    found = ResponseRate(invited, int(answered.sum()), float(answered.mean()), float(lower), float(upper))
    candidates = [c for c in (_contrast(invitations, answered, d, minimum) for d in dimensions) if c is not None]
    if not candidates:
        return found
    best = min(candidates, key=lambda c: c[-1])
    p = min(1.0, best[-1] * len(dimensions))
    return found if p >= 0.05 else ResponseRate(*_totals(found), *best[:-1], p)


def _totals(found: ResponseRate) -> tuple[int, int, float, float, float]:
    return found.invited, found.answered, found.rate, found.lower, found.upper


def _contrast(
    rows: pd.DataFrame, answered: pd.Series, dimension: str, minimum: int
) -> tuple[str, str, str, float, float, float] | None:
    if dimension not in rows:
        return None
    table = pd.crosstab(rows[dimension].fillna("").astype(str), answered).reindex(columns=[False, True], fill_value=0)
    table = table[(table.sum(axis=1) >= max(minimum, 10)) & (table.index != "")]
    if len(table) < 2 or (table.sum(axis=0) == 0).any():
        return None
    rates = table[True] / table.sum(axis=1)
    p = float(stats.chi2_contingency(table.to_numpy()).pvalue)
    return dimension, str(rates.idxmin()), str(rates.idxmax()), float(rates.min()), float(rates.max()), p


def silent_bounds(share: float, rate: float) -> tuple[float, float]:
    """Between which shares the truth lies if nobody, or everybody, who kept silent were satisfied.

    These bounds assume nothing (Manski 1989); a confidence interval assumes that the silent are like the others.

    >>> tuple(round(x, 2) for x in silent_bounds(0.8, 0.3))
    (0.24, 0.94)
    """
    return share * rate, share * rate + 1 - rate
