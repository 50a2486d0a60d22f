"""How far every segment is from its baseline, given the ones already chosen, and how far chance alone takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svclib.explain.baseline import Baseline, Family, information, mean_of
from svclib.explain.crosstab import CrossTable
from svclib.explain.segments import Segments

REDUNDANT = 0.05  # share of a segment's variance that must be left once the chosen ones are fitted


@dataclass(frozen=True)
class Field:
    """The sums that every look at the segments needs; computed once a scan.

    `held` is the exposure of every segment, `penalty` the log of the number of candidates of its depth, `info` the
    information at the baseline and `shared` the covariance that the baseline's error gives to the residuals of any two
    segments.
    """

    segments: Segments
    baseline: Baseline
    exposure: np.ndarray
    held: np.ndarray
    penalty: np.ndarray
    info: np.ndarray
    shared: np.ndarray
    bad: int

    @property
    def family(self) -> Family:
        return self.baseline.family


def prepare(table: CrossTable, segments: Segments, baseline: Baseline, bad: int) -> Field:
    """Sums that stay the same whatever is observed."""
    counts = np.bincount(segments.depth)
    penalty = np.log(np.maximum(counts, 1.0))[segments.depth]
    exposure, A = table.exposure[-1], segments.leaves
    weight = information(mean_of(baseline.eta, baseline.family), exposure, baseline.family, baseline.scale)
    cross = (A.multiply(weight[None, :]) @ baseline.effects.matrix.multiply(baseline.shrink[:, None])).toarray()
    shared = cross @ baseline.error @ cross.T
    return Field(segments, baseline, exposure, A @ exposure, penalty, A @ weight, shared, bad)


@dataclass(frozen=True)
class Fit:
    """Shifts of chosen segments on the scale of the linear predictor, and what is left to every other segment.

    `root` is the signed root of the deviance of each segment (positive: worse), given the chosen ones; `gain` is
    ``root**2 / 2 - penalty`` (negative infinity where better or redundant).
    """

    chosen: tuple[int, ...]
    shift: np.ndarray
    expected: np.ndarray  # leaves
    root: np.ndarray
    gain: np.ndarray


def _totals(field: Field, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per segment: information; variance of observed minus expected with the baseline's error; own variance of leaves.

    The baseline's error was projected once, at the baseline's own weights; it is rescaled to the weights of this fit.
    """
    base = field.baseline
    weight = information(expected, field.exposure, base.family, base.scale)
    info = field.segments.leaves @ weight
    own = weight + weight**2 * base.leaf_error
    variance = field.segments.leaves @ own + (info / np.maximum(field.info, 1e-12)) ** 2 * np.diag(field.shared)
    return info, variance, own


def _covariance_with(field: Field, info: np.ndarray, own: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    """Covariance of every segment's residual with those of the chosen ones: segments x chosen."""
    picked = field.segments.member[list(chosen)] * own
    ratio = info / np.maximum(field.info, 1e-12)
    return field.segments.leaves @ picked.T + ratio[:, None] * field.shared[:, list(chosen)] * ratio[None, list(chosen)]


def signed_root(
    observed: np.ndarray, expected: np.ndarray, held: np.ndarray, family: Family, info: np.ndarray
) -> np.ndarray:
    """Signed root of the deviance of totals against their expectation; standard normal under the null.

    Examples
    --------
    >>> signed_root(np.array([30.0]), np.array([20.0]), np.array([100.0]), "binomial", np.array([16.0])).round(2)
    array([2.37])
    """
    if family == "gaussian":
        return (observed - expected) / np.sqrt(info)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(observed > 0, observed * np.log(observed / expected), 0.0) - (observed - expected)
        if family == "binomial":
            left, right = held - observed, held - expected
            deviance = np.where(observed > 0, observed * np.log(observed / expected), 0.0)
            deviance = deviance + np.where(left > 0, left * np.log(left / right), 0.0)
    return np.sign(observed - expected) * np.sqrt(2 * np.maximum(deviance, 0.0))


def fit_shifts(field: Field, observed: np.ndarray, chosen: tuple[int, ...]) -> Fit:
    """Fit the chosen segments' shifts together and look at what is left to each segment."""
    base = field.baseline
    scale = base.scale if base.family == "gaussian" else 1.0
    shift = np.zeros(len(chosen))
    picked = field.segments.member[list(chosen)].astype(float)
    expected = mean_of(base.eta, base.family)
    longest = np.inf if base.family == "gaussian" else 2.0
    for _ in range(25 if chosen else 0):
        weight = information(expected, field.exposure, base.family, base.scale)
        score = picked @ ((observed - field.exposure * expected) / scale)
        gram = (picked * weight) @ picked.T + 1e-9 * np.eye(len(chosen))
        step = np.clip(np.linalg.solve(gram, score), -longest, longest)
        shift = shift + step
        expected = mean_of(base.eta + picked.T @ shift, base.family)
        if np.max(np.abs(step)) < 1e-6 or base.family == "gaussian":
            break
    root = _roots(field, observed, expected, chosen)
    gain = np.where(root > 0, root**2 / 2, -np.inf) - field.penalty
    return Fit(chosen, shift, expected, root, gain)


def _roots(field: Field, observed: np.ndarray, expected: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    base, A = field.baseline, field.segments.leaves
    scale = base.scale if base.family == "gaussian" else 1.0
    info, variance, own = _totals(field, expected)
    left = variance
    if chosen:
        shared = _covariance_with(field, info, own, chosen)
        among = shared[list(chosen)]
        left = variance - np.einsum("sc,sc->s", shared @ np.linalg.pinv(among), shared)
    held_expected = A @ (field.exposure * expected) / scale
    held_observed = A @ observed / scale
    root = signed_root(held_observed, held_expected, field.held, base.family, info)
    with np.errstate(divide="ignore", invalid="ignore"):
        if base.family == "binomial":
            mean = held_expected / field.held
            root = root * np.sqrt(field.held * mean * (1 - mean) / left)
        else:
            root = root * np.sqrt(info / left)
    root = np.where(left > REDUNDANT * variance, root, 0.0)
    return field.bad * np.nan_to_num(root)


def simulate_null(field: Field, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Greatest gain over all local segments, and the gain of everything, in months where nothing happened.

    Returns
    -------
    Two rows, each sorted: the first for local segments, the second for the general shift.

    Every replicate draws a baseline within its error and its swing, cases from it, and looks as the scan does.
    """
    base = field.baseline
    p = len(base.fit_error)
    root = np.linalg.cholesky(base.fit_error + 1e-9 * np.trace(base.fit_error) / p * np.eye(p))
    # One swing for a whole month: what is not known of it is common to all its effects.
    swing = base.swing.plausible[:, rng.integers(base.swing.plausible.shape[1], size=replicates)]
    spread = np.sqrt(swing)[base.effects.depth][base.effects.group]
    moved = root @ rng.standard_normal((p, replicates)) + spread * rng.standard_normal((p, replicates))
    noise = base.effects.matrix @ moved
    noise = noise * base.shrink[:, None] + np.sqrt(base.leaf_error)[:, None] * rng.standard_normal(
        (len(base.eta), replicates)
    )
    n = field.exposure[:, None]
    mean = mean_of(base.eta[:, None] + noise - _convexity(base)[:, None], base.family)
    if base.family == "binomial":
        drawn = rng.binomial(np.round(n).astype(int), mean).astype(float)
    elif base.family == "poisson":
        drawn = rng.poisson(n * np.minimum(mean, 1e9)).astype(float)
    else:
        drawn = n * mean + np.sqrt(n * base.scale) * rng.standard_normal(mean.shape)
    expected = mean_of(base.eta, base.family)
    scale = base.scale if base.family == "gaussian" else 1.0
    info, variance, _ = _totals(field, expected)
    A = field.segments.leaves
    held_expected = (A @ (field.exposure * expected) / scale)[:, None]
    roots = signed_root(A @ drawn / scale, held_expected, field.held[:, None], base.family, info[:, None])
    if base.family == "binomial":
        share = held_expected[:, 0] / field.held
        roots *= np.sqrt(field.held * share * (1 - share) / variance)[:, None]
    else:
        roots *= np.sqrt(info / variance)[:, None]
    roots = np.nan_to_num(field.bad * roots)
    gains = np.where(roots > 0, roots**2 / 2, 0.0) - field.penalty[:, None]
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
    edge = np.quantile(null, 0.9)
    slope = max(float(np.mean(null[null > edge] - edge)), 0.2)
    far = 0.1 * np.exp(-np.maximum(gain - edge, 0) / slope)
    near = (len(null) - np.searchsorted(null, gain, side="left") + 1) / (len(null) + 1)
    return np.where(gain > edge, far, np.minimum(near, 1.0))
