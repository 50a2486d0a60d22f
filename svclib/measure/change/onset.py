"""Since when? The most likely single change of level in a series, its interval, and whether there was one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RHO = np.arange(-0.3, 0.96, 0.05)  # lag-one autocorrelations that are thought possible


@dataclass(frozen=True)
class Onset:
    """Where a series changed its level.

    Attributes
    ----------
    index : first position of the new level.
    earliest, latest : bounds (inclusive) of the 95 % interval of `index`.
    p : permutation p-value of there being any change.
    before, after : weighted mean level on either side.
    """

    index: int
    earliest: int
    latest: int
    p: float
    before: float
    after: float


def find_onset(
    values: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    permutations: int = 999,
    level: float = 0.95,
    seed: int = 1,
) -> Onset | None:
    """Least-squares change point over all splits, with a permutation test of its greatest gain.

    Every split is looked at (exact, no penalty to choose). The gain of a split is the weighted sum of squares between
    the two means; the interval holds the splits whose profile likelihood makes up `level` of the total under a flat
    prior. What is permuted are the innovations of a series with autocorrelation, which is not taken as known but drawn
    anew for each permutation from what the series says about it: permuting the values would find changes in any slow
    drift.

    Parameters
    ----------
    values : one a period, oldest first; missing ones (NaN) are skipped.
    weights : e.g. cases behind each value; 1 where left out.

    Returns
    -------
    The onset, or None with fewer than 4 values.

    Examples
    --------
    >>> found = find_onset(np.array([1.0, 1.2, 0.9, 1.1, 1.0, 3.0, 3.1, 2.9]))
    >>> found.index, found.earliest, found.latest, found.p < 0.05
    (5, 5, 5, True)
    """
    values = np.asarray(values, dtype=float)
    where = np.flatnonzero(np.isfinite(values))
    y = values[where]
    w = np.ones(len(y)) if weights is None else np.maximum(np.asarray(weights, dtype=float)[where], 1e-9)
    if len(y) < 4:
        return None
    gain = _gains(y[None], w[None])[0]
    best = int(np.argmax(gain))
    rng = np.random.default_rng(seed)
    p = _permutation_p(y, w, permutations, rng)
    total = float(np.sum(w * (y - np.average(y, weights=w)) ** 2))
    _, first, last = likely_run(np.maximum(total - gain, 1e-12 * max(total, 1e-300)), len(y), level)
    before = float(np.average(y[:best], weights=w[:best]))
    after = float(np.average(y[best:], weights=w[best:]))
    return Onset(int(where[best]), int(where[first]), int(where[last]), p, before, after)


def _gains(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted sum of squares between both sides for every split position; series x positions, -inf where not allowed."""
    total_w, total = w.sum(axis=1, keepdims=True), (w * y).sum(axis=1, keepdims=True)
    left_w, left = np.cumsum(w, axis=1), np.cumsum(w * y, axis=1)
    gain = np.full(y.shape, -np.inf)
    lw, ly = left_w[:, :-1], left[:, :-1]
    rw, ry = total_w - lw, total - ly
    gain[:, 1:] = lw * rw / total_w * (ly / lw - ry / rw) ** 2
    gain[:, 0] = -np.inf
    return gain


def _ratio(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Greatest gain relative to what is left: the statistic that the permutations compare."""
    gain = _gains(y, w).max(axis=1)
    mean = (w * y).sum(axis=1, keepdims=True) / w.sum(axis=1, keepdims=True)
    spread = (w * (y - mean) ** 2).sum(axis=1)
    return gain / np.maximum(spread - gain, 1e-12 * np.maximum(spread, 1e-300))


def _permutation_p(y: np.ndarray, w: np.ndarray, permutations: int, rng: np.random.Generator) -> float:
    if np.ptp(y) == 0:
        return 1.0
    split = int(np.argmax(_gains(y[None], w[None])[0]))
    own = _ratio(y[None], w[None])[0]
    order = np.argsort(rng.random((permutations, len(y))), axis=1)
    rho = rng.choice(RHO, size=permutations, p=_weights_of_rho(y, w))
    drawn = _ratio(_series_like(y, w, split, rho, order), np.broadcast_to(w, order.shape))
    return float((1 + np.sum(drawn >= own * (1 - 1e-9))) / (permutations + 1))


def _series_like(y: np.ndarray, w: np.ndarray, split: int, rho: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Series without a change but as autocorrelated: the innovations around both means, permuted and added up again.

    The innovations come from the fit with the change (Huskova and Kirch 2012, for the permutation of residuals), since
    with the change in them they would hide it. Every series has an autocorrelation of its own.
    """
    left, first = _around_means(y, w, split), np.sqrt(1 - rho**2)
    innovations = np.concatenate([left[0] * first[:, None], left[1:] - rho[:, None] * left[:-1]], axis=1)
    drawn = np.take_along_axis(innovations, order, axis=1)
    series = np.empty(drawn.shape)
    series[:, 0] = drawn[:, 0] / first
    for t in range(1, len(y)):
        series[:, t] = rho * series[:, t - 1] + drawn[:, t]
    return series


def _around_means(y: np.ndarray, w: np.ndarray, split: int) -> np.ndarray:
    sides = (y[:split], w[:split]), (y[split:], w[split:])
    return np.concatenate([part - np.average(part, weights=weight) for part, weight in sides])


def _weights_of_rho(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How credible each value of `RHO` is, whether or not the level changed, and wherever it did.

    Restricted likelihood of AR(1) errors (of the values times the root of their weights), averaged over no change (half)
    and every split (the other half), times the prior N(.35, .3) that the evaluation of actions uses too. A single
    estimate at the best split would be too small: that split is chosen to leave little.
    """
    n, root = len(y), np.sqrt(w / w.mean())
    splits = range(1, n)
    after = np.array([np.arange(n) >= k for k in splits], dtype=float)
    # For every rho: the constant, the series and the steps (rho x steps x periods), all made independent.
    one, target = _whiten(root, RHO[:, None]), _whiten(root * y, RHO[:, None])
    steps = _whiten(root * after, RHO[:, None, None])
    a, size = np.einsum("rt,rt->r", one, one), 0.5 * np.log(1 - RHO**2)
    target = target - one * (np.einsum("rt,rt->r", one, target) / a)[:, None]
    steps = steps - (np.einsum("rst,rt->rs", steps, one) / a[:, None])[..., None] * one[:, None, :]
    b, total = np.einsum("rst,rst->rs", steps, steps), np.einsum("rt,rt->r", target, target)
    left = np.maximum(total[:, None] - np.einsum("rst,rt->rs", steps, target) ** 2 / b, 1e-12 * total[:, None])
    known = size - np.log(a) / 2
    log = np.empty((len(RHO), len(after) + 1))
    log[:, 0] = known - (n - 1) / 2 * np.log(total)
    # The unit of a step: a prior worth one observation of it, so that no change and a change can be weighed.
    log[:, 1:] = known[:, None] - (n - 1) / 2 * np.log(left) - np.log(1 + b) / 2 - np.log(len(after))
    weight = np.exp(log - log.max()).sum(axis=1) * np.exp(-0.5 * ((RHO - 0.35) / 0.3) ** 2)
    return np.asarray(weight / weight.sum())


def _whiten(values: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """AR(1) errors along the last axis made independent, all with the variance of an innovation."""
    values = np.broadcast_to(values, np.broadcast_shapes(values.shape, (*rho.shape[:-1], 1)))
    return np.concatenate([values[..., :1] * np.sqrt(1 - rho**2), values[..., 1:] - rho * values[..., :-1]], axis=-1)


def likely_run(left: np.ndarray, size: int, level: float = 0.95) -> tuple[int, int, int]:
    """The best position, and the first and last of the run around it that holds `level` of the profile likelihood.

    Parameters
    ----------
    left
        Sum of squares that is left with each position; inf where none may lie.
    size
        How many values it was made of.

    Examples
    --------
    >>> likely_run(np.array([9.0, 4.0, 1.0, 1.1, 5.0]), 12)
    (2, 2, 3)
    """
    log = -0.5 * (size - 2) * np.log(left)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    best = first = last = int(np.argmax(weight))
    held = weight[best]
    while held < level:
        before = weight[first - 1] if first > 0 else -1.0
        after = weight[last + 1] if last + 1 < len(weight) else -1.0
        if before < 0 and after < 0:
            break
        if before >= after:
            first, held = first - 1, held + before
        else:
            last, held = last + 1, held + after
    return best, first, last
