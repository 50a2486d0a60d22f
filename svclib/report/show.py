"""Pieces of a report: figures, tables, sentences, notes, badges. All data are escaped here, once.

A piece is a `Block`: it shows itself in JupyterLab and in the batch report, which styles the same structure with
its own sheet. Everything given to these functions is plain text, never markup.

Examples
--------
>>> section("Waiting", sentence("3 < 4 & rising.")).html
'<section class="svc-section" id="waiting"><h2>Waiting</h2><p class="svc-sentence">3 &lt; 4 &amp; rising.</p></section>'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from svclib.report import words
from svclib.report.block import Block, escape, slug
from svclib.report.tables import Formats, constant_columns, table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


NoteKind = Literal["info", "caution", "warning", "unknown", "good"]


@dataclass(frozen=True, repr=False)
class Chart(Block):
    """A figure with its alternative text, caption and the table behind it.

    Attributes
    ----------
    name
        Plain file name without ending: the table goes to ``data/<name>.csv``.
    svg
        The figure as an SVG document.
    data
        The table behind the figure, or None.
    """

    name: str = ""
    alt: str = ""
    caption: str = ""
    svg: str = field(default="", compare=False)
    data: pd.DataFrame | None = field(default=None, compare=False)
    figure: Figure | None = field(default=None, compare=False)


def show(
    figure: Figure,
    *,
    name: str,
    alt: str,
    caption: str,
    data: pd.DataFrame | None = None,
    formats: Formats | None = None,
    headers: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    legend: str = "",
) -> Chart:
    """A figure as the reader meets it: picture, alternative text, caption, and its numbers one click away.

    Parameters
    ----------
    figure
        Made with `svclib.report.figures.style.new_figure`.
    name
        File name of the table behind the figure; letters, digits, ``_ - .``, unique in the report.
    alt
        What a sighted reader would conclude, in a sentence or two.
    caption
        What the figure shows.
    data, formats, headers
        The table behind it and how `table` writes it.
    columns
        Which of its columns stand in the page, all where left out; empty ones never do. The file has all of them.
    legend
        What the signs mean; behind the caption.

    Raises
    ------
    ValueError
        An empty alternative text or caption, or a name that is no plain file name.

    Examples
    --------
    >>> from svclib.report.figures.style import new_chart
    >>> chart = show(new_chart(4, 2)[0], name="empty", alt="No data yet.", caption="Calls by month")
    >>> chart
    Figure: Calls by month. No data yet.
    >>> 'alt="No data yet."' in chart.html
    True
    """
    from svclib.report.figures.svg import data_uri, svg_of

    if not alt.strip() or not caption.strip():
        raise ValueError(f"figure {name!r} needs an alternative text and a caption")
    if not re.fullmatch(r"\w[\w.-]{0,120}", name) or ".." in name:
        raise ValueError(f"{name!r} is no plain file name")
    svg = svg_of(figure)
    width, height = (round(inches * 72 * _SCREEN_SCALE) for inches in figure.get_size_inches())
    parts = [
        f'<figure class="svc-figure"><div class="svc-plot{" svc-wide" if width > 500 else ""}'
        f'{" svc-tall" if height > 0.7 * width else ""}" role="group" '
        f'tabindex="0" aria-label="{escape(caption)}"><img class="svc-chart" src="{data_uri(svg)}" '
        f'alt="{escape(alt)}" width="{width}" height="{height}"></div><figcaption>{escape(f"{caption} {legend}".strip())}</figcaption>'
    ]
    if data is not None and len(data.columns):
        behind = numbers_behind(data, caption=caption, formats=formats, headers=headers, columns=columns)
        parts.append(behind.html)
    parts.append("</figure>")
    plain = words.say("show.figure", caption=caption.rstrip("."), alt=alt)
    return Chart("".join(parts), plain, name=name, alt=alt, caption=caption, svg=svg, data=data, figure=figure)


def numbers_behind(
    data: pd.DataFrame,
    *,
    caption: str,
    formats: Formats | None = None,
    headers: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    latest: int | None = None,
) -> Block:
    """The table behind a figure, folded away; arguments as `show` takes them.

    What is the same in every row is said once, below the table.

    Parameters
    ----------
    latest
        Only so many rows from the end; all where left out.

    Examples
    --------
    >>> import pandas as pd
    >>> numbers_behind(pd.DataFrame({"n": [3, 5], "open": [None, None], "target": [4, 4]}), caption="Calls")
    Calls
    Cases
        3
        5
    <BLANKLINE>
    The same in every row (Target: 4).
    """
    shown = data.dropna(axis="columns", how="all")
    shown = shown[[c for c in columns or shown.columns if c in shown]]
    same = constant_columns(shown, formats=formats, headers=headers)
    shown = shown.drop(columns=list(same))
    more = words.say("show.latest_rows", shown=latest, total=len(shown)) if latest and latest < len(shown) else ""
    numbers = table(
        shown if latest is None else shown.tail(latest),
        caption=caption,
        formats=formats,
        headers=headers,
        most_rows=_ROWS_BEHIND_A_FIGURE,
        label=words.say("show.table"),
    )
    said = [text for text in same.values() if text]
    below = [words.say("show.every_row", list=words.list_of(said))] if said else []
    inner = stack(numbers, *(paragraph(text) for text in [*below, more] if text))
    summary = escape(words.say("show.numbers"))
    return Block(f'<details class="svc-data"><summary>{summary}</summary>{inner.html}</details>', inner.plain)


_SCREEN_SCALE = 1.42  # CSS pixels a point: 9-point labels read as 12.8 px
_ROWS_BEHIND_A_FIGURE = 60


def section(
    title: str,
    *blocks: Block,
    level: int = 2,
    anchor: str | None = None,
    state: str | None = None,
    said: str | None = None,
) -> Block:
    """A headed part of a report, in the table of contents; `state` puts a badge beside the heading, with `said` in it."""
    text = (said or words.say(f"state.{state}")) if state else ""
    mark = f" {badge(state, text).html}" if state else ""
    inner = "".join(block.html for block in blocks)
    body = f"<h{level}>{escape(title)}{mark}</h{level}>{inner}"
    plain = "\n\n".join([title + (f" [{text}]" if state else ""), *(b.plain for b in blocks)])
    return Block(f'<section class="svc-section" id="{slug(anchor or title)}">{body}</section>', plain)


def stack(*blocks: Block) -> Block:
    """Blocks below each other, without a heading."""
    return Block("".join(b.html for b in blocks), "\n\n".join(b.plain for b in blocks))


def beside(*blocks: Block) -> Block:
    """Blocks beside each other where the page is wide enough."""
    inner = "".join(f"<div>{b.html}</div>" for b in blocks)
    return Block(f'<div class="svc-beside">{inner}</div>', "\n\n".join(b.plain for b in blocks))


def fold(summary: str, *blocks: Block) -> Block:
    """Blocks that open on demand, on paper only where their reader has opened them: method notes, full tables."""
    inner = "".join(b.html for b in blocks)
    return Block(
        f'<details class="svc-fold"><summary>{escape(summary)}</summary>{inner}</details>',
        "\n\n".join([summary, *(b.plain for b in blocks)]),
    )


def sentence(text: str, *, state: str | None = None) -> Block:
    """A finding in words; `state` puts its badge in front."""
    mark = f"{badge(state).html} " if state else ""
    plain = f"{STANDING_SIGNS[state]} {text}" if state else text
    return Block(f'<p class="svc-sentence">{mark}{escape(text)}</p>', plain)


def paragraph(text: str) -> Block:
    """Plain prose; blank lines part paragraphs."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    return Block("".join(f"<p>{escape(part)}</p>" for part in parts), "\n\n".join(parts))


def note(kind: NoteKind, text: str) -> Block:
    """A remark in a box: ``info``, ``caution``, ``warning``, ``unknown`` (we do not know) or ``good``."""
    title = words.say(f"note.{kind}")
    return Block(
        f'<div class="svc-note svc-note-{escape(kind)}" role="note"><p><strong>{escape(title)}</strong> '
        f"{escape(text)}</p></div>",
        f"{title} {text}",
    )


def bullets(items: Iterable[str | Block]) -> Block:
    """A list of texts or blocks."""
    entries = [entry if isinstance(entry, Block) else Block(escape(entry), entry) for entry in items]
    inner = "".join(f"<li>{entry.html}</li>" for entry in entries)
    return Block(f'<ul class="svc-list">{inner}</ul>', "\n".join(f"- {entry.plain}" for entry in entries))


def facts(pairs: Sequence[tuple[str, str | Block]]) -> Block:
    """Short facts with their names, e.g. the target, the owner, the number of cases."""
    inner = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{fact.html if isinstance(fact, Block) else escape(fact)}</dd></div>"
        for name, fact in pairs
    )
    plain = "\n".join(f"{name}: {fact.plain if isinstance(fact, Block) else fact}" for name, fact in pairs)
    return Block(f'<dl class="svc-facts">{inner}</dl>', plain)


def badge(state: str, text: str | None = None) -> Block:
    """A state as shape and word; `state` is a key of `STANDING_SIGNS`.

    >>> badge("concern")
    ■ Concern
    """
    label = text if text is not None else words.say(f"state.{state}")
    sign = STANDING_SIGNS[state]
    return Block(
        f'<span class="svc-badge svc-{escape(state.replace("_", "-"))}"><span aria-hidden="true">{sign}</span> '
        f"{escape(label)}</span>",
        f"{sign} {label}",
    )


#: The shape of each state as a character; the charts draw the same shapes.
STATE_SIGNS: Mapping[str, str] = {
    "improvement": "\u25c6",
    "concern": "\u25a0",
    "common_cause": "\u25cf",
    "neutral": "\u25b2",
    "provisional": "\u25cb",
    "too_few": "\u25c7",
    "withheld": "\u25a1",
    "fault": "\u00d7",
    "missing": "\u2013",
}
#: And that of what a KPI is counted as (`svclib.report.words.headline.standing`).
STANDING_SIGNS: Mapping[str, str] = {**STATE_SIGNS, "cannot_meet": "\u25d0", "moving": "\u25c9"}
#: Verdict codes of an action to the state whose shape they share.
VERDICT_STATES: Mapping[str, str] = {
    "met_attributable": "improvement",
    "met_not_attributable": "common_cause",
    "met_despite": "concern",
    "improved_target_missed": "common_cause",
    "not_met": "concern",
    "worsened": "concern",
    "inconclusive": "common_cause",
    "too_early": "provisional",
    "not_evaluable": "missing",
}
