"""What stood out in the history is not usual: ordinary histories keep all of it, and what came once may come again."""

import numpy as np
import pytest

from benchmarks.root_cause.score import score_design
from benchmarks.root_cause.tickets import CURRENT, DIMENSIONS, Design, simulate, simulate_counts
from svclib.explain.baseline import fit_baseline
from svclib.explain.crosstab import CrossTable, cross_tabulate


@pytest.mark.parametrize("periods", [6, 12])
def test_few_ordinary_histories_lose_a_period_a_spike_is_left_out(periods):
    rng = np.random.default_rng(7)
    risk = 1 / (1 + np.exp(2 - 0.3 * rng.standard_normal((400, periods + 1))))
    lost = [_left_out(rng.binomial(5000, one)) for one in risk]
    # A true share of 5 % gives 33 or more of 400 once in 300 times; three robust deviations gave 80.
    assert sum(bool(one) for one in lost) <= 32
    spiked = np.array([500] * (periods - 1) + [2500, 500]) + rng.integers(-20, 20, periods + 1)
    assert _left_out(spiked) == (((), str(periods - 1)),)


def _left_out(bad):
    """Of months of 5,000 cases that are not told apart."""
    codes, labels = np.zeros((1, 0), int), tuple(str(i) for i in range(len(bad)))
    table = CrossTable((), (), codes, labels, bad[:, None].astype(float), np.full((len(bad), 1), 5000.0))
    return fit_baseline(table, "binomial").stood_out


@pytest.mark.parametrize(
    "design",
    [Design(600, months=6), Design(5000, months=6, shock=0.25), Design(2000, kind="count", shock=0.15, months=12)],
    ids=["few cases", "values that swing", "counts"],
)
def test_few_ordinary_histories_lose_a_part(design):
    # 40 histories: at a true rate of 5 % more than 6 of them lose something in one run of 70.
    assert sum(bool(_stood_out(design, seed)) for seed in range(40)) <= 6


def _stood_out(design, seed):
    make, family = (simulate_counts, "poisson") if design.kind == "count" else (simulate, "binomial")
    return fit_baseline(cross_tabulate(make(design, seed).rows, DIMENSIONS, current=CURRENT), family).stood_out


def _table(rates, scale=1.0, family="binomial"):
    """Twelve months and a current one of two dimensions of four values each; rates are months x 4 x 4."""
    rng, (months, rows, columns) = np.random.default_rng(5), np.shape(rates)
    codes = np.indices((rows, columns)).reshape(2, -1).T
    values = tuple(tuple(f"{name}{value}" for value in range(4)) for name in "ab")
    level, n = np.reshape(rates, (months, -1)), np.full((months, rows * columns), 400.0)
    if family == "binomial":
        y, squares = rng.binomial(400, level).astype(float), None
    else:
        y = scale * (n * level + 20 * rng.standard_normal(level.shape))
        squares = y**2 / n + scale**2 * 399.0
    return CrossTable(("a", "b"), values, codes, tuple(f"{m:02d}" for m in range(months)), y, n, squares)


@pytest.mark.parametrize(("family", "scale"), [("binomial", 1.0), ("gaussian", 1.0), ("gaussian", 5000.0)])
def test_a_part_that_stood_out_is_left_out_in_that_month_alone(family, scale):
    rates = np.full((13, 4, 4), 0.1 if family == "binomial" else 2.0)
    usual = fit_baseline(_table(rates, scale, family), family)
    rates[3, 1] *= 1.6
    rates[8, 2, 3] *= 2
    spoilt = fit_baseline(_table(rates, scale, family), family)
    assert usual.stood_out == ()
    assert spoilt.stood_out == (((("a", "a1"),), "03"), ((("a", "a2"), ("b", "b3")), "08"))
    assert spoilt.swing.variance == pytest.approx(usual.swing.variance, rel=0.35, abs=1e-4 * scale**2)
    assert spoilt.eta == pytest.approx(usual.eta, abs=0.12 * scale)


def test_a_month_in_which_everything_stood_out_is_left_out_as_a_whole():
    rates = np.full((13, 4, 4), 0.1)
    rates[4] = 0.2
    assert fit_baseline(_table(rates), "binomial").stood_out == (((), "04"),)


def test_what_is_there_in_half_of_the_months_is_usual():
    rates = np.full((13, 4, 4), 0.1)
    rates[::2, 1] = 0.2
    assert fit_baseline(_table(rates), "binomial").stood_out == ()


def test_too_few_months_tell_nothing():
    rates = np.full((5, 4, 4), 0.1)
    rates[2, 1] = 0.3
    assert fit_baseline(_table(rates), "binomial").stood_out == ()


def test_what_came_once_is_named_when_it_comes_again():
    """Of these twelve causes five were named while the earlier one counted as usual (one of six months, 5,000 cases)."""
    score = score_design(Design(5000, "one", months=6, bursts=2, shock=0.05), range(400, 412))
    assert score.true_found >= 9
