"""The one visual language of all charts: what a colour, a line style and a marker shape mean.

No meaning hangs on colour alone: each kind of line has its own dash pattern, each state its own marker shape.
Colours are named by role and come in pairs, for white and for dark paper; each pair keeps 3:1 contrast (text 4.5:1).
`new_figure` makes figures without pyplot; `svg_of` writes them small, deterministic and readable in dark mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from svclib.measure.periods import Period
from svclib.report import words

INK = "#1c2530"
MUTED = "#566273"
GRID = "#e3e7ec"
PAPER = "#ffffff"
DATA = "#27517d"
IMPROVEMENT = "#0067b1"
CONCERN = "#c04a00"
COMMON = "#66717f"
NEUTRAL = "#7a45b0"
TARGET = "#8a1c5b"
LIMIT = "#6c7786"
COUNTERFACTUAL = "#00705b"
BAND = "#dde6f0"
EVENT = "#6b5200"
#: Role colour on white: the same role on dark paper.
DARK: Mapping[str, str] = {
    INK: "#e8ecf1",
    MUTED: "#aab5c3",
    GRID: "#303843",
    PAPER: "#171c23",
    DATA: "#9cc4ec",
    IMPROVEMENT: "#5eb4ff",
    CONCERN: "#ff9c52",
    COMMON: "#9ba7b5",
    NEUTRAL: "#c49df1",
    TARGET: "#f291c8",
    LIMIT: "#97a3b1",
    COUNTERFACTUAL: "#43c9a8",
    BAND: "#2a3d51",
    EVENT: "#e2c262",
}
#: For series that stand side by side without a meaning of their own, in this order.
SERIES = (DATA, CONCERN, COUNTERFACTUAL, NEUTRAL, EVENT, TARGET)
SERIES_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (1, 1.4)), (0, (6, 2, 1.2, 2)), (0, (3, 1.2)), (0, (9, 2)))

#: Line styles by meaning: keyword arguments for `Axes.plot`, `axhline` and `step`.
LINES: Mapping[str, Mapping[str, Any]] = {
    "data": {"color": DATA, "linewidth": 1.6, "linestyle": "-", "zorder": 4},
    "centre": {"color": INK, "linewidth": 1.0, "linestyle": "-", "zorder": 2},
    "limit": {"color": LIMIT, "linewidth": 1.0, "linestyle": (0, (4, 2.5)), "zorder": 2},
    "target": {"color": TARGET, "linewidth": 1.5, "linestyle": (0, (9, 2.5, 1.5, 2.5)), "zorder": 3},
    "counterfactual": {"color": COUNTERFACTUAL, "linewidth": 1.6, "linestyle": (0, (1.2, 1.6)), "zorder": 3},
    "peers": {"color": COMMON, "linewidth": 0.8, "linestyle": "-", "alpha": 0.55, "zorder": 1},
    "forecast": {"color": DATA, "linewidth": 1.4, "linestyle": (0, (2.5, 2)), "zorder": 3},
    "event": {"color": EVENT, "linewidth": 1.0, "linestyle": (0, (1, 2)), "zorder": 1},
    "zero": {"color": INK, "linewidth": 0.8, "linestyle": "-", "zorder": 1},
}


@dataclass(frozen=True)
class Mark:
    """How a state looks: a matplotlib marker, its colour, filled or hollow, and the sign used in text."""

    marker: str
    colour: str
    filled: bool
    sign: str
    size: float = 5.5


#: One shape for each state of a KPI or a point; `sign` is the same shape as a character.
STATES: Mapping[str, Mark] = {
    "improvement": Mark("D", IMPROVEMENT, True, "\u25c6", 6.0),
    "concern": Mark("s", CONCERN, True, "\u25a0", 6.5),
    "common_cause": Mark("o", COMMON, True, "\u25cf", 4.2),
    "neutral": Mark("^", NEUTRAL, True, "\u25b2", 6.5),
    "provisional": Mark("o", MUTED, False, "\u25cb", 5.0),
    "too_few": Mark("d", MUTED, False, "\u25c7", 5.0),
    "withheld": Mark("s", MUTED, False, "\u25a1", 5.0),
    "fault": Mark("X", CONCERN, False, "\u00d7", 6.5),
    "missing": Mark("_", MUTED, False, "\u2013", 5.0),
}

_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "svclib",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],  # measures the layout; `svg_of` names the reader's own font
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": LIMIT,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": LIMIT,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": PAPER,
    "patch.facecolor": DATA,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the house style inside this block, and leave the caller's own matplotlib settings alone.

    Artists take their style when they are made, so everything that adds to a figure belongs in the block.
    """
    with mpl.rc_context(_RC):  # type: ignore[arg-type] # the stub lists literal names and no dict of str
        yield


def figure_of(artist: Artist) -> Figure:
    """The figure that an artist is drawn on.

    Raises
    ------
    ValueError
        The artist is on no figure.

    Examples
    --------
    >>> figure, axes = new_chart()
    >>> figure_of(axes) is figure
    True
    """
    figure = artist.get_figure(root=True)
    if figure is None:
        raise ValueError(f"{artist} is on no figure")
    return figure


def new_figure(width: float = 8.2, height: float = 3.4, **options: Any) -> Figure:
    """An empty figure in the house style, made without pyplot; width and height in inches.

    8.2 inches fill a report's column; a small chart beside another takes 4. Its text is about 12 px on screen.

    Examples
    --------
    >>> figure = new_figure(4, 2)
    >>> figure.subplots().get_figure() is figure
    True
    """
    with drawing():
        figure = Figure(figsize=(width, height), dpi=72, layout=options.pop("layout", "constrained"), **options)
        FigureCanvasAgg(figure)  # can measure text
    return figure


class OnePassLayout(LayoutEngine):
    """Room for the labels around a figure's axes, one or several below each other, measured once.

    matplotlib's constrained layout measures everything twice and solves for any arrangement; that was a third of the
    time that a chart took.
    """

    _adjust_compatible, _colorbar_gridspec = True, False
    _PAD = 3.0  # points

    def execute(self, fig: Figure) -> None:
        page, pad = fig.bbox, self._PAD * fig.dpi / 72
        around = [axes.get_tightbbox(for_layout_only=True) or axes.bbox for axes in fig.axes]
        left = max(axes.bbox.x0 - box.x0 for axes, box in zip(fig.axes, around, strict=True)) + pad
        right = max(box.x1 - axes.bbox.x1 for axes, box in zip(fig.axes, around, strict=True)) + pad
        below = [axes.bbox.y0 - box.y0 + pad for axes, box in zip(fig.axes, around, strict=True)]
        above = [box.y1 - axes.bbox.y1 + pad for axes, box in zip(fig.axes, around, strict=True)]
        wide, high = max(page.width - left - right, 1.0), max(page.height - sum(below) - sum(above), 1.0)
        share = sum(axes.bbox.height for axes in fig.axes)
        top = page.height
        for axes, over, under in zip(fig.axes, above, below, strict=True):
            tall = high * axes.bbox.height / share
            top -= over + tall
            axes.set_position((left / page.width, top / page.height, wide / page.width, tall / page.height))
            top -= under


def new_chart(width: float = 8.2, height: float = 3.4) -> tuple[Figure, Axes]:
    """A figure with one axes in the house style.

    >>> figure, axes = new_chart()
    >>> axes.spines["top"].get_visible()
    False
    """
    figure = new_figure(width, height, layout=OnePassLayout())
    with drawing():
        return figure, figure.subplots()


def line_style(meaning: str) -> dict[str, Any]:
    """Keyword arguments that draw a line of this meaning, e.g. ``axes.axhline(0.8, **line_style("target"))``.

    >>> line_style("target")["color"] == TARGET
    True
    """
    return dict(LINES[meaning])


def draw_points(axes: Axes, x: Sequence[float], y: Sequence[float], states: Sequence[str]) -> list[Line2D]:
    """Points whose shape and colour tell their state (a key of `STATES`); one artist a state, in a stable order.

    Examples
    --------
    >>> figure, axes = new_chart()
    >>> [line.get_marker() for line in draw_points(axes, [0, 1], [3, 9], ["common_cause", "concern"])]
    ['s', 'o']
    """
    drawn = []
    with drawing():
        for state, mark in STATES.items():
            chosen = [(a, b) for a, b, s in zip(x, y, states, strict=True) if s == state]
            if chosen:
                drawn += axes.plot(*zip(*chosen, strict=True), linestyle="none", zorder=5, **marker_style(mark))
    return drawn


def marker_style(mark: Mark | str) -> dict[str, Any]:
    """Keyword arguments for `Axes.plot` that draw the marker of a state."""
    mark = STATES[mark] if isinstance(mark, str) else mark
    return {
        "marker": mark.marker,
        "markersize": mark.size,
        "markerfacecolor": mark.colour if mark.filled else PAPER,
        "markeredgecolor": PAPER if mark.filled else mark.colour,
        "markeredgewidth": 0.7 if mark.filled else 1.2,
    }


def value_axis(axes: Axes, unit: str = "", decimals: int | None = None, *, which: str = "y") -> None:
    """Tick labels as the reader's language writes the unit's values; proportions (``%``) read 0..1."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    language = words.current_language()
    if unit == "%" and decimals is None:
        low, high = sorted(axes.get_ylim() if which == "y" else axes.get_xlim())
        decimals = 0 if high - low >= 0.04 else 1
    shown = unit if unit == "%" else ""
    if which == "y":  # ticks every 2.5 would be labelled 22, 25, 28, 30 where no decimals are shown
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda v, _: words.value(float(v), shown, decimals, language=language)))


def period_axis(axes: Axes, periods: Sequence[str]) -> None:
    """Labels of the x axis whose positions 0, 1, ... are these periods: every third or so, the year below the first.

    Examples
    --------
    >>> figure, axes = new_chart()
    >>> period_axis(axes, ["2026-01", "2026-02", "2026-03"])
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['Jan\\n2026', 'Feb', 'Mar']
    """
    parsed = [Period.parse(label) for label in periods]
    width_points = figure_of(axes).get_size_inches()[0] * 72 * axes.get_position().width
    room = max(2, int(width_points // 34))
    step = next((s for s in (1, 3, 6, 12, 24) if len(parsed) / s <= room), 48)
    ticks, labels, year = [], [], None
    for position, period in enumerate(parsed):
        if not _is_tick(period, position, step):
            continue
        ticks.append(position)
        text = _tick_text(period)
        labels.append(text if period.start.year == year else f"{text}\n{_year(period)}")
        year = period.start.year
    with drawing():
        axes.set_xticks(ticks, labels)
        axes.set_xlim(-0.6, len(parsed) - 0.4)


def _is_tick(period: Period, position: int, step: int) -> bool:
    if period.frequency == "month" and step > 1:
        months = period.start.year * 12 + period.start.month - 1
        return months % step == 0
    return position % step == 0


def _year(period: Period) -> str:
    return period.label[:4]


def _tick_text(period: Period) -> str:
    if period.frequency == "month":
        return words.date(period.start, "month_only")
    return words.period_short(period).split(" ")[0]
