"""Is the goal reached? The probability that the true level, not the last lucky month, is beyond the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from svclib.evaluate.effect import Mapped, Panel, Posterior, small_number_family
from svclib.evaluate.latent import fit_latent
from svclib.evaluate.window import Window, shows_season, step_design
from svclib.measure.autoregression import (
    RHO,
    FloatArray,
    NotEstimable,
    fit_ar1,
    log_evidence_of_rho,
    prior_of_rho,
)

GoalVerdict = Literal["met", "not_met", "open", "inconclusive", "no_target"]
Direction = Literal["increase", "decrease", "neutral"] | tuple[float, float]

SURE, UNLIKELY = 0.8, 0.2
# The peers' own series tell how strongly such months are autocorrelated; they share their shocks, so each counts little.
SHARE_OF_EVIDENCE = 0.15
# Half a year shows half a season: a priori it is at most about this many SD, so that little evidence of it costs little.
SEASON_SD = 2.0


@dataclass(frozen=True)
class Goal:
    """Where the level stands to its target.

    Attributes
    ----------
    probability
        That the true level is at or beyond the target; None without a target.
    level, lower, upper
        The level over the periods after, season taken out, with its 95 % interval.
    baseline
        Mean of the baseline's periods.
    target
        As a level, whatever type it was declared with.
    """

    verdict: GoalVerdict
    probability: float | None
    level: float | None
    lower: float | None
    upper: float | None
    baseline: float | None
    target: float | None


def target_level(kind: str, value: float, baseline: float, direction: Direction) -> float:
    """A declared target as a level; the sign of a change follows the KPI's good direction.

    >>> target_level("relative", 0.2, 10.0, "decrease")
    8.0
    >>> target_level("change", -1.5, 10.0, "decrease"), target_level("level", 9.0, 10.0, "decrease")
    (8.5, 9.0)
    """
    if kind == "level":
        return value
    better = -1.0 if direction == "decrease" else 1.0
    return baseline + better * abs(value) * (abs(baseline) if kind == "relative" else 1.0)


def good_side(direction: Direction, baseline: float | None, target: float | None) -> Direction:
    """The way that is better: towards the band, or towards the target of a KPI that has no good side by itself.

    >>> good_side((18.0, 22.0), 25.0, None), good_side("neutral", 5.0, 7.0), good_side("neutral", 5.0, None)
    ('decrease', 'increase', 'neutral')
    """
    if direction in ("increase", "decrease") or baseline is None:
        return direction if isinstance(direction, str) else "neutral"
    if isinstance(direction, tuple):
        return "decrease" if baseline > direction[1] else "increase" if baseline < direction[0] else "neutral"
    if target is None or target == baseline:
        return "neutral"
    return "increase" if target > baseline else "decrease"


def level_after(panel: Panel, window: Window) -> Posterior:
    """What is known of the KPI's true level after the plan.

    The periods before lend their scatter and season, not their level; few cases are read in their own likelihood.

    Raises
    ------
    NotEstimable
        With fewer than two periods in all or none after.
    """
    values = panel.treated.value
    window = window.without(np.isnan(values))
    if window.n_after < 1 or window.n_before + window.n_after < 3:
        raise NotEstimable("too few periods to know a level")
    if window.n_before == 0:
        times = np.flatnonzero(window.after)
        return fit_ar1(values[times], np.ones((len(times), 1)), times).contrast([1.0])
    family = small_number_family(panel.kind, panel.treated, window)
    harmonics = 1 if shows_season(window, panel.per_year) and not family else 0
    x, times = step_design(window, harmonics=harmonics, per_year=panel.per_year)
    contrast = np.zeros(x.shape[1])
    contrast[:2] = 1.0
    if not family:
        prior_sd = [np.inf, np.inf, *[SEASON_SD] * (x.shape[1] - 2)]
        log_prior = prior_of_rho() + SHARE_OF_EVIDENCE * _evidence_of_peers(panel, window, harmonics)
        return fit_ar1(values[times], x, times, log_prior=log_prior, prior_sd=prior_sd).contrast(contrast)
    assert panel.treated.numerator is not None
    exposure = np.ones(len(values)) if panel.kind == "count" else panel.treated.denominator
    assert exposure is not None
    fit = fit_latent(panel.treated.numerator[times], exposure[times], x, times, family=family)
    if family == "binomial":
        return Mapped(fit.contrast(contrast), lambda eta: float(expit(eta)))
    factor = panel.per if panel.kind == "rate" else 1.0
    return Mapped(fit.contrast(contrast), lambda eta: float(factor * np.exp(eta)))


def _evidence_of_peers(panel: Panel, window: Window, harmonics: int) -> FloatArray:
    total = np.zeros(len(RHO))
    for series in panel.peers.values():
        known = window.without(np.isnan(series.value))
        x, times = step_design(known, harmonics=harmonics, per_year=panel.per_year)
        if known.n_after and known.n_before >= window.n_before / 2:
            total += log_evidence_of_rho(series.value[times], x, times)
    return total


def probability_beyond(level: Posterior, target: float, direction: Direction) -> float | None:
    """Probability that the level is at the target or on its good side (inside the band); None without a good side."""
    if isinstance(direction, tuple):
        return level.cdf(direction[1]) - level.cdf(direction[0])
    if direction == "neutral":
        return None
    return level.cdf(target) if direction == "decrease" else 1 - level.cdf(target)


def judge_goal(
    level: Posterior | None, *, target: float | None, baseline: float | None, direction: Direction, due_passed: bool
) -> Goal:
    """Met from a probability of 0.8, not met up to 0.2; between, open before the due date and inconclusive after.

    Before the due date only a goal that is met is decided: what is not reached yet may still be.
    """
    probability = None
    if level is not None and (target is not None or isinstance(direction, tuple)):
        probability = probability_beyond(level, target if target is not None else np.nan, direction)
    verdict: GoalVerdict
    if target is None and not isinstance(direction, tuple):
        verdict = "no_target"
    elif probability is not None and probability >= SURE:
        verdict = "met"
    elif not due_passed:
        verdict = "open"
    elif probability is not None and probability <= UNLIKELY:
        verdict = "not_met"
    else:
        verdict = "inconclusive"
    low, high = level.interval() if level else (None, None)
    return Goal(verdict, probability, level.quantile(0.5) if level else None, low, high, baseline, target)
