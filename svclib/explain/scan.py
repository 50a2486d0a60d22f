"""How far every segment is from its baseline, given the ones already chosen, and how far chance alone takes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svclib.explain.baseline import Baseline
from svclib.explain.crosstab import CrossTable
from svclib.explain.family import Family, information, mean_of, signed_root
from svclib.explain.segments import Segments

USUAL_SHIFTS = (0.5, 1.0, 2.0)  # of a cause: log odds, log rate, or standard deviations of single values
REDUNDANT = 0.05  # share of a segment's variance that must be left once the chosen ones are fitted


@dataclass(frozen=True)
class Field:
    """The sums that every look at the segments needs; computed once a scan.

    `held` is the exposure of every segment, `penalty` the log of the number of candidates of its depth, `info` the
    information at the baseline `shared` the covariance that the baseline's error gives to the residuals of any two
    segments, and `precision` the inverse of that error.
    """

    segments: Segments
    baseline: Baseline
    exposure: np.ndarray
    held: np.ndarray
    penalty: np.ndarray
    info: np.ndarray
    shared: np.ndarray
    precision: np.ndarray
    bad: int

    @property
    def family(self) -> Family:
        return self.baseline.family


def prepare(table: CrossTable, segments: Segments, baseline: Baseline, bad: int) -> Field:
    """Sums that stay the same whatever is observed."""
    counts = np.bincount(segments.depth).astype(float)
    counts[0] += counts[1] if len(counts) > 1 else 0.0  # everything counts as one more value
    penalty = np.log(np.maximum(counts, 1.0))[segments.depth]
    exposure, A = table.exposure[-1], segments.leaves
    weight = information(mean_of(baseline.eta, baseline.family), exposure, baseline.family, baseline.scale)
    cross = (A.multiply(weight[None, :]) @ baseline.effects.matrix.multiply(baseline.shrink[:, None])).toarray()
    shared = cross @ baseline.error @ cross.T
    error = baseline.error
    precision = np.linalg.inv(error + 1e-9 * np.trace(error) / len(error) * np.eye(len(error)))
    return Field(segments, baseline, exposure, A @ exposure, penalty, A @ weight, shared, precision, bad)


@dataclass(frozen=True)
class Fit:
    """Shifts of chosen segments on the scale of the linear predictor, and what is left to every other segment."""

    field: Field
    observed: np.ndarray
    chosen: tuple[int, ...]
    shift: np.ndarray
    expected: np.ndarray  # leaves

    @cached_property
    def _looks(self) -> tuple[np.ndarray, np.ndarray]:
        return _roots(self.field, self.observed, self.expected, self.chosen)

    @property
    def root(self) -> np.ndarray:
        """Signed root of the deviance of each segment, positive where worse, given the chosen ones."""
        return self._looks[0]

    @property
    def left(self) -> np.ndarray:
        """Information on each segment's shift behind its root."""
        return self._looks[1]

    @cached_property
    def gain(self) -> np.ndarray:
        """The `log_bayes_factor` of each segment, less the penalty."""
        return log_bayes_factor(self.root, self.left, self.field.baseline.scale) - self.field.penalty


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


def log_bayes_factor(root: np.ndarray, left: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Log of how much likelier a shift of ordinary size makes the data than no shift; negative infinity where better.

    Before the data the shift is normal with standard deviation `USUAL_SHIFT` (Wakefield 2009): among segments with the
    same root, one with so few cases that only a huge shift could explain it has less behind it, and so has one with so many
    that the shift is tiny.

    Parameters
    ----------
    root : signed roots, standard normal without a shift.
    left : information on each shift, on the scale of the linear predictor.
    scale : variance of single values (means); 1 else.

    Examples
    --------
    >>> log_bayes_factor(np.array([3.0, 3.0, -3.0]), np.array([0.5, 10.0, 10.0])).round(2)
    array([1.72, 2.68, -inf])
    """
    square, total = root**2 / 2, np.full(np.broadcast_shapes(root.shape, left.shape), -np.inf)
    for shift in USUAL_SHIFTS:
        known = shift**2 * scale * np.maximum(left, 0.0)
        total = np.logaddexp(total, square * (known / (1 + known)) - np.log1p(known) / 2)
    return np.where(root > 0, total - np.log(len(USUAL_SHIFTS)), -np.inf)


def scores(field: Field, root: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, float]:
    """How much likelier each segment makes the data, less its penalty; and what it has to beat, the shift of everything.

    The general shift is not one of many candidates but the one rival of them all: it pays for one alternative only.
    """
    factor = log_bayes_factor(root, left, field.baseline.scale)
    return factor - field.penalty, float(factor[0] - np.log(2))


def fit_shifts(field: Field, observed: np.ndarray, chosen: tuple[int, ...]) -> Fit:
    """Fit the chosen segments' shifts together and look at what is left to each segment."""
    base = field.baseline
    scale = base.scale if base.family == "gaussian" else 1.0
    shift = np.zeros(len(chosen))
    picked = field.segments.member[list(chosen)].astype(float)
    expected = mean_of(base.eta, base.family)
    longest, ridge = np.inf if base.family == "gaussian" else 2.0, 1e-9 * np.eye(len(chosen))
    for _ in range(25 if chosen else 0):
        weight = information(expected, field.exposure, base.family, base.scale)
        score = picked @ ((observed - field.exposure * expected) / scale)
        gram = (picked * weight) @ picked.T + ridge
        step = np.clip(np.linalg.solve(gram, score), -longest, longest)
        shift = shift + step
        expected = mean_of(base.eta + picked.T @ shift, base.family)
        if np.max(np.abs(step)) < 1e-4 or base.family == "gaussian":
            break
    return Fit(field, observed, chosen, shift, expected)


def _roots(
    field: Field, observed: np.ndarray, expected: np.ndarray, chosen: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Signed roots, and the information on each shift: what is left of it given the chosen ones and the error."""
    base, A = field.baseline, field.segments.leaves
    scale = base.scale if base.family == "gaussian" else 1.0
    info, variance, own = _totals(field, expected)
    left = variance
    if chosen:
        shared = _covariance_with(field, info, own, chosen)
        among = shared[list(chosen)]
        left = variance - np.einsum("sc,sc->s", shared @ np.linalg.pinv(among), shared)
    held_expected = A @ (field.exposure * expected) / scale
    root = signed_root(A @ observed / scale, held_expected, field.held, base.family, info)
    with np.errstate(divide="ignore", invalid="ignore"):
        if base.family == "binomial":
            mean = held_expected / field.held
            root = root * np.sqrt(field.held * mean * (1 - mean) / left)
        else:
            root = root * np.sqrt(info / left)
    root = np.where(left > REDUNDANT * variance, root, 0.0)
    # A shift of one moves a residual by `info`, of which the chosen ones leave as much as of its variance.
    known = np.where(left > REDUNDANT * variance, left * (info / np.maximum(variance, 1e-12)) ** 2, 0.0)
    return field.bad * np.nan_to_num(root), known
