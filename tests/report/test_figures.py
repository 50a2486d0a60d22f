"""The one visual language: legible to every eye, small, and the same each time."""

import colorsys
import datetime as dt
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.dates import date2num

from svclib.report.figures import style
from svclib.report.figures.kpi import multiples_figure
from svclib.report.figures.labels import Label, boxes_overlap, label_ends, mark_events, spread, wrap
from svclib.report.figures.outcome import _date_axis
from svclib.report.figures.spark import sparkline
from svclib.report.figures.svg import data_uri, svg_of
from svclib.report.show import STATE_SIGNS
from tests.report.findings import QUIET, a_finding


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


ROLES = [colour for colour in style.DARK if colour not in (style.PAPER, style.GRID, style.BAND)]


@pytest.mark.parametrize("colour", ROLES)
def test_colours_stand_out_on_white_and_on_dark_paper(colour):
    # every role may colour a label, so all reach what text needs
    assert contrast(colour, style.PAPER) >= 4.5
    assert contrast(style.DARK[colour], style.DARK[style.PAPER]) >= 4.5


def dichromat(colour, kind):
    """The colour as a dichromat sees it (Vienot, Brettel and Mollon 1999, linear RGB)."""
    matrix = {
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }[kind]
    linear = np.array([(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)])
    return np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_good_and_bad_differ_for_colour_blind_eyes(kind):
    good, bad = (dichromat(colour, kind) for colour in (style.IMPROVEMENT, style.CONCERN))
    hues = [colorsys.rgb_to_hsv(*colour)[0] for colour in (good, bad)]
    assert abs(hues[0] - hues[1]) > 0.25


def test_hatched_bars_are_drawn():
    figure, axes = style.new_chart(4, 2)
    with style.drawing():
        axes.barh([0, 1], [1, 2], color=style.COMMON, hatch="////", edgecolor=style.PAPER)
        axes.barh([2], [3], color=style.DATA)
    svg = svg_of(figure)
    asked = set(re.findall(r"url\(#([\w-]+)\)", svg))
    assert "<pattern" in svg
    assert asked <= set(re.findall(r" id='([\w-]+)'", svg))


def test_no_meaning_hangs_on_colour_alone():
    looks = [(mark.marker, mark.filled) for mark in style.STATES.values()]
    assert len(set(looks)) == len(looks)
    signs = [mark.sign for mark in style.STATES.values()]
    assert len(set(signs)) == len(signs)
    assert {state: mark.sign for state, mark in style.STATES.items()} == dict(STATE_SIGNS)
    dashes = [str(style.LINES[name]["linestyle"]) for name in ("data", "limit", "target", "counterfactual", "event")]
    assert len(set(dashes)) == len(dashes)


def chart(points=36, *, marks=0):
    figure, axes = style.new_chart()
    y = np.random.default_rng(1).standard_normal(points)
    with style.drawing():
        axes.plot(range(points), y, **style.line_style("data"))
        axes.axhline(0, **style.line_style("target"))
        if marks:
            axes.scatter(range(marks), range(marks))
    style.draw_points(axes, range(points), y, ["concern" if v > 1 else "common_cause" for v in y])
    return figure, axes


def test_a_control_chart_is_small_and_the_same_each_time():
    one, other = (svg_of(chart()[0]) for _ in range(2))
    assert one == other
    assert len(data_uri(one)) < 12_000
    assert "Date" not in one
    assert "http" not in one.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "")


def test_many_marks_become_pixels_and_text_stays_text():
    figure, axes = chart(marks=5000)
    with style.drawing():
        axes.set_title("Calls & minutes")
    svg = svg_of(figure)
    assert "<image" in svg
    assert "Calls &amp; minutes" in svg
    assert len(svg) < 80_000
    ElementTree.fromstring(svg)


def test_a_heavy_figure_is_brought_below_its_limit():
    figure, axes = style.new_chart()
    with style.drawing():
        for row in range(30):
            axes.plot(np.arange(120) * 1.37, np.random.default_rng(row).standard_normal(120), marker="o")
        axes.set_title("Title")
    svg = svg_of(figure)
    assert svg.count("<image") == 1
    assert ">Title<" in svg
    assert len(svg) < 200_000


@pytest.mark.parametrize("text", ["$x_{", "a $ b $ c", "<b>&amp;'\"", "]]>", "100 % \\frac{1}{2}", "😀", "x" * 300])
def test_any_text_is_drawn_as_it_is(text):
    figure, axes = chart()
    with style.drawing():
        axes.set_title(text)
    label_ends(axes, [Label(0, text)])
    mark_events(axes, [(3, text)])
    root = ElementTree.fromstring(svg_of(figure))
    drawn = "".join(root.itertext())
    assert text[:6] in drawn


@pytest.mark.parametrize("dark", [False, True])
def test_every_house_colour_follows_the_scheme(dark):
    svg = svg_of(chart()[0])
    used = set(re.findall(r"var\((--\w)\)", svg))
    assert style.DATA not in re.sub(r"<style>.*?</style>", "", svg)
    block = svg.split("@media")[1] if dark else svg.split("@media")[0]
    assert all(f"{name}:#" in block for name in used)


@settings(max_examples=60, deadline=None)
@given(
    wanted=st.lists(st.floats(-50, 150), min_size=1, max_size=8),
    size=st.floats(0.5, 8),
)
def test_spread_boxes_never_overlap_and_stay_in_the_room(wanted, size):
    centres = np.sort(spread(wanted, [size] * len(wanted), 0, 100))
    assert (np.diff(centres) >= size - 1e-6).all()
    assert centres[0] >= size / 2 - 1e-6
    assert centres[-1] <= 100 - size / 2 + 1e-6


def test_spread_keeps_what_has_room():
    assert spread([10, 50, 90], [5, 5, 5], 0, 100).tolist() == [10, 50, 90]


LONG = "A name of a target that was agreed by the service board after long discussions in the winter"


@pytest.mark.parametrize("text", ["Target", LONG, "W" * 80])
def test_labels_never_overlap_at_any_length_of_name(text):
    _, axes = chart()
    axes.set_ylim(-3, 3)
    drawn = label_ends(axes, [Label(y, f"{text} {i}") for i, y in enumerate((0, 0.02, 0.05, -0.1, 2.9))])
    drawn += mark_events(axes, [(x, text) for x in (3, 4, 5, 30, 35)])
    assert boxes_overlap(drawn) == []


def test_wrapped_text_keeps_its_width():
    assert all(len(line) <= 12 for line in wrap("W" * 100 + " " + LONG, 12).split("\n"))


def test_period_axes_name_every_year_once():
    figure, axes = style.new_chart()
    style.period_axis(axes, [f"{year}-{month:02d}" for year in (2024, 2025, 2026) for month in range(1, 13)])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert [label for label in labels if "\n" in label] == ["Jan\n2024", "Jan\n2025", "Jan\n2026"]
    assert figure.get_axes() == [axes]


@pytest.mark.parametrize("values", [[], [None], [None, None, 3.0], [1.0] * 24, [1, None, 2, 3, None]])
@pytest.mark.parametrize("state", list(style.STATES))
def test_sparklines_draw_any_history(values, state):
    svg = sparkline(values, state=state, target=2.0)
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert len(svg) < 2500


@pytest.mark.parametrize("days", [20, 45, 75, 120, 400, 1200])
def test_no_day_of_a_time_line_is_named_twice(days):
    figure, axes = style.new_chart(8.2, 2)
    first = date2num(dt.date(2026, 9, 3))
    axes.plot([first, first + days], [0, 1])
    _date_axis(axes)
    figure.canvas.draw()
    low, high = axes.get_xlim()
    shown = [tick.label1.get_text() for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert len(shown) == len(set(shown))
    assert 1 <= len(shown) <= 8


def test_a_long_value_stays_in_its_small_chart():
    plain = a_finding([*QUIET, 16.0], unit="breakdown|breakdowns", decimals=0)
    texts = [text.get_text() for text in multiples_figure([plain, plain]).axes[0].texts]
    assert "16\nbreakdowns" in texts
    assert not [text for text in texts if "16\u202fbreakdowns" in text]


@pytest.mark.parametrize("ends", [(0.14, 0.36), (0.145, 0.235), (0.05, 0.95)])
def test_ticks_lie_where_their_labels_say(ends):
    """Of steps of 2.5 points, whole percents would be off by half a point."""
    figure, axes = style.new_chart()
    axes.set_ylim(*ends)
    style.value_axis(axes, "%")
    figure.canvas.draw()
    for label, at in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True):
        assert float(label.get_text().rstrip("%")) / 100 == pytest.approx(at, abs=1e-9)
