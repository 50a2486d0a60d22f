"""A quick, seeded part of `benchmarks.outcome`: the error rates hold within what so few repetitions can tell.

With 120 repetitions the standard error of 5 % is 2 %, of 95 % as well; each bound is the benchmark's plus three of
its own standard errors at most, so a method that is twice too liberal fails.
"""

import numpy as np
import pytest

from benchmarks.outcome import autoregressive, panels, rejections, said, season, triggered, window

RUNS = 120


def within(share, bound):
    return share <= bound + 3 * np.sqrt(bound * (1 - bound) / RUNS)


@pytest.mark.parametrize(("before", "rho"), [(12, 0.0), (24, 0.6), (36, 0.3)])
def test_single_series_hold_their_error_rate_and_coverage(before, rho):
    rng = np.random.default_rng([before, int(10 * rho)])
    drawn = autoregressive(rng, (RUNS, before + 6), (rho,)) + season(rng, RUNS, before + 6)
    found, covered = rejections(drawn[:, None, :], window(before, 6))
    assert within(found / RUNS, 0.05)
    assert covered / RUNS >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize("situation", ["null", "regression to the mean", "common shock"])
def test_eight_peers_hold_the_error_rate(situation):
    rng = np.random.default_rng(11)
    if situation == "regression to the mean":
        drawn = triggered(panels, RUNS, 24, 12)
    else:
        drawn = panels(rng, RUNS, shock=-1.5 if situation == "common shock" else 0.0)
    assert within(rejections(drawn, window(24, 6))[0] / RUNS, 0.05)


def test_eight_peers_find_two_standard_deviations():
    drawn = panels(np.random.default_rng(13), RUNS)
    found, covered = rejections(drawn, window(24, 6), 2.0)
    assert found / RUNS >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / RUNS)
    assert covered / RUNS >= 0.90


def test_before_against_after_is_wrong_where_ours_is_not():
    """The simulation has teeth: what most trackers do fails in it."""
    from scipy.stats import ttest_ind

    drawn = triggered(panels, RUNS, 24, 12)
    naive = sum(ttest_ind(run[0, 21:24], run[0, 24:]).pvalue < 0.05 for run in drawn)
    assert naive / RUNS > 0.4


@pytest.mark.parametrize("shock", [0.0, 1.5])
def test_what_did_nothing_is_hardly_ever_met_and_attributable(shock):
    drawn = panels(np.random.default_rng(14), 40, shock=shock, coefficients=(0.4,))
    assert said(drawn, window(24, 6), 0.0, 1.0) <= 40 * (0.05 + 3 * np.sqrt(0.05 * 0.95 / 40))


def test_what_worked_is_met_and_attributable():
    drawn = panels(np.random.default_rng(15), 40, coefficients=(0.4,))
    assert said(drawn, window(24, 6), 2.5, 1.0) >= 40 * (0.92 - 3 * np.sqrt(0.92 * 0.08 / 40))
