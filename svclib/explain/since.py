"""Since when a signal has stood, and from which level to which the KPI went: what its first sentence says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from svclib.explain.question import date_onset, usual_periods
from svclib.measure.analysis import KpiFinding
from svclib.measure.spc import SIGNALS


@dataclass(frozen=True)
class Moved:
    """A move of a KPI from one level to another.

    Attributes
    ----------
    since : label of the first period of the new level.
    before, after : level before and since then, weighted by the cases behind each period, in the KPI's unit.
    """

    since: str
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        """As `kpi_analysis.json` has it."""
        return {"since": self.since, "before": self.before, "after": self.after}


def since_when(finding: KpiFinding) -> Moved | None:
    """From which level to which a signalling KPI went, and since when: the root-cause analysis dates it alike.

    The level before is that of the latest periods before the move (at most a year); where these do not bear out the
    direction of the signal, the chart's centre line.

    Returns
    -------
    Moved or None
        None where the period does not signal, or where no level before it bears the signal out.
    """
    verdict = finding.verdict
    if verdict.state not in SIGNALS:
        return None
    sign = 1 if verdict.side == "high" else -1
    points = finding.points
    onset = date_onset(points, sign)
    if onset is None:
        return None
    now = points[(points["period"] >= onset.period) & points["judged"]]
    after = onset.after if onset.after is not None else _level(now)
    earlier = points[points["period"].isin(usual_periods(points, str(points["period"].iloc[-1]), onset))]
    for before in (onset.before, _level(earlier), float(points["centre"].iloc[-1])):
        if before is not None and np.isfinite(before) and (after - before) * sign > 0:
            return Moved(onset.period, float(before), float(after))
    return None


def _level(points: pd.DataFrame) -> float:
    if points.empty:
        return float("nan")
    weights = np.maximum(points["n"].fillna(1).to_numpy(dtype=float), 1e-9)
    return float(np.average(points["value"].to_numpy(dtype=float), weights=weights))
