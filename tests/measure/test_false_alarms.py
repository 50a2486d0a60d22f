"""A quick, seeded part of benchmarks/control_charts.py: rates with the tolerance of their repetitions (3 errors)."""

import pytest

from benchmarks import control_charts as bench

RUNS = 250


def _at_most(rate: bench.Rate, limit: float, clump: int = 1) -> None:
    """`clump`: flags that come together, such as the nine points of a long run, count once in the error."""
    error = (clump * limit * (1 - limit) / rate.trials) ** 0.5
    assert rate.share <= limit + 3 * error, str(rate)


def test_strict_rarely_flags_the_judged_month_of_white_noise():
    _at_most(bench.judged_false("strict", 24, RUNS), 0.01)


def test_dependent_months_are_not_taken_for_signals():
    _at_most(bench.any_flag("phi .4", bench.dependent(24, 0.4), "strict", RUNS), 0.15)


def test_a_yearly_wave_is_not_taken_for_signals():
    _at_most(bench.any_flag("wave", bench.wave(36, 1.0), "strict", RUNS), 0.10)


def test_small_denominators_do_not_cry_wolf():
    _at_most(bench.per_point("95 %, 6-40", bench.few_cases(24, 0.95), "strict", 150), 0.003, clump=9)


def test_a_lasting_step_is_found():
    found, quiet = bench.found_step("strict", 150, 2.0), bench.found_step("strict", 300, 0.0)
    assert found.share - 3 * found.error > 0.34, str(found)
    _at_most(quiet, 0.025)


def test_a_slow_drift_is_found_and_seldom_invented():
    found = bench.found_drift("4 SD", bench.sliding(30, 4.0), 150)
    assert found.share - 3 * found.error > 0.34, str(found)
    for phi in (0.0, 0.6):
        _at_most(bench.found_drift(str(phi), bench.dependent(36, phi), 400), 0.0027)


def test_the_p_value_of_the_next_point_is_calibrated():
    rate = bench.calibration(13, 40_000)
    assert rate.share == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("row", bench.factors(60_000), ids=lambda row: str(row[0]))
def test_factors_are_those_of_the_simulation(row):
    _, simulated, used = row
    assert used == pytest.approx(simulated, rel=0.05)
