"""Figures as SVG: small, the same bytes for the same figure, with real text and a dark mode of its own."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from urllib.parse import quote

from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from svclib.report.figures.compact import compact
from svclib.report.figures.style import drawing

MOST_MARKS = 500
MOST_BYTES = 60_000


def svg_of(figure: Figure) -> str:
    """The figure as an SVG document.

    The same figure gives the same bytes on every run. Text stays text. Artists with more than 500 marks become
    pixels, and where that does not bring the document below 60 kB, all data do; axes and labels stay text.

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
    if len(svg) > MOST_BYTES and "<image" not in svg:
        _rasterise(figure, lambda artist: _marks(artist) > 0)
        svg = compact(_drawn(figure))
    return svg


def data_uri(svg: str) -> str:
    """The document as a `data:` address, percent-encoded (smaller than base64), safe inside a quoted attribute."""
    return "data:image/svg+xml," + quote(svg, safe=" '=:;,/()-._~!*@$+?{}")


def _marks(artist: Artist) -> int:
    if isinstance(artist, Collection):
        return max(len(artist.get_offsets()), len(artist.get_paths()))
    if isinstance(artist, Line2D):
        return len(artist.get_xdata()) if artist.get_marker() not in (None, "None", "", " ") else 0
    return 0


def _rasterise(figure: Figure, chosen: Callable[[Artist], bool]) -> None:
    for axes in figure.get_axes():
        for artist in [*axes.collections, *axes.lines]:
            if chosen(artist):
                artist.set_rasterized(True)


def _drawn(figure: Figure) -> str:
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    out = StringIO()
    with drawing():
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(out, format="svg", metadata=nothing, dpi=150)
    return out.getvalue()
