"""The grid of departments and KPIs fits its page, whatever the number of KPIs and the length of names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from svclib.report.portal import period_page
from svclib.report.results import read_month
from tests.report.reports_folder import write_reports

pytestmark = pytest.mark.browser
LONG = "Share of the requests of households and small businesses that were answered to their satisfaction"


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    return read_month(write_reports(tmp_path_factory.mktemp("grid"), pages=False), "2026-10")


def with_kpis(month, count, title=lambda number: f"{LONG} {number}"):
    """The month with as many KPIs in each department, and names as long as they come."""

    def grown(department):
        report = department.reports["kpi_analysis"]
        kpis = [
            {**department.kpis[number % len(department.kpis)].raw, "code": f"k{number}", "title": title(number)}
            for number in range(count)
        ]
        reports = {**department.reports, "kpi_analysis": replace(report, content={**report.content, "kpis": kpis})}
        return replace(department, reports=reports, name=f"{department.name} of the north-eastern region and islands")

    return replace(month, declared=[grown(department) for department in month.declared])


@pytest.fixture
def opened(open_page, month, tmp_path):
    def open_grid(count, width):
        path = tmp_path / "index.html"
        path.write_text(period_page(with_kpis(month, count)), encoding="utf-8")
        return open_page(path, viewport={"width": width, "height": 800})

    return open_grid


@pytest.mark.parametrize("count", [3, 14, 30])
def test_the_grid_fits_1280_pixels(opened, count):
    page = opened(count, 1280)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    for grid in page.locator(".svc-scroll:has(.grid)").all():
        assert grid.evaluate("e => e.scrollWidth <= e.clientWidth")
    cells = page.locator(".grid tbody td").all()
    assert len(cells) == count * page.locator(".grid tbody tr").count()
    assert all(cell.evaluate("e => e.scrollWidth <= e.clientWidth + 1") for cell in cells)


@pytest.mark.parametrize("width", [320, 390])
def test_the_grid_is_lines_on_a_phone(opened, width):
    page = opened(14, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for grid in page.locator(".svc-scroll:has(.grid)").all():
        assert grid.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.locator(".grid tbody td:visible .label").first.is_visible()


def test_a_cell_says_its_state_by_shape_word_and_colour(opened):
    page = opened(14, 1280)
    cell = page.locator(".grid td.svc-concern").first
    assert "■" in cell.inner_text()
    assert "Concern" in cell.text_content()
    usual = page.locator(".grid td.svc-common-cause").first
    assert cell.evaluate("e => getComputedStyle(e).color") != usual.evaluate("e => getComputedStyle(e).color")
    assert "■ Concern" in page.locator(".legend").text_content()


def test_departments_without_news_are_folded_and_found(open_page, month, tmp_path):
    def quiet(department):
        report = department.reports["kpi_analysis"]
        state = {"state": "common_cause", "variation": "common_cause", "assurance": "none"}
        kpis = [kpi.raw | state for kpi in department.kpis]
        return replace(
            department,
            reports={name: replace(r, status="ok") for name, r in department.reports.items()}
            | {"kpi_analysis": replace(report, content={**report.content, "kpis": kpis})},
        )

    first, *others = month.departments
    path = tmp_path / "index.html"
    path.write_text(period_page(replace(month, declared=[quiet(first), *others])), encoding="utf-8")
    page = open_page(path)
    row = page.locator(f'tr[data-find*="{first.code.lower()}"]')
    assert not row.is_visible()
    page.get_by_label("Find a department").fill(first.name)
    assert row.is_visible()
