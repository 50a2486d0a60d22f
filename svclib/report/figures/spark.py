"""Sparklines: a KPI's recent history in a thumbnail, drawn by hand because hundreds of them stand on one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from svclib.report.figures.style import DARK, DATA, MUTED, PAPER, STATES, TARGET

WIDTH, HEIGHT, _MARGIN = 220, 48, 6


def sparkline(
    values: Sequence[float | None],
    *,
    state: str = "common_cause",
    target: float | None = None,
    final: Sequence[bool] | None = None,
) -> str:
    """An SVG of the values in order: a line with gaps where they are missing, the target dashed, the last point as its
    state's shape.

    Parameters
    ----------
    values
        Oldest first; None where missing.
    final
        Whether each value is final; the line to a provisional one is dotted.

    Examples
    --------
    >>> sparkline([1, 2, None, 3, 4]).count("<path")
    2
    """
    known = [v for v in values if v is not None]
    reach = [*known, *([target] if target is not None and known else [])]
    low, high = (min(reach), max(reach)) if reach else (0.0, 1.0)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * _MARGIN - 4) / max(1, len(values) - 1)

    def place(index: int, value: float) -> tuple[float, float]:
        centred = (value - low) / span if high > low else 0.5
        return _MARGIN + index * step, HEIGHT - _MARGIN - centred * (HEIGHT - 2 * _MARGIN)

    final = final or [True] * len(values)
    parts = []
    if target is not None and known:
        _, y = place(0, target)
        parts.append(f'<path class="t" d="M0 {y:.1f}H{WIDTH}"/>')
    for run in _runs(values):
        points = [place(i, float(values[i] or 0)) for i in run]
        parts.append(
            _path(points)
            if len(points) > 1
            else f'<circle class="p" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.2"/>'
        )
    last = max((i for i, v in enumerate(values) if v is not None), default=None)
    if last is not None:
        parts.append(_mark(*place(last, float(values[last] or 0)), state if final[last] else "provisional"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"><style>{_rules()}</style>'
        f"{''.join(parts)}</svg>"
    )


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for index, value in enumerate(values):
        if value is not None:
            runs[-1].append(index)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return f'<path class="l" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def _mark(x: float, y: float, state: str) -> str:
    mark = STATES[state]
    shapes = {
        "D": f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5-5z",
        "d": f"M{x:.1f} {y - 5:.1f}l3.5 5l-3.5 5l-3.5-5z",
        "s": f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8z",
        "^": f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
        "X": f"M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8",
        "_": f"M{x - 4:.1f} {y:.1f}h8",
    }
    kind = f"m {escape(state.replace('_', '-'))}" + ("" if mark.filled else " o")
    if mark.marker in shapes:
        return f'<path class="{kind}" d="{shapes[mark.marker]}"/>'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _rules() -> str:
    light = (
        f".l{{fill:none;stroke:{DATA};stroke-width:1.6;stroke-linejoin:round}}.p{{fill:{DATA}}}"
        f".t{{fill:none;stroke:{TARGET};stroke-width:1.2;stroke-dasharray:7 2 1.5 2}}.m{{stroke:{PAPER}}}"
        f".o{{fill:{PAPER};stroke:{MUTED};stroke-width:1.3}}"
    )
    filled = {name: mark.colour for name, mark in STATES.items() if mark.filled}
    light += "".join(f".{name.replace('_', '-')}{{fill:{colour}}}" for name, colour in filled.items())
    dark = (
        f".l{{stroke:{DARK[DATA]}}}.p{{fill:{DARK[DATA]}}}.t{{stroke:{DARK[TARGET]}}}.m{{stroke:{DARK[PAPER]}}}"
        f".o{{fill:{DARK[PAPER]};stroke:{DARK[MUTED]}}}"
    )
    dark += "".join(f".{name.replace('_', '-')}{{fill:{DARK[colour]}}}" for name, colour in filled.items())
    return f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"
