"""A new level in a process whose periods lean on each other: seldom claimed where there is none, found where it is large."""

import numpy as np
import pytest

from svclib.measure.spc.evidence import level_p
from svclib.measure.spc.exact import ALPHA
from svclib.measure.spc.gates import SEASON_P, autocorrelation, resemblance_p


def leaning(rho: float, periods: int, rng: np.random.Generator) -> np.ndarray:
    """First-order autoregression of variance 1, in its steady state."""
    values = np.empty(periods)
    values[0] = rng.normal()
    for t in range(1, periods):
        values[t] = rho * values[t - 1] + np.sqrt(1 - rho**2) * rng.normal()
    return values


def found(rho: float, step: float, runs: int) -> list[bool]:
    """Whether the level test signals, of those series whose gate fires; the step is in the latest nine periods."""
    rng, signals = np.random.default_rng(17), []
    while len(signals) < runs:
        values = leaning(rho, 36, rng)
        values[-9:] += step
        gate = autocorrelation(values[:24])
        if gate.fired:
            signals.append(level_p(values, np.ones(36, dtype=bool), r1=gate.r1) < ALPHA)
    return signals


@pytest.mark.parametrize("rho", [0.2, 0.4, 0.6])
def test_a_quiet_process_seldom_signals_a_new_level(rho):
    """.27 % is what the level promises; 1,000 series, so that .9 % is beyond three standard errors of it."""
    assert np.mean(found(rho, 0.0, 1000)) <= 0.009


def test_without_reckoning_with_it_the_test_would_not_hold():
    rng = np.random.default_rng(17)
    alarms = [level_p(leaning(0.6, 36, rng), np.ones(36, dtype=bool)) < ALPHA for _ in range(1000)]
    assert np.mean(alarms) > 0.05


def test_a_large_step_is_found_all_the_same():
    """Of four standard deviations; without the reckoning all would be found, and of the quiet ones too many."""
    assert np.mean(found(0.4, 4.0, 300)) > 0.5


@pytest.mark.parametrize(("rho", "step", "slope"), [(0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 0.1)])
def test_years_seldom_resemble_each_other_by_chance(rho, step, slope):
    """1 % is promised; 600 series, so that 2.2 % is three errors from it, and as much again for what leans on each other."""
    rng, found = np.random.default_rng(11), 0
    for _ in range(600):
        values = leaning(rho, 30, rng) + slope * np.arange(30)
        values[-8:] += step
        found += resemblance_p(values, 12) < SEASON_P
    assert found / 600 <= 0.022 + (0.022 if rho else 0.0)


def test_two_winters_that_resemble_each_other_are_noticed():
    rng = np.random.default_rng(12)
    winters = [
        rng.standard_normal(30) + 2 * np.sin(2 * np.pi * (np.arange(30) / 12 + rng.random())) for _ in range(150)
    ]
    assert np.mean([resemblance_p(values, 12) < SEASON_P for values in winters]) > 0.4
