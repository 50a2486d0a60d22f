"""Published figures reproduced, and other libraries matched."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.genmod.families import Binomial, Poisson
from statsmodels.genmod.generalized_linear_model import GLM

from svclib.evaluate.latent import fit_latent
from svclib.evaluate.peers import simplex_weights
from svclib.evaluate.pooling import pool_effects
from svclib.evaluate.rate_ratio import fit_rate_ratio


@pytest.mark.parametrize(
    ("harmonics", "quasi", "expected", "dispersion"),
    [
        (0, False, (0.894, 0.865, 0.925), 3.56),
        (0, True, (0.894, 0.839, 0.953), 3.56),
        (2, True, (0.885, 0.839, 0.933), 2.26),
    ],
)
def test_sicily_smoking_ban(shared_data, harmonics, quasi, expected, dispersion):
    """Lopez Bernal, Cummins & Gasparrini (2017)."""
    data = pd.read_csv(shared_data / "sicily_smoking_ban.csv")
    found = fit_rate_ratio(data.aces, data.stdpop, data.smokban, data.time, harmonics=harmonics, quasi=quasi)
    assert (found.ratio, found.lower, found.upper) == pytest.approx(expected, abs=1e-3)
    assert found.dispersion == pytest.approx(dispersion, abs=5e-3)


@pytest.mark.parametrize(("family", "reference"), [("binomial", Binomial()), ("poisson", Poisson())])
def test_without_drift_the_latent_model_is_a_generalised_linear_model(family, reference):
    rng = np.random.default_rng(2)
    times = np.arange(40)
    x = np.column_stack([np.ones(40), times >= 30])
    n = rng.integers(400, 800, 40).astype(float)
    share = 0.3 * np.where(times >= 30, 1.4, 1.0)
    y = (rng.binomial(n.astype(int), share) if family == "binomial" else rng.poisson(n * share)).astype(float)
    step = fit_latent(y, n, x, times, family=family).contrast([0, 1])
    if family == "binomial":
        model = GLM(np.column_stack([y, n - y]), x, family=reference).fit()
    else:
        model = GLM(y, x, family=reference, offset=np.log(n)).fit()
    assert step.mean == pytest.approx(model.params[1], abs=0.35 * model.bse[1])
    # It knows of no drift only what forty months tell, so it is wider, but not much.
    assert model.bse[1] <= step.sd <= 1.6 * model.bse[1]


def test_an_offset_is_taken_as_known():
    times = np.arange(30)
    x = np.column_stack([np.ones(30), times >= 24])
    offset = np.where(times >= 24, 0.5, 0.0)
    n = np.full(30, 400.0)
    y = np.round(n / (1 + np.exp(1 - offset)))
    free = fit_latent(y, n, x, times, family="binomial").contrast([0, 1])
    known = fit_latent(y, n, x, times, family="binomial", offset=offset).contrast([0, 1])
    assert free.mean == pytest.approx(0.5, abs=0.02)
    assert known.mean == pytest.approx(0.0, abs=0.02)


def test_synthetic_control_weights_are_those_of_quadratic_programming():
    from scipy.optimize import minimize

    rng = np.random.default_rng(6)
    panel = rng.normal(size=(24, 5))
    own = panel @ [0.5, 0.3, 0.2, 0, 0] + 0.2 * rng.normal(size=24)
    found = simplex_weights(own, panel, shrink=False)
    best = minimize(
        lambda w: np.sum((own - panel @ w) ** 2),
        np.full(5, 0.2),
        bounds=[(0, 1)] * 5,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert found == pytest.approx(best.x, abs=2e-3)
    assert found.sum() == pytest.approx(1)
    shrunken = simplex_weights(own, panel)
    assert abs(shrunken - 0.2).sum() < abs(found - 0.2).sum()


def test_pooling_by_hand():
    """Three equal standard errors and no spread: the plain mean, t with two degrees of freedom."""
    pooled = pool_effects([1.0, 1.1, 0.9], [0.3, 0.3, 0.3])
    assert pooled.estimate == pytest.approx(1.0)
    assert pooled.between_sd == 0
    assert pooled.upper - 1.0 == pytest.approx(4.30265 * 0.3 / np.sqrt(3), rel=1e-4)
    apart = pool_effects([0.0, 2.0, 4.0], [0.1, 0.1, 0.1])
    assert apart.between_sd == pytest.approx(2.0, abs=0.01)
    with pytest.raises(ValueError, match="two departments"):
        pool_effects([1.0], [0.1])
