"""The disclosure minimum holds for everything that is told of a department's work."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from svclib.measure.periods import Period
from svclib.measure.record import record_of
from svclib.report.figures.kpi import multiples_figure
from svclib.report.views.kpi_context import workload
from tests.report.findings import a_finding

AS_OF = dt.date(2026, 11, 5)


def a_study(opened, resolved, minimum=5):
    """A department whose cases were opened and resolved then, seen at the end of October 2026."""
    cases = pd.DataFrame({"opened_at": pd.to_datetime(opened, format="mixed"), "resolved_at": pd.to_datetime(resolved)})
    source = SimpleNamespace(name="tickets", shape="cases", columns={"opened_at": "a", "resolved_at": "b"})
    return SimpleNamespace(
        kpis=[SimpleNamespace(source="tickets")],
        catalogue=SimpleNamespace(source=lambda name: source),
        snapshot=SimpleNamespace(rows=lambda *args, **more: cases.copy()),
        department=SimpleNamespace(code="D01"),
        organisation=SimpleNamespace(disclosure_minimum=minimum),
        period=Period.parse("2026-10"),
        as_of=AS_OF,
    )


def workload_of(study):
    drawn = {}

    def once(name, make):
        return drawn.setdefault(name, make(name))

    return workload(study, SimpleNamespace(findings=[]), once), drawn


@pytest.fixture
def few():
    """Six cases long open, one of them very old, and four that came in October, two of them completed."""
    opened = ["2024-06-13", *["2026-08-03 09:30"] * 5, *["2026-10-06 14:00"] * 4]
    return a_study(opened, [None] * 6 + ["2026-10-09", "2026-10-20", None, None])


def test_small_numbers_of_cases_are_withheld_in_words_figure_and_file(few):
    block, drawn = workload_of(few)
    text = block.plain
    assert "8 cases were open at the end of October 2026." in text
    assert "4 cases" not in text
    assert "871" not in text
    assert "oldest" not in text
    flow = drawn["workload-tickets"].data.iloc[-1]
    assert np.isnan(flow["arrived"])
    assert np.isnan(flow["completed"])
    assert flow["backlog"] == 8
    assert "withheld" in text
    assert drawn["workload-tickets"].alt in text


def test_cells_of_few_cases_are_withheld():
    days = [*["2026-10-05 09:30"] * 60, *["2026-10-06 14:00"] * 4, *["2026-10-08 10:00"] * 8]
    _, drawn = workload_of(a_study(days, [None] * 72))
    cells = drawn["arrivals-tickets"].data.set_index("weekday")
    assert np.isnan(cells.loc["Tuesday", "14"])  # four cases
    assert np.isnan(cells.loc["Thursday", "10"])  # the next smallest, or the total would give the four away
    assert cells.loc["Wednesday", "3"] == 0  # nobody
    assert "·" in drawn["arrivals-tickets"].html
    assert "small number" in drawn["arrivals-tickets"].html


def test_numbers_that_are_large_enough_are_shown_with_the_same_digits():
    days = [*["2026-10-05 09:30"] * 60, *["2026-10-06 14:00"] * 40, *["2026-10-07 10:00"] * 8]
    block, drawn = workload_of(a_study(days, [None] * 108))
    assert "108 cases came in" in block.plain
    assert "withheld" not in block.plain
    html = drawn["arrivals-tickets"].html
    assert ">13.55<" in html
    assert ">1.81<" in html
    assert ">0<" in html


def test_a_backlog_of_few_is_not_given_away_by_what_came_and_went():
    opened = ["2026-08-10"] * 20 + ["2026-09-10"] * 20 + ["2026-10-10"] * 20
    resolved = ["2026-08-20"] * 20 + ["2026-09-20"] * 17 + ["2026-10-01"] * 3 + [None] * 20
    _, drawn = workload_of(a_study(opened, resolved))
    flow = drawn["workload-tickets"].data.set_index("period")
    assert np.isnan(flow.loc["2026-09"]["backlog"])
    assert flow.loc[["2026-09", "2026-10"], ["arrived", "completed"]].isna().all(axis=None)
    assert flow.loc["2026-10", "backlog"] == 20


def test_the_limits_of_a_withheld_period_do_not_tell_how_many_stand_behind_it():
    finding = a_finding([0.9, 0.8] * 12 + [0.7], status="withheld")
    assert finding.drawn[["lower", "upper"]].iloc[:-1].notna().all(axis=None)
    assert finding.drawn[["lower", "upper"]].iloc[-1].isna().all()
    last = record_of(finding)["points"][-1]
    assert [last[name] for name in ("value", "n", "lower", "upper")] == [None] * 4


def test_the_word_withheld_lies_beside_a_small_chart_and_not_on_its_lines():
    finding = a_finding([0.9, 0.8] * 12 + [0.7], status="withheld")
    axes = multiples_figure([finding, finding]).axes[0]
    right = max(line.get_xdata().max() for line in axes.lines[: len(axes.lines) // 2])
    said = next(text for text in axes.texts if text.get_text() == "Withheld")
    assert said.get_position()[0] > right
