"""Which segments, at most three: greedy choice by quasi-likelihood, wholes before parts, general against local."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svclib.explain.baseline import information
from svclib.explain.scan import Field, Fit, fit_shifts
from svclib.explain.segments import Segments

FINALISTS = 6
WIDEN = 0.35  # how far the rest of a value must have moved, relative to the part, for the value to be named
CLEAR = 2.5
MINOR = 0.4


@dataclass(frozen=True)
class Rules:
    """What the scan keeps: family-wise level, number of segments, least share of the gap, cases of a segment."""

    alpha: float = 0.05
    alpha_general: float = 0.01
    most: int = 3
    least_share: float = 0.07
    minimum: float = 20
    max_depth: int = 2
    replicates: int = 300


def heterogeneity(fit: Fit) -> float:
    """How much more than chance the segments still scatter around a fit, at least 1.

    The median keeps the segments that a further cause touches from counting as scatter.
    """
    squares = fit.root[fit.root != 0] ** 2
    return max(1.0, float(np.median(squares)) / 0.4549) if len(squares) else 1.0


def choose(field: Field, observed: np.ndarray, null: np.ndarray, rules: Rules) -> Fit:
    """Greedy choice of at most `rules.most` local segments; everything (segment 0) may enter as the general shift.

    Candidates are compared by their quasi-likelihood: what they gain, divided by the scatter that the best of them
    leaves, less the log of the number of candidates of their depth. A pair of values gives way to one of its two values
    where the rest of that value moved as well (`_widen`). Of a chosen segment neither parts nor wholes are chosen again.
    """
    scale = field.baseline.scale if field.family == "gaussian" else 1.0
    threshold = np.full(len(field.segments), np.quantile(null[0], 1 - rules.alpha))
    threshold[0] = np.quantile(null[1], 1 - rules.alpha_general) if rules.alpha_general > 0 else np.inf
    fit = fit_shifts(field, observed, ())
    excess = field.bad * (field.segments.leaves @ (observed - field.exposure * fit.expected)) / scale
    gap = max(float(excess[0]), 0.0)
    allowed = np.ones(len(field.segments), dtype=bool)
    while sum(c != 0 for c in fit.chosen) < rules.most:
        left = field.bad * (field.segments.leaves @ (observed - field.exposure * fit.expected)) / scale
        open_ = allowed & (fit.gain > threshold) & (left >= rules.least_share * gap)
        if not open_.any():
            break
        order = np.argsort(-np.where(open_, fit.gain, -np.inf))[: min(FINALISTS, int(open_.sum()))]
        fits = [fit_shifts(field, observed, (*fit.chosen, int(c))) for c in order]
        scatter = min(heterogeneity(candidate) for candidate in fits)
        score = fit.root[order] ** 2 / (2 * scatter) - field.penalty[order]
        best = int(np.argmax(score))
        if score[best] <= threshold[order[best]]:
            break
        picked = _widen(field, observed, fit.chosen, int(order[best]), scatter)
        allowed = allowed & ~_related(field.segments, picked)
        pruned = _prune(field, observed, (*fit.chosen, picked), threshold)
        if picked not in pruned:
            break
        refit = fit_shifts(field, observed, pruned)
        if _minor(field, refit, picked):
            break
        fit = refit
    return fit


def _related(segments: Segments, chosen: int) -> np.ndarray:
    """The segment itself and all its parts and wholes, apart from everything."""
    mine = set(segments.where[chosen])
    related = np.array([bool(w) and (mine <= set(w) or set(w) <= mine) for w in segments.where])
    related[chosen] = True
    return related


def _widen(field: Field, observed: np.ndarray, chosen: tuple[int, ...], picked: int, scatter: float) -> int:
    """The whole of which `picked` is a part, if the rest of it moved at least `WIDEN` as far, and beyond chance."""
    where = field.segments.where
    best, furthest = picked, 0.0
    for item in where[picked] if len(where[picked]) > 1 else ():
        if (item,) not in where or where.index((item,)) in chosen:
            continue
        parent = where.index((item,))
        fit = fit_shifts(field, observed, (*chosen, picked, parent))
        extra, common = field.bad * fit.shift[-2], field.bad * fit.shift[-1]
        z = common * np.sqrt(_information_of_rest(field, fit.expected, parent, picked) / scatter)
        if z >= CLEAR and common >= WIDEN * (extra + common) and z > furthest:
            best, furthest = parent, z
    return best


def _minor(field: Field, fit: Fit, picked: int) -> bool:
    """Whether a segment's shift is small beside the greatest one chosen: unevenness of that one, no cause of its own."""
    if picked == 0:
        return False
    return bool(field.bad * fit.shift[fit.chosen.index(picked)] < MINOR * np.max(field.bad * fit.shift))


def _information_of_rest(field: Field, expected: np.ndarray, parent: int, part: int) -> float:
    base = field.baseline
    weight = information(expected, field.exposure, base.family, base.scale)
    rest = field.segments.member[parent] & ~field.segments.member[part]
    return float(weight[rest].sum())


def _prune(field: Field, observed: np.ndarray, chosen: tuple[int, ...], threshold: np.ndarray) -> tuple[int, ...]:
    """Take out what the others made superfluous, the weakest first."""
    while len(chosen) > 1:
        gains = []
        for c in chosen:
            rest = tuple(other for other in chosen if other != c)
            gains.append(fit_shifts(field, observed, rest).gain[c] - threshold[c])
        weakest = int(np.argmin(gains))
        if gains[weakest] > 0:
            break
        chosen = tuple(c for i, c in enumerate(chosen) if i != weakest)
    return chosen
