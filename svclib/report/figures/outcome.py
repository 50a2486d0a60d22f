"""Figures of the outcome evaluation: the KPI with and without the action, effects side by side, steps on a time line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, MonthLocator, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from svclib.evaluate.outcome import ActionOutcome
from svclib.evaluate.progress import StepProgress
from svclib.report import words
from svclib.report.figures.labels import Label, label_ends, wrap
from svclib.report.figures.style import (
    BAND,
    COMMON,
    CONCERN,
    COUNTERFACTUAL,
    DATA,
    IMPROVEMENT,
    INK,
    MUTED,
    PAPER,
    TARGET,
    draw_points,
    drawing,
    line_style,
    marker_style,
    new_chart,
    period_axis,
    value_axis,
)
from svclib.report.words import say

_STEP_COLOURS = {"done": IMPROVEMENT, "done_late": IMPROVEMENT, "late": CONCERN, "blocked": CONCERN}
#: Shapes of the states of a step; those that are not here are still to come.
STEP_MARKS = {"done": "improvement", "done_late": "neutral", "late": "concern", "blocked": "fault"}


def outcome_figure(outcome: ActionOutcome) -> Figure:
    """The KPI before, during and after the ramp, beside what would be expected without the action.

    The ramp is shaded and in no estimate; periods that are not used at all are hollow.
    """
    figure, axes = new_chart(8.2, 3.5)
    window, spine = outcome.surroundings.window, outcome.spine
    x = np.arange(len(spine.labels))
    values, expected = outcome.values, outcome.expected
    effect = outcome.assessment.effect
    with drawing():
        _shade_ramp(axes, window.ramp, len(x))
        axes.plot(x, values, **line_style("data"))
        if effect is not None:
            axes.plot(x, np.where(window.used | window.ramp, expected, np.nan), **line_style("counterfactual"))
    shown = np.flatnonzero(~np.isnan(values))
    states = ["common_cause" if window.used[i] else "provisional" for i in shown]
    draw_points(axes, shown.astype(float).tolist(), values[shown].tolist(), states)
    target = outcome.assessment.goal.target
    if target is not None:
        with drawing():
            begin = (
                int(np.flatnonzero(window.ramp | window.after)[0]) if (window.ramp | window.after).any() else len(x) - 1
            )
            axes.plot([begin - 0.5, len(x) - 0.4], [target, target], **line_style("target"))
    period_axis(axes, spine.labels)
    _leave_room(axes, [values, expected if effect is not None else values, np.array([target or np.nan])])
    value_axis(axes, outcome.kpi.unit, outcome.kpi.decimals)
    label_ends(axes, _labels(outcome, values, expected if effect is not None else None))
    _name_ramp(axes, window.ramp)
    return figure


def _shade_ramp(axes: Axes, ramp: np.ndarray, count: int) -> None:
    inside = np.flatnonzero(ramp)
    if len(inside):
        axes.axvspan(inside[0] - 0.5, min(inside[-1] + 0.5, count - 0.4), color=BAND, zorder=0, linewidth=0)


def _name_ramp(axes: Axes, ramp: np.ndarray) -> None:
    inside = np.flatnonzero(ramp)
    if not len(inside):
        return
    with drawing():
        axes.annotate(
            say("outcome.figure.ramp"),
            ((inside[0] + inside[-1]) / 2, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=MUTED,
            fontsize=8.5,
        )


def _leave_room(axes: Axes, parts: Sequence[np.ndarray]) -> None:
    core = np.concatenate(parts)
    core = core[np.isfinite(core)]
    if core.size == 0:
        axes.set_ylim(0, 1)
        return
    low, high = float(core.min()), float(core.max())
    pad = 0.08 * (high - low) or 0.05 * max(abs(high), 0.1)
    axes.set_ylim(low - pad, high + pad)


def _labels(outcome: ActionOutcome, values: np.ndarray, expected: np.ndarray | None) -> list[Label]:
    known = values[~np.isnan(values)]
    labels = [Label(float(known[-1]), say("outcome.figure.observed"), DATA, True)] if len(known) else []
    if expected is not None and (~np.isnan(expected)).any():
        labels.append(Label(float(expected[~np.isnan(expected)][-1]), say("outcome.figure.expected"), COUNTERFACTUAL))
    if outcome.assessment.goal.target is not None:
        labels.append(Label(float(outcome.assessment.goal.target), say("outcome.figure.target"), TARGET))
    return labels


def effects_figure(outcomes: Sequence[ActionOutcome]) -> Figure:
    """Effects with their intervals, each as a share of the change that its target asks for; right is better.

    It is narrow enough for a phone to show it whole.
    """
    drawn = [o for o in outcomes if o.assessment.effect is not None and o.assessment.needed]
    figure, axes = new_chart(4.85, 0.9 + 0.62 * max(len(drawn), 1))
    with drawing():
        axes.axvline(0, **line_style("zero"))
        axes.axvline(1, **line_style("target"))
        for row, outcome in enumerate(drawn):
            low, mid, high = effect_shares(outcome)
            state = "improvement" if low > 0 else "concern" if high < 0 else "common_cause"
            colour = {"improvement": IMPROVEMENT, "concern": CONCERN, "common_cause": COMMON}[state]
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, zorder=3)
            axes.plot([mid], [row], zorder=5, **marker_style(state))
        names = [wrap(f"{o.action.id} {o.kpi.title}", 22, 3) for o in drawn]
        axes.set_yticks(range(len(drawn)), names)
        axes.set_ylim(len(drawn) - 0.5, -0.5)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", labelcolor=INK)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: words.percent(v, 0)))
        axes.set_xlabel(wrap(say("outcome.figure.share_axis"), 46, 2))
    return figure


def effect_shares(outcome: ActionOutcome) -> tuple[float, float, float]:
    """Lower bound, estimate and upper bound of an effect, in shares of the needed change."""
    effect, needed = outcome.assessment.effect, outcome.assessment.needed
    assert effect is not None
    assert needed
    low, high = sorted((effect.lower / needed, effect.upper / needed))
    return low, effect.estimate / needed, high


def steps_figure(outcomes: Sequence[ActionOutcome], today: dt.date) -> Figure:
    """Steps of the actions on a time line: planned from start to end, done where the mark stands."""
    rows = [(o, s) for o in outcomes for s in o.progress.steps if s.step.end]
    figure, axes = new_chart(8.2, 0.8 + 0.36 * max(len(rows), 1))
    with drawing():
        for row, (_, progress) in enumerate(rows):
            _draw_step(axes, row, progress, today)
        axes.axvline(_day(today), **line_style("event"))
        axes.set_yticks(range(len(rows)), [wrap(f"{o.action.id} {s.step.title}", 44, 2) for o, s in rows])
        axes.set_ylim(len(rows) - 0.4, -0.9)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", labelcolor=INK, labelsize=8.5)
        _date_axis(axes)
        axes.annotate(
            say("outcome.figure.today"), (_day(today), -0.85), color=MUTED, fontsize=8.5, ha="right", va="top",
            xytext=(-3, 0), textcoords="offset points",
        )  # fmt: skip
    return figure


def _draw_step(axes: Axes, row: int, progress: StepProgress, today: dt.date) -> None:
    step = progress.step
    assert step.end
    start, end = _day(step.start or step.end), _day(step.end)
    colour = _STEP_COLOURS.get(progress.state, COMMON)
    axes.plot([start, max(end, start + 1)], [row, row], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
    if progress.state in ("late", "blocked") and end < _day(today):
        axes.plot([end, _day(today)], [row, row], color=CONCERN, linewidth=1.4, linestyle=(0, (1.2, 1.4)))
    done = step.done_on if progress.state in ("done", "done_late") else None
    at = _day(done) if done else max(end, _day(today)) if progress.state in ("late", "blocked") else end
    mark = marker_style(STEP_MARKS.get(progress.state, "provisional"))
    axes.plot([at], [row], zorder=5, **{**mark, "markeredgecolor": mark["markeredgecolor"] or PAPER})


def _date_axis(axes: Axes) -> None:
    """Days on the x axis: a tick a month or every few months, so that none is named twice; single days within two."""
    low, high = axes.get_xlim()
    months = (high - low) / 30.4
    if months < 2:
        axes.xaxis.set_major_locator(AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: words.date(num2date(number).date(), "short")))
        return
    axes.xaxis.set_major_locator(MonthLocator(interval=next(s for s in (1, 2, 3, 6, 12, 24, 600) if months / s <= 7)))
    axes.xaxis.set_major_formatter(FuncFormatter(_month_of))


def _day(day: dt.date) -> float:
    return float(date2num(day))


def _month_of(number: float, _: int | None) -> str:
    day = dt.date.fromordinal(int(number) + dt.date(1970, 1, 1).toordinal())
    return words.period_short(f"{day.year}-{day.month:02d}")


__all__ = ["STEP_MARKS", "effect_shares", "effects_figure", "outcome_figure", "steps_figure"]
