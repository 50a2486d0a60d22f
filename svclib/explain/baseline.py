"""What each leaf should have shown: a hierarchical empirical-Bayes baseline and the swings of its history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy import sparse
from scipy.special import logit
from scipy.stats import chi2

from svclib.explain.crosstab import CrossTable
from svclib.explain.family import Family, information, mean_of
from svclib.explain.history import unusual_cells
from svclib.explain.segments import Segments, Where, list_segments

MAXIMUM_COLUMNS = 400
PRIOR_SWING = (0.02, 0.01, 0.005)  # variance of log odds (14, 10, 7 %) by depth, before the history has spoken
LEAST_FREEDOM = 4.0  # below, the mean of an inverse chi-square does not settle
SWING_ROUNDS = 8
ODD_ROUNDS = 3  # of fitting the level and looking for what stands out from it
_LEAST, _MOST = 1e-6, 4.0


@dataclass(frozen=True)
class Effects:
    """The design of main effects and pairs: leaves x columns, and the group of every column (0 is the intercept)."""

    matrix: sparse.csr_array
    group: np.ndarray
    depth: np.ndarray  # of every group: 0, 1 or 2 dimensions

    @property
    def groups(self) -> int:
        return len(self.depth)

    @cached_property
    def _crossed(self) -> np.ndarray:
        """Where the product of any two columns of a leaf goes; every leaf has one column of each group."""
        columns = self.matrix.indices.reshape(-1, self.groups)
        return (columns[:, :, None] * self.matrix.shape[1] + columns[:, None, :]).reshape(len(columns), -1)

    def gram(self, weight: np.ndarray) -> np.ndarray:
        """Weighted products of the columns, dense: ``Z' W Z``."""
        width = self.matrix.shape[1]
        repeated = np.repeat(weight, self._crossed.shape[1])
        return np.bincount(self._crossed.ravel(), repeated, minlength=width * width).reshape(width, width)


@dataclass(frozen=True)
class Swing:
    """Variance of the effects from period to period, one for each depth (0: the total, 1: values, 2: pairs).

    `plausible` holds equally likely values of it (depths x values), `variance` their mean. A few periods know a variance
    badly: judged by its best estimate alone, a usual swing would pass for a cause too often.
    """

    variance: np.ndarray
    plausible: np.ndarray


@dataclass(frozen=True)
class Baseline:
    """Expected level of every leaf in the current period and what is not known about it.

    Attributes
    ----------
    eta : linear predictor of each leaf (logit, log, or the mean itself).
    effects : the design that `error` refers to.
    fit_error : columns x columns covariance of the effects: uncertainty of the fit, with what the swing of the periods
        behind it leaves in their mean.
    leaf_error : variance of each leaf's own deviation, given the effects.
    shrink : weight, 0 to 1, of the effects (not of the leaf's own history) in `eta`.
    swing : how far each depth of effects swings from period to period, and how well that is known.
    scale : for means, the pooled variance of single values; 1 else.
    stood_out : parts that stood out in a single period, and its label (`unusual_cells`): they are not in all this.
    """

    eta: np.ndarray
    effects: Effects
    fit_error: np.ndarray
    leaf_error: np.ndarray
    shrink: np.ndarray
    swing: Swing
    family: Family
    scale: float
    stood_out: tuple[tuple[Where, str], ...] = ()

    @property
    def error(self) -> np.ndarray:
        """Covariance of the effects of the current period around the baseline: the fit's error and the swing."""
        return self.fit_error + np.diag(self.swing.variance[self.effects.depth][self.effects.group])


def design_effects(table: CrossTable) -> Effects:
    """Columns for the intercept, each value of a dimension and each pair of values of two dimensions.

    Pairs of dimensions with the most combinations are left out first when there would be too many columns.
    """
    columns, group, depth = [np.zeros(table.leaves, dtype=int)], [np.zeros(1, dtype=int)], [0]
    width = 1
    subsets: list[tuple[int, ...]] = [(d,) for d in range(len(table.dimensions))]
    pairs: dict[tuple[int, ...], np.ndarray] = {}
    for pair in combinations(range(len(table.dimensions)), 2):
        pairs[pair] = np.unique(table.codes[:, pair], axis=0, return_inverse=True)[1].ravel()
    by_size = sorted(pairs, key=lambda pair: int(pairs[pair].max(initial=0)))
    for subset in [*subsets, *by_size]:
        index = table.codes[:, subset[0]] if len(subset) == 1 else pairs[subset]
        size = int(index.max(initial=-1)) + 1
        if size == 0 or (len(subset) == 2 and (width + size > MAXIMUM_COLUMNS or size >= table.leaves)):
            continue
        columns.append(index + width)
        group.append(np.full(size, len(depth)))
        depth.append(len(subset))
        width += size
    rows = np.tile(np.arange(table.leaves), len(columns))
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, np.concatenate(columns))), shape=(table.leaves, width))
    matrix.sort_indices()
    return Effects(matrix, np.concatenate(group), np.array(depth))


def fit_baseline(table: CrossTable, family: Family, *, segments: Segments | None = None, rounds: int = 12) -> Baseline:
    """Main effects and pairs as random effects, leaves shrunk to them; variances from the data.

    Penalised quasi-likelihood (Breslow and Clayton 1993) with MacKay's update of the variance components. The same
    effects, let loose in every period of the history, give the swing from period to period. What stood out in a single
    period (`unusual_cells`) serves for neither.

    Parameters
    ----------
    table : its last period is not used for the fit.
    segments : the parts that may have stood out; all of one or two dimensions where left out.
    rounds : of the alternation between effects and variances.

    Raises
    ------
    ValueError
        If the history holds no case.
    """
    use = table.exposure[:-1].sum(axis=1) > 0
    observed, exposure = table.observed[:-1][use], table.exposure[:-1][use]
    labels = [label for label, used in zip(table.periods, use, strict=False) if used]
    if not labels:
        raise ValueError("there is no history to compare with")
    scale = _pooled_variance(table) if family == "gaussian" else 1.0
    segments = segments or list_segments(table, minimum=0)
    effects, usual = design_effects(table), (observed, exposure)
    cells: list[tuple[int, int]] = []
    level = _fit_level(effects, observed, exposure, family, scale, rounds)
    for _ in range(ODD_ROUNDS):
        before, cells = cells, unusual_cells(segments, level.eta, observed, exposure, family, scale)
        if cells == before:
            break
        odd = np.zeros(observed.shape, dtype=bool)
        for period, segment in cells:
            odd[period] |= segments.member[segment]
        usual = np.where(odd, 0.0, observed), np.where(odd, 0.0, exposure)
        level = _fit_level(effects, *usual, family, scale, rounds)
    seen, kept = (effects.matrix.T @ part.sum(axis=0) for part in (exposure, usual[1]))
    periods = len(observed) * np.divide(kept, seen, out=np.ones(len(seen)), where=seen > 0)
    # What the fit took of each effect of the mean: the swing of a few periods is still in that much of it.
    taken = np.clip(1 - np.diag(level.covariance) / np.maximum(level.variance, 1e-12)[effects.group], 0, 1)
    taken[0] = 1.0
    swing = _swing(effects, level.eta, *usual, family, scale, taken)
    left = taken**2 * swing.variance[effects.depth][effects.group] / np.maximum(periods, 1.0)
    return Baseline(
        level.eta, effects, level.covariance + np.diag(left), level.leaf_variance * level.shrink, level.shrink, swing,
        family, scale, tuple((segments.where[segment], labels[period]) for period, segment in cells),
    )  # fmt: skip


@dataclass(frozen=True)
class _Level:
    eta: np.ndarray
    covariance: np.ndarray  # of the effects
    variance: np.ndarray  # of each group of effects
    leaf_variance: float
    shrink: np.ndarray


def _fit_level(
    effects: Effects, observed: np.ndarray, exposure: np.ndarray, family: Family, scale: float, rounds: int
) -> _Level:
    y, n = observed.sum(axis=0), exposure.sum(axis=0)
    total = y.sum() / n.sum()
    if family == "binomial":
        start = float(logit(np.clip(total, 0.5 / n.sum(), 1 - 0.5 / n.sum())))
    else:
        start = float(np.log(max(total, 0.5 / n.sum()))) if family == "poisson" else float(total)
    eta = _first_guess(y, n, total, family)
    variance = np.full(effects.groups, 0.05) * scale
    leaf_variance = 0.02 * scale
    # Small steps: from a tiny expectation a full Newton step overshoots for good.
    longest = np.inf if family == "gaussian" else 1.5
    for _ in range(rounds):
        mean = mean_of(eta, family)
        weight = np.maximum(information(mean, n, family, scale), 1e-12)
        working = eta - start + np.where(n > 0, (y - n * mean) / scale / weight, 0.0)
        precision = weight / (1 + weight * leaf_variance)
        b, covariance = _solve(precision, working, variance, effects)
        fitted = effects.matrix @ b
        shrink = 1 / (1 + weight * leaf_variance)
        own = (1 - shrink) * (working - fitted)
        eta = eta + np.clip(start + fitted + own - eta, -longest, longest)
        variance = _update(b[None], covariance[None], variance, effects, scale)
        used = np.sum((1 - shrink)[n > 0])
        leaf_variance = float(np.clip(np.sum(own**2) / max(used, 1e-9), _LEAST * scale, _MOST * scale))
    return _Level(eta, covariance, variance, leaf_variance, shrink)


def _first_guess(y: np.ndarray, n: np.ndarray, total: float, family: Family) -> np.ndarray:
    """Every leaf's own level, with one bad case's worth of the total mixed in."""
    if family == "gaussian":
        return np.full(len(y), total)
    total = (
        float(np.clip(total, 0.5 / n.sum(), 1 - 0.5 / n.sum())) if family == "binomial" else max(total, 0.5 / n.sum())
    )
    weight = 1 / total
    level = (y + 1) / (n + weight)
    return np.asarray(logit(np.minimum(level, 1 - 1e-6)) if family == "binomial" else np.log(level))


def _pooled_variance(table: CrossTable) -> float:
    """Variance of single values within leaf and earlier period."""
    assert table.squares is not None, "means need the sum of squares"
    y, n, squares = table.observed[:-1], table.exposure[:-1], table.squares[:-1]
    within = np.sum(squares[n > 0] - y[n > 0] ** 2 / n[n > 0])
    return max(float(within / max(np.sum(n[n > 0] - 1), 1.0)), 1e-12)


def _solve(
    weight: np.ndarray, target: np.ndarray, variance: np.ndarray, effects: Effects
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge with one penalty a group: estimates and their covariance. The intercept is nearly free."""
    penalty = 1 / np.maximum(variance, 1e-12)[effects.group]
    penalty[0] = 1e-8 * penalty.max()
    covariance = np.linalg.inv(effects.gram(weight) + np.diag(penalty))
    return covariance @ (effects.matrix.T @ (weight * target)), covariance


def _update(b: np.ndarray, covariance: np.ndarray, variance: np.ndarray, effects: Effects, unit: float) -> np.ndarray:
    """MacKay's fixed point: sum of squares over the number of well-determined effects, for every group."""
    updated = variance.copy()
    for g in range(1, effects.groups):
        member = effects.group == g
        spread = np.einsum("tjj->tj", covariance)[:, member]
        determined = np.sum(1 - spread / variance[g])
        updated[g] = np.sum(b[:, member] ** 2) / max(determined, 1e-6)
    return np.clip(updated, _LEAST * unit, _MOST * unit)


def _swing(
    effects: Effects,
    eta: np.ndarray,
    observed: np.ndarray,
    exposure: np.ndarray,
    family: Family,
    scale: float,
    taken: np.ndarray,
) -> Swing:
    """Variance of the effects from period to period, pooled over the groups of a depth, and what else it may be.

    The estimate is the fixed point of MacKay (1992) for the effects let loose in every period. What else it may be tells a
    scaled inverse chi-square whose degrees of freedom match the information that the periods have of its logarithm.
    """
    prior = np.array(PRIOR_SWING)[: int(effects.depth.max()) + 1] * scale
    periods = len(observed)
    if periods < 2:
        return _plausible(prior, np.zeros(len(prior)))
    depth = effects.depth[effects.group]
    longest = np.inf if family == "gaussian" else 1.5
    # The baseline has seen these periods: what it took of their swing is put back.
    kept = 1 - taken / periods
    swing, b = prior.copy(), np.zeros((periods, len(depth)))
    for _ in range(SWING_ROUNDS):
        penalty = 1 / swing[depth]
        mean = mean_of(eta + (effects.matrix @ b.T).T, family)
        weight = information(mean, exposure, family, scale)
        score = (effects.matrix.T @ ((observed - exposure * mean) / scale).T).T - penalty * b
        inverse = np.linalg.inv(np.stack([effects.gram(w) for w in weight]) + np.diag(penalty))
        b = b + np.clip(np.einsum("tij,tj->ti", inverse, score), -longest, longest)
        known = np.clip(1 - np.einsum("tjj->tj", inverse) * penalty, 0, 1)
        squares = np.sum(b**2, axis=0) / kept
        total = np.bincount(depth, squares) / np.maximum(np.bincount(depth, known.sum(axis=0)), 1e-6)
        swing = np.clip(total, _LEAST * scale, _MOST * scale)
    # An effect counts by how well it tells the swing: the information on log v is half the sum of these squares.
    freedom = np.bincount(depth, np.sum(known**2, axis=0)) * (1 - 1 / periods)
    return _plausible(swing, freedom)


def _plausible(swing: np.ndarray, freedom: np.ndarray) -> Swing:
    """Equally likely values of variances that are known as well as from `freedom` scatters of their own size."""
    freedom = freedom + LEAST_FREEDOM
    quantiles = chi2.ppf((np.arange(200) + 0.5) / 200, freedom[:, None])
    plausible = swing[:, None] * freedom[:, None] / quantiles
    return Swing(plausible.mean(axis=1), plausible)
