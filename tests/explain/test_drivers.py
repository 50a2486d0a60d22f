"""LMG shares agree with relaimpo on the swiss data."""

import json

import numpy as np
import pandas as pd
import pytest

from svclib.explain.drivers import DriverShares, dummies, lmg_shares


def test_swiss_agrees_with_relaimpo(shared_data):
    swiss = pd.read_csv(shared_data / "root_cause" / "swiss.csv")
    expected = json.loads((shared_data / "root_cause" / "expected_lmg.json").read_text("utf-8"))
    drivers = {name: swiss[name].to_numpy(float) for name in expected["lmg"]}
    found = lmg_shares(swiss["Fertility"].to_numpy(float), drivers, resamples=100)
    assert dict(zip(found.drivers, found.shares, strict=True)) == pytest.approx(expected["lmg"], abs=1e-6)
    assert found.r2 == pytest.approx(expected["R2"], abs=1e-6)
    assert (found.lower <= found.shares).all()
    assert (found.shares <= found.upper).all()


def test_shares_of_independent_drivers_are_their_own_r_squared():
    rng = np.random.default_rng(2)
    x, z = np.repeat([-1.0, 1.0], 200), np.tile([-1.0, 1.0], 200)
    y = x + 0.5 * z + rng.normal(size=400)
    found = lmg_shares(y, {"x": x, "z": z}, resamples=0)
    assert found.shares == pytest.approx([np.corrcoef(y, x)[0, 1] ** 2, np.corrcoef(y, z)[0, 1] ** 2], abs=1e-12)


def test_drivers_whose_intervals_overlap_are_not_told_apart():
    shares = [np.array(x) for x in ([0.08, 0.01, 0.04], [0.05, 0.0, 0.02], [0.13, 0.03, 0.07])]
    assert DriverShares(("a", "b", "c"), *shares, r2=0.13, n=500).not_apart == ("c",)
    assert DriverShares(("b",), *(x[1:2] for x in shares), r2=0.01, n=500).not_apart == ()


def test_missing_values_get_a_column():
    assert dummies(pd.Series(["a", None, "a", "b", "b", "a"])).shape == (6, 2)


def test_more_than_ten_drivers_are_refused():
    with pytest.raises(ValueError, match="at most 10"):
        lmg_shares(np.arange(5.0), {str(i): np.arange(5.0) for i in range(11)})
