"""From the measures table to the panel of one KPI: the treated department, and the peers that nothing was done to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Kpi
from svclib.evaluate.effect import Panel, Series
from svclib.evaluate.window import PERIODS_A_YEAR
from svclib.measure.periods import Frequency


@dataclass(frozen=True)
class Spine:
    """The gap-free periods of a panel: labels, first days and the first days after."""

    labels: list[str]
    starts: list[dt.date]
    ends: list[dt.date]

    def index_of(self, day: dt.date) -> int:
        """Position of the first period that begins on or after the day; the length where none does."""
        return next((i for i, start in enumerate(self.starts) if start >= day), len(self.starts))


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
    by_code = {str(code): part.set_index("period").reindex(spine.labels) for code, part in rows.groupby("department")}
    empty = np.full(len(spine.labels), np.nan)
    treated = _series(by_code[department], kpi) if department in by_code else Series(empty)
    others = {code: _series(by_code[code], kpi) for code in peers if code in by_code and code != department}
    return Panel(treated, others, effect_kind(kpi), kpi.per, PERIODS_A_YEAR[frequency]), spine


def effect_kind(kpi: Kpi) -> str:
    """The kind that decides scale and likelihood: a share within a time is no duration."""
    if kpi.kind == "time_to_event" and kpi.statistic == "within":
        return "share"
    return kpi.kind


def _day(value: dt.date | pd.Timestamp) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _series(rows: pd.DataFrame, kpi: Kpi) -> Series:
    counted = kpi.kind in ("proportion", "count", "rate")
    usable = rows["mature"].eq(True) & rows["value"].notna()
    if not counted:
        usable &= ~rows["status"].isin(["too_few", "withheld"])
    columns = [
        rows[name].astype(float).where(usable).to_numpy(dtype=float) for name in ("value", "numerator", "denominator")
    ]
    if not counted:
        return Series(columns[0])
    if kpi.kind == "count" and np.isnan(columns[1]).all():
        columns[1] = columns[0]
    return Series(columns[0], columns[1], columns[2], rows["status"].eq("withheld").to_numpy(dtype=bool))


def choose_peers(
    declared: Sequence[str] | str,
    department: str,
    departments: Sequence[str],
    action: Action,
    actions: Sequence[Action],
) -> tuple[list[str], dict[str, str]]:
    """Departments to compare with, and why others are not.

    Returns
    -------
    The codes that stay; code to reason: ``"declared"`` (left out in the plan: shared staff, queue or channel) or
    ``"treated"`` (has its own action on the KPI while this one is watched).
    """
    candidates = [c for c in departments if c != department] if isinstance(declared, str) else list(declared)
    out = {code: "declared" for code in candidates if code in action.exclude_peers}
    for other in actions:
        if other.kpi == action.kpi and other.department in candidates and other.status != "cancelled":
            out.setdefault(other.department, "treated")
    return [code for code in candidates if code not in out], out
