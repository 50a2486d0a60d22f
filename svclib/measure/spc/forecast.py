"""The outlook of a stable process: its next periods, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svclib.measure.spc.control import ControlChart
from svclib.measure.spc.predictive import Predictive
from svclib.measure.spc.trend import TREND_P


@dataclass(frozen=True)
class Forecast:
    """The next periods of a stable process: centre and 95 % interval, each on its own."""

    centre: list[float]
    lower: list[float]
    upper: list[float]


def forecast(chart: ControlChart, periods: int = 3) -> Forecast | None:
    """The next periods, only where the chart is stable: full limits, and no signal in its latest phase.

    A forecast of an unstable process would promise what the chart denies.
    """
    law = chart.next
    phase = chart.points["phase"] == chart.points["phase"].iloc[-1]
    stable = chart.standing == "full" and not chart.points.loc[phase, "signals"].map(bool).any()
    if law is None or not stable or chart.level_p < TREND_P:
        return None
    steps = [_with_season(chart, law, ahead) for ahead in range(1, periods + 1)]
    least, most = (np.inf * sign if end is None else end for end, sign in zip(chart.possible, (-1, 1), strict=True))
    ends = np.clip([step.interval() for step in steps], least, most)  # nothing is foretold that cannot be
    return Forecast([_middle(step) for step in steps], ends[:, 0].tolist(), ends[:, 1].tolist())


def _middle(law: Predictive) -> float:
    if law.law == "beta_binomial" or law.law == "gamma_poisson":
        return law.events / law.cases * law.per
    low, high = law.interval(0.0)
    return (low + high) / 2


def _with_season(chart: ControlChart, law: Predictive, ahead: int) -> Predictive:
    """`next` already holds the season of the first period ahead; move on along last year's effects."""
    if not chart.season_ahead:
        return law.ahead(ahead)
    return law.ahead(ahead, chart.season_ahead[ahead - 1] - chart.season_ahead[0])
