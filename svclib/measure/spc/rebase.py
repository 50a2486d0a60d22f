"""The rebase assistant: where a step may deserve new limits. It suggests, it never applies.

Making Data Count asks four things before limits are recalculated: the change is sustained, its cause is known, it goes
the wanted way, and it is expected to last. Data can answer the first and the third; people answer the others.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svclib.catalogue.models import Band

_SUSTAINED = 7
_DRAWS = 999
SUGGEST_P = 0.01


@dataclass(frozen=True)
class RebaseSuggestion:
    """A possible first period of a new phase.

    Attributes
    ----------
    date, period
        First day and label of the first period on the new level.
    before, after
        Mean levels.
    p
        Permutation p-value of the best step anywhere in the phase.
    sustained, wanted
        Of the four conditions, those that data can answer; `wanted` is None where the KPI has no direction.
    cause
        Titles of declared events within one period of the date: candidates, not proof.
    expected_to_last
        Always None: only people know.
    """

    date: dt.date
    period: str
    before: float
    after: float
    p: float
    sustained: bool
    wanted: bool | None
    cause: tuple[str, ...] = ()
    expected_to_last: None = None


def best_step(values: np.ndarray, least: int = _SUSTAINED) -> tuple[int, float]:
    """Index of the first point of the best second level, and how much of the variance the step explains.

    Examples
    --------
    >>> index, share = best_step(np.array([0.0, 1] * 5 + [5.0, 6] * 5))
    >>> index, round(share, 2)
    (10, 0.96)
    """
    n = values.size
    splits = np.arange(least, n - least + 1)
    if splits.size == 0:
        return 0, 0.0
    centred = values - values.mean()
    total = float(np.sum(centred**2))
    if total == 0:
        return 0, 0.0
    head = np.cumsum(centred)[splits - 1]
    gained = head**2 * n / (splits * (n - splits))
    best = int(np.argmax(gained))
    return int(splits[best]), float(gained[best] / total)


def suggest_rebase(
    points: pd.DataFrame, direction: str | Band, events: pd.DataFrame | None = None
) -> RebaseSuggestion | None:
    """Look for one sustained step in the latest phase.

    Parameters
    ----------
    points
        ``ControlChart.points``.
    direction
        The KPI's.
    events
        Declared events, columns ``date`` and ``title``, already those of this department and KPI.

    Returns
    -------
    RebaseSuggestion or None
        None without a step whose permutation p-value is below 0.01, or with fewer than seven points on a side.
    """
    mine = points[points["judged"] & (points["phase"] == points["phase"].iloc[-1])]
    values = mine["value"].to_numpy(dtype=float)
    index, share = best_step(values)
    if index == 0:
        return None
    p = _permutation_p(values, share)
    if p >= SUGGEST_P:
        return None
    before, after = float(values[:index].mean()), float(values[index:].mean())
    day = pd.Timestamp(mine["start"].iloc[index]).date()
    return RebaseSuggestion(
        date=day,
        period=str(mine["period"].iloc[index]),
        before=before,
        after=after,
        p=p,
        sustained=_one_sided(values[index:], (before + after) / 2),
        wanted=_wanted(before, after, direction),
        cause=_near(events, day, pd.Timestamp(mine["end"].iloc[index]).date() - day),
    )


def _permutation_p(values: np.ndarray, share: float) -> float:
    # Seeded by nothing but itself: the same series always gets the same answer.
    rng = np.random.default_rng(20_260_101)
    n = values.size
    splits = np.arange(_SUSTAINED, n - _SUSTAINED + 1)
    centred = values - values.mean()
    shuffled = rng.permuted(np.tile(centred, (_DRAWS, 1)), axis=1)
    heads = np.cumsum(shuffled, axis=1)[:, splits - 1]
    best = (heads**2 * n / (splits * (n - splits))).max(axis=1) / np.sum(centred**2)
    return float((1 + np.sum(best >= share - 1e-12)) / (_DRAWS + 1))


def _one_sided(after: np.ndarray, border: float) -> bool:
    """Sustained: at least seven points, nine in ten of them on the new side, the latest two too."""
    side = np.sign(after - border)
    new = np.sign(after.mean() - border)
    return bool(after.size >= _SUSTAINED and np.mean(side == new) >= 0.9 and np.all(side[-2:] == new))


def _wanted(before: float, after: float, direction: str | Band) -> bool | None:
    if isinstance(direction, Band):
        middle = sum(direction.between) / 2
        return abs(after - middle) < abs(before - middle)
    return None if direction == "neutral" else (after > before) == (direction == "increase")


def _near(events: pd.DataFrame | None, day: dt.date, reach: dt.timedelta) -> tuple[str, ...]:
    if events is None or events.empty:
        return ()
    dates = pd.to_datetime(events["date"])
    near = (dates >= pd.Timestamp(day - reach)) & (dates < pd.Timestamp(day + reach))
    return tuple(events.loc[near, "title"].astype(str))
