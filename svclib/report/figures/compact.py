"""matplotlib's SVG made small: a third of its bytes, the same picture, colours that follow the reader's scheme."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from svclib.report.figures.style import DARK, INK

_FONT = "system-ui,sans-serif"
_NAMES = {light: f"--{chr(97 + i)}" for i, light in enumerate(DARK)}
_NUMBER = re.compile(r"-?\d+\.\d+")
_COMMAND = re.compile(r"([MLz])([^MLz]*)", re.I)
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_GEOMETRY = frozenset({"x", "y", "width", "height", "transform", "points", "viewBox"})
# matplotlib draws the circle of a marker as eight Bezier curves
_CIRCLE = re.compile(r"M 0 ([\d.]+) (?:C [-\d. ]+){8}z ?")
_INSIDE = re.compile(r"url\(#([\w-]+)\)")
_REFERENCE = re.compile(r"(?:^|\()#([\w-]+)")
_IDLE = frozenset({"fill:none", "fill:none;opacity:0", ""})


def compact(svg: str) -> str:
    """The drawing in fewer bytes.

    Coordinates keep a tenth of a point (a hundredth below 20); points on a straight line, groups and backgrounds that
    add nothing, and names that nobody refers to are dropped; styles that occur often become classes, and the house
    colours variables with a value for light and for dark paper.
    """
    root = ElementTree.fromstring(svg)
    names = _short_names(root)
    for element in root.iter():
        _tidy(element, names)
    _prune(root)
    _join_rows(root)
    _join_marks(root)
    _inline_marks(root)
    _drop_unused(root)
    rules = _classes(root)
    body = "".join(_written(child) for child in root)
    head = " ".join(f"{name}='{root.get(name)}'" for name in ("width", "height", "viewBox"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' {head}><style>{_base_rules(body + rules)}{rules}</style>{body}</svg>"
    )


def _short_names(root: ElementTree.Element) -> dict[str, str]:
    """Short ids for those that are referred to."""
    text = " ".join(value for element in root.iter() for value in element.attrib.values())
    used = dict.fromkeys(re.findall(r"(?:^|\s)#([\w-]+)|url\(#([\w-]+)\)", text))
    return {a or b: f"i{number}" for number, (a, b) in enumerate(used)}


def _tidy(element: ElementTree.Element, names: dict[str, str]) -> None:
    link = element.attrib.pop(_LINK, None)
    if link is not None:
        element.set("href", f"#{names[link[1:]]}" if link.startswith("#") else link)
    identity = element.attrib.pop("id", None)
    if identity in names:
        element.set("id", names[identity])
    if element.get("d"):
        element.set("d", path(element.get("d", "")))
    for name in _GEOMETRY & element.attrib.keys():
        element.set(name, _tight(_NUMBER.sub(_rounded, element.get(name, ""))))
    if element.get("transform", "").startswith("rotate(0 ") or element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if clip := element.attrib.pop("clip-path", ""):
        element.set("clip-path", f"url(#{names[clip[5:-1]]})")
    if style := _short_style(element.attrib.pop("style", "")):
        element.set("style", _INSIDE.sub(lambda m: f"url(#{names[m[1]]})", style))  # a hatch is a pattern with a name


def path(d: str) -> str:
    """Path data with relative steps, without points that lie between their neighbours.

    >>> path("M 10 20 L 30 20 L 40 20 L 40 25.123 z")
    'M10 20h30v5.1z'
    >>> path("M 1 2")
    'M1 2'
    """
    if circle := _CIRCLE.fullmatch(" ".join(d.split())):
        radius = _plain(float(circle[1]))
        return f"M0 {radius}a{radius} {radius} 0 1 1 .01 0z"
    if re.search(r"[^MLz\d\s.,e+-]", d):
        return _tight(_NUMBER.sub(_rounded, d))
    parts: list[str] = []
    line: list[tuple[float, float]] = []
    for command, numbers in _COMMAND.findall(d):
        if command in "Mz":
            parts += _steps(line)
            line = []
        if command == "z":
            parts.append("z")
        else:
            x, y = (round(float(n), 1 if abs(float(n)) >= 20 else 2) for n in numbers.split())
            line.append((x, y))
    return "".join([*parts, *_steps(line)])


def _steps(line: list[tuple[float, float]], *, all_points: bool = False) -> Iterator[str]:
    if not line:
        return
    kept = line[:1]
    for point, after in pairwise([*line[1:], None]):
        if point is not None and (all_points or after is None or not _between(kept[-1], point, after)):
            kept.append(point)
    yield f"M{_plain(kept[0][0])}{_joined(kept[0][1])}"
    for (x, y), (to_x, to_y) in pairwise(kept):
        dx, dy = round(to_x - x, 2), round(to_y - y, 2)
        if dx and dy:
            yield f"l{_plain(dx)}{_joined(dy)}"
        elif dx or dy or all_points:
            yield f"v{_plain(dy)}" if dy else f"h{_plain(dx)}"


def _between(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on the level or upright stretch from a to c."""
    flat = a[1] == b[1] == c[1] and (a[0] <= b[0] <= c[0] or a[0] >= b[0] >= c[0])
    upright = a[0] == b[0] == c[0] and (a[1] <= b[1] <= c[1] or a[1] >= b[1] >= c[1])
    return flat or upright


def _plain(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _joined(number: float) -> str:
    text = _plain(number)
    return text if text.startswith("-") else f" {text}"


def _rounded(match: re.Match[str]) -> str:
    number = float(match[0])
    text = f"{number:.{1 if abs(number) >= 20 else 2}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _tight(geometry: str) -> str:
    """Without the spaces that nobody needs: ``M 0 1 C 2 -3`` is ``M0 1C2-3``."""
    geometry = re.sub(r"\s*([A-Za-z(),])\s*", r"\1", geometry.strip())
    return re.sub(r"\s+", " ", geometry).replace(" -", "-")


def _prune(parent: ElementTree.Element) -> None:
    """Drop what is not seen, and put the children of groups that add nothing in the groups' place."""
    kept: list[ElementTree.Element] = []
    for child in parent:
        _prune(child)
        name = child.tag.removeprefix(_SVG)
        if name in ("metadata", "style") or (
            name == "path" and child.get("style", "") in _IDLE and not child.get("id")
        ):
            continue
        if name in ("g", "defs") and not len(child):
            continue
        if name == "g" and not child.attrib:
            kept.extend(child)
        else:
            kept.append(child)
    parent[:] = kept


def _join_rows(root: ElementTree.Element) -> None:
    """Grid lines become one path and the ticks of an axis one run: they lie apart, so their order is free."""
    for parent in list(root.iter()):
        lines: dict[tuple[str, str], ElementTree.Element] = {}
        ticks: dict[tuple[str, ...], ElementTree.Element] = {}
        kept: list[ElementTree.Element] = []
        for child in parent:
            style, clip, first = child.get("style", ""), child.get("clip-path", ""), None
            if child.tag == f"{_SVG}path" and "fill:none" in style and _STRAIGHT.fullmatch(child.get("d", "")):
                first = lines.setdefault((style, clip), child)
                if first is not child:
                    first.set("d", first.get("d", "") + child.get("d", ""))
            elif child.tag == f"{_SVG}use":
                rows = [(child.get("href", ""), style, clip, axis, child.get(axis, "")) for axis in "yx"]
                first = next((ticks[row] for row in rows if row in ticks), child)
                ticks |= {row: first for row in rows if row not in ticks}
                if first is not child:
                    kept.insert(kept.index(first) + 1, child)
            if first is None or first is child:
                kept.append(child)
        parent[:] = kept


_STRAIGHT = re.compile(r"M-?[\d.]+[ ]?-?[\d.]+[hv]-?[\d.]+")


def _inline_marks(root: ElementTree.Element) -> None:
    """A mark that is used once stands where it is used, and a group of one hands its style and clip to the one."""
    uses = Counter(element.get("href") for element in root.iter() if element.get("href"))
    shapes = {f"#{element.get('id')}": element for element in root.iter(f"{_SVG}path") if element.get("id")}
    once = {link for link, count in uses.items() if count == 1 and link in shapes}
    for parent in list(root.iter()):
        for child in parent:
            link = child.get("href", "")
            if child.tag == f"{_SVG}use" and link in once:
                child.tag = f"{_SVG}path"
                x, y = float(child.attrib.pop("x", "0")), float(child.attrib.pop("y", "0"))
                child.attrib |= {"d": _moved(shapes[link].get("d", ""), x, y), "style": _both(child, shapes[link])}
                del child.attrib["href"]
    for group in list(root.iter(f"{_SVG}g")):
        if len(group) == 1 and group.attrib.keys() <= {"style", "clip-path"} and group[0].tag == f"{_SVG}path":
            only = group[0]
            if not {"transform", "clip-path"} & only.attrib.keys():
                group.tag = only.tag
                group.attrib |= {**only.attrib, "style": _both(group, only)}
                group[:] = []


def _both(outer: ElementTree.Element, inner: ElementTree.Element) -> str:
    """The style of one within the other: each property once, as the inner one has it."""
    said = [entry.split(":", 1) for part in (outer, inner) for entry in part.get("style", "").split(";") if entry]
    return ";".join(f"{name}:{value}" for name, value in dict(said).items())


def _drop_unused(root: ElementTree.Element) -> None:
    """Marks that nobody draws any more."""
    used = {link for element in root.iter() for value in element.attrib.values() for link in _REFERENCE.findall(value)}
    for defs in list(root.iter(f"{_SVG}defs")):
        defs[:] = [child for child in defs if child.get("id") in used]
    _prune(root)


def _moved(d: str, x: float, y: float) -> str:
    """Path data whose only absolute commands are M, moved.

    >>> _moved("M0 2.1a2.1 2.1 0 1 1 .01 0z", 10, -2)
    'M10 .1a2.1 2.1 0 1 1 .01 0z'
    """
    return re.sub(
        r"M(-?[\d.]+)\s?(-?[\d.]+)",
        lambda at: f"M{_plain(round(float(at[1]) + x, 2))}{_joined(round(float(at[2]) + y, 2))}",
        d,
    )


def _join_marks(root: ElementTree.Element) -> None:
    """Many uses of one mark become one line with that marker at its corners."""
    shapes = {element.get("id"): element for element in root.iter() if element.get("id")}
    for parent in list(root.iter()):
        run: list[ElementTree.Element] = []
        for child in [*parent, None]:
            if child is not None and run and _same_mark(run[0], child):
                run.append(child)
                continue
            if len(run) >= _FEWEST_MARKS:
                _join(parent, run, shapes[run[0].get("href", "")[1:]])
            run = [child] if child is not None and child.tag == f"{_SVG}use" else []


_FEWEST_MARKS = 5


def _same_mark(one: ElementTree.Element, other: ElementTree.Element) -> bool:
    return other.tag == one.tag and all(one.get(name) == other.get(name) for name in ("href", "style", "clip-path"))


def _join(parent: ElementTree.Element, run: list[ElementTree.Element], shape: ElementTree.Element) -> None:
    name = f"m{shape.get('id')}{len(parent)}"
    marker = ElementTree.Element(f"{_SVG}marker", {"id": name, "overflow": "visible", "markerUnits": "userSpaceOnUse"})
    ElementTree.SubElement(marker, f"{_SVG}path", {"d": shape.get("d", ""), "style": _both(run[0], shape)})
    places = [(float(use.get("x", "0")), float(use.get("y", "0"))) for use in run]
    line = "".join(_steps(places, all_points=True))
    drawn = ElementTree.Element(f"{_SVG}path", {"d": line, "style": f"fill:none;marker:url(#{name})"})
    if clip := run[0].get("clip-path"):
        drawn.set("clip-path", clip)
    at = list(parent).index(run[0])
    for use in run:
        parent.remove(use)
    parent.insert(at, drawn)
    parent.insert(at, marker)


def _short_style(style: str) -> str:
    style = re.sub(r"font: (?:(\w+) )?([\d.]+)px [^;]*", lambda m: _font(m[1], m[2]), style)
    style = re.sub(r"font-family: [^;]*;?", "", style)
    style = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var({_NAMES[_role(m[0])]})" if _role(m[0]) in _NAMES else m[0], style)
    style = re.sub(r"stroke-dashoffset: 0;?|stroke-linejoin: round;?", "", style)
    style = _NUMBER.sub(_rounded, style)
    return re.sub(r"\s*([:;,])\s*", r"\1", style).strip("; ")


def _role(colour: str) -> str:
    return INK if colour == "#000000" else colour


def _font(weight: str | None, size: str) -> str:
    return f"font-size:{size}px" + (f";font-weight:{weight}" if weight else "")


def _classes(root: ElementTree.Element) -> str:
    """Turn styles that occur more than once, with their clip, into classes; returns their rules."""
    counts = Counter(filter(None, map(_look, root.iter())))
    often = sorted((look for look, count in counts.items() if count > 1), key=lambda look: (-counts[look], look))
    names = {look: f"s{number}" for number, look in enumerate(often)}
    for element in root.iter():
        if name := names.get(_look(element)):
            for part in ("style", "clip-path"):
                element.attrib.pop(part, None)
            element.set("class", name)
    return "".join(f".{name}{{{look}}}" for look, name in names.items())


def _look(element: ElementTree.Element) -> str:
    clip = element.get("clip-path")
    return ";".join(filter(None, (element.get("style"), clip and f"clip-path:{clip}")))


def _written(element: ElementTree.Element) -> str:
    name = element.tag.removeprefix(_SVG)
    attributes = "".join(
        f" {key}='{escape(value, {chr(39): '&#39;', chr(10): ' '})}'" for key, value in element.attrib.items()
    )
    inner = escape((element.text or "").strip()) + "".join(_written(child) for child in element)
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def _base_rules(used: str) -> str:
    """Font and colours; only the colours that the drawing uses."""
    colours = [c for c in DARK if c == INK or f"var({_NAMES[c]})" in used]
    light = ";".join(f"{_NAMES[c]}:{c}" for c in colours)
    dark = ";".join(f"{_NAMES[c]}:{DARK[c]}" for c in colours)
    return (
        f"svg{{{light};font-family:{_FONT};background:none;stroke-linejoin:round}}text{{fill:var({_NAMES[INK]})}}"
        f"@media screen and (prefers-color-scheme:dark){{svg{{{dark}}}}}"
    )
