"""Search and filter of the portal: from disk, with the keyboard, and harmless without script."""

import pytest

pytestmark = pytest.mark.browser


def shown(page):
    return page.evaluate("[...document.querySelectorAll('tr[data-find]')].filter(r => r.checkVisibility()).length")


def test_searching_a_department(open_page, reports):
    page = open_page(reports / "2026-10" / "index.html")
    assert shown(page) == 4
    page.get_by_label("Find a department").fill("BILL")
    assert shown(page) == 1
    assert page.locator("output").inner_text() == "1 of 4 shown"
    page.get_by_label("Find a department").fill("region northern")
    assert shown(page) == 1
    page.get_by_label("Find a department").fill("zzz")
    assert shown(page) == 0
    assert page.complaints == []


def test_filtering_by_state(open_page, reports):
    page = open_page(reports / "2026-10" / "index.html")
    page.get_by_label("With a KPI in this state").select_option("concern")
    states = page.evaluate(
        "[...document.querySelectorAll('tr[data-find]')].filter(r => r.checkVisibility()).map(r => r.dataset.states)"
    )
    assert states
    assert all("concern" in text.split() for text in states)


def test_enter_does_not_send_the_form_away(open_page, reports):
    page = open_page(reports / "2026-10" / "index.html")
    page.get_by_label("Find a department").fill("bill")
    page.keyboard.press("Enter")
    assert page.url.endswith("index.html")
    assert shown(page) == 1


def test_without_script_there_are_plain_lists_and_no_dead_control(chromium, reports):
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto((reports / "2026-10" / "index.html").as_uri())
        assert page.locator("form.find").is_hidden()
        assert page.locator("tr[data-find]").count() == 4
        assert page.locator("tr[data-find]").first.is_visible()
    finally:
        context.close()
