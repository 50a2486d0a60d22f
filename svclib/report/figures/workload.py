"""Figures of the work coming in and waiting."""

from __future__ import annotations

import numpy as np
import pandas as pd
from babel.dates import get_day_names
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from svclib.measure.workload import Workload
from svclib.report import words
from svclib.report.figures.labels import Label, label_ends
from svclib.report.figures.style import (
    BAND,
    CONCERN,
    DATA,
    INK,
    MUTED,
    PAPER,
    OnePassLayout,
    drawing,
    new_chart,
    new_figure,
    period_axis,
    value_axis,
)


def flow_figure(flow: pd.DataFrame) -> Figure:
    """Arrivals and completions by period, and the backlog at the end of each below.

    `flow` has ``period``, ``arrived``, ``completed``, ``backlog``, and ``complete`` (the period is over). What is withheld
    is NaN, and a gap.
    """
    x = np.arange(len(flow))
    whole = flow["complete"].to_numpy(dtype=bool)
    figure = new_figure(8.2, 3.8, layout=OnePassLayout())
    with drawing():
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        ends = []
        for column, colour, dash in (("arrived", DATA, "-"), ("completed", CONCERN, (0, (6, 2)))):
            values = flow[column].to_numpy(dtype=float)
            top.plot(x, np.where(whole, values, np.nan), color=colour, linestyle=dash, linewidth=1.6)
            shown = values[whole]
            if shown.size and np.isfinite(shown[-1]):
                ends.append(Label(float(shown[-1]), words.say(f"kpi.workload.{column}"), colour, bold=True))
        backlog = flow["backlog"].to_numpy(dtype=float)
        bottom.bar(x, backlog, color=BAND, edgecolor=DATA, linewidth=0.6, width=0.8)
    top.set_ylim(0, max(1.0, float(flow[["arrived", "completed"]].max().max()) * 1.08))
    bottom.set_ylim(0, max(1.0, float(flow["backlog"].max()) * 1.15))
    for axes in (top, bottom):
        value_axis(axes, "", 0)
    period_axis(bottom, list(flow["period"]))
    label_ends(top, ends)
    if np.isfinite(backlog[-1]):
        label_ends(bottom, [Label(float(backlog[-1]), words.say("kpi.workload.backlog"), INK)])
    return figure


def hours_figure(hours: pd.DataFrame, unit: str) -> Figure:
    """Where a case's time goes: one bar a row of `hours`, one piece a column, each with its figure and, once, its name.

    `hours` has what the bars stand for as its index and the parts as columns, all in `unit`.
    """
    figure, axes = new_chart(8.2, 0.8 + 0.42 * len(hours))
    styles = ((BAND, "////", INK), (DATA, "", PAPER))
    with drawing():
        for row, (_, parts) in enumerate(hours.iterrows()):
            left = 0.0
            for i, (part, size) in enumerate(parts.items()):
                fill, hatch, ink = styles[i % len(styles)]
                axes.barh(row, size, 0.62, left=left, color=fill, hatch=hatch, edgecolor=DATA, linewidth=0.6)
                text = f"{words.value(size, unit, 1)}{f'  {part}' if row == 0 else ''}"
                box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0} if hatch else None
                axes.text(left + size / 2, row, text, ha="center", va="center", fontsize=8.5, color=ink, bbox=box)
                left += size
        axes.set_yticks(range(len(hours)), [str(name) for name in hours.index])
        axes.set_ylim(len(hours) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
    value_axis(axes, unit, 0, which="x")
    return figure


def arrivals_figure(load: Workload) -> Figure:
    """Arrivals by weekday and hour: the darker, the more; the busiest cell of each day carries its number.

    A dot stands in a cell that is withheld.
    """
    figure, axes = new_chart(8.2, 2.6)
    grid, held = np.nan_to_num(load.arrivals), np.isnan(load.arrivals)
    names = get_day_names("abbreviated", locale=words.current_language())
    shades = LinearSegmentedColormap.from_list("arrivals", [PAPER, DATA])
    high = float(grid.max()) or 1.0
    with drawing():
        # one picture instead of 168 paths
        axes.imshow(grid, cmap=shades, vmin=0, vmax=high, extent=(0, 24, 7, 0), aspect="auto", interpolation="nearest")
        axes.vlines(range(25), 0, 7, color=PAPER, linewidth=0.8)
        axes.hlines(range(8), 0, 24, color=PAPER, linewidth=0.8)
        for day in range(7):
            hour = int(grid[day].argmax())
            if grid[day, hour] > 0:
                colour = PAPER if grid[day, hour] > 0.55 * high else INK
                axes.text(hour + 0.5, day + 0.5, words.number(float(grid[day, hour]), 0 if high >= 10 else 1), ha="center", va="center", fontsize=7.5, color=colour)  # fmt: skip
        days, hours = np.nonzero(held)
        axes.scatter(hours + 0.5, days + 0.5, s=3, color=MUTED, linewidths=0)
        axes.grid(visible=False)
        axes.set_yticks(np.arange(7) + 0.5, [names[d] for d in range(7)])
        axes.set_xticks(np.arange(0, 25, 3), [f"{h}" for h in range(0, 25, 3)])
        axes.set_xlabel(words.say("kpi.workload.hour"), color=MUTED)
        axes.set_xlim(0, 24)
    return figure


__all__ = ["arrivals_figure", "flow_figure", "hours_figure"]
