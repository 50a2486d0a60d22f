"""The baseline knows how far values swing from month to month, and the scan does not lay a usual swing to anybody."""

import numpy as np
import pytest

from benchmarks.root_cause.score import score_design
from benchmarks.root_cause.tickets import CURRENT, DIMENSIONS, Design, simulate, simulate_counts
from svclib.explain.baseline import fit_baseline
from svclib.explain.crosstab import cross_tabulate
from svclib.explain.evidence import evidence, simulate_null
from svclib.explain.scan import fit_shifts, prepare
from svclib.explain.segments import list_segments


def _swing(design, seeds, family):
    make = simulate_counts if design.kind == "count" else simulate
    tables = [cross_tabulate(make(design, seed).rows, DIMENSIONS, current=CURRENT) for seed in seeds]
    return np.mean([fit_baseline(table, family).swing.variance for table in tables], axis=0)


def test_swing_of_values_is_found_again_though_leaves_are_sparse():
    # 2,000 cases of which an eighth is bad, in 360 leaves: less than one bad case a leaf. True variance .0625, .0225.
    assert _swing(Design(2000, shock=0.25, months=6), range(6), "binomial")[1] == pytest.approx(0.0625, rel=0.4)
    counts = Design(2000, kind="count", shock=0.15, months=6)
    assert _swing(counts, range(6), "poisson")[1] == pytest.approx(0.0225, rel=0.3)


def test_steady_values_hardly_swing():
    assert _swing(Design(5000, months=6), range(4), "binomial")[1] < 0.003


def test_one_period_of_history_gives_a_cautious_swing():
    month = simulate(Design(2000, months=1), 1)
    swing = fit_baseline(cross_tabulate(month.rows, DIMENSIONS, current=CURRENT), "binomial").swing
    assert np.all(swing.variance > 0)
    assert np.all(swing.plausible.max(axis=1) > 3 * swing.variance)


def test_usual_swings_name_nobody():
    # 20 months: at a true rate of 8 % more than 5 alarms happen in one run of 250.
    assert score_design(Design(2000, kind="count", shock=0.15, months=6), range(300, 320)).any_false <= 5


def test_evidence_takes_a_swing_of_everything_out_of_the_parts():
    month = simulate(Design(5000, "general", effect=0.3), 3)
    table = cross_tabulate(month.rows, DIMENSIONS, current=CURRENT)
    field = prepare(table, list_segments(table), fit_baseline(table, "binomial"), 1)
    fit = fit_shifts(field, table.observed[-1], ())
    gain = evidence(field, table.observed[-1], fit)
    assert gain[1:].max() < fit.gain[1:].max()
    null = simulate_null(field, 100, np.random.default_rng(1))
    assert null.shape == (2, 100)
    assert np.all(np.diff(null, axis=1) >= 0)
