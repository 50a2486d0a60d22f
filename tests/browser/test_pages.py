"""What a reviewer's browser makes of the pages: accessible, offline, usable by keyboard, on a phone and on paper."""

from __future__ import annotations

import contextlib
import socket
from itertools import pairwise

import pytest

PAGES = {
    "portal": "index.html",
    "period": "2026-10/index.html",
    "department": "2026-10/D01/index.html",
    "department without actions": "2026-10/D03/index.html",
    "kpi report": "2026-10/D01/kpi_analysis.html",
    "root-cause report": "2026-10/D01/root_cause_analysis.html",
    "outcome report": "2026-10/D01/outcome_evaluation.html",
    "failed report": "2026-10/D03/root_cause_analysis.html",
    "agenda": "2026-10/agenda.html",
    "comparison": "compare-2026-09-2026-10.html",
    "glossary": "glossary-en.html",
}
pytestmark = [pytest.mark.browser, pytest.mark.parametrize("kind", PAGES)]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page, **only):
    from axe_playwright_python.sync_playwright import Axe

    chosen = only or {"type": "tag", "values": WCAG}
    found = Axe().run(page, options={"runOnly": chosen}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]} ({len(v['nodes'])})" for v in found]


@pytest.fixture
def path(reports, kind):
    return reports / PAGES[kind]


class Listener:
    """A server on loopback that only notes whether somebody called."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x.png"

    def was_called(self):
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self):
        self._socket.close()


@pytest.fixture
def listener():
    with contextlib.closing(Listener()) as server:
        yield server


def test_axe_finds_nothing(open_page, path):
    page = open_page(path)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(page) == []


def test_axe_finds_no_weak_contrast_in_the_dark(open_page, path):
    page = open_page(path, color_scheme="dark")
    assert violations(page, type="rule", values=["color-contrast"]) == []


def test_axe_finds_nothing_on_a_phone(open_page, path):
    page = open_page(path, viewport={"width": 320, "height": 640}, has_touch=True)
    rules = ["target-size", "scrollable-region-focusable", "region", "heading-order", "link-in-text-block", "label"]
    assert violations(page, type="rule", values=rules) == []


def test_the_page_fetches_nothing_and_complains_of_nothing(open_page, path):
    page = open_page(path)
    assert [url for url in page.requests if not url.startswith("data:")] == [path.as_uri()]
    assert page.complaints == []


def test_the_policy_stops_what_does_not_belong(open_page, path, listener):
    page = open_page(path)
    page.evaluate(
        """address => {
            window.ran = false;
            document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.ran = true">');
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            document.body.append(script);
            const far = document.createElement('img');
            far.src = address;
            document.body.append(far);
        }""",
        listener.address,
    )
    page.wait_for_timeout(50)
    assert page.evaluate("window.ran") is False
    assert not listener.was_called()
    assert sum("Content Security Policy" in text for text in page.complaints) >= 3


def test_nothing_scrolls_sideways_at_320_pixels(open_page, path):
    page = open_page(path, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_figure_on_a_phone_begins_at_its_axis(open_page, path):
    page = open_page(path, viewport={"width": 390, "height": 800})
    hidden = "p => p.firstElementChild.getBoundingClientRect().left < p.getBoundingClientRect().left - 1"
    assert page.evaluate(f"[...document.querySelectorAll('.svc-plot')].filter({hidden}).length") == 0


def test_nothing_scrolls_sideways_at_200_percent(open_page, path):
    # 1280 pixels at 200 % are 640 CSS pixels at two device pixels each
    page = open_page(path, viewport={"width": 640, "height": 450}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


def test_larger_text_spacing_loses_nothing(open_page, path):
    page = open_page(path, viewport={"width": 640, "height": 900})
    page.evaluate(
        """() => { for (const e of document.querySelectorAll('body *')) {
            e.style.lineHeight = '1.5'; e.style.letterSpacing = '.12em'; e.style.wordSpacing = '.16em'; } }"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 640


def test_every_picture_is_drawn(open_page, path):
    page = open_page(path)
    broken = page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)")
    assert broken == []


def test_the_keyboard_reaches_everything_in_order(open_page, path):
    page = open_page(path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.evaluate("document.activeElement.blur()")
    page.evaluate("window.getSelection().removeAllRanges()")
    wanted = page.evaluate(
        """[...document.querySelectorAll('a[href], summary, input, select, [tabindex="0"]')]
            .filter(e => e.checkVisibility({contentVisibilityAuto: true}) && e.className !== 'skip').length"""
    )
    seen, outlined = set(), True
    page.evaluate("document.querySelector('.skip').focus()")
    for _ in range(wanted + 2):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => { const e = document.activeElement; if (e === document.body) return null;
                const s = getComputedStyle(e);
                return [[...document.querySelectorAll('*')].indexOf(e), s.outlineStyle !== 'none']; }"""
        )
        if place is None:
            break
        seen.add(place[0])
        outlined = outlined and place[1]
    assert len(seen) >= wanted
    assert outlined


def test_headings_have_one_title_and_skip_no_level(open_page, path):
    page = open_page(path)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_nothing_is_cut_on_paper(open_page, path, paper):
    width = {"A4": 680, "Letter": 702}[paper]  # paper less margins, in CSS pixels
    page = open_page(path, viewport={"width": width, "height": 950}, color_scheme="dark")
    page.emulate_media(media="print")
    wide = page.evaluate(
        """width => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility()
            && e.getBoundingClientRect().right > width + 1).map(e => e.outerHTML.slice(0, 90))""",
        width,
    )
    assert wide == []
    assert page.pdf(format=paper)[:5] == b"%PDF-"


def test_forced_colours_keep_shapes_and_words(open_page, path):
    page = open_page(path, forced_colors="active", reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    blank = page.evaluate(
        "[...document.querySelectorAll('.svc-badge')].filter(b => b.textContent.trim().length < 4).length"
    )
    assert blank == 0
