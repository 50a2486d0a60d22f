"""What the front pages say beside the states: what is not agreed, missed as usual, counted twice or to be stopped."""

from dataclasses import replace

import pytest

from svclib.report import words
from svclib.report.brief import kpi_brief
from svclib.report.department import attention, department_page, tile
from svclib.report.portal import signals_of
from svclib.report.results import read_month
from svclib.report.words.headline import weak
from tests.report.reports_folder import text_of, with_content, write_reports


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    return read_month(write_reports(tmp_path_factory.mktemp("reports"), pages=False), "2026-10")


def test_the_count_over_all_charts_and_the_one_by_one_are_said_to_be_two(month):
    found = signals_of(month)
    assert found.weak == sum(weak(k.entry) for d in month.departments for k in d.kpis)
    assert "looked at one by one" in found.sentence
    assert "2 of the changes may be chance" in replace(found, weak=2).sentence


def test_a_target_that_nobody_agreed_to_is_said_so_on_the_front_pages(month):
    department = month.departments[0]
    raws = [{**k.raw, "target_source": "placeholder"} for k in department.kpis]
    kpis = with_content(department, "kpi_analysis", kpis=raws).kpis
    told = [k for k in kpis if k.target is not None and k.signals]
    assert told
    assert all("a target that nobody has agreed to" in kpi_brief(department, k, "2026-10") for k in told)
    assert all(tile(department, k).against.endswith("(not agreed)") for k in told)
    assert "nobody has agreed" not in kpi_brief(department, department.kpis[0], "2026-10")


def test_what_misses_its_target_within_its_usual_variation_is_named_where_nothing_needs_attention(month):
    plain = month.departments[0]
    usual = {"state": "common_cause", "variation": "common_cause", "assurance": "hit_or_miss"}
    raws = [{**k.raw, **usual, "met": i > 1} for i, k in enumerate(plain.kpis)]
    quiet = with_content(with_content(plain, "kpi_analysis", kpis=raws), "outcome_evaluation", actions=[])
    page = text_of(department_page(month, quiet))
    missed = words.list_of(k.title for k in quiet.kpis[:2])
    assert f"Nothing special. But 2 KPIs missed their targets within their usual variation: {missed}." in page
    assert "Nothing in this period." not in page


def test_an_overdue_action_that_is_to_be_stopped_is_not_chased(month):
    action = {"id": "A-7", "title": "Scripts", "kpi": "csat", "verdict": "worsened", "next_step": "stop"}
    action["progress"] = {"overdue": True, "status": "late", "due": "2026-08-31"}
    items = attention(with_content(month.departments[0], "outcome_evaluation", actions=[action]), "2026-10")
    (item,) = [item for item in items if item.name == "Scripts"]
    assert item.text.startswith("Next: stop or change it")
