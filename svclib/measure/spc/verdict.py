"""The verdict on a chart: variation, assurance, the chance to meet the target, and one state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from svclib.catalogue.models import Band, Kpi
from svclib.measure.spc.control import ControlChart
from svclib.measure.spc.exact import ALPHA
from svclib.measure.target import meets

Variation = Literal["improvement", "concern", "common_cause", "neutral_high", "neutral_low", "none"]
Assurance = Literal["pass", "fail", "hit_or_miss", "none"]
State = Literal["improvement", "concern", "common_cause", "neutral", "provisional", "too_few", "withheld", "fault"]


@dataclass(frozen=True)
class Verdict:
    """What a chart says of one period.

    Attributes
    ----------
    state
        One word for the period, see `verdict`.
    cause
        Why the state is no reading: ``missing``, ``impossible``, ``small``, ``few_cases``, ``few_periods``,
        ``immature``; empty else.
    variation
        Of the latest judged point; ``high`` or ``low`` in `side` says which way.
    side
        ``high``, ``low`` or empty.
    trial
        The limits rest on 6 to 12 points.
    assurance
        The target against the limits: ``pass`` (always met), ``fail`` (never), ``hit_or_miss``.
    met
        Whether the period's value meets its target; None without one.
    p_meets_target_next
        Chance that the next period meets the target, if the process stays as in the baseline; None while the latest
        point signals, for then it does not.
    """

    state: State
    cause: str
    variation: Variation
    side: str
    signals: tuple[str, ...]
    trial: bool
    target: float | None
    assurance: Assurance
    met: bool | None
    p_meets_target_next: float | None


def verdict(chart: ControlChart, kpi: Kpi) -> Verdict:
    """Judge the latest period of a chart.

    The state is, in this order: ``fault`` (no value of a mature period, or one outside the possible range),
    ``withheld`` (fewer cases than the disclosure minimum), ``provisional`` (not mature), ``too_few`` (fewer than the
    KPI's minimum, or too few periods for limits), else the variation of the period.
    """
    row = chart.points.iloc[-1]
    target = None if np.isnan(row["target"]) else float(row["target"])
    latest = chart.latest
    variation, side = variation_of(chart, kpi.direction)
    state, cause = _state(chart, row, variation)
    value = row["value"] if cause not in ("missing", "impossible") else np.nan
    return Verdict(
        state=state,
        cause=cause,
        variation=variation,
        side=side,
        signals=() if latest is None else latest["signals"],
        trial=chart.standing == "trial",
        target=target,
        assurance=assurance_of(chart, target, kpi.direction),
        met=meets(value, target, kpi.direction),
        p_meets_target_next=p_meets(chart, target, kpi.direction),
    )


def variation_of(chart: ControlChart, direction: str | Band) -> tuple[Variation, str]:
    """Variation of the latest judged point, and the side it signals on."""
    least = "full" if chart.rules == "mdc2023" else "trial"
    row = chart.latest
    if row is None or chart.standing == "none" or (least == "full" and chart.standing != "full"):
        return "none", ""
    codes = row["signals"]
    if not codes:
        return "common_cause", ""
    readings = [(reading(code, direction, row["value"], row["centre"]), code.rsplit("_", 1)[1]) for code in codes]
    # Two rules that disagree: NHSRplotthedots takes the first, Making Data Count (2023) the improvement.
    better = [r for r in readings if r[0] == "improvement"]
    return (better or readings)[0] if chart.rules == "mdc2023" else readings[0]


def reading(code: str, direction: str | Band, value: float, centre: float) -> Variation:
    """What a signal means for a KPI of that direction.

    In a band, a signal outside it is a concern, and one that has come into it from outside an improvement.

    Examples
    --------
    >>> reading("trend_low", "decrease", 1.0, 2.0), reading("shift_high", Band(between=[0.0, 1.0]), 1.5, 0.5)
    ('improvement', 'concern')
    """
    high = code.endswith("_high")
    if isinstance(direction, Band):
        low_end, high_end = direction.between
        if not low_end <= value <= high_end:
            return "concern"
        if not low_end <= centre <= high_end:
            return "improvement"
        return "neutral_high" if high else "neutral_low"
    if direction == "neutral":
        return "neutral_high" if high else "neutral_low"
    return "improvement" if high == (direction == "increase") else "concern"


def assurance_of(chart: ControlChart, target: float | None, direction: str | Band) -> Assurance:
    """The target against the limits of the latest phase.

    NHSRplotthedots judges with unclipped limits and calls a target *on* a limit hit-or-miss; Making Data Count and
    ``strict`` let a target on the near limit pass, since every expected value meets it. A series that never varies is
    compared directly. Limits on an end of the possible range are judged as what they are: with an upper limit of
    100 % a target of 100 % can still be met.
    """
    if isinstance(direction, Band):
        return _band_assurance(chart, direction)
    if direction == "neutral" or target is None or chart.standing == "none":
        return "none"
    lines = chart.points[["lower", "upper"]].dropna()
    if lines.empty:
        return "none"
    lower, upper = (float(x) for x in chart.reading[["lower", "upper"]].dropna().iloc[-1])
    if chart.constant:
        return "pass" if meets(lower, target, direction) else "fail"
    near, far = (lower, upper) if direction == "increase" else (upper, lower)
    if chart.rules == "nhs":
        passes = target < near if direction == "increase" else target > near
    else:
        passes = bool(meets(near, target, direction))
    if passes:
        return "pass"
    fails = target > far if direction == "increase" else target < far
    return "fail" if fails else "hit_or_miss"


def _band_assurance(chart: ControlChart, band: Band) -> Assurance:
    lines = chart.reading[["lower", "upper"]].dropna()
    if lines.empty or chart.standing == "none":
        return "none"
    lower, upper = lines.iloc[-1]
    low, high = band.between
    if low <= lower and upper <= high:
        return "pass"
    return "fail" if upper < low or lower > high else "hit_or_miss"


def p_meets(chart: ControlChart, target: float | None, direction: str | Band) -> float | None:
    """Chance that the next period meets the target; None without limits, or while the process is changing."""
    law, latest = chart.next, chart.latest
    if law is None or latest is None or latest["signals"] or chart.level_p < ALPHA:
        return None
    law = law.ahead()
    if isinstance(direction, Band):
        low, high = direction.between
        return float(np.clip(law.at_least(low) + law.at_most(high) - 1, 0, 1))
    if direction == "neutral" or target is None:
        return None
    return law.at_least(target) if direction == "increase" else law.at_most(target)


def _state(chart: ControlChart, row: pd.Series, variation: Variation) -> tuple[State, str]:
    value, status = row["value"], str(row.get("status", "ok"))
    low, high = chart.possible
    if not np.isfinite(value):  # while the period is young, nothing may have come yet
        return ("fault", "missing") if row["mature"] else ("provisional", "immature")
    slack = 1e-9 * max(1.0, abs(value))
    if (low is not None and value < low - slack) or (high is not None and value > high + slack):
        return "fault", "impossible"
    if status == "withheld":
        return "withheld", "small"
    if not row["mature"]:
        return "provisional", "immature"
    if status == "too_few":
        return "too_few", "few_cases"
    if variation == "none":
        return "too_few", "few_periods"
    return ("neutral" if variation.startswith("neutral") else variation), ""  # type: ignore[return-value]


def point_states(points: pd.DataFrame, direction: str | Band) -> list[str]:
    """The state of every point: what its marker shows. Empty text where there is nothing to show.

    A withheld period has no marker; a provisional one, or one of too few cases, is shown and not judged.
    """
    states = []
    for value, status, mature, judged, codes, centre in zip(
        points["value"],
        points["status"],
        points["mature"],
        points["judged"],
        points["signals"],
        points["centre"],
        strict=True,
    ):
        if not np.isfinite(value) or status == "withheld":
            states.append("")
        elif not mature:
            states.append("provisional")
        elif not judged:
            states.append("too_few")
        elif not codes:
            states.append("common_cause")
        else:
            said = reading(codes[0], direction, value, centre)
            states.append("neutral" if said.startswith("neutral") else said)
    return states
