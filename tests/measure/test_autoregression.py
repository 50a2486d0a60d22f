"""The estimator against brute force and against statsmodels."""

import numpy as np
import pytest
from scipy.stats import t as student
from statsmodels.regression.linear_model import GLS

from svclib.measure.autoregression import RHO, Mixture, NotEstimable, fit_ar1, log_evidence_of_rho


@pytest.fixture
def series():
    rng = np.random.default_rng(4)
    times = np.delete(np.arange(30), [7, 24, 25])  # a missing month and a ramp
    x = np.column_stack([np.ones(27), times >= 26, times / 12])
    return rng.normal(size=27).cumsum() * 0.3 + 2.0 * x[:, 1], x, times


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.6, 0.95])
def test_each_rho_is_generalised_least_squares_with_gaps(series, rho):
    y, x, times = series
    fit = fit_ar1(y, x, times)
    at = int(np.argmin(abs(RHO - rho)))
    reference = GLS(y, x, sigma=RHO[at] ** abs(times[:, None] - times[None, :])).fit()
    assert fit.coefficients[at] == pytest.approx(reference.params, rel=1e-8)
    assert fit.covariance[at] == pytest.approx(reference.cov_params(), rel=1e-7)


def test_the_weights_are_the_restricted_likelihood_times_the_prior(series):
    y, x, times = series
    log_weight = []
    for rho in RHO:
        omega = rho ** abs(times[:, None] - times[None, :]) if rho else np.eye(len(times))
        precision = np.linalg.inv(omega)
        gram = x.T @ precision @ x
        rest = y - x @ np.linalg.solve(gram, x.T @ precision @ y)
        s2 = rest @ precision @ rest / (len(y) - 3)
        ll = -(len(y) - 3) / 2 * np.log(s2) - np.linalg.slogdet(omega)[1] / 2 - np.linalg.slogdet(gram)[1] / 2
        log_weight.append(ll - 0.5 * np.log(1 - rho**2))
    weight = np.exp(np.array(log_weight) - max(log_weight))
    assert fit_ar1(y, x, times).weight == pytest.approx(weight / weight.sum(), rel=1e-6)


def test_a_constant_added_or_a_unit_changed_changes_nothing(series):
    y, x, times = series
    plain, moved = fit_ar1(y, x, times).contrast([0, 1, 0]), fit_ar1(60 * y + 1000, x, times).contrast([0, 1, 0])
    assert moved.mean == pytest.approx(60 * plain.mean)
    assert moved.p == pytest.approx(plain.p, abs=1e-9)


def test_a_prior_is_one_more_observation(series):
    y, x, times = series
    free = fit_ar1(y, x, times)
    tight = fit_ar1(y, x, times, prior_sd=[np.inf, np.inf, 1e-6])
    without = fit_ar1(y, x[:, :2], times)
    assert tight.contrast([0, 1, 0]).mean == pytest.approx(without.contrast([0, 1]).mean, rel=1e-4)
    wide = fit_ar1(y, x, times, prior_sd=[np.inf, np.inf, 1e6])
    assert wide.coefficients == pytest.approx(free.coefficients, rel=1e-6)
    assert tight.df == wide.df == without.df == free.df + 1


def test_a_mixture_of_one_is_students_t():
    one = Mixture(np.array([2.0]), np.array([0.5]), np.array([1.0]), 7)
    assert one.interval() == pytest.approx(student.interval(0.95, 7, loc=2, scale=0.5))
    assert one.p == pytest.approx(2 * student.sf(4, 7))
    two = Mixture(np.array([0.0, 4.0]), np.array([1.0, 1.0]), np.array([0.5, 0.5]), 30)
    assert two.quantile(0.5) == pytest.approx(2.0)
    assert two.cdf(two.quantile(0.9)) == pytest.approx(0.9)
    low, high = two.widened(2.0).interval()
    assert (low - 2, high - 2) == pytest.approx(tuple(2 * (np.array(two.interval()) - 2)), rel=1e-6)
    assert two.scaled(-1).mean == -2.0


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(NotEstimable):
        fit_ar1([1.0, 2.0], np.eye(2), [0, 1])
    with pytest.raises(NotEstimable):
        fit_ar1(np.arange(5.0), np.ones((5, 2)), range(5))


def test_a_flat_series_has_an_effect_of_nothing():
    step = fit_ar1(np.full(20, 3.0), np.column_stack([np.ones(20), np.arange(20) > 14]), range(20)).contrast([0, 1])
    assert step.mean == pytest.approx(0, abs=1e-9)
    assert np.isfinite(step.interval()).all()


def test_evidence_of_rho_points_to_the_truth():
    rng = np.random.default_rng(0)
    total = np.zeros(len(RHO))
    for _ in range(20):
        y = np.zeros(60)
        for i in range(1, 60):
            y[i] = 0.7 * y[i - 1] + rng.normal()
        total += log_evidence_of_rho(y, np.ones((60, 1)), range(60))
    assert RHO[total.argmax()] == pytest.approx(0.7, abs=0.11)
