"""How sure it is that a segment moved: a score test that takes out what all segments have in common, and its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svclib.explain.baseline import Baseline
from svclib.explain.family import information, mean_of, signed_root
from svclib.explain.scan import REDUNDANT, Field, Fit, log_bayes_factor

NOTHING = -20.0  # gain where no segment got worse
TAIL = 0.1  # upper part of the null months that the exponential tail is fitted to


@dataclass(frozen=True)
class _Adjustment:
    """What the effects' error does to the segments' residuals at given weights; see `_adjust`."""

    own: np.ndarray  # leaves: share of a residual that is not the leaf's own deviation
    carried: np.ndarray  # segments x columns: from the score of the effects to the residual of a segment
    left: np.ndarray  # segments: variance of what is left of the residual
    covariance: np.ndarray  # segments x chosen


def _adjust(field: Field, weight: np.ndarray, chosen: tuple[int, ...]) -> _Adjustment:
    """Generalised least squares in Woodbury's form: the mixed model's inverse covariance without leaves x leaves."""
    base, A = field.baseline, field.segments.leaves
    own = 1 / (1 + weight * base.leaf_error)
    precise = weight * own
    posterior = np.linalg.inv(field.precision + base.effects.gram(precise * base.shrink**2))
    cross = (A.multiply((precise * base.shrink)[None, :]).tocsr() @ base.effects.matrix).toarray()
    carried = cross @ posterior
    left = A @ precise - np.einsum("sp,sp->s", carried, cross)
    picked = list(chosen)
    covariance = A @ (field.segments.member[picked] * precise).T - carried @ cross[picked].T
    return _Adjustment(own, carried, left, covariance)


def _score(field: Field, adjustment: _Adjustment, residual: np.ndarray) -> np.ndarray:
    """Segments' residuals (segments x columns of `residual`) less what the effects common to many leaves explain."""
    residual = adjustment.own[:, None] * residual
    effects = field.baseline.effects.matrix.T @ (field.baseline.shrink[:, None] * residual)
    return np.asarray(field.segments.leaves @ residual - adjustment.carried @ effects)


def _gains(field: Field, observed: np.ndarray, expected: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    """Gains of all segments for every column of `observed` (leaves x repetitions)."""
    base, A = field.baseline, field.segments.leaves
    scale = base.scale if base.family == "gaussian" else 1.0
    weight = information(expected, field.exposure, base.family, base.scale)
    adjustment = _adjust(field, weight, chosen)
    residual = (observed - (field.exposure * expected)[:, None]) / scale
    score, left = _score(field, adjustment, residual), adjustment.left
    if chosen:
        picked = list(chosen)
        slope = adjustment.covariance @ np.linalg.pinv(adjustment.covariance[picked])
        score, left = score - slope @ score[picked], left - np.einsum("sc,sc->s", slope, adjustment.covariance)
    kept = left > REDUNDANT * adjustment.left
    left = np.where(kept, left, np.inf)
    known = np.where(kept, left, 0.0)[:, None]
    if base.family == "gaussian":
        root = field.bad * score / np.sqrt(left)[:, None]
        return log_bayes_factor(root, known, base.scale) - field.penalty[:, None]
    # The deviance around the level that the common effects lead to expect; small counts are skewed.
    total = A @ observed
    usual = np.maximum(total - score, 1e-9)
    held = field.held[:, None]
    if base.family == "binomial":
        usual = np.minimum(usual, held * (1 - 1e-9))
        spread = usual * (1 - usual / held)
    else:
        spread = usual
    root = signed_root(total, usual, held, base.family, spread)
    root = field.bad * np.nan_to_num(root * np.sqrt(spread / left[:, None]))
    return log_bayes_factor(root, known) - field.penalty[:, None]


def evidence(field: Field, observed: np.ndarray, fit: Fit) -> np.ndarray:
    """Gain of every segment over the chosen ones of a fit: its log Bayes factor less the log of the candidates.

    A segment's residual is compared with what its leaves' other values lead to expect, so that a swing of a value, or
    of everything, is not laid to a part of it. The score test of a fixed shift in the mixed model of the baseline
    (Breslow and Clayton 1993), with the signed root of the deviance instead of the score.

    Returns
    -------
    One a segment; negative infinity where it got better or is redundant.
    """
    return _gains(field, observed[:, None], fit.expected, fit.chosen)[:, 0]


def simulate_null(field: Field, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Greatest gain over all local segments, and the gain of everything, in months where nothing happened.

    Returns
    -------
    Two rows, each sorted: the first for local segments, the second for the general shift.

    Every replicate draws a baseline within its error, a swing of a plausible size, cases from both, and looks as
    `evidence` does. The maximum over the candidates, which share cases, is what the family-wise error is about.
    """
    base = field.baseline
    p = len(base.fit_error)
    root = np.linalg.cholesky(base.fit_error + 1e-9 * np.trace(base.fit_error) / p * np.eye(p))
    # One swing for a whole month: what is not known of it is common to all its effects.
    swing = base.swing.plausible[:, rng.integers(base.swing.plausible.shape[1], size=replicates)]
    spread = np.sqrt(swing)[base.effects.depth][base.effects.group]
    moved = root @ rng.standard_normal((p, replicates)) + spread * rng.standard_normal((p, replicates))
    noise = (base.effects.matrix @ moved) * base.shrink[:, None]
    noise = noise + np.sqrt(base.leaf_error)[:, None] * rng.standard_normal(noise.shape)
    n = field.exposure[:, None]
    mean = mean_of(base.eta[:, None] + noise - _convexity(base)[:, None], base.family)
    if base.family == "binomial":
        drawn = rng.binomial(np.round(n).astype(int), mean).astype(float)
    elif base.family == "poisson":
        drawn = rng.poisson(n * np.minimum(mean, 1e9)).astype(float)
    else:
        drawn = n * mean + np.sqrt(n * base.scale) * rng.standard_normal(mean.shape)
    gains = np.maximum(_gains(field, drawn, mean_of(base.eta, base.family), ()), NOTHING)
    local = gains[1:].max(axis=0) if len(gains) > 1 else np.zeros(replicates)
    return np.sort(np.vstack([local, gains[0]]), axis=1)


def _convexity(base: Baseline) -> np.ndarray:
    """What to take off the linear predictor so that noise around it leaves the expected level where it is."""
    if base.family == "gaussian":
        return np.zeros_like(base.eta)
    matrix = base.effects.matrix
    spread = base.shrink**2 * np.asarray(matrix.multiply(matrix @ base.error).sum(axis=1)).ravel()
    bend = 1 - 2 * mean_of(base.eta, "binomial") if base.family == "binomial" else 1.0
    return np.asarray((spread + base.leaf_error) * bend / 2)


def tail_probability(gain: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of null months whose greatest gain reaches `gain`; beyond the upper tenth an exponential tail is fitted.

    Examples
    --------
    >>> null = np.sort(np.random.default_rng(1).exponential(size=1000))
    >>> tail_probability(np.array([0.0, 7.0]), null).round(3)
    array([1.   , 0.001])
    """
    edge, slope = _tail(null)
    far = TAIL * np.exp(-np.maximum(gain - edge, 0) / slope)
    near = (len(null) - np.searchsorted(null, gain, side="left") + 1) / (len(null) + 1)
    return np.where(gain > edge, far, np.minimum(near, 1.0))


def gain_at(alpha: float, null: np.ndarray) -> float:
    """The gain that null months pass with probability `alpha`, at most `TAIL`: where `tail_probability` says `alpha`.

    Examples
    --------
    >>> null = np.sort(np.random.default_rng(1).exponential(size=1000))
    >>> tail_probability(np.array([gain_at(0.05, null)]), null).round(6)
    array([0.05])
    """
    edge, slope = _tail(null)
    return edge + slope * float(np.log(TAIL / alpha))


def _tail(null: np.ndarray) -> tuple[float, float]:
    edge = float(np.quantile(null, 1 - TAIL))
    beyond = null[null > edge] - edge
    return edge, max(float(beyond.mean()) if beyond.size else 0.0, 0.2)  # without candidates all null months are alike
