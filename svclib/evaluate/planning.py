"""Before a plan starts: which change of a KPI could be seen, and after how many periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svclib.catalogue.models import Kpi
from svclib.evaluate.analysis import Plan, direction_of
from svclib.evaluate.assess import noise_of_the_past
from svclib.evaluate.panel import build_panel, similar_peers
from svclib.evaluate.power import PowerPlan, plan_power
from svclib.evaluate.verdict import improvement
from svclib.evaluate.window import Window
from svclib.measure.change.step import find_steps, level_of, usual_periods
from svclib.measure.periods import Period

FEWEST = 12

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Planning:
    """What a plan that starts now could show.

    Attributes
    ----------
    level
        Mean of the latest periods on the present level: twelve, or those since a clear change of level.
    target
        The KPI's target now; `gap` is the way to it (None where there is none or it is reached).
    power
        None with fewer than twelve periods: no plan could be judged.
    """

    kpi: Kpi
    level: float | None
    target: float | None
    gap: float | None
    periods: int
    peers: int
    power: PowerPlan | None


def _present_level(values: FloatArray, labels: Sequence[str]) -> float | None:
    points = pd.DataFrame({"period": labels, "value": values, "n": 1.0, "judged": ~np.isnan(values)})
    known = points[points["judged"]]
    if known.empty:
        return None
    after_last = Period.parse(labels[-1]).next().label
    recent = usual_periods(known, after_last, steps=find_steps(points)[0]) or tuple(known["period"])
    return level_of(known[known["period"].isin(recent)])


def plan_ahead(plan: Plan, department: str, kpi: Kpi, *, change: float | None = None) -> Planning:
    """Power of a plan on this KPI that starts after the report's period.

    Parameters
    ----------
    change
        The change one has in mind, in the KPI's units; the gap to the target where left out.
    """
    own = plan.department(department)
    codes = [d.code for d in plan.departments if d.code != department] if own.peers == "auto" else own.peers
    panel, spine = build_panel(plan.measures(kpi), kpi, department, codes, plan.frequency)
    known = ~np.isnan(panel.treated.value)
    panel = similar_peers(panel, known)
    window = Window(known, np.zeros_like(known), np.zeros_like(known))
    level = _present_level(panel.treated.value, spine.labels)
    declared = kpi.target_on(plan.period.end)
    target = declared.value if declared else None
    gap = None
    if level is not None and target is not None and improvement(target - level, direction_of(kpi)) > 0:
        gap = target - level
    power = None
    if window.n_before >= FEWEST:
        fit, inflation, peers = noise_of_the_past(panel, window)
        needed = change if change is not None else gap
        power = plan_power(fit, np.flatnonzero(known).tolist(), needed=needed, inflation=inflation)
        return Planning(kpi, level, target, gap, window.n_before, peers, power)
    return Planning(kpi, level, target, gap, window.n_before, len(panel.peers), power)
