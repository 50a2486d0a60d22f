"""Labels at the thing they name, instead of legends, and never on top of each other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation, Transform

from svclib.report.figures.style import INK, LINES, MUTED, drawing, figure_of


@dataclass(frozen=True)
class Label:
    """A text that belongs at height `y` (data units), e.g. the end of a line."""

    y: float
    text: str
    colour: str = INK
    bold: bool = False


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> np.ndarray:
    """Centres for boxes in a row, as near as possible (least squares) to where they are wanted, without overlap.

    Parameters
    ----------
    wanted
        Where each box would like its centre, any order.
    sizes
        Height of each box, gap included; same unit.
    low, high
        The room. Where the boxes need more than that, they run over its upper end.

    Notes
    -----
    With the boxes in order, "no overlap" makes the centres minus their cumulated sizes a rising sequence, and the
    nearest rising sequence is an isotonic regression (pool adjacent violators).

    Examples
    --------
    >>> spread([5, 5, 20], [2, 2, 2], 0, 30).tolist()
    [4.0, 6.0, 20.0]
    >>> spread([0, 0], [2, 2], 0, 30).tolist()
    [1.0, 3.0]
    """
    centres = np.asarray(wanted, dtype=float)
    if not len(centres):
        return centres
    order = np.argsort(centres, kind="stable")
    size = np.asarray(sizes, dtype=float)[order]
    offset = np.cumsum(size) - size / 2
    start = np.asarray(_rising((centres[order] - offset).tolist()))
    start = np.clip(start, low, max(low, high - size.sum()))
    placed = np.empty_like(centres)
    placed[order] = start + offset
    return placed


def _rising(values: list[float]) -> list[float]:
    """The nearest non-decreasing sequence: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            total, count = total + blocks[-1][0], count + blocks[-1][1]
            blocks.pop()
        blocks.append((total, count))
    return [total / count for total, count in blocks for _ in range(count)]


def wrap(text: str, width: int = 34, lines: int = 3) -> str:
    """Text broken at words (long words too) into at most `lines` lines of `width` characters.

    >>> wrap("Average time to first response", 14)
    'Average time\\nto first\\nresponse'
    """
    parts = textwrap.wrap(text, width, max_lines=lines, placeholder=" …", break_long_words=True)
    return "\n".join(parts)


def label_ends(axes: Axes, labels: Sequence[Label], *, width: int = 22, size: float = 8.5) -> list[Text]:
    """Labels to the right of the axes, each at the height of its line, moved apart where they would touch.

    Call it when the axis limits stand. A thin leader joins a label that had to move to its line. The layout makes
    room for the labels by itself.

    Examples
    --------
    >>> from svclib.report.figures.style import new_chart
    >>> figure, axes = new_chart()
    >>> _ = axes.set_ylim(0, 1)
    >>> a, b = label_ends(axes, [Label(0.5, "Target 50%"), Label(0.51, "Mean 51%")])
    >>> bool(boxes_overlap([a, b]))
    False
    """
    if not labels:
        return []
    low, high = axes.get_ylim()
    height = figure_of(axes).get_size_inches()[1] * 72 * 0.78  # points that the axes have, near enough
    scale = (high - low) / height
    texts = [wrap(label.text, width) for label in labels]
    sizes = [(1.28 * size * (text.count("\n") + 1) + 2) * scale for text in texts]
    centres = spread([np.clip(label.y, low, high) for label in labels], sizes, low, high)
    drawn: list[Text] = []
    with drawing():
        for label, text, y in zip(labels, texts, centres, strict=True):
            moved = abs(y - label.y) > 0.35 * size * scale
            drawn.append(
                axes.annotate(
                    text,
                    xy=(1.0, float(np.clip(label.y, low, high))),
                    xytext=(1.0 + 10 / _axes_points(axes), y),
                    xycoords=axes.get_yaxis_transform(),
                    textcoords=axes.get_yaxis_transform(),
                    va="center",
                    ha="left",
                    color=label.colour,
                    fontsize=size,
                    fontweight="bold" if label.bold else "normal",
                    linespacing=1.15,
                    annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 1}
                    if moved
                    else None,
                )
            )
    return drawn


def mark_events(axes: Axes, events: Sequence[tuple[float, str]], *, width: int = 24, size: float = 8.0) -> list[Text]:
    """A thin line at each event and its name above the axes, in as many rows as keep the names apart.

    Parameters
    ----------
    events
        Position on the x axis and name.

    Call it when the axis limits stand.

    Examples
    --------
    >>> from svclib.report.figures.style import new_chart
    >>> figure, axes = new_chart()
    >>> _ = axes.set_xlim(0, 36)
    >>> names = mark_events(axes, [(10, "New ticketing system"), (11, "Team moved to the north office")])
    >>> bool(boxes_overlap(names))
    False
    """
    low, high = axes.get_xlim()
    points = _axes_points(axes) / (high - low)
    row_ends: list[float] = []
    drawn: list[Text] = []
    with drawing():
        for x, name in sorted(e for e in events if low <= e[0] <= high):
            axes.axvline(x, **LINES["event"])
            text = wrap(name, width, lines=1)
            length = text_width(text, FontProperties(family=["DejaVu Sans"], size=size)) + 10
            at = (x - low) * points
            left = min(at, max(0.0, (high - low) * points - length))
            row = next((i for i, end in enumerate(row_ends) if end <= left), len(row_ends))
            row_ends[row:] = [left + length, *row_ends[row + 1 :]]
            drawn.append(
                axes.annotate(
                    text,
                    xy=(x, 1.0),
                    xytext=(left / points + low, 1.0),
                    xycoords=axes.get_xaxis_transform(),
                    textcoords=_raised(axes, 5 + row * 1.45 * size),
                    ha="left",
                    va="bottom",
                    color=LINES["event"]["color"],
                    fontsize=size,
                    annotation_clip=False,
                )
            )
    return drawn


def _raised(axes: Axes, points: float) -> Transform:
    return axes.get_xaxis_transform() + ScaledTranslation(0, points / 72, figure_of(axes).dpi_scale_trans)


def _axes_points(axes: Axes) -> float:
    return float(figure_of(axes).get_size_inches()[0] * 72 * axes.get_position().width)


@lru_cache(maxsize=1)
def _pen() -> RendererAgg:
    return RendererAgg(1, 1, 72)  # 72 dots an inch: a dot is a point


def text_width(text: str, font: FontProperties) -> float:
    """Width of a line of text in points, whichever canvas its figure is drawn on."""
    return float(_pen().get_text_width_height_descent(text, font, False)[0])


def boxes_overlap(texts: Sequence[Text]) -> list[tuple[str, str]]:
    """Pairs of texts whose boxes cross once the figure is laid out."""
    if not texts:
        return []
    figure = figure_of(texts[0])
    with drawing():
        figure.draw_without_rendering()
        boxes = [Text.get_window_extent(text) for text in texts]
    return [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if boxes[i].shrunk(0.98, 0.98).overlaps(boxes[j])
    ]


def note_inside(axes: Axes, text: str) -> Text:
    """A quiet sentence in the middle of an axes that has nothing to show."""
    with drawing():
        return axes.text(0.5, 0.5, wrap(text, 60, 4), transform=axes.transAxes, ha="center", va="center", color=MUTED)
