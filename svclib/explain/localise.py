"""The scan as a whole: which segments deteriorated, by how much, how surely, and what else would fit nearly as well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np

from svclib.explain.baseline import Baseline, fit_baseline
from svclib.explain.choose import Rules, choose, heterogeneity
from svclib.explain.crosstab import CrossTable
from svclib.explain.evidence import evidence, simulate_null, tail_probability
from svclib.explain.family import Family, mean_of
from svclib.explain.scan import Field, Fit, fit_shifts, prepare
from svclib.explain.segments import Segments, Where, list_segments

ALIKE = 0.8  # Jaccard index of two segments' cases from which on they count as the same


@dataclass(frozen=True)
class Segment:
    """A segment that deteriorated beyond chance.

    Attributes
    ----------
    excess : bad cases (events, or the sum over cases for a mean) above the baseline; negative: below it.
    share : `excess` over that of all cases together; not limited to 1, since elsewhere it may have got better.
    share_interval : 95 % interval over the resamples.
    ratio : odds ratio (shares), rate ratio (counts, times: of the pace) or difference (means) against the baseline.
    value, baseline, complement, complement_baseline : level now and expected, in the segment and in all other cases.
    p_adjusted : family-wise over all segments scanned.
    stability : share of the resamples in which the scan names it, a part of it, or one with nearly the same cases; None
        where it was not named and so not resampled.
    doubt : why it is a lead and no finding: ``unstable`` (named in too few resamples) or ``rivalled`` (a shift of all
        cases describes the data as well); empty for a finding.
    alternatives : other segments that describe the data nearly as well; not the rest of the cases, which is the other
        side of the same comparison.
    new : the history has no case of it.
    """

    where: Where
    cases: float
    excess: float
    share: float | None
    share_interval: tuple[float, float] | None
    ratio: float
    ratio_interval: tuple[float, float]
    value: float
    baseline: float
    complement: float | None
    complement_baseline: float | None
    p_adjusted: float
    stability: float | None
    alternatives: tuple[Where, ...]
    new: bool
    doubt: str = ""


@dataclass(frozen=True)
class General:
    """The shift of all cases together.

    `ratio` is fitted beside the local segments; `established` tells whether it passed its own test.
    """

    established: bool
    ratio: float
    ratio_interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Localisation:
    """What a scan found, and its leads: segments beyond chance that are not sure enough to be named (`Segment.doubt`)."""

    segments: tuple[Segment, ...]
    leads: tuple[Segment, ...]
    general: General
    observed: float
    expected: float
    exposure: float
    candidates: int
    folded: dict[str, int]
    periods_used: int
    swing: tuple[float, ...]
    field: Field = dataclass_field(repr=False, compare=False)
    table: CrossTable = dataclass_field(repr=False, compare=False)
    fit: Fit = dataclass_field(repr=False, compare=False)

    @property
    def stood_out(self) -> tuple[tuple[Where, str], ...]:
        """Parts and earlier periods that do not count as usual, because the part stood out then."""
        return self.field.baseline.stood_out

    @property
    def answers(self) -> tuple[Segment, ...]:
        """Where to look, in that order: what is named, then the leads."""
        return (*self.segments, *self.leads)


def localise(
    table: CrossTable,
    family: Family,
    *,
    bad: int = 1,
    rules: Rules | None = None,
    cases: np.ndarray | None = None,
    resamples: int = 40,
    stable: float = 0.6,
    seed: int = 1,
) -> Localisation:
    """Scan the current period's segments against the baseline of the earlier ones.

    Parameters
    ----------
    table : `CrossTable` whose last period is the current one.
    family : ``binomial`` (bad of all), ``poisson`` (events over exposure) or ``gaussian`` (sum over cases).
    bad : 1 where more is worse, -1 where less is.
    rules : what to keep, see `Rules`.
    cases : cases of each leaf in the current period; the exposure where left out.
    resamples : bootstrap repetitions for stability and intervals.
    stable : least share of the resamples that must name a segment.

    Raises
    ------
    ValueError
        If the history holds no case.
    """
    rules, rng = rules or Rules(), np.random.default_rng(seed)
    segments = list_segments(table, max_depth=rules.max_depth, minimum=rules.minimum, cases=cases)
    baseline = fit_baseline(table, family, segments=segments)
    field = prepare(table, segments, baseline, bad)
    null = simulate_null(field, rules.replicates, rng)
    observed = table.observed[-1]
    choice = choose(field, observed, null, rules)
    fit = choice.fit
    draws = _resample(field, table, fit, rules, resamples if fit.chosen else 0, rng)
    found = {c: _describe(field, table, fit, c, null, draws) for c in fit.chosen if c}
    sure = {c: segment for c, segment in found.items() if (segment.stability or 0.0) >= stable}
    leads = [replace(segment, doubt="unstable") for c, segment in found.items() if c not in sure]
    if choice.rivalled is not None:
        alone = fit_shifts(field, observed, (choice.rivalled,))
        leads.append(replace(_describe(field, table, alone, choice.rivalled, null, None), doubt="rivalled"))
    return Localisation(
        segments=tuple(sure.values()),
        leads=tuple(leads),
        general=_general(field, observed, fit, null),
        observed=float(observed.sum()),
        expected=float(field.exposure @ mean_of(baseline.eta, family)),
        exposure=float(field.exposure.sum()),
        candidates=len(segments) - 1,
        folded=table.folded,
        periods_used=int((table.exposure[:-1].sum(axis=1) > 0).sum()),
        swing=tuple(float(s) for s in np.sqrt(baseline.swing.variance)),
        field=field,
        table=table,
        fit=fit_shifts(field, observed, tuple(c for c in fit.chosen if not c or c in sure)),
    )


@dataclass(frozen=True)
class _Draws:
    chosen: list[tuple[int, ...]]
    excess: np.ndarray  # resamples x segments
    expected: np.ndarray


def _resample(
    field: Field, table: CrossTable, fit: Fit, rules: Rules, resamples: int, rng: np.random.Generator
) -> _Draws:
    """Draw the current cases anew (with replacement within a leaf) and the baseline within its error; scan again.

    What is asked is whether the same segments come out on top, not whether they are significant a second time: a resample
    doubles the noise, so no level is asked for, but no more segments are named than the data named. Nor may a general
    shift step in that the data did not ask for.
    """
    base, n = field.baseline, field.exposure
    general, scatter = 0 in fit.chosen, heterogeneity(fit)
    p = len(base.fit_error)
    root = np.linalg.cholesky(base.fit_error + 1e-9 * np.trace(base.fit_error) / p * np.eye(p))
    chosen, excess, expected = [], [], []
    for _ in range(resamples):
        drawn = _draw_cases(field, table, fit, rng)
        shifted = _perturbed(base, root, rng)
        again = replace(field, baseline=shifted)
        chosen.append(choose(again, drawn, None, rules, general, scatter).chosen)
        level = n * mean_of(shifted.eta, base.family)
        excess.append(field.segments.leaves @ (drawn - level))
        expected.append(field.segments.leaves @ level)
    empty = np.zeros((0, len(field.segments)))
    return _Draws(chosen, np.array(excess) if chosen else empty, np.array(expected) if chosen else empty)


def _draw_cases(field: Field, table: CrossTable, fit: Fit, rng: np.random.Generator) -> np.ndarray:
    base, n, observed = field.baseline, field.exposure, table.observed[-1]
    if base.family == "binomial":
        share = np.divide(observed, n, out=np.zeros_like(n), where=n > 0)
        return rng.binomial(np.round(n).astype(int), np.clip(share, 0, 1)).astype(float)
    if base.family == "poisson":
        return rng.poisson(observed).astype(float)
    return observed + np.sqrt(n * base.scale) * rng.standard_normal(len(n))


def _perturbed(base: Baseline, root: np.ndarray, rng: np.random.Generator) -> Baseline:
    """The baseline moved within the error of its fit (`root`: of its covariance), without the swing between periods."""
    noise = base.shrink * (base.effects.matrix @ (root @ rng.standard_normal(len(root))))
    noise = noise + np.sqrt(base.leaf_error) * rng.standard_normal(len(base.eta))
    return replace(base, eta=base.eta + noise)


def _alike(segments: Segments, weight: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Jaccard index of every segment's cases with those of the leaves in `member`."""
    held = weight * member
    shared = segments.leaves @ held
    return np.asarray(shared / np.maximum(segments.leaves @ weight + held.sum() - shared, 1e-12))


def _parts(segments: Segments, whole: int) -> set[int]:
    mine = set(segments.where[whole])
    return {i for i, where in enumerate(segments.where) if mine < set(where)}


def _describe(field: Field, table: CrossTable, fit: Fit, c: int, null: np.ndarray, draws: _Draws | None) -> Segment:
    base, A, n, observed = field.baseline, field.segments.leaves, field.exposure, table.observed[-1]
    rest = tuple(other for other in fit.chosen if other != c)
    alone = fit_shifts(field, observed, rest)
    mine = field.segments.member[c]
    alike = _alike(field.segments, n, mine)
    twins = set(np.flatnonzero(alike >= ALIKE))
    # What comes out of a resample is often one part of a whole, by chance that part: it speaks for the whole.
    agreeing = twins | _parts(field.segments, c)
    named = [bool(agreeing & set(chosen)) for chosen in draws.chosen] if draws else []
    level = n * mean_of(base.eta, base.family)
    held = float(field.held[c])
    excess, total = float(A[[c]].dot(observed - level)[0]), float(np.sum(observed - level))
    shift = float(fit.shift[fit.chosen.index(c)])
    error = abs(shift) / max(float(alone.root[c]), 1e-9)
    near = (alone.gain >= alone.gain[c] - max(2.0, 0.15 * alone.gain[c])) & (np.arange(len(alike)) != c)
    near |= (alike >= ALIKE) & (field.segments.depth > 0) & (np.arange(len(alike)) != c)
    near[0] = False
    near &= _alike(field.segments, n, ~mine) < ALIKE  # the rest of the cases is the other side of the same comparison
    order = [int(i) for i in np.argsort(-alone.gain) if near[i]][:5]
    same = [name for name, other in field.segments.same_as.items() if other == field.segments.where[c]]
    outside, base_outside = _outside(n.sum() - held, observed.sum(), A[[c]].dot(observed)[0]), None
    if outside is not None:
        base_outside = float((level.sum() - A[[c]].dot(level)[0]) / (n.sum() - held))
    worse = total * field.bad > 0
    return Segment(
        where=field.segments.where[c],
        cases=held,
        excess=excess,
        share=excess / total if worse else None,
        share_interval=_share_interval(draws, c) if worse and draws else None,
        ratio=_effect(shift, base.family),
        ratio_interval=(_effect(shift - 1.96 * error, base.family), _effect(shift + 1.96 * error, base.family)),
        value=float(A[[c]].dot(observed)[0] / held),
        baseline=float(A[[c]].dot(level)[0] / held),
        complement=outside,
        complement_baseline=base_outside,
        p_adjusted=float(tail_probability(evidence(field, observed, alone)[[c]], null[0])[0]),
        stability=float(np.mean(named)) if named else None,
        alternatives=tuple([field.segments.where[i] for i in order] + same[:2]),
        new=bool(A[[c]].dot(table.exposure[:-1].sum(axis=0))[0] == 0),
    )


def _outside(held: float, total: float, inside: float) -> float | None:
    return float((total - inside) / held) if held > 0 else None


def _share_interval(draws: _Draws, c: int) -> tuple[float, float] | None:
    if len(draws.excess) < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        share = draws.excess[:, c] / draws.excess[:, 0]
    low, high = np.nanquantile(share, [0.025, 0.975])
    return float(low), float(high)


def _effect(shift: float, family: Family) -> float:
    return shift if family == "gaussian" else float(np.exp(np.clip(shift, -30, 30)))


def _general(field: Field, observed: np.ndarray, fit: Fit, null: np.ndarray) -> General:
    local = tuple(c for c in fit.chosen if c)
    beside = fit_shifts(field, observed, local)
    together = fit_shifts(field, observed, (*local, 0))
    shift = float(together.shift[-1])
    root = float(beside.root[0])
    error = abs(shift) / max(abs(root), 1e-9)
    p = float(tail_probability(evidence(field, observed, beside)[[0]], null[1])[0]) if root > 0 else 1.0
    interval = (_effect(shift - 1.96 * error, field.family), _effect(shift + 1.96 * error, field.family))
    return General(0 in fit.chosen, _effect(shift, field.family), interval, p)
