"""The way of the guided notebook with real exports."""

from __future__ import annotations

import pytest

import svclib


def test_a_call_centre_s_daily_totals(shared_data):
    look = svclib.look_into(shared_data / "vancouver_contact_centre.csv")
    assert look.guess.shape == "counts"
    draft = svclib.draft_source(look, time_zone="America/Vancouver")
    assert draft.check().facts.kept == 5555
    draft = svclib.draft_kpi(draft, "calls_abandoned_share", direction="decrease")
    months = draft.prepared.measures
    year = months[months["period"].str.startswith("2023")]
    assert year["numerator"].sum() / year["denominator"].sum() == pytest.approx(0.049, abs=0.0005)
    assert "August 2024" in draft.chart().plain


@pytest.mark.slow
def test_cases_of_a_workbook_with_offsets_and_without_departments(shared_data, tmp_path):
    look = svclib.look_into(shared_data / "vancouver_requests_2023.xlsx", "Feuil1")
    assert look.guess.columns == {
        "case_id": "#row", "opened_at": "Service request open timestamp", "department": "Local area",
        "resolved_at": "Service request close date",
    }  # fmt: skip
    assert look.guess.dimensions == {"channel": "Channel"}
    assert "is empty in 1227 rows (17%)" in look.explain().plain.replace(",", "")
    draft = svclib.draft_source(look, time_zone="America/Vancouver", department_missing="none")
    quality = draft.check()
    assert (quality.facts.kept, quality.facts.bad_rows) == (7062, 0)
    assert len(draft.departments) == 23
    draft = svclib.draft_kpi(draft, "time_to_close")
    shown = draft.chart(department="Downtown")
    assert "Time to close" in shown.plain
    draft.write_params(tmp_path / "params")
