"""Figures of the KPI analysis: control charts, small multiples, funnels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svclib.catalogue.models import Kpi
from svclib.measure.analysis import KpiFinding
from svclib.measure.peers import Funnel
from svclib.measure.periods import Period
from svclib.measure.spc.verdict import point_states
from svclib.report import words
from svclib.report.figures.labels import Label, label_ends, mark_events, note_inside, wrap
from svclib.report.figures.style import (
    BAND,
    COMMON,
    DATA,
    INK,
    LIMIT,
    MUTED,
    TARGET,
    draw_points,
    drawing,
    line_style,
    marker_style,
    new_chart,
    new_figure,
    period_axis,
    value_axis,
)
from svclib.report.words.kpi import base_of, line_of, number_of, value_of

_MULTIPLES_ACROSS = 3
_CELL_HIGH = 97  # points that a small chart has, its name included
_SMALL_LABEL = 12  # letters that fit beside a small chart
_SMALL_WIDE = 120  # of its 197 points; the rest is for the latest value


def control_chart_figure(finding: KpiFinding) -> Figure:
    """The control chart of a KPI: values, centre line, limits, target, signals, rebases, events and outlook.

    Provisional periods are hollow and their line is dotted; missing periods leave a gap; what signals has its own
    shape. Lines are named at their right end.
    """
    points, kpi = finding.drawn, finding.kpi
    figure, axes = new_chart(8.2, 3.5)
    x = np.arange(len(points))
    with drawing():
        _draw_lines(axes, x, points)
        _draw_values(axes, x, points)
        _draw_outlook(axes, finding)
    values, states = points["value"].to_numpy(dtype=float), point_states(points, kpi.direction)
    shown = [i for i, state in enumerate(states) if state]
    draw_points(axes, [float(x[i]) for i in shown], [float(values[i]) for i in shown], [states[i] for i in shown])
    ahead = _periods_ahead(points, 3 if finding.forecast else 0)
    period_axis(axes, [*points["period"], *ahead])
    axes.set_ylim(*_value_range(finding, states))
    value_axis(axes, kpi.unit, _tick_decimals(axes, kpi))
    label_ends(axes, _end_labels(axes, finding, states))
    mark_events(axes, _events(finding), width=44)
    if not shown:
        note_inside(axes, words.say("state.withheld"))
    return figure


def _draw_lines(axes: Axes, x: np.ndarray, points: pd.DataFrame) -> None:
    """Limits, centre and target as steps, each phase on its own: no line runs across a rebase."""
    for _, rows in points.groupby("phase"):
        at = x[rows.index]
        edges = np.append(at - 0.5, at[-1] + 0.5)
        for column, meaning in (("upper", "limit"), ("lower", "limit"), ("centre", "centre")):
            line = rows[column].to_numpy(dtype=float)
            if np.isfinite(line).any():
                axes.stairs(line, edges, baseline=None, **_stairs(meaning))
    target = points["target"].to_numpy(dtype=float)
    if np.isfinite(target).any():
        axes.stairs(target, np.append(x - 0.5, x[-1] + 0.5), baseline=None, **_stairs("target"))


def _stairs(meaning: str) -> dict:
    style = line_style(meaning)
    return {"edgecolor": style.pop("color"), **style}


def _draw_values(axes: Axes, x: np.ndarray, points: pd.DataFrame) -> None:
    values = points["value"].where(points["status"] != "withheld").to_numpy(dtype=float)
    final = points["mature"].to_numpy(dtype=bool)
    solid = np.where(final, values, np.nan)
    for rows in points.groupby("phase").indices.values():
        axes.plot(x[rows], solid[rows], **line_style("data"))
    for a, b in pairwise(x):
        if not final[b] and np.isfinite(values[[a, b]]).all():
            axes.plot([a, b], values[[a, b]], **{**line_style("data"), "linestyle": (0, (1, 1.6)), "linewidth": 1.2})


def _draw_outlook(axes: Axes, finding: KpiFinding) -> None:
    found = finding.forecast
    if found is None:
        return
    at = len(finding.points) + np.arange(len(found.centre))
    for i, (centre, low, high) in enumerate(zip(found.centre, found.lower, found.upper, strict=True)):
        axes.plot([at[i]] * 2, [low, high], color=DATA, linewidth=5, alpha=0.25, solid_capstyle="butt", zorder=2)
        axes.plot([at[i]], [centre], marker="_", color=DATA, markersize=7, zorder=3)


def _periods_ahead(points: pd.DataFrame, count: int) -> list[str]:
    period = Period.parse(str(points["period"].iloc[-1]))
    labels = []
    for _ in range(count):
        period = period.next()
        labels.append(period.label)
    return labels


def _value_range(finding: KpiFinding, states: Sequence[str]) -> tuple[float, float]:
    """Room for values, target and outlook; limits that lie far outside do not squeeze the data flat."""
    points = finding.points
    shown = points["value"].to_numpy(dtype=float)[[bool(s) for s in states]]
    wanted = [shown, points["target"].to_numpy(dtype=float)]
    if finding.forecast:
        wanted += [np.array(finding.forecast.lower), np.array(finding.forecast.upper)]
    core = np.concatenate(wanted)
    core = core[np.isfinite(core)]
    if core.size == 0:
        return 0.0, 1.0
    low, high = float(core.min()), float(core.max())
    reach = max(high - low, 1e-9)
    lines = points[["lower", "upper"]].to_numpy(dtype=float)
    near = lines[np.isfinite(lines) & (lines > low - 1.2 * reach) & (lines < high + 1.2 * reach)]
    low, high = min(low, *near, low), max(high, *near, high)
    bottom, top = finding.chart.possible
    pad = 0.06 * (high - low) or 0.05 * max(abs(high), 0.1)
    low, high = low - pad, high + pad
    # A little air beyond 0 and 100 %, so that points on the edge are whole; no more, for nothing can lie there.
    if bottom is not None:
        low = max(low, bottom - pad)
    if top is not None:
        high = min(high, top + pad)
    return low, high


def _tick_decimals(axes: Axes, kpi: Kpi) -> int | None:
    """As many decimals as the ticks need: 72.5 % must not read 72 %."""
    low, high = axes.get_ylim()
    ticks = np.array([t for t in axes.get_yticks() if low <= t <= high]) * (100 if kpi.unit == "%" else 1)
    for decimals in range(5):
        if np.allclose(ticks, np.round(ticks, decimals), rtol=0, atol=1e-9):
            return decimals
    return kpi.decimals


def _end_labels(axes: Axes, finding: KpiFinding, states: Sequence[str]) -> list[Label]:
    points, kpi = finding.drawn, finding.kpi
    limited = points[np.isfinite(points["centre"])]  # a period without cases has no limits of its own
    last = (points if limited.empty else limited).iloc[-1]
    labels = []
    for column, colour in (("upper", LIMIT), ("centre", INK), ("lower", LIMIT)):
        if np.isfinite(last[column]):
            key = "centre_run" if column == "centre" and finding.chart.kind == "run" else column
            labels.append(
                Label(float(last[column]), words.say(f"kpi.figure.{key}", value=line_of(kpi, last[column])), colour)
            )
    # Lines that lie on each other are named once: by the centre, which says most.
    bottom, top = axes.get_ylim()
    middle = last["centre"]
    labels = [lb for lb in labels if lb.colour == INK or abs(lb.y - middle) > 0.035 * (top - bottom)]
    latest = points.iloc[-1]
    if np.isfinite(latest["target"]):
        source = finding.target.source if finding.target else "agreed"
        key = "target_placeholder" if source == "placeholder" else "target"
        labels.append(
            Label(
                float(latest["target"]),
                words.say(f"kpi.figure.{key}", value=value_of(kpi, latest["target"])),
                TARGET,
                bold=True,
            )
        )
    if states[-1]:
        labels.append(Label(float(latest["value"]), value_of(kpi, latest["value"]), DATA, bold=True))
    return labels


def _events(finding: KpiFinding) -> list[tuple[float, str]]:
    starts = [pd.Timestamp(day).date() for day in finding.points["start"]]
    end = pd.Timestamp(finding.points["end"].iloc[-1]).date()
    edges = [*starts, end]

    def place(day) -> float | None:
        if not starts[0] <= day < end:
            return None
        i = max(k for k, start in enumerate(starts) if start <= day)
        return i - 0.5 + (day - edges[i]).days / (edges[i + 1] - edges[i]).days

    # An event on the day of a rebase is its reason; it is named once.
    rebased = {r.date for r in finding.kpi.rebase}
    marks = [(place(e.date), e.title) for e in finding.happened if e.kind == "event" and e.date not in rebased]
    marks += [
        (place(r.date), words.say("kpi.figure.rebase", reason=r.reason))
        for r in finding.kpi.rebase
        if r.date > starts[0]
    ]
    marks += [(place(c.date), words.say("kpi.figure.change")) for c in finding.kpi.changes]
    return sorted((at, text) for at, text in marks if at is not None)


def multiples_figure(findings: Sequence[KpiFinding]) -> Figure:
    """All KPIs side by side: line, limits as a band, target, and the latest point in the shape of its state.

    One axes in points of the page holds them all: fourteen axes of matplotlib take longer than all that is in them.
    """
    down = -(-len(findings) // _MULTIPLES_ACROSS)
    figure = new_figure(8.2, (_CELL_HIGH * down + 4) / 72, layout="none")
    with drawing():
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, 8.2 * 72)
        axes.set_ylim(-_CELL_HIGH * down - 4, 0)
        for number, finding in enumerate(findings):
            row, column = divmod(number, _MULTIPLES_ACROSS)
            _small(axes, finding, 8.2 * 72 / _MULTIPLES_ACROSS * column, -_CELL_HIGH * row)
    return figure


def _small(axes: Axes, finding: KpiFinding, left: float, top: float) -> None:
    """One KPI in its cell, whose upper left corner is given in points."""
    points, kpi = finding.drawn.tail(24).reset_index(drop=True), finding.kpi
    states = point_states(points, kpi.direction)
    low, high = _value_range(finding, point_states(finding.points, kpi.direction))
    x = left + 4 + _SMALL_WIDE * (np.arange(len(points)) + 0.5) / len(points)

    def place(values: pd.Series) -> np.ndarray:
        share = (values.to_numpy(dtype=float) - low) / (high - low)
        return top - _CELL_HIGH + 8 + np.clip(share, 0, 1) * (_CELL_HIGH - 26)

    lower, upper = place(points["lower"]), place(points["upper"])
    if np.isfinite(lower).any():
        axes.fill_between(x, lower, upper, color=BAND, linewidth=0, zorder=1)
    axes.plot(
        x, place(points["value"].where(points["status"] != "withheld")), **line_style("data") | {"linewidth": 1.2}
    )
    if points["target"].notna().any():
        style = line_style("target") | {"linewidth": 1.1}
        axes.plot(x, place(points["target"]), drawstyle="steps-mid", **style)
    axes.text(left + 2, top - 12, wrap(kpi.title, 34, 1), fontsize=8.5, fontweight="bold")
    if states[-1]:
        y = float(place(points["value"].tail(1))[0])
        draw_points(axes, [float(x[-1])], [y], [finding.verdict.state])
        text = value_of(kpi, points["value"].iloc[-1])
        if len(text) > _SMALL_LABEL:  # the unit stands below, or it would run into the next chart
            text = f"{number_of(kpi, points['value'].iloc[-1])}\n{wrap(words.unit_name(kpi.unit), _SMALL_LABEL, 1)}"
        axes.text(x[-1] + 7, y, text, va="center", color=DATA, fontsize=8.5, fontweight="bold")
    else:
        middle = top - _CELL_HIGH / 2
        beside = float(x[-1]) + 7  # within the chart it would lie on its lines
        axes.text(beside, middle, words.say(f"state.{finding.verdict.state}"), va="center", color=MUTED, fontsize=8)


def funnel_figure(found: Funnel, department: str, kpi_of: KpiFinding, names: Mapping[str, str]) -> Figure:
    """Departments against their size, with the limits within which chance alone could put them."""
    kpi, table = kpi_of.kpi, found.table
    figure, axes = new_chart(8.2, 3.6)
    sizes = table["denominator"].to_numpy(dtype=float)
    low, high = max(1.0, sizes.min() * 0.8), sizes.max() * 1.08
    grid = np.unique(np.concatenate([np.round(np.geomspace(low, high, 120)), [np.ceil(high)]]))
    lines = found.limits(grid)
    with drawing():
        axes.axhline(found.level * found.per, **line_style("centre"))
        for reach, dash, width in (("95", (0, (1.5, 2)), 0.9), ("998", (0, (5, 2.5)), 1.1)):
            for side in ("lower", "upper"):
                axes.plot(grid, lines[f"{side}{reach}"], color=LIMIT, linestyle=dash, linewidth=width, zorder=2)
        for state, rows in table.assign(mark=[_peer_mark(b) for b in table["band"]]).groupby("mark", sort=True):
            style = marker_style(state) | ({"markerfacecolor": COMMON} if state == "common_cause" else {})
            axes.plot(rows["denominator"], rows["value"], linestyle="none", zorder=4, **style)
    axes.set_xlim(low * 0.9 if low > 5 else 0, high * 1.02)
    spread = table["value"].to_numpy(dtype=float)
    edges = lines[["lower998", "upper998"]].to_numpy(dtype=float)[len(grid) // 4 :]
    bottom, top = min(spread.min(), np.nanmin(edges)), max(spread.max(), np.nanmax(edges))
    pad = 0.07 * (top - bottom)
    possible = kpi_of.chart.possible
    axes.set_ylim(
        max(bottom - pad, possible[0] - pad / 2) if possible[0] is not None else bottom - pad,
        min(top + pad, possible[1] + pad / 2) if possible[1] is not None else top + pad,
    )
    value_axis(axes, kpi.unit, _tick_decimals(axes, kpi))
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    value_axis(axes, "", 0, which="x")
    axes.set_xlabel(base_of(kpi))
    at_end = lines.iloc[-1]
    labels = [
        Label(
            float(found.level * found.per),
            words.say("kpi.figure.together", value=value_of(kpi, found.level * found.per)),
        )
    ]
    labels += [Label(float(at_end[f"{s}{r}"]), words.say(f"kpi.figure.limits_{r}"), LIMIT) for r in ("95", "998") for s in ("lower", "upper")]  # fmt: skip
    label_ends(axes, labels)
    _name_departments(axes, table, department, names)
    return figure


def _peer_mark(band: str) -> str:
    return {"inside": "common_cause", "unstable": "provisional"}.get(band, "too_few" if "95" in band else "neutral")


def _name_departments(axes: Axes, table: pd.DataFrame, department: str, names: Mapping[str, str]) -> None:
    """The department itself, and the few that lie outside the outer limits."""
    outside = table[table["band"].str.startswith("beyond_998")]
    outside = outside.reindex(outside["z"].abs().sort_values(ascending=False).index).head(6)
    named = pd.concat([table[table["department"] == department], outside]).drop_duplicates("department")
    with drawing():
        for row in named.itertuples():
            mine = row.department == department
            axes.annotate(
                wrap(str(names.get(row.department, row.department)), 26, 1),
                (row.denominator, row.value),
                xytext=(0, 9 if row.z >= 0 else -9),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=8.5,
                fontweight="bold" if mine else "normal",
                color=INK if mine else MUTED,
                zorder=6,
            )
            if mine:
                axes.plot([row.denominator], [row.value], marker="o", markersize=11, markerfacecolor="none", markeredgecolor=INK, zorder=5)  # fmt: skip


__all__ = ["control_chart_figure", "funnel_figure", "multiples_figure"]
