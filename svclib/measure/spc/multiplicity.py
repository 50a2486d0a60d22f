"""Many charts at once: how many would signal by chance, and which signals stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

FDR = 0.10

# Chance that the latest point of a quiet chart signals: up to 24 periods, and beyond, where the limits are frozen
# and their error stays (benchmarks/control_charts.py, 24 and 36 periods).
FALSE_SIGNAL = {"nhs": (0.016, 0.038), "mdc2023": (0.012, 0.034), "strict": (0.007, 0.009)}


@dataclass(frozen=True)
class SignalCount:
    """The period's charts together.

    Attributes
    ----------
    charts
        Charts with a judged point and limits.
    expected_by_chance
        How many would signal if nothing had changed anywhere.
    found
        How many signal.
    after_fdr
        How many of these stay when at most one in ten may be false (Benjamini and Hochberg 1995).
    q
        Adjusted p-value of each chart, in the order given; NaN where it has none.
    """

    charts: int
    expected_by_chance: float
    found: int
    after_fdr: int
    q: np.ndarray


def count_signals(
    p: ArrayLike, signal: ArrayLike, rules: Sequence[str], frozen: Sequence[bool] | None = None
) -> SignalCount:
    """Count the signals of many charts and control the false ones.

    Parameters
    ----------
    p
        Evidence of each chart (`combined_p`), NaN where it cannot be judged.
    signal
        Whether its latest judged point signals.
    rules
        Its rule set.
    frozen
        Whether it has more points than set its limits; none where left out.

    Examples
    --------
    >>> p = np.concatenate([np.full(1, 1e-6), np.linspace(0.01, 1, 99)])
    >>> found = count_signals(p, p < 0.02, ["nhs"] * 100)
    >>> found.charts, round(found.expected_by_chance, 1), found.found, found.after_fdr
    (100, 1.6, 2, 1)
    """
    p, signal = np.asarray(p, dtype=float), np.asarray(signal, dtype=bool)
    known = np.isfinite(p)
    q = np.full(p.size, np.nan)
    if known.any():
        q[known] = stats.false_discovery_control(p[known], method="bh")
    beyond = [False] * p.size if frozen is None else frozen
    expected = sum(FALSE_SIGNAL[r][f] for r, f, k in zip(rules, beyond, known, strict=True) if k)
    stay = known & signal & (np.nan_to_num(q, nan=1.0) <= FDR)
    return SignalCount(int(known.sum()), float(expected), int((signal & known).sum()), int(stay.sum()), q)
