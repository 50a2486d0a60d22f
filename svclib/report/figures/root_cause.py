"""Figures of the root-cause analysis: onset, mix and rate, heat map of segments, Pareto, Ishikawa."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from svclib.explain.analysis import Gap
from svclib.explain.drivers import DriverShares
from svclib.explain.hypotheses import Bone
from svclib.explain.record import shown_paretos
from svclib.explain.slices import leaf_cases
from svclib.explain.themes import ThemeFound
from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.figures.labels import Label, label_ends, mark_events, wrap
from svclib.report.figures.style import (
    BAND,
    COMMON,
    CONCERN,
    DATA,
    IMPROVEMENT,
    INK,
    LIMIT,
    MUTED,
    PAPER,
    STATES,
    drawing,
    line_style,
    marker_style,
    new_chart,
    new_figure,
    period_axis,
    value_axis,
)
from svclib.report.words import say
from svclib.report.words.root_cause import driver_name, event_name, split_change, value_name, value_of
from svclib.report.words.where import label as named

LOOK_BACK = 24
MOST_BARS = 8
MOST_CELLS = 10
#: Shape, colour and filling of a bone's mark by what the data say of it.
BONES = {"supported": "concern", "not_supported": "common_cause", "untested": "withheld"}


def onset_figure(gap: Gap) -> Figure:
    """The series with its usual level, the time of the change (band: its interval) and declared events."""
    question = gap.question
    points = question.points.tail(LOOK_BACK).reset_index(drop=True)
    labels = points["period"].astype(str).to_list()
    figure, axes = new_chart(8.2, 3.1)
    x = np.arange(len(points))
    values = np.where(points["status"] != "withheld", points["value"].to_numpy(dtype=float), np.nan)
    final = points["mature"].to_numpy(dtype=bool)
    usual = [labels.index(label) for label in question.baseline if label in labels]
    with drawing():
        if question.onset is not None and question.onset.earliest in labels:
            first, last = labels.index(question.onset.earliest), labels.index(question.onset.latest)
            axes.axvspan(first - 0.5, last + 0.5, color=BAND, zorder=0, linewidth=0)
        axes.plot(x, np.where(final, values, np.nan), **line_style("data"))
        axes.plot(x[final], values[final], linestyle="none", **marker_style("common_cause"))
        axes.plot(x[~final], values[~final], linestyle="none", **marker_style("provisional"))
        if usual and question.usual is not None:
            axes.plot([usual[0] - 0.5, usual[-1] + 0.5], [question.usual] * 2, **line_style("centre"))
        if question.target is not None:
            axes.axhline(question.target, **line_style("target"))
    period_axis(axes, labels)
    value_axis(axes, question.kpi.unit, question.kpi.decimals)
    label_ends(axes, _levels(gap))
    mark_events(axes, _events(gap, labels), width=44)
    return figure


def _levels(gap: Gap) -> list[Label]:
    question, kpi = gap.question, gap.question.kpi
    found = []
    if question.usual is not None:
        found.append(Label(question.usual, f"{say('root_cause.onset.usual')} {value_of(kpi, question.usual)}", INK))
    if question.target is not None:
        target = f"{say('root_cause.anything.facts_target')} {value_of(kpi, question.target)}"
        found.append(Label(question.target, target, line_style("target")["color"]))
    return found


def _events(gap: Gap, labels: Sequence[str]) -> list[tuple[float, str]]:
    """Events of the shown time by position; one that is near the onset keeps its title, as do all if they are few."""
    events = [e for e in gap.question.events if e.near] or list(gap.question.events)
    frequency = Period.parse(labels[0]).frequency
    at = [(Period.containing(e.date, frequency).label, event_name(e)) for e in events]
    return [(float(labels.index(label)), title) for label, title in at if label in labels][:4]


def mix_figure(gap: Gap) -> Figure:
    """For each dimension how much of the change comes from the parts themselves and how much from other cases."""
    splits = gap.splits
    count = splits[0].kind == "count"
    parts = ["rate", "mix", "volume"] if count else ["rate", "mix"]
    figure, axes = new_chart(8.2, 1.1 + 0.34 * len(parts) * len(splits))
    factor = 1.0 if count else gap.factor
    styles = {"rate": (DATA, ""), "mix": (COMMON, "////"), "volume": (MUTED, "....")}
    height = 0.8 / len(parts)
    sizes = [0.0, *(getattr(split, part) * factor for split in splits for part in parts)]
    low, span = min(sizes), (max(sizes) - min(sizes)) or 1.0
    with drawing():
        # The numbers stand in a column before the bars: a phone shows the left half of a wide figure first.
        axes.set_xlim(low - 0.75 * span, low + 1.04 * span)
        for row, split in enumerate(splits):
            for i, part in enumerate(parts):
                size, (colour, hatch) = getattr(split, part) * factor, styles[part]
                y = row + (i - (len(parts) - 1) / 2) * height
                axes.barh(y, size, height * 0.92, color=colour, hatch=hatch, edgecolor=PAPER, linewidth=0.4)
                text = split_change(gap, split, getattr(split, part))
                label = f"{text}  {say(f'root_cause.mix.{part}_label')}" if row == 0 else text
                axes.annotate(
                    label, (0, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=8.5,
                )  # fmt: skip
        axes.axvline(0, **line_style("zero"))
        axes.set_yticks(range(len(splits)), [wrap(named(split.dimension), 20) for split in splits])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_visible(False)  # each bar has its number, and a change of a share is in points, not in per cent
        axes.spines["bottom"].set_visible(False)
    return figure


def heat_table(gap: Gap) -> pd.DataFrame | None:
    """Distance of each cell from its usual level in standard errors (positive: worse), for the two telling dimensions.

    ``row, column, z, found``; `column` is empty with a single dimension. None without a scan. A cell of fewer cases
    than the disclosure minimum is withheld: its `z` is missing.
    """
    from svclib.explain.hypotheses import root_of

    local = gap.localisation
    if local is None or gap.piece is None or not local.table.dimensions:
        return None
    chosen = telling_dimensions(gap)
    leaves = leaf_cases(gap.piece, local.table, str(gap.question.points["period"].iloc[-1]))
    table, found = local.table, [dict(segment.where) for segment in local.segments]
    axes_ = [table.dimensions.index(name) for name in chosen]
    cells = []
    for codes in np.unique(table.codes[:, axes_], axis=0):
        held = np.all(table.codes[:, axes_] == codes, axis=1).astype(float)
        cases = float(held @ leaves)
        if held @ table.exposure[-1] <= 0:
            continue
        names = {name: table.values[d][code] for name, d, code in zip(chosen, axes_, codes, strict=True)}
        z = root_of(local.field, table.observed[-1], held)[0] if cases >= gap.disclosure_minimum else np.nan
        marked = any(set(where.items()) <= set(names.items()) for where in found)
        values = list(names.values())
        cells.append({"row": values[0], "column": values[1] if len(values) > 1 else "", "z": z, "found": marked})
    return pd.DataFrame(cells)


def telling_dimensions(gap: Gap) -> list[str]:
    """The dimensions of the best segment or lead, else those whose values differ most; two where there are two."""
    local = gap.localisation
    assert local is not None
    names = [name for name, _ in local.answers[0].where] if local.answers else []
    spread = {split.dimension: float(split.segments["total"].abs().max()) for split in gap.splits}
    names += sorted((n for n in local.table.dimensions if n not in names), key=lambda n: -spread.get(n, 0.0))
    return names[:2]


def heat_figure(gap: Gap, cells: pd.DataFrame) -> Figure:
    """Cells of two dimensions: the number is the distance from the usual, its tone worse or better, outlined if found."""
    rows, columns = _leading(cells, "row"), _leading(cells, "column")
    figure = new_figure(min(8.2, 2.4 + 0.95 * len(columns)), 1.1 + 0.32 * len(rows))
    with drawing():
        axes = figure.subplots()
        for cell in cells.itertuples():
            if cell.row in rows and cell.column in columns:
                _draw_cell(axes, columns.index(cell.column), rows.index(cell.row), cell.z, cell.found)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xticks(
            range(len(columns)), [wrap(value_name(c), 12, 2) if c or len(columns) > 1 else "" for c in columns]
        )
        axes.set_yticks(range(len(rows)), [wrap(value_name(r), 24, 1) for r in rows])
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        for label in axes.get_yticklabels():
            label.set_color(INK)
    return figure


def _leading(cells: pd.DataFrame, name: str) -> list[str]:
    """The values with the greatest distances, at most `MOST_CELLS`, those with a finding first of all."""
    worst = cells.assign(size=cells["z"].abs() + 1000 * cells["found"]).groupby(name)["size"].max()
    return [str(v) for v in worst.sort_values(ascending=False, kind="stable").index[:MOST_CELLS]]


def _draw_cell(axes: Axes, x: int, y: int, z: float, found: bool) -> None:
    if np.isnan(z):
        axes.plot([x], [y], linestyle="none", **marker_style("withheld"))
        return
    colour = CONCERN if z > 0 else IMPROVEMENT
    depth = float(np.clip((abs(z) - 1) / 6, 0, 0.75))
    axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor=colour, alpha=depth, linewidth=0))
    if found:
        axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, fill=False, edgecolor=INK, linewidth=2.0))
    axes.text(
        x, y, words.signed(z, 1), ha="center", va="center", fontsize=8.5, fontweight="bold" if found else "normal"
    )


def pareto_figure(gap: Gap, dimension: str) -> Figure:
    """Values of a dimension by what they add to the deterioration, the cumulated share as numbers at the bars."""
    table = shown_paretos(gap)[dimension]
    shown = table[table["excess"].abs() > 0].head(MOST_BARS)
    figure, axes = new_chart(8.2, 0.9 + 0.32 * max(len(shown), 1))
    with drawing():
        for row, (_, bar) in enumerate(shown.iterrows()):
            worse = bar["excess"] > 0
            axes.barh(row, bar["excess"], 0.7, color=CONCERN if worse else IMPROVEMENT, hatch="" if worse else "////",
                      edgecolor=PAPER, linewidth=0.4)  # fmt: skip
            text = words.signed(bar["excess"], 1)
            if worse and np.isfinite(bar["cumulative"]):
                text = f"{text}  ({words.percent(bar['cumulative'], 0)})"
            axes.annotate(
                text,
                (max(bar["excess"], 0.0), row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        axes.axvline(0, **line_style("zero"))
        axes.set_yticks(range(len(shown)), [wrap(value_name(str(v)), 26, 1) for v in shown["value"]])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.22)
        axes.set_xlabel(f"{say('root_cause.pareto.excess')} ({say('root_cause.pareto.cumulative')})")
    value_axis(axes, "", None, which="x")
    return figure


def drivers_figure(drivers: DriverShares) -> Figure:
    """Share of the variance between cases that goes with each driver, its 95 % interval as a line, the greatest first."""
    table = drivers.to_frame()
    names = [driver_name(str(name)) for name in table["driver"]]
    figure, axes = _ranked(names)
    share = table["share"].to_numpy()
    with drawing():
        axes.barh(range(len(table)), share, 0.6, color=BAND, edgecolor=DATA, linewidth=0.6)
        axes.hlines(range(len(table)), table["lower"], table["upper"], color=INK, linewidth=1.4)
        axes.set_xlim(0, None)
    value_axis(axes, "%", None, which="x")
    return figure


def themes_figure(themes: Sequence[ThemeFound]) -> Figure:
    """Share of the comments that speak of each theme: here (filled) and elsewhere (hollow), joined by a line."""
    figure, axes = _ranked([theme.title for theme in themes])
    sides = {"here": [theme.share for theme in themes], "others": [theme.share_outside for theme in themes]}
    right = max(sides, key=lambda side: sides[side][0])
    with drawing():
        axes.hlines(range(len(themes)), sides["here"], sides["others"], color=LIMIT, linewidth=1.2)
        for side, shares in sides.items():
            filling = DATA if side == "here" else PAPER
            axes.plot(shares, range(len(themes)), "o", color=DATA, markerfacecolor=filling, markersize=6)
            away = 1 if side == right else -1
            axes.annotate(say(f"root_cause.themes.{side}"), (shares[0], 0), xytext=(8 * away, 0), va="center",
                          textcoords="offset points", ha="left" if away > 0 else "right", fontsize=8.5)  # fmt: skip
        axes.margins(x=0.2)
    value_axis(axes, "%", None, which="x")
    return figure


def _ranked(names: Sequence[str]) -> tuple[Figure, Axes]:
    figure, axes = new_chart(8.2, 0.7 + 0.3 * len(names))
    with drawing():
        axes.set_yticks(range(len(names)), [wrap(name, 26, 1) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))  # ticks that whole percents can name
    return figure, axes


def ishikawa_figure(bones: Sequence[Bone], head: str) -> Figure:
    """A fish bone: categories above and below the spine, each suspicion with the mark of what the data say of it."""
    groups = [
        (name, list(part)) for name, part in groupby(sorted(bones, key=lambda b: b.category), key=lambda b: b.category)
    ]
    pairs = (len(groups) + 1) // 2
    longest = max(len(part) for _, part in groups)
    height = 1.1 + 2 * (0.55 + 0.5 * longest)
    figure = new_figure(8.2, height, layout="none")
    with drawing():
        axes = figure.add_axes((0.01, 0.02, 0.98, 0.96))
        axes.set_axis_off()
        axes.set_xlim(0, 8.2)
        axes.set_ylim(-height / 2, height / 2)
        axes.annotate("", (6.75, 0), (0.1, 0), arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 2.0})
        axes.text(6.82, 0, wrap(head, 17, 4), va="center", ha="left", fontweight="bold", fontsize=9.5)
        width = 6.5 / max(pairs, 1)
        for i, (category, part) in enumerate(groups):
            _draw_rib(axes, category, part, 0.15 + width * (i // 2), width, 1 if i % 2 == 0 else -1, longest)
        for i, status in enumerate(BONES):
            y = -height / 2 + 0.14
            axes.plot([0.2 + 1.5 * i], [y], linestyle="none", **_bone_mark(status))
            axes.text(0.32 + 1.5 * i, y, say(f"root_cause.ishikawa.{status}"), va="center", fontsize=8.5, color=MUTED)
    return figure


def _draw_rib(
    axes: Axes, category: str, bones: Sequence[Bone], left: float, width: float, side: int, longest: int
) -> None:
    """One category: a rib from its name down (or up) to the spine, its suspicions beside it."""
    top = side * (0.3 + 0.5 * longest)
    foot = left + width * 0.92
    axes.plot([left + 0.1, foot], [top, 0], color=LIMIT, linewidth=1.2)
    axes.text(left, top + side * 0.16, wrap(category, 26, 1), fontweight="bold", va="center", fontsize=9)
    for i, bone in enumerate(bones):
        y = top - side * (0.2 + 0.5 * i)
        x = left + 0.1 + (foot - left - 0.1) * (1 - abs(y / top)) + 0.12
        axes.plot([x], [y], linestyle="none", **_bone_mark(bone.status))
        room = max(12, int((width - 0.35) * 15))  # characters between this rib and the next
        axes.text(x + 0.12, y, wrap(bone.cause, room, 3), va="center", fontsize=8.5,
                  color=INK if bone.status == "supported" else MUTED,
                  fontweight="bold" if bone.status == "supported" else "normal")  # fmt: skip


def _bone_mark(status: str) -> dict:
    return {**marker_style(STATES[BONES[status]]), "markersize": 6.5}
