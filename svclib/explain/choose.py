"""Which segments, at most three: greedy choice by quasi-likelihood, wholes before parts, general against local."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from scipy.stats import norm

from svclib.explain.evidence import evidence, gain_at
from svclib.explain.family import information
from svclib.explain.scan import Field, Fit, fit_shifts, scores
from svclib.explain.segments import Segments

FINALISTS = 6
WIDEN = 0.35  # how far the rest of a value must have moved, relative to the part, for the value to be named
CLEAR = 2.5
PART_LEVEL = 0.05  # chance, over all parts of a value, of taking one of them for the whole of its shift
ONE_SIDED = 1.645  # 5 %, for the comparison of a segment with the cases outside it
MINOR = 0.4
BARELY = 3.0  # a Bayes factor up to which one answer is barely likelier than another (Kass and Raftery 1995)


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


@dataclass(frozen=True)
class Choice:
    """What was chosen, and the segment that would have been but for the general shift.

    `rivalled` stands out beyond chance, and the rest of the cases did not visibly move with it, yet a shift of all of them
    makes the data likelier, though at most `BARELY` times: the data cannot tell the two apart. None where there is no such
    segment, or where others were chosen.
    """

    fit: Fit
    rivalled: int | None

    @property
    def chosen(self) -> tuple[int, ...]:
        return self.fit.chosen


def heterogeneity(fit: Fit) -> float:
    """How much more than chance the segments still scatter around a fit, at least 1.

    The median keeps the segments that a further cause touches from counting as scatter.
    """
    squares = fit.root[fit.root != 0] ** 2
    return max(1.0, float(np.median(squares)) / 0.4549) if len(squares) else 1.0


def choose(
    field: Field,
    observed: np.ndarray,
    null: np.ndarray | None,
    rules: Rules,
    general: bool = True,
    scatter: float | None = None,
) -> Choice:
    """Greedy choice of at most `rules.most` local segments; everything (segment 0) may enter as the general shift.

    Whether there is anything to name and what describes it best are two questions. The first is answered by `evidence`
    against the greatest of null months (family-wise). The second compares the candidates that have it by their
    Bayes factors, set off for the scatter that the best of them leaves, less the log of the number of candidates of their
    depth; a segment that the general shift outdoes is not named (`_differs`). Several values of a dimension may stand
    together against one segment (`_siblings`). A pair of values gives way to one of its two values where the rest of that
    value moved as well (`_widen`), a value to one of its parts where its rest did not move (`_narrow`). Of a chosen segment neither parts nor wholes are chosen again, and a further segment
    must show itself where the chosen ones do not reach.

    Parameters
    ----------
    null : from `simulate_null`; without it every segment that got worse may be named.
    general : whether the general shift may enter.
    scatter : `heterogeneity` to divide by; that of the best candidate where left out.
    """
    search = _Search(field, observed, null, rules, scatter)
    fit, allowed = search.fit(()), np.ones(len(field.segments), dtype=bool)
    allowed[0] = general
    gap, rivalled = max(float(search.excess(fit)[0]), 0.0), None
    while sum(c != 0 for c in fit.chosen) < rules.most:
        open_ = allowed & search.evident(fit) & (search.excess(fit) >= rules.least_share * gap)
        if any(fit.chosen):
            open_ &= search.elsewhere(fit)
        if not open_.any():
            break
        candidates, outdone = search.best(fit, open_)
        rivalled = outdone if rivalled is None else rivalled
        for picked in candidates:
            if not allowed[list(picked)].all():  # the whole of what is named already
                continue
            pruned = search.prune((*fit.chosen, *picked))
            refit = search.fit(pruned)
            if set(picked) <= set(pruned) and not any(_minor(field, refit, c) for c in picked):
                break
        else:
            break
        fit = refit
        for c in picked:
            allowed = allowed & ~_related(field.segments, c)
    return Choice(fit, None if any(fit.chosen) else rivalled)


@dataclass(frozen=True)
class _Search:
    field: Field
    observed: np.ndarray
    null: np.ndarray | None
    rules: Rules
    scatter: float | None
    fits: dict[tuple[int, ...], Fit] = dataclass_field(default_factory=dict)

    def fit(self, chosen: tuple[int, ...]) -> Fit:
        """`fit_shifts`, each once: the same few segments are asked about again and again."""
        if chosen not in self.fits:
            self.fits[chosen] = fit_shifts(self.field, self.observed, chosen)
        return self.fits[chosen]

    def excess(self, fit: Fit) -> np.ndarray:
        """What is left to every segment above a fit, positive: worse."""
        residual = self.observed - self.field.exposure * fit.expected
        return np.asarray(self.field.bad * (self.field.segments.leaves @ residual) / _scale(self.field))

    def margin(self, fit: Fit) -> np.ndarray:
        """By how much each segment's gain passes what null months reach; positive for any worse one without a null."""
        if self.null is None:
            return fit.root
        threshold = np.full(len(self.field.segments), gain_at(self.rules.alpha, self.null[0]))
        threshold[0] = gain_at(self.rules.alpha_general, self.null[1])
        return evidence(self.field, self.observed, fit) - threshold

    def evident(self, fit: Fit) -> np.ndarray:
        return self.margin(fit) > 0

    def elsewhere(self, fit: Fit) -> np.ndarray:
        """Segments that are worse than a fit in the cases that no chosen segment holds, by enough and beyond chance.

        A cause works unevenly: within its segment some parts are hit harder than the fit's one shift says, and every
        segment that holds more of those parts than others looks worse. It is so only there.
        """
        base, A = self.field.baseline, self.field.segments.leaves
        free = ~self.field.segments.member[[c for c in fit.chosen if c]].any(axis=0)
        weight = information(fit.expected, self.field.exposure, base.family, base.scale)
        residual = self.field.bad * (self.observed - self.field.exposure * fit.expected) / _scale(self.field)
        info, info_outside = A @ weight, A @ (weight * free)
        outside = np.divide(A @ (residual * free), info_outside, out=np.zeros(len(info)), where=info_outside > 0)
        whole = np.divide(A @ residual, info, out=np.zeros(len(info)), where=info > 0)
        beyond = outside * np.sqrt(info_outside / heterogeneity(fit)) >= ONE_SIDED
        return np.asarray(beyond & (outside >= WIDEN * whole))

    def best(self, fit: Fit, open_: np.ndarray) -> tuple[list[tuple[int, ...]], int | None]:
        """What describes best what is left, best first: several values of a dimension, one segment, the general shift.

        With it the segment that the general shift outdid, if only barely (`Choice.rivalled`). Several values are asked
        about where the best segment is none of them; else the others come in their turn, or a part of them does.
        """
        scatter = self.scatter or self._scatter(fit, open_)
        score, _ = self._scores(fit, scatter)
        first = int(np.argmax(np.where(open_, score, -np.inf)))
        wide = self._widen(fit.chosen, first)
        alone = (self._narrow(fit.chosen, first, scatter) if wide == first else wide,)
        together = self._siblings(fit, open_, score)
        if together and first not in together and score[list(together)].sum() > score[first]:
            narrowed = tuple(self._narrow(fit.chosen, c, scatter) for c in together)
            return [narrowed, alone], None
        if (open_[0] or not any(fit.chosen)) and not self._differs(fit, alone[0], scatter):
            return [(0,)] if open_[0] else [], self._barely_outdone(fit, alone[0], scatter)
        return [alone], None

    def _scores(self, fit: Fit, scatter: float) -> tuple[np.ndarray, float]:
        return scores(self.field, fit.root / np.sqrt(scatter), fit.left)

    def _scatter(self, fit: Fit, open_: np.ndarray) -> float:
        """The least that the best candidates leave, or the best further ones beside the best of them.

        Where several causes are at work, any one alone leaves the others' shift, which is no scatter.
        """
        least, at = heterogeneity(fit), fit
        for _ in range(self.rules.most):
            order = np.argsort(-np.where(open_, at.gain, -np.inf))[: min(FINALISTS, int(open_.sum()))]
            fits = [self.fit((*at.chosen, int(c))) for c in order]
            if not fits:
                break
            left = [heterogeneity(other) for other in fits]
            at, open_ = fits[int(np.argmin(left))], open_.copy()
            open_[list(at.chosen)] = False
            least = min(least, *left)
        return least

    def _differs(self, fit: Fit, picked: int, scatter: float) -> bool:
        """Whether a segment tells more than the general shift does: most cases look worse when all of them did.

        All other cases must not have moved as far, but for those of further segments beside it (`_with_others`); and it, or
        it and those, must make the data likelier than the general shift does.
        """
        if picked == 0:
            return True
        score, rival = self._scores(fit, scatter)
        if self._rest_moved(fit.chosen, (picked,), 0) == 0:
            if score[picked] > rival:
                return True
            beside = self.fit((*fit.chosen, picked))
            others = self.elsewhere(beside) & ~_related(self.field.segments, picked)
            others[0] = False
            second = np.max(self._scores(beside, scatter)[0][others], initial=0.0)
            return bool(score[picked] + second > rival)
        return self._with_others(fit, picked, scatter) > rival

    def _with_others(self, fit: Fit, picked: int, scatter: float) -> float:
        """What a segment and further ones beside it score, if the rest of all cases did not move with them.

        Two causes look like a shift of everything to each of them alone. Negative infinity where the rest moved all the same.
        """
        segments, group, total = self.field.segments, [picked], float(self._scores(fit, scatter)[0][picked])
        open_ = ~_related(segments, picked)
        open_[0] = False
        for _ in range(1, self.rules.most - sum(c != 0 for c in fit.chosen)):
            beside = self.fit((*fit.chosen, *group))
            score = np.where(open_ & self.evident(beside), self._scores(beside, scatter)[0], -np.inf)
            further = int(np.argmax(score))
            if not score[further] > 0:
                break
            group.append(further)
            total += float(score[further])
            open_ &= ~_related(segments, further)
            if self._rest_moved(fit.chosen, tuple(group), 0) == 0:
                return total
        return -np.inf

    def _barely_outdone(self, fit: Fit, picked: int, scatter: float) -> int | None:
        """The segment, if the rest did not visibly move with it and the general shift is hardly likelier; else None."""
        score, rival = self._scores(fit, scatter)
        apart = picked != 0 and self._rest_moved(fit.chosen, (picked,), 0) == 0
        return picked if apart and rival - score[picked] <= np.log(BARELY) else None

    def _rest_moved(self, chosen: tuple[int, ...], parts: tuple[int, ...], whole: int) -> float:
        """Standard errors by which the rest of a whole moved with its parts; 0 if less than `WIDEN` as far, or by chance.

        A rest of several parts that is no segment of its own cannot speak: it counts as moved.
        """
        field = self.field
        rest = field.segments.member[whole] & ~field.segments.member[list(parts)].any(axis=0)
        if len(parts) > 1 and self.field.exposure[rest].sum() < self.rules.minimum:
            return np.inf
        fit = self.fit((*chosen, *parts, whole))
        extra, common = (field.bad * fit.shift[len(chosen) : -1]).min(), field.bad * fit.shift[-1]
        weight = information(fit.expected, field.exposure, field.family, field.baseline.scale)
        z = float(common * np.sqrt(weight[rest].sum()))
        return z if z >= CLEAR and common >= WIDEN * (extra + common) else 0.0

    def _siblings(self, fit: Fit, open_: np.ndarray, score: np.ndarray) -> tuple[int, ...]:
        """Two or more values of the dimension that explain most, if the rest of it did not move with them."""
        segments, room = self.field.segments, self.rules.most - sum(c != 0 for c in fit.chosen)
        values: dict[str, list[int]] = {}
        for c in np.flatnonzero(open_ & (segments.depth == 1) & (score > 0)):
            values.setdefault(segments.where[c][0][0], []).append(int(c))
        found: tuple[int, ...] = ()
        for several in values.values():
            several = sorted(several, key=lambda c: -score[c])
            for size in range(2, min(room, len(several)) + 1):
                group = tuple(several[:size])
                if score[list(group)].sum() > (score[list(found)].sum() if found else 0.0) and self._apart(fit, group):
                    found = group
        return found

    def _apart(self, fit: Fit, group: tuple[int, ...]) -> bool:
        """Whether there are other cases, and these moved far less than each of the group."""
        segments = self.field.segments
        others = ~segments.member[list(group)].any(axis=0)
        if self.field.exposure[others].sum() <= 0 or 0 in fit.chosen:
            return False
        shift = self.field.bad * self.fit((*fit.chosen, *group, 0)).shift
        return bool(shift[-1] < WIDEN * (shift[-1] + shift[len(fit.chosen) : -1].min()))

    def _widen(self, chosen: tuple[int, ...], picked: int) -> int:
        """The whole of which `picked` is a part, if the rest of it moved as well (`_rest_moved`); the clearer of two."""
        where = self.field.segments.where
        wholes = [where.index((item,)) for item in where[picked] if len(where[picked]) > 1 and (item,) in where]
        moved = {w: self._rest_moved(chosen, (picked,), w) for w in wholes if w not in chosen}
        return max((w for w in moved if moved[w] > 0), key=lambda w: moved[w], default=picked)

    def _narrow(self, chosen: tuple[int, ...], picked: int, scatter: float) -> int:
        """The part of a value that holds all of its shift, if the rest of it stayed where it was; else the value.

        A part that holds nearly all cases of a value looks much like the value; what tells them apart is the rest, which
        must be beyond chance, for as many parts as there are, from having moved as well.
        """
        segments = self.field.segments
        parts = [i for i, where in enumerate(segments.where) if set(segments.where[picked]) < set(where)]
        if segments.depth[picked] != 1 or not parts:
            return picked
        root = self.fit((*chosen, picked)).root[parts] / np.sqrt(scatter)
        best = parts[int(np.argmax(root))]
        if norm.sf(root.max()) * len(parts) >= PART_LEVEL:
            return picked
        extra, common = self.field.bad * self.fit((*chosen, best, picked)).shift[-2:]
        return best if common < WIDEN * (extra + common) else picked

    def prune(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        """Take out what the others made superfluous, the weakest first."""
        while len(chosen) > 1:
            rests = [tuple(other for other in chosen if other != c) for c in chosen]
            margins = [self.margin(self.fit(rest))[c] for c, rest in zip(chosen, rests, strict=True)]
            weakest = int(np.argmin(margins))
            if margins[weakest] > 0:
                break
            chosen = rests[weakest]
        return chosen


def _scale(field: Field) -> float:
    return field.baseline.scale if field.family == "gaussian" else 1.0


def _related(segments: Segments, chosen: int) -> np.ndarray:
    """The segment itself and all its parts and wholes, apart from everything."""
    mine = set(segments.where[chosen])
    related = np.array([bool(w) and (mine <= set(w) or set(w) <= mine) for w in segments.where])
    related[chosen] = True
    return related


def _minor(field: Field, fit: Fit, picked: int) -> bool:
    """Whether a segment's shift is small beside the greatest one chosen: unevenness of that one, no cause of its own."""
    if picked == 0:
        return False
    return bool(field.bad * fit.shift[fit.chosen.index(picked)] < MINOR * np.max(field.bad * fit.shift))
