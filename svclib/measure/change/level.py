"""The chart of a KPI whose level changed: limits that the change did not move, and what its new level says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from svclib.catalogue.models import Kpi, Rebase
from svclib.measure.change.step import CLEAR_P, LevelChange, Step, change_of, date_change, find_steps, latest_phase
from svclib.measure.periods import Period
from svclib.measure.spc import expectation
from svclib.measure.spc.baseline import FULL
from svclib.measure.spc.control import ControlChart, control_chart
from svclib.measure.spc.verdict import assurance_of, p_meets


def chart_kpi(series: pd.DataFrame, kpi: Kpi, history: int) -> tuple[ControlChart, pd.DataFrame, list[Step], float]:
    """A KPI's chart, its shown points, and the changes of level in them as `find_steps` gives them.

    Limits that took in months of a new level cannot judge it. In the strict rule set they stop before a clear step, where
    enough calm months are left for full limits; what they then say of the months since is evidence as any other.

    Parameters
    ----------
    series
        As `control_chart` takes it.
    history
        How many periods are shown.

    Returns
    -------
    The chart, the shown points, and the steps with the p of the first test. A drift has none: what comes bit by bit
    would be cut into steps that never were.

    Examples
    --------
    >>> months = pd.period_range("2025-01", periods=19, freq="M")
    >>> minutes = [5.0, 6, 4, 4, 6] * 3 + [9.0, 10, 9, 10]
    >>> series = pd.DataFrame({"period": months.astype(str), "start": months.start_time, "value": minutes, "n": 30})
    >>> wait = {"kind": "mean", "value": "minutes", "direction": "decrease", "rules": "strict"}
    >>> kpi = Kpi(code="wait", title="Waiting", source="calls", **wait)
    >>> chart, points, steps, p = chart_kpi(series, kpi, 36)
    >>> chart.calm_until, chart.baseline_points, [step.period for step in steps]
    (datetime.date(2026, 4, 1), 15, ['2026-04'])
    """
    chart = control_chart(series, kpi)
    points = chart.reading.tail(history).reset_index(drop=True)
    steps, p = ([], chart.drift.p) if chart.drift else find_steps(points)
    step = _clear_step(points, steps)
    if step is not None and kpi.rules == "strict":
        base = points["baseline"] & (points["phase"] == points["phase"].iloc[-1])
        calm = base & (points["period"] < step.period)
        if calm.sum() >= FULL and base.sum() > calm.sum():
            chart = control_chart(series, kpi, calm_until=Period.parse(step.period).start)
            points = chart.reading.tail(history).reset_index(drop=True)
    return chart, points, steps, p


def _clear_step(points: pd.DataFrame, steps: Sequence[Step]) -> Step | None:
    """The latest step of the latest phase, if clear and with periods before it; None without one."""
    if not steps or steps[-1].p >= CLEAR_P:
        return None
    own = latest_phase(points)
    return steps[-1] if (own["judged"] & (own["period"] < steps[-1].period)).any() else None


def silent_change(points: pd.DataFrame, steps: Sequence[Step], p: float) -> LevelChange | None:
    """A clear change that the latest period does not signal; None without one.

    Its own months may have set the limits, or the latest one lies where the level was before.

    Parameters
    ----------
    points, steps, p
        What `chart_kpi` gives.
    """
    step = _clear_step(points, steps)
    found = None if step is None else change_of(points, steps, p, rose=step.rose)
    return found if found is not None and found.before is not None else None


def _new_level(series: pd.DataFrame, kpi: Kpi, change: LevelChange) -> ControlChart | None:
    """The chart with limits from the periods since a clear change alone; None where these are too few for any."""
    began = Rebase(date=Period.parse(change.period).start, reason="new level", approved_by="nobody")
    chart = control_chart(series, kpi.model_copy(update={"rebase": [*kpi.rebase, began]}))
    return None if chart.standing == "none" else chart


def further_change(series: pd.DataFrame, kpi: Kpi, points: pd.DataFrame, side: str) -> LevelChange | None:
    """A change the same way as a clear one before it, which the limits of the level between the two show; else None.

    Held against the months before the first, it would be taken for that one, and its cause with it. The first is looked
    for without the latest point, which would hide it.

    Parameters
    ----------
    series, kpi, points
        What `chart_kpi` took and gives.
    side
        ``high`` or ``low``: where the latest point signals.
    """
    rose = side == "high"
    known = points[points["period"] < points[points["judged"]]["period"].iloc[-1]]
    first = change_of(known, *find_steps(known), rose=rose)
    if first is None or first.method != "change_point" or first.p >= CLEAR_P or first.before is None:
        return None
    new = _new_level(series, kpi, first)
    if new is None or new.latest is None or not any(code.endswith(f"_{side}") for code in new.latest["signals"]):
        return None
    found = date_change(new.reading, rose=rose)
    if found is None or found.before is None or found.period <= first.period:
        return None
    settled = points[points["period"] < found.period]
    return replace(found, earlier=change_of(settled, *find_steps(settled), rose=rose))


def on_new_level(series: pd.DataFrame, kpi: Kpi, period: Period, change: LevelChange | None) -> str:
    """What to expect of the target on a new level that has lasted, by its own limits (`svclib.measure.spc.expectation`).

    ``none`` without such a level, and while it is changing again; unless it changes away from a target that lies
    beyond the level's limits already.
    """
    level = None if change is None else change.earlier or change  # of a further change: the level that it left
    chart = None if level is None or not level.lasted else _new_level(series, kpi, level)
    if chart is None:
        return "none"
    latest, target = chart.latest, kpi.target_on(period.start)
    value = target.value if target else None
    assurance = assurance_of(chart, value, kpi.direction)
    if latest is None or value is None:
        return "none"
    if latest["signals"]:
        away = (latest["value"] - latest["centre"]) * (latest["centre"] - value) > 0
        return assurance if away and assurance in ("pass", "fail") else "none"
    return expectation(assurance, p_meets(chart, value, kpi.direction))
