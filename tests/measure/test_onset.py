"""The onset is found where it is, and not where there is none."""

import numpy as np
import pytest

from svclib.measure.change.onset import find_onset


def test_step_is_dated_exactly():
    rng = np.random.default_rng(3)
    values = np.r_[rng.normal(10, 1, 20), rng.normal(16, 1, 5)]
    found = find_onset(values)
    assert (found.index, found.p <= 0.001) == (20, True)
    assert found.earliest <= 20 <= found.latest


def test_gain_is_the_best_of_all_splits():
    values = np.random.default_rng(1).normal(size=15)
    left = [
        np.sum((values[:k] - values[:k].mean()) ** 2) + np.sum((values[k:] - values[k:].mean()) ** 2)
        for k in range(1, 15)
    ]
    assert find_onset(values).index == 1 + int(np.argmin(left))


def test_missing_values_keep_their_place():
    values = np.array([1, np.nan, 1.2, 0.9, 1.1, np.nan, 5, 5.2, 5.1])
    assert find_onset(values).index == 6


@pytest.mark.parametrize("values", [[], [1.0, 2.0, 3.0], [np.nan] * 9])
def test_too_short_is_no_onset(values):
    assert find_onset(np.array(values, dtype=float)) is None


def test_constant_series_has_no_change():
    assert find_onset(np.ones(12)).p == 1.0


def test_false_alarms_stay_near_five_per_cent():
    # 200 series: a rate of 5 % has a standard error of 1.5 %, so 9 % is beyond 2.6 of them.
    rng = np.random.default_rng(5)
    alarms = [find_onset(rng.normal(size=24), permutations=99).p <= 0.05 for _ in range(200)]
    assert np.mean(alarms) <= 0.09


def test_interval_covers_the_truth():
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(100):
        values = np.r_[rng.normal(0, 1, 14), rng.normal(2, 1, 10)]
        found = find_onset(values, permutations=19)
        covered += found.earliest <= 14 <= found.latest
    # Nominal 95 %; 87 % is 3.7 standard errors below.
    assert covered >= 87


def test_slow_drift_is_rarely_taken_for_a_change():
    # 100 series with an autocorrelation of .4: at a true rate of 5 % more than 10 alarms happen in one run of 90.
    rng = np.random.default_rng(12)
    noise = rng.normal(size=(100, 74))
    for t in range(1, 74):
        noise[:, t] += 0.4 * noise[:, t - 1]
    alarms = [find_onset(series[50:], permutations=99).p <= 0.05 for series in noise]
    assert np.sum(alarms) <= 10
