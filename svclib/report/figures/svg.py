"""Figures as SVG: small, the same bytes for the same figure, with real text and a dark mode of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from io import StringIO
from urllib.parse import quote

from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from svclib.report.figures.style import DARK, INK, drawing

MOST_MARKS = 500
MOST_BYTES = 60_000
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif"
_NAMES = {light: f"--{chr(97 + i)}" for i, light in enumerate(DARK)}
_NUMBER = re.compile(r"-?\d+\.\d+")
_GEOMETRY = re.compile(r'( (?:d|x|y|width|height|transform|points|viewBox)=")([^"]*)"')
_STYLE = re.compile(r' style="([^"]*)"')


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
    svg = _compact(_drawn(figure))
    if len(svg) > MOST_BYTES and "<image" not in svg:
        _rasterise(figure, lambda artist: _marks(artist) > 0)
        svg = _compact(_drawn(figure))
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


def _rounded(match: re.Match[str]) -> str:
    number = float(match[0])
    text = f"{number:.{1 if abs(number) >= 20 else 2}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _tight(geometry: str) -> str:
    """Coordinates without the spaces that nobody needs: ``M 0 1 L 2 -3`` is ``M0 1L2-3``."""
    geometry = re.sub(r"\s*([A-Za-z(),])\s*", r"\1", geometry.strip())
    return re.sub(r"\s+", " ", geometry).replace(" -", "-")


def _compact(svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style type=\"text/css\">.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r"xlink:href", "href", re.sub(r' (xmlns:xlink|version)="[^"]*"', "", svg))
    svg = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", svg)
    svg = _GEOMETRY.sub(lambda m: m[1] + _tight(_NUMBER.sub(_rounded, m[2])) + '"', svg)
    svg = _without_idle_ids(svg)
    svg = _STYLE.sub(lambda m: f' style="{_short_style(m[1])}"', svg)
    svg = re.sub(r">\s+<", "><", svg).strip()
    svg = _unwrapped(svg)
    svg, rules = _styles_as_classes(svg)
    head_end = svg.index(">") + 1
    svg = f"{svg[:head_end]}<style>{_base_rules(svg + rules)}{rules}</style>{svg[head_end:]}"
    # apostrophes need no escape in an address, quotation marks do
    return re.sub(r'="([^"\']*)"', r"='\1'", svg)


def _unwrapped(svg: str) -> str:
    """Without groups that hold nothing or add nothing."""
    before = ""
    while before != svg:
        before = svg
        svg = re.sub(r"<g></g>|<defs></defs>|<g/>|<defs/>", "", svg)
        svg = re.sub(r"<g>(<(?:path|use|text|rect)\b[^>]*?/>)</g>", r"\1", svg)
        svg = re.sub(r"<g>(<text\b[^>]*>[^<]*</text>)</g>", r"\1", svg)
    return svg


def _without_idle_ids(svg: str) -> str:
    used = set(re.findall(r"(?:href=\"#|url\(#)([\w-]+)", svg))
    names: dict[str, str] = {}

    def rename(match: re.Match[str]) -> str:
        if match[1] not in used:
            return ""
        return f' id="{names.setdefault(match[1], f"i{len(names)}")}"'

    svg = re.sub(r' id="([^"]*)"', rename, svg)
    return re.sub(r"(href=\"#|url\(#)([\w-]+)", lambda m: m[1] + names.get(m[2], m[2]), svg)


def _short_style(style: str) -> str:
    style = re.sub(r"font: (?:(\w+) )?([\d.]+)px [^;]*", lambda m: _font(m[1], m[2]), style)
    style = re.sub(r"font-family: [^;]*;?", "", style)
    style = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var({_NAMES[_role(m[0])]})" if _role(m[0]) in _NAMES else m[0], style)
    style = _NUMBER.sub(_rounded, style)
    return re.sub(r"\s*([:;,])\s*", r"\1", style).strip("; ")


def _role(colour: str) -> str:
    return INK if colour == "#000000" else colour


def _font(weight: str | None, size: str) -> str:
    return f"font-size:{size}px" + (f";font-weight:{weight}" if weight else "")


def _styles_as_classes(svg: str) -> tuple[str, str]:
    counts = Counter(_STYLE.findall(svg))
    often = sorted((s for s, n in counts.items() if n > 1 and s), key=lambda s: (-counts[s], s))
    names = {style: f"s{i}" for i, style in enumerate(often)}
    svg = _STYLE.sub(lambda m: f' class="{names[m[1]]}"' if m[1] in names else (m[0] if m[1] else ""), svg)
    return svg, "".join(f".{name}{{{style}}}" for style, name in names.items())


def _base_rules(used: str) -> str:
    """Font and colours; only the colours that the drawing uses."""
    colours = [c for c in DARK if c == INK or f"var({_NAMES[c]})" in used]
    light = ";".join(f"{_NAMES[c]}:{c}" for c in colours)
    dark = ";".join(f"{_NAMES[c]}:{DARK[c]}" for c in colours)
    return (
        f"svg{{{light};font-family:{_FONT};background:none;stroke-linejoin:round}}text{{fill:var({_NAMES[INK]})}}"
        f"@media screen and (prefers-color-scheme:dark){{svg{{{dark}}}}}"
    )
