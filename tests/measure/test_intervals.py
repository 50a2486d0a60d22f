"""Intervals against published numbers, other libraries and simulation."""

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from svclib.measure.intervals import kaplan_meier, poisson_interval, quantile_interval, t_interval, wilson_interval


def test_wilson_is_that_of_statsmodels():
    successes, trials = np.arange(0, 31), np.full(31, 30)
    low, high = wilson_interval(successes, trials)
    expected = proportion_confint(successes, trials, method="wilson")
    np.testing.assert_allclose(low, np.clip(expected[0], 0, 1), atol=1e-12)
    np.testing.assert_allclose(high, np.clip(expected[1], 0, 1), atol=1e-12)


def test_nothing_tried_has_no_interval():
    assert np.isnan(wilson_interval([0], [0])).all()
    assert np.isnan(poisson_interval([0], [0])).all()
    assert np.isnan(t_interval([1.0], [np.nan], [1])).all()
    assert np.isnan(quantile_interval([])).all()


def test_garwood_table():
    # Garwood (1936), limits of a Poisson mean for 1, 5 and 20 events.
    low, high = poisson_interval([1, 5, 20])
    np.testing.assert_allclose(low, [0.0253, 1.6235, 12.2165], atol=5e-4)
    np.testing.assert_allclose(high, [5.5716, 11.6683, 30.8884], atol=5e-4)


@pytest.fixture
def censored():
    rng = np.random.default_rng(7)
    time, cutoff = rng.lognormal(1.8, 1, 400).round(1), rng.uniform(0, 20, 400).round(1)
    return np.minimum(time, cutoff), time <= cutoff


def test_kaplan_meier_is_that_of_statsmodels_and_scipy(censored):
    durations, observed = censored
    curve = kaplan_meier(durations, observed)
    reference = SurvfuncRight(durations, observed.astype(int))
    np.testing.assert_allclose(curve.survival, reference.surv_prob, atol=1e-12)
    assert curve.quantile()[0] == reference.quantile(0.5)
    sf = ecdf(CensoredData.right_censored(durations, ~observed)).sf
    with pytest.warns(RuntimeWarning, match="undefined"):
        band = sf.confidence_interval(method="log-log")
    share, low, high = curve.done_within(10)
    assert share == pytest.approx(1 - float(sf.evaluate(10)))
    assert (low, high) == (
        pytest.approx(1 - float(band.high.evaluate(10))),
        pytest.approx(1 - float(band.low.evaluate(10))),
    )


def test_what_the_curve_does_not_reach_is_unknown():
    curve = kaplan_meier([1, 2, 3, 3], [True, False, False, False])
    assert np.isnan(curve.quantile()[0])
    assert np.isnan(curve.done_within(5)).all()
    assert np.isnan(curve.restricted_mean(5)).all()
    assert kaplan_meier([], []).followed == 0


def test_without_open_cases_the_curve_is_the_plain_distribution():
    times = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    curve = kaplan_meier(times, np.ones(5, bool))
    assert curve.restricted_mean(10)[0] == pytest.approx(times.mean())
    assert curve.done_within(3)[0] == pytest.approx(0.6)


def test_the_median_of_a_month_with_open_cases_is_unbiased_and_its_interval_holds():
    """400 months of 120 cases seen at month end: bias of the median <= 2 %, coverage within 3 standard errors of .95."""
    rng = np.random.default_rng(11)
    true = 5.0
    medians, covered = [], 0
    for _ in range(400):
        time = rng.lognormal(np.log(true), 1, 120)
        age = rng.uniform(0, 30, 120)
        curve = kaplan_meier(np.minimum(time, age), time <= age)
        median, low, high = curve.quantile()
        medians.append(median)
        covered += low <= true and not high < true
    assert abs(np.mean(medians) / true - 1) < 0.02 + 3 * np.std(medians) / true / np.sqrt(400)
    assert abs(covered / 400 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)
