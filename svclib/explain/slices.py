"""A KPI's single rows as what the scan and the decompositions add up: bad cases, events, sums, times with open cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from svclib.catalogue.models import Band, Kpi
from svclib.explain.crosstab import CrossTable, cross_tabulate
from svclib.explain.family import Family

Measure = Literal["share", "rate", "count", "mean", "time"]
Level = Literal["kpi", "share_beyond", "mean_time"]


@dataclass(frozen=True)
class CaseSlice:
    """Rows ready to be added up.

    Attributes
    ----------
    rows : ``period``, the dimensions, ``num`` and ``den`` for the decomposition (their ratio is the level that is split),
        ``scan_num`` and ``scan_den`` for the scan, ``squares`` for means.
    measure : what is counted.
    level : what the level that is split is: the KPI itself, or, where a KPI has no parts that add up, the share of cases
        beyond the baseline's quantile (``share_beyond``) or the mean time up to `horizon` (``mean_time``).
    family, bad : for the scan; `bad` is 1 where more of ``scan_num`` is worse.
    per : levels are shown times this.
    flipped : ``num`` counts the good cases, ``scan_num`` the bad ones.
    horizon : for times, how long cases are followed.
    """

    rows: pd.DataFrame
    dimensions: tuple[str, ...]
    measure: Measure
    family: Family
    bad: int
    worse: int
    per: float = 1.0
    flipped: bool = False
    horizon: float | None = None
    level: Level = "kpi"


def worse_sign(kpi: Kpi, value: float | None = None) -> int:
    """1 where a higher value of the KPI is worse, -1 where a lower one is; in a band, by the side it was left on.

    Examples
    --------
    >>> kpi = Kpi(code="k", title="K", source="s", kind="count", direction="increase")
    >>> worse_sign(kpi)
    -1
    """
    if isinstance(kpi.direction, Band):
        low, _ = kpi.direction.between
        return -1 if value is not None and value < low else 1
    return -1 if kpi.direction == "increase" else 1


def slice_cases(
    rows: pd.DataFrame, kpi: Kpi, dimensions: Sequence[str], baseline: Sequence[str], *, worse: int | None = None
) -> CaseSlice:
    """Turn the rows behind a KPI into a `CaseSlice`.

    Shares count bad cases. Means and scores that are no shares keep values. A quantile becomes the share of values beyond
    the baseline's quantile. Times become events against those expected from the baseline's hazard (one Poisson unit a
    case, so that open cases count for the time they were seen), and, for the decomposition, times up to a horizon (or
    whether a case ended within it, where the KPI is that share), an open case taking its expected rest (or its chance)
    from the Kaplan-Meier curve of its period.

    Parameters
    ----------
    rows : as `Study.rows` gives them, with ``period``.
    baseline : the periods to compare with.

    Raises
    ------
    ValueError
        For availability, whose minutes are no cases.
    """
    worse = worse_sign(kpi) if worse is None else worse
    rows = rows.assign(**{d: rows.get(d, "") for d in dimensions})
    keep = ["period", *dimensions]
    if kpi.kind == "time_to_event":
        return _times(rows, kpi, dimensions, baseline, worse)
    if kpi.kind == "availability":
        raise ValueError("availability has no cases to scan")
    if kpi.kind == "count":
        frame = rows[keep].assign(num=1.0, den=1.0, scan_num=1.0, scan_den=1.0)
        if "num" in rows:
            frame["num"] = frame["scan_num"] = rows["num"].astype(float)
        return CaseSlice(frame, tuple(dimensions), "count", "poisson", worse, worse)
    if kpi.kind == "rate":
        numbers = rows[["num", "den"]].astype(float)
        frame = rows[keep].assign(
            num=numbers["num"], den=numbers["den"], scan_num=numbers["num"], scan_den=numbers["den"]
        )
        frame = frame[np.isfinite(frame["num"]) & (frame["den"] > 0)]
        return CaseSlice(frame, tuple(dimensions), "rate", "poisson", worse, worse, kpi.per)
    if kpi.kind == "proportion" or (kpi.kind == "score" and (kpi.scale is None or kpi.scale.measure == "csat")):
        return _shares(rows, keep, dimensions, worse)
    values = pd.to_numeric(rows["value"]).astype(float)
    rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
    if kpi.kind == "quantile":
        limit = values[rows["period"].isin(baseline)].quantile(kpi.quantile)
        beyond = (values > limit) if worse > 0 else (values < limit)
        return replace(
            _shares(rows.assign(num=beyond.astype(float), den=1.0), keep, dimensions, 1), level="share_beyond"
        )
    frame = rows[keep].assign(num=values, den=1.0, scan_num=values, scan_den=1.0, squares=values**2)
    return CaseSlice(frame, tuple(dimensions), "mean", "gaussian", worse, worse)


def _shares(rows: pd.DataFrame, keep: list[str], dimensions: Sequence[str], worse: int) -> CaseSlice:
    numerator = rows["num"] if "num" in rows else rows["value"]
    frame = rows[keep].assign(num=pd.to_numeric(numerator).astype(float), den=rows["den"].astype(float))
    frame = frame[np.isfinite(frame["num"]) & (frame["den"] > 0)]
    bad = frame["num"] if worse > 0 else frame["den"] - frame["num"]
    frame = frame.assign(scan_num=bad, scan_den=frame["den"])
    return CaseSlice(frame, tuple(dimensions), "share", "binomial", 1, worse, flipped=worse < 0)


def _times(rows: pd.DataFrame, kpi: Kpi, dimensions: Sequence[str], baseline: Sequence[str], worse: int) -> CaseSlice:
    duration = pd.to_numeric(rows["duration"]).astype(float)
    rows, duration = rows[duration >= 0], duration[duration >= 0].to_numpy()
    seen = rows["observed"].to_numpy(dtype=bool)
    earlier = rows["period"].isin(baseline).to_numpy()
    horizon = _horizon(kpi, duration[earlier], seen[earlier])
    event = seen & (duration <= horizon)
    stop = np.minimum(duration, horizon)
    times, hazard = cumulative_hazard(stop[earlier], event[earlier])
    expected = hazard[np.searchsorted(times, stop, side="right") - 1] if len(times) else np.zeros(len(stop))
    frame = rows[["period", *dimensions]].assign(scan_num=event.astype(float), scan_den=expected, den=1.0)
    within = kpi.statistic == "within"
    split = shares_within if within else restricted_times
    frame["num"] = np.nan
    for period in frame["period"].unique():
        mine = (frame["period"] == period).to_numpy()
        frame.loc[mine, "num"] = split(stop[mine], event[mine], horizon)
    # A higher time is worse: fewer events than the hazard lets expect; of those that end within a time, more is better.
    bad = worse if within else -worse
    level: Level = "kpi" if within or kpi.statistic == "mean" else "mean_time"
    return CaseSlice(frame, tuple(dimensions), "time", "poisson", bad, worse, horizon=horizon, level=level)


def _horizon(kpi: Kpi, duration: np.ndarray, seen: np.ndarray) -> float:
    """How long to follow: what the KPI declares, or the time within which 95 % of the baseline's cases ended."""
    declared = kpi.horizon or (kpi.within if kpi.statistic == "within" else None)
    if declared is not None:
        return declared / kpi.time_unit
    return float(np.quantile(duration[seen], 0.95)) if seen.any() else float(np.max(duration, initial=1.0))


def cumulative_hazard(stop: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nelson-Aalen estimate: times at which it steps, beginning with 0, and its value from there on.

    Examples
    --------
    >>> times, hazard = cumulative_hazard(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    >>> times, hazard.round(3)
    (array([0., 1., 3.]), array([0.   , 0.333, 1.333]))
    """
    times, events = np.unique(stop[event], return_counts=True)
    at_risk = len(stop) - np.searchsorted(np.sort(stop), times, side="left")
    return np.concatenate([[0.0], times]), np.concatenate([[0.0], np.cumsum(events / np.maximum(at_risk, 1))])


def restricted_times(stop: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """Times up to the horizon; an open case takes its expected rest from the Kaplan-Meier curve of all.

    Their mean is the restricted mean survival time as far as the open cases resemble the others.

    Examples
    --------
    >>> restricted_times(np.array([1.0, 3.0, 2.0]), np.array([True, True, False]), 4.0)
    array([1., 3., 3.])
    """
    done = np.minimum(stop, horizon).astype(float)
    open_ = ~event & (stop < horizon)
    if not open_.any():
        return done
    edges, survival = _kaplan_meier(stop, event, horizon)
    area = np.concatenate([np.cumsum((survival * np.diff(edges))[::-1])[::-1], [0.0]])
    step = np.searchsorted(edges[:-1], done[open_], side="right") - 1
    rest = area[step] - survival[step] * (done[open_] - edges[step])
    done[open_] += np.divide(rest, survival[step], out=np.zeros(len(step)), where=survival[step] > 0)
    return done


def shares_within(stop: np.ndarray, event: np.ndarray, horizon: float) -> np.ndarray:
    """1 for what ended within the horizon, 0 for what did not, and for an open case the chance that it still will.

    Their mean is the Kaplan-Meier estimate of the share that ends within the horizon.

    Examples
    --------
    >>> shares_within(np.array([1.0, 3.0, 2.0, 4.0]), np.array([True, True, False, False]), 4.0)
    array([1. , 1. , 0.5, 0. ])
    """
    done = (event & (stop <= horizon)).astype(float)
    open_ = ~event & (stop < horizon)
    if open_.any():
        edges, survival = _kaplan_meier(stop, event, horizon)
        now = survival[np.searchsorted(edges[:-1], stop[open_], side="right") - 1]
        done[open_] = np.divide(now - survival[-1], now, out=np.zeros(len(now)), where=now > 0)
    return done


def _kaplan_meier(stop: np.ndarray, event: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Times at which the share still open steps, with 0 and the horizon around them, and that share from each on."""
    times, events = np.unique(stop[event & (stop <= horizon)], return_counts=True)
    at_risk = len(stop) - np.searchsorted(np.sort(stop), times, side="left")
    survival = np.concatenate([[1.0], np.cumprod(1 - events / np.maximum(at_risk, 1))])
    return np.concatenate([[0.0], times, [horizon]]), survival


def tabulate(piece: CaseSlice, periods: Sequence[str], current: str, maximum_values: int = 30) -> CrossTable:
    """The scan's leaves of a slice: the baseline's periods and the current one.

    For a count every leaf is exposed to each period alike, whether it had an event or not.
    """
    rows = piece.rows[piece.rows["period"].isin([*periods, current])]
    squares = "squares" if piece.family == "gaussian" else None
    table = cross_tabulate(
        rows, piece.dimensions, current=current, observed="scan_num", exposure="scan_den", squares=squares,
        maximum_values=maximum_values,
    )  # fmt: skip
    if piece.measure != "count":
        return table
    labels = (*sorted(periods), current)
    at = {label: i for i, label in enumerate(table.periods)}
    observed = np.array([table.observed[at[label]] if label in at else np.zeros(table.leaves) for label in labels])
    return CrossTable(
        table.dimensions, table.values, table.codes, labels, observed, np.ones_like(observed), None, table.folded
    )


def leaf_cases(piece: CaseSlice, table: CrossTable, current: str) -> np.ndarray:
    """Cases of each leaf in the current period: what the least size of a segment is measured by.

    For counts they are the greater of the events now and those of an average earlier period.
    """
    if piece.measure == "count":
        return np.maximum(table.observed[-1], table.observed[:-1].mean(axis=0))
    if piece.measure != "time":
        return table.exposure[-1]
    rows = piece.rows[piece.rows["period"] == current].assign(one=1.0)
    frames = [dict(zip(values, range(len(values)), strict=True)) for values in table.values]
    codes = (
        np.column_stack([_coded(rows[d], frame) for d, frame in zip(table.dimensions, frames, strict=True)])
        if table.dimensions
        else np.zeros((len(rows), 0), dtype=int)
    )
    index = {tuple(code): i for i, code in enumerate(table.codes.tolist())}
    counts = np.zeros(table.leaves)
    for code in codes.tolist():
        if (i := index.get(tuple(code))) is not None:
            counts[i] += 1
    return counts


def _coded(values: pd.Series, frame: dict[str, int]) -> np.ndarray:
    from svclib.explain.crosstab import OTHER

    text = values.astype("object").where(values.notna(), "").astype(str)
    other = frame.get(OTHER, -1)
    return np.array([frame.get(value, other) for value in text])
