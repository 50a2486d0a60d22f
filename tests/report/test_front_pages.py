"""What the front pages say beside the states: what is not agreed, missed as usual, counted twice or to be stopped."""

import json
from dataclasses import replace

import pytest

from svclib.report import words
from svclib.report.brief import kpi_brief
from svclib.report.department import attention, causes, department_page, tile, unknown
from svclib.report.meeting import agenda
from svclib.report.portal import _cell, signals_of
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


def test_a_blocked_action_needs_a_decision_and_nobody_waits_for_it(month):
    action = {"id": "A-8", "title": "Portal", "kpi": "csat", "verdict": "too_early", "next_step": "unblock"}
    action |= {"too_early_until": "2027-02-15", "progress": {"status": "blocked", "due": "2027-03-31"}}
    department = with_content(month.departments[0], "outcome_evaluation", actions=[action])
    (item,) = [item for item in attention(department, "2026-10") if item.name == "Portal"]
    assert item.badge.text == "blocked"
    assert item.text.startswith("Next: it is blocked, so decide first whether it is freed")
    assert "Portal" not in [item.name for item in unknown(department, "2026-10")]
    (agreed,) = [item for item in agenda(replace(month, declared=[department])) if item.subject == "Portal"]
    assert agreed.text == item.text


def test_what_most_departments_have_in_common_is_told_to_those_that_are_dated_later(tmp_path):
    """Their own date lies months from the event; the month page names it for all, and their page must not deny it."""
    event = {"title": "Automatic routing", "date": "2026-01-01", "kind": "event"}
    out = write_reports(tmp_path, periods=("2026-10",), failed=False, pages=False)
    for place, since in (
        ("D01", "2026-01"),
        ("D02", "2026-02"),
        ("D03", "2026-01"),
        ("D04", "2026-05"),
        ("010", "2025-09"),
    ):
        path = out / "2026-10" / place / "kpi_analysis.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        (kpi,) = [kpi for kpi in content["kpis"] if kpi["code"] == "uptime"]
        near = [event] if place in ("D01", "D02", "D03") else []
        kpi |= {"state": "improvement", "variation": "improvement", "p": 0.0001}
        kpi["moved"] = {"since": since, "before": 0.7, "after": 0.8, "events": near}
        path.write_text(json.dumps(content), encoding="utf-8")
    departments = {d.code: d for d in read_month(out, "2026-10").departments}
    told = {code: kpi_brief(d, d.kpi("uptime"), "2026-10").split("next: ")[1] for code, d in departments.items()}
    assert told["D01"].startswith("check that it was brought by “Automatic routing” (1 Jan 2026)")
    assert told["D04"].startswith(
        "see whether it was brought by “Automatic routing” (1 Jan 2026), as in most departments"
    )
    assert told["010"] == "find out what brought it, and keep it."  # it changed before the event


def test_an_overdue_action_that_is_to_be_stopped_is_not_chased(month):
    action = {"id": "A-7", "title": "Scripts", "kpi": "csat", "verdict": "worsened", "next_step": "stop"}
    action["progress"] = {"overdue": True, "status": "late", "due": "2026-08-31"}
    items = attention(with_content(month.departments[0], "outcome_evaluation", actions=[action]), "2026-10")
    (item,) = [item for item in items if item.name == "Scripts"]
    assert item.text.startswith("Next: stop or change it")


@pytest.mark.parametrize(
    ("why", "state"), [("withheld", "withheld"), ("no_limits", "too_few"), ("provisional", "provisional")]
)
def test_a_gap_that_cannot_be_judged_says_by_what(month, why, state):
    gap = {"kpi": "csat", "explain": False, "answer": "not_evaluable", "why_not": why, "sentence": f"It is {why}."}
    (item,) = causes(with_content(month.departments[0], "root_cause_analysis", gaps=[gap]))
    assert (item.badge.state, item.badge.text, item.text) == (state, words.say(f"state.{state}"), f"It is {why}.")


def test_the_whole_is_written_short_in_the_grid_and_in_full_beside_it(month):
    department = month.departments[0]
    kpi = replace(
        department.kpis[0], raw={**department.kpis[0].raw, "unit": "%", "decimals": 2, "state": "common_cause"}
    )
    cells = {v: _cell(department, replace(kpi, raw={**kpi.raw, "value": v})) for v in (1.0, 0.99996, 0.9)}
    assert [cell.value for cell in cells.values()] == ["100%", "100.00%", "90.00%"]
    assert cells[1.0].whole.startswith("100.00%")


def test_a_withheld_value_is_not_told_to_be_missing(month):
    department = month.departments[0]
    raw = {**department.kpis[0].raw, "state": "withheld", "value": None}
    assert tile(department, replace(department.kpis[0], raw=raw)).value == "withheld"
    assert _cell(department, replace(department.kpis[0], raw=raw)).whole == "withheld"
