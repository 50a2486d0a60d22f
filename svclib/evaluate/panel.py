"""From the measures table to the panel of one KPI: the treated department, and the peers that nothing was done to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svclib.catalogue.models import Action, Kpi
from svclib.evaluate.effect import Panel, Series
from svclib.evaluate.window import PERIODS_A_YEAR
from svclib.measure.periods import Frequency

MOST_PEERS = 20


@dataclass(frozen=True)
class Spine:
    """The gap-free periods of a panel: labels, first days and the first days after."""

    labels: list[str]
    starts: list[dt.date]
    ends: list[dt.date]


def build_panel(
    measures: pd.DataFrame, kpi: Kpi, department: str, peers: Sequence[str], frequency: Frequency = "month"
) -> tuple[Panel, Spine]:
    """The panel of a KPI.

    Parameters
    ----------
    measures
        The measures table up to the report's period.
    peers
        Codes of departments to compare with; those without figures are passed over.

    Notes
    -----
    Only mature periods enter. A period with fewer cases than the KPI's minimum enters where its counts are known, for
    then its likelihood knows how little it says.
    """
    rows = measures[(measures["kpi"] == kpi.code) & measures["department"].isin([department, *peers])]
    spine_rows = rows.drop_duplicates("period").sort_values("start")
    spine = Spine(
        spine_rows["period"].tolist(), [_day(d) for d in spine_rows["start"]], [_day(d) for d in spine_rows["end"]]
    )
    wide = _wide(rows, spine.labels, kpi)
    treated = wide.get(department, Series(np.full(len(spine.labels), np.nan)))
    others = {code: wide[code] for code in peers if code in wide and code != department}
    return Panel(treated, others, effect_kind(kpi), kpi.per, PERIODS_A_YEAR[frequency]), spine


def similar_peers(panel: Panel, before: NDArray[np.bool_], most: int = MOST_PEERS) -> Panel:
    """The panel with the peers whose level and size before the plan are nearest to the treated department's.

    More than twenty peers make the mean no steadier worth mentioning, and among hundreds many are of another kind.
    They are chosen by level and size, never by how well their months fit: picked for fit among many, the past would
    look quieter than it was, and every interval would be too narrow.

    Examples
    --------
    >>> peers = {str(i): Series(np.full(4, float(i))) for i in range(9)}
    >>> list(similar_peers(Panel(Series(np.full(4, 3.2)), peers, "mean"), np.ones(4, dtype=bool), most=3).peers)
    ['2', '3', '4']
    """
    if len(panel.peers) <= most:
        return panel
    traits = np.array([_traits(series, before) for series in (panel.treated, *panel.peers.values())])
    known = [trait[~np.isnan(trait)] for trait in traits.T]
    spread = np.array([trait.std() if trait.size else 0.0 for trait in known])
    distance = np.abs(traits[1:] - traits[0]) / np.where(spread > 0, spread, 1.0)
    distance = np.where(np.isnan(distance[:, 0]), np.inf, np.nansum(distance, axis=1))
    nearest = set(np.argsort(distance, kind="stable")[:most].tolist())
    return panel.with_peers({code: series for j, (code, series) in enumerate(panel.peers.items()) if j in nearest})


def _traits(series: Series, before: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean level, and the logarithm of the cases a period (0 where unknown)."""
    values = series.value[before]
    level = float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else np.nan
    if series.denominator is None:
        return level, 0.0
    size = series.denominator[before]
    size = size[size > 0]
    return level, float(np.log(size.mean())) if len(size) else 0.0


def effect_kind(kpi: Kpi) -> str:
    """The kind that decides scale and likelihood: a share within a time is no duration."""
    if kpi.kind == "time_to_event" and kpi.statistic == "within":
        return "share"
    return kpi.kind


def _day(value: dt.date | pd.Timestamp) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _wide(rows: pd.DataFrame, labels: list[str], kpi: Kpi) -> dict[str, Series]:
    """The measures of each department laid out on the spine."""
    counted = kpi.kind in ("proportion", "count", "rate")
    usable = rows["mature"].eq(True) & rows["value"].notna()
    if not counted:
        usable &= ~rows["status"].isin(["too_few", "withheld"])
    place, codes = pd.Index(labels).get_indexer(rows["period"]), rows["department"].astype("category").cat
    cells = (place, codes.codes.to_numpy())

    def laid_out(column: pd.Series, empty: float | bool) -> NDArray[Any]:
        table = np.full((len(labels), len(codes.categories)), empty)
        table[cells] = column.to_numpy(dtype=table.dtype)
        return table

    value, numerator, denominator = (
        laid_out(rows[name].astype(float).where(usable), np.nan) for name in ("value", "numerator", "denominator")
    )
    if not counted:
        return {str(code): Series(value[:, j]) for j, code in enumerate(codes.categories)}
    if kpi.kind == "count" and np.isnan(numerator).all():
        numerator = value
    withheld = laid_out(rows["status"].eq("withheld"), False)
    return {
        str(code): Series(value[:, j], numerator[:, j], denominator[:, j], withheld[:, j])
        for j, code in enumerate(codes.categories)
    }


def choose_peers(
    declared: Sequence[str] | str, department: str, departments: Sequence[str], action: Action
) -> tuple[list[str], dict[str, str]]:
    """Departments to compare with, and those that the plan itself leaves out.

    Returns
    -------
    The codes that stay; code to the reason ``"declared"`` (shared staff, queue or channel).
    """
    candidates = [c for c in departments if c != department] if isinstance(declared, str) else list(declared)
    out = {code: "declared" for code in candidates if code in action.exclude_peers}
    return [code for code in candidates if code not in out], out
