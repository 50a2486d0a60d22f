"""The rebase assistant: where a step may deserve new limits. It suggests, it never applies.

Making Data Count asks four things before limits are recalculated: the change is sustained, its cause is known, it goes
the wanted way, and it is expected to last. Data can answer the first and the third; people answer the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from svclib.catalogue.models import Band
from svclib.measure.change.happened import Happening, around
from svclib.measure.change.step import CLEAR_P, SUSTAINED, Step, change_of
from svclib.measure.periods import Period


@dataclass(frozen=True)
class RebaseSuggestion:
    """A possible first period of a new phase.

    Attributes
    ----------
    date, period
        First day and label of the first period on the new level.
    before, after
        Levels before and since, in the KPI's unit.
    p
        Permutation p-value of the step.
    sustained, wanted
        Of the four conditions, those that data can answer; `wanted` is None where the KPI has no direction.
    cause
        Declared events and beginnings of actions near the date: candidates, not proof.
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
    cause: tuple[Happening, ...] = ()
    expected_to_last: None = None


def suggest_rebase(
    points: pd.DataFrame, steps: Sequence[Step], direction: str | Band, found: Sequence[Happening] = ()
) -> RebaseSuggestion | None:
    """The latest step of the latest phase, where it is clear and has gone on for a while.

    Parameters
    ----------
    points
        ``ControlChart.points``.
    steps
        What `svclib.measure.change.step.find_steps` found in them.
    direction
        The KPI's.
    found
        What happened to the KPI in this time.

    Returns
    -------
    RebaseSuggestion or None
        None without a step whose permutation p-value is below 0.01, or with fewer than seven points on a side.
    """
    if not steps or steps[-1].p >= CLEAR_P:
        return None
    step = steps[-1]
    mine = points[points["judged"] & (points["phase"] == points["phase"].iloc[-1])]
    new = mine["period"] >= step.period
    if new.sum() < SUSTAINED or (~new).sum() < SUSTAINED:
        return None
    change = change_of(points, steps, step.p, rose=step.rose)
    if change is None or change.before is None or change.after is None:
        return None
    return RebaseSuggestion(
        date=Period.parse(step.period).start,
        period=step.period,
        before=change.before,
        after=change.after,
        p=step.p,
        sustained=change.lasted,
        wanted=_wanted(change.before, change.after, direction),
        cause=tuple(h for h in around(found, step.earliest, step.latest) if h.near),
    )


def _wanted(before: float, after: float, direction: str | Band) -> bool | None:
    if isinstance(direction, Band):
        middle = sum(direction.between) / 2
        return abs(after - middle) < abs(before - middle)
    return None if direction == "neutral" else (after > before) == (direction == "increase")
