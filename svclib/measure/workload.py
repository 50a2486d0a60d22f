"""Work coming in and waiting: arrivals, completions, backlog and its age, when cases arrive, how long they take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from svclib.measure.disclosure import suppressed
from svclib.measure.periods import Period

_QUANTILES = (0.25, 0.5, 0.75, 0.9)
AGE_DAYS = (0, 7, 30, 90)


@dataclass(frozen=True)
class Workload:
    """The cases of one source and department.

    Attributes
    ----------
    flow
        One row a period: ``period, arrived, completed, backlog`` (open at its end, of the cases that the source
        knows), ``complete`` (the period was over at the cut-off).
    arrivals
        7 x 24: mean number of arrivals a week by weekday (Monday first) and hour, over the shown periods.
    weeks
        How many weeks these are.
    ages
        Open cases at the end of the latest period (or the cut-off, where earlier) by age: ``from_days, cases``.
    median_age, oldest
        Days; NaN without open cases.
    """

    flow: pd.DataFrame
    arrivals: np.ndarray
    weeks: float
    ages: pd.DataFrame
    median_age: float
    oldest: float


@dataclass(frozen=True)
class Durations:
    """How long the cases of one period took (Kaplan-Meier: open cases count as longer than so far).

    Attributes
    ----------
    quantiles
        0.25, 0.5, 0.75 and 0.9; NaN where fewer cases than that have ended.
    within
        Share that ended within the target, NaN without one.
    """

    cases: int
    open: int
    quantiles: dict[float, float]
    within: float


def measure_workload(cases: pd.DataFrame, periods: Sequence[Period], as_of: dt.datetime) -> Workload:
    """Arrivals, completions and backlog of a department.

    Parameters
    ----------
    cases
        ``opened_at`` and ``resolved_at`` (NaT while open), local time, of all cases that the source knows.
    periods
        The periods to show, oldest first.
    as_of
        The cut-off; stamps after it have not happened.

    Examples
    --------
    >>> cases = pd.DataFrame({"opened_at": pd.to_datetime(["2026-01-05", "2026-01-20"]),
    ...                       "resolved_at": pd.to_datetime(["2026-01-06", None])})
    >>> load = measure_workload(cases, [Period.parse("2026-01")], dt.datetime(2026, 2, 10))
    >>> load.flow[["arrived", "completed", "backlog"]].values.tolist(), load.median_age
    ([[2, 1, 1]], 12.0)
    """
    opened = pd.to_datetime(cases["opened_at"])
    resolved = pd.to_datetime(cases["resolved_at"])
    seen = opened < as_of
    opened, resolved = opened[seen], resolved[seen].where(resolved[seen] < as_of)
    rows = []
    for period in periods:
        start, end = pd.Timestamp(period.start), min(pd.Timestamp(period.end), pd.Timestamp(as_of))
        rows.append(
            {
                "period": period.label,
                "arrived": int(((opened >= start) & (opened < end)).sum()),
                "completed": int(((resolved >= start) & (resolved < end)).sum()),
                "backlog": int(((opened < end) & ~(resolved < end)).sum()),
                "complete": bool(pd.Timestamp(period.end) <= as_of),
            }
        )
    last = min(pd.Timestamp(periods[-1].end), pd.Timestamp(as_of))
    age = (last - opened[(opened < last) & ~(resolved < last)]).dt.total_seconds() / 86400
    edges = [*AGE_DAYS, np.inf]
    counts = np.histogram(age, bins=edges)[0] if len(age) else np.zeros(len(AGE_DAYS), dtype=int)
    shown = opened[(opened >= pd.Timestamp(periods[0].start)) & (opened < last)]
    weeks = max((last - pd.Timestamp(periods[0].start)).days / 7, 1e-9)
    return Workload(
        flow=pd.DataFrame(rows),
        arrivals=arrival_grid(shown) / weeks,
        weeks=weeks,
        ages=pd.DataFrame({"from_days": AGE_DAYS, "cases": counts}),
        median_age=float(age.median()) if len(age) else np.nan,
        oldest=float(age.max()) if len(age) else np.nan,
    )


def without_small(load: Workload, minimum: int) -> Workload:
    """The same, with every number NaN behind which fewer than `minimum` cases stand, and what would give one away.

    The oldest case is told only where its age group is.

    Examples
    --------
    >>> cases = pd.DataFrame({"opened_at": pd.to_datetime(["2026-01-05", "2026-01-20"]),
    ...                       "resolved_at": pd.to_datetime(["2026-01-06", None])})
    >>> load = without_small(measure_workload(cases, [Period.parse("2026-01")], dt.datetime(2026, 2, 10)), 5)
    >>> load.flow[["arrived", "completed", "backlog"]].values.tolist(), load.oldest, int(np.isnan(load.arrivals).sum())
    ([[nan, nan, nan]], nan, 2)
    """
    grid = load.arrivals.copy()
    grid[suppressed((grid * load.weeks).ravel().round(), minimum).reshape(grid.shape)] = np.nan
    ages = load.ages["cases"].to_numpy(dtype=float)
    held = suppressed(ages, minimum)
    oldest = np.flatnonzero(ages)[-1:]
    return replace(
        load,
        flow=flow_without_small(load.flow, minimum),
        arrivals=grid,
        ages=load.ages.assign(cases=np.where(held, np.nan, ages)),
        median_age=np.nan if ages.sum() < minimum else load.median_age,
        oldest=np.nan if held[oldest].any() else load.oldest,
    )


def flow_without_small(flow: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Periods with ``arrived, completed, backlog`` in which small numbers are NaN.

    A backlog is the one before plus what arrived less what was completed. So arrivals and completions go together, and
    both go on either side of a backlog that is withheld.

    Examples
    --------
    >>> flow = pd.DataFrame({"arrived": [40, 4, 40], "completed": [30, 20, 50], "backlog": [30, 14, 4]})
    >>> flow_without_small(flow, 5).values.tolist()
    [[40.0, 30.0, 30.0], [nan, nan, 14.0], [nan, nan, nan]]
    """
    names = ["arrived", "completed", "backlog"]
    counts = flow[names].to_numpy(dtype=float)
    small = (counts > 0) & (counts < minimum)
    moved = small.any(axis=1) | np.r_[False, small[:-1, 2]]
    held = np.column_stack([moved, moved, small[:, 2]])
    return flow.assign(**dict(zip(names, np.where(held, np.nan, counts).T, strict=True)))


def arrival_grid(moments: pd.Series) -> np.ndarray:
    """Counts by weekday (Monday first) and hour.

    >>> arrival_grid(pd.Series(pd.to_datetime(["2026-01-05 09:30", "2026-01-12 09:59"])))[0, 9].item()
    2
    """
    grid = np.zeros((7, 24), dtype=int)
    np.add.at(grid, (moments.dt.day_of_week.to_numpy(), moments.dt.hour.to_numpy()), 1)
    return grid


def measure_durations(duration: np.ndarray, observed: np.ndarray, target: float | None = None) -> Durations:
    """Quantiles of times with open cases as censored.

    Parameters
    ----------
    duration
        In the KPI's unit; until now for open cases.
    observed
        False for open cases.

    Examples
    --------
    >>> found = measure_durations(np.array([1.0, 2, 3, 4]), np.array([True, True, True, False]), target=2)
    >>> found.quantiles[0.5], found.quantiles[0.9], found.within, found.open
    (2.0, nan, 0.5, 1)
    """
    known = np.isfinite(duration)
    duration, observed = duration[known], observed[known]
    if duration.size == 0:
        return Durations(0, 0, dict.fromkeys(_QUANTILES, np.nan), np.nan)
    data = stats.CensoredData(uncensored=duration[observed], right=duration[~observed])
    ended = stats.ecdf(data).cdf
    # A share is reached where the curve is, but for the noise of floating-point products, at it or above.
    reached = {q: np.flatnonzero(ended.probabilities >= q - 1e-12) for q in _QUANTILES}
    quantiles = {q: float(ended.quantiles[i[0]]) if i.size else np.nan for q, i in reached.items()}
    within = float(ended.evaluate(np.array([target]))[0]) if target is not None else np.nan
    return Durations(int(duration.size), int((~observed).sum()), quantiles, within)
