"""Figures as SVG: small, the same bytes for the same figure, with real text and a dark mode of its own."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO, StringIO
from urllib.parse import quote

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from svclib.report.figures.compact import compact
from svclib.report.figures.labels import text_width, wrap
from svclib.report.figures.style import drawing

MOST_MARKS = 500
MOST_BYTES = 60_000
_ABOVE_PICTURES = 50
_PICTURE = re.compile(r'(href="data:image/png;base64,\s*)([^"]+)')
_PICTURE_DPI = 120  # a picture of points is sharp enough at 1.7 pixels a point


def svg_of(figure: Figure) -> str:
    """The figure as an SVG document.

    The same figure gives the same bytes on every run. Text stays text. Artists with more than 500 marks become
    pixels, and where that does not bring the document below 60 kB, all data become one picture; axes and labels stay
    text.

    Examples
    --------
    >>> from svclib.report.figures.style import new_chart
    >>> figure, axes = new_chart(4, 2)
    >>> _ = axes.plot([1, 2, 3])
    >>> _ = axes.set_title("Costs in $ and <b>")
    >>> svg = svg_of(figure)
    >>> svg.startswith("<svg"), "Costs in $ and &lt;b&gt;" in svg, svg == svg_of(figure)
    (True, True, True)
    """
    _rasterise(figure, lambda artist: _marks(artist) > MOST_MARKS)
    svg = compact(_drawn(figure))
    if len(svg) > MOST_BYTES:
        _rasterise_all(figure)
        svg = compact(_drawn(figure))
    return svg


def data_uri(svg: str) -> str:
    """The document as a `data:` address, percent-encoded (smaller than base64), safe inside a quoted attribute."""
    return "data:image/svg+xml," + quote(svg, safe=" '=:;,/()-._~!*@$+?{}")


def _marks(artist: Artist) -> int:
    if isinstance(artist, Collection):
        return max(len(np.asarray(artist.get_offsets())), len(artist.get_paths()))
    if isinstance(artist, Line2D):
        return np.size(artist.get_xdata()) if artist.get_marker() not in (None, "None", "", " ") else 0
    return 0


def _rasterise(figure: Figure, chosen: Callable[[Artist], bool]) -> None:
    for axes in figure.get_axes():
        for artist in [*axes.collections, *axes.lines]:
            if chosen(artist):
                artist.set_rasterized(True)


def _rasterise_all(figure: Figure) -> None:
    """One picture of an axes' data instead of one for each artist; what is written stays above it."""
    for axes in figure.get_axes():
        for artist in [*axes.collections, *axes.lines]:
            artist.set_rasterized(False)
        for artist in [axes.xaxis, axes.yaxis, *axes.spines.values(), *axes.findobj(Text)]:
            artist.set_zorder(_ABOVE_PICTURES + 1)
        axes.grid(False)  # the lines belong to the axes and would lie on the data
        axes.set_rasterization_zorder(_ABOVE_PICTURES)


def _fit_titles(figure: Figure) -> None:
    """Break titles that are longer than their column is wide; a name of any length leaves room for the data."""
    for axes in figure.get_axes():
        place = axes.get_subplotspec()
        columns = place.get_gridspec().ncols / len(place.colspan) if place else 1 / axes.get_position().width
        room = figure.get_size_inches()[0] * 72 / columns
        titles = {axes.get_title(loc) for loc in ("left", "center", "right")} - {""}
        if not titles:
            continue
        for text in axes.findobj(Text):
            said = text.get_text()
            if said in titles and "\n" not in said and text_width(said, text.get_fontproperties()) > room:
                letters = max(8, int(len(said) * room / text_width(said, text.get_fontproperties())))
                text.set_text(wrap(said, letters, 2))


def _drawn(figure: Figure) -> str:
    with drawing():
        _fit_titles(figure)
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    out = StringIO()
    with drawing():
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        # `savefig` draws a figure with a layout twice; drawing it once lays it out as well.
        figure.set_dpi(_PICTURE_DPI)
        FigureCanvasSVG(figure).print_svg(out, metadata=nothing)
    return _PICTURE.sub(lambda match: match[1] + _fewer_colours(match[2]), out.getvalue())


def _fewer_colours(png: str) -> str:
    """A PNG (base64) with 64 colours: charts have few, and it takes a fifth of the bytes."""
    from PIL import Image

    out = BytesIO()
    with Image.open(BytesIO(base64.b64decode(png))) as picture:
        few = picture.convert("RGBA").quantize(64, method=Image.Quantize.FASTOCTREE)
    few.save(out, format="png", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
