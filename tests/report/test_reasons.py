"""Why something cannot be said, and what lies around a change, told alike wherever it is told."""

import datetime as dt
from dataclasses import replace

import numpy as np

from svclib.measure.change.happened import Happening
from svclib.report.words import kpi as kpi_words
from svclib.report.words import kpi_remarks
from svclib.report.words.headline import headline
from tests.report.findings import QUIET, a_finding


def test_a_period_that_its_source_does_not_cover_is_not_told_to_count_from_a_day_that_is_past():
    young = a_finding([*QUIET, 10.0], status="provisional", mature=False)  # January 2026
    early, late = (kpi_words.sentence(young, dt.date(2026, 2, day)) for day in (1, 20))
    assert "counts for good from" in kpi_words.sentence(young, dt.date(2026, 1, 31))
    assert early == late
    assert "the source of Waiting does not reach to the end of January 2026 yet" in late
    entry = {"title": "Waiting", "state": "provisional", "value": 10.0, "final_on": None}
    assert "its source does not reach to the end of the period" in headline(entry, "2026-01")
    assert "it counts from 2 February 2026" in headline({**entry, "final_on": "2026-02-02"}, "2026-01")


def test_new_limits_are_suggested_with_what_is_told_around_the_change():
    """An action that began after the change answers it; it is not declared around it in the next line."""
    plain = a_finding([*QUIET, *(np.array(QUIET[:9]) + 6.0)], direction="decrease")
    assert plain.change.period == plain.suggestion.period
    answer = Happening("A1: Vans", dt.date(2026, 2, 1), later=True, kind="action_start", id="A1")
    told = replace(plain, happened=(answer,), suggestion=replace(plain.suggestion, cause=(answer,)))
    assert "no action on this KPI began" in kpi_remarks.suggestion_text(told)
    assert "A1" not in kpi_remarks.suggestion_text(told)
