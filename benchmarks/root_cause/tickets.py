"""Months of service tickets with planted causes, and the variants that break a logistic main-effects baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

LEVELS = {"channel": 4, "category": 6, "team": 5, "priority": 3}
DIMENSIONS = list(LEVELS)
CURRENT = "m99"  # sorts behind every month of history
#: Depth of each planted cause.
DEPTHS = {"one": (1,), "two": (2,), "one+two": (1, 2), "one+one": (1, 1), "two+two": (2, 2)}
#: Number of values of one dimension that got worse together.
SIBLINGS = {"two siblings": 2, "three siblings": 3}


@dataclass(frozen=True)
class Design:
    """One setting of the generator.

    `cause` is ``none``, ``mix`` (only the mix shifts), ``general``, a key of `DEPTHS` (values and pairs of values) or of
    `SIBLINGS` (values of one dimension); `effect` is in log-odds (rates), log rate (counts, hazards) or standard deviations.
    `interaction` is the standard deviation of the category x team effects, `leaf` the one of every single cell, `shock` the
    one of each value's own monthly swing (overdispersion). In `bursts` earlier months, none of them the last one, the first
    cause (or any segment, if there is none) had been there already.
    """

    cases: int = 5000
    cause: str = "none"
    effect: float = 1.0
    months: int = 3
    interaction: float = 0.15
    leaf: float = 0.0
    shock: float = 0.0
    bursts: int = 0
    kind: str = "rate"

    def named(self, **changes: object) -> Design:
        return replace(self, **changes)


@dataclass(frozen=True)
class Month:
    rows: pd.DataFrame
    causes: list[dict[str, str]]
    mask: np.ndarray  # rows of the current month that the causes touch


def _shares(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.dirichlet(np.full(size, 8.0)) for name, size in LEVELS.items()}


def _draw_dimensions(rng: np.random.Generator, shares: dict[str, np.ndarray], cases: int) -> np.ndarray:
    return np.column_stack([rng.choice(len(p), size=cases, p=p) for p in shares.values()])


def _segment(rng: np.random.Generator, depth: int, codes: np.ndarray, smallest: float = 0.05) -> dict[str, str]:
    """A random segment that at least a share `smallest` of the cases belong to."""
    while True:
        chosen = sorted(rng.choice(len(LEVELS), size=depth, replace=False))
        values = [int(rng.integers(list(LEVELS.values())[d])) for d in chosen]
        share = np.mean(np.all(codes[:, chosen] == values, axis=1))
        if share >= smallest:
            return {DIMENSIONS[d]: f"{DIMENSIONS[d][:2]}{v}" for d, v in zip(chosen, values, strict=True)}


def _touches(codes: np.ndarray, segment: dict[str, str]) -> np.ndarray:
    mask = np.ones(len(codes), dtype=bool)
    for name, value in segment.items():
        mask &= codes[:, DIMENSIONS.index(name)] == int(value[2:])
    return mask


def _plant(rng: np.random.Generator, design: Design, codes: np.ndarray) -> list[dict[str, str]]:
    if design.cause in SIBLINGS:
        dimension = int(rng.choice([d for d, size in enumerate(LEVELS.values()) if size > SIBLINGS[design.cause]]))
        values = rng.choice(list(LEVELS.values())[dimension], size=SIBLINGS[design.cause], replace=False)
        return [{DIMENSIONS[dimension]: f"{DIMENSIONS[dimension][:2]}{value}"} for value in values]
    causes: list[dict[str, str]] = []
    for depth in DEPTHS.get(design.cause, ()):
        while True:
            segment = _segment(rng, depth, codes)
            # Nested causes have no separate truth.
            if not any(set(other.items()) & set(segment.items()) for other in causes):
                break
        causes.append(segment)
    return causes


def _bursts(
    design: Design, shares: dict[str, np.ndarray], seed: int
) -> tuple[list[dict[str, str]], dict[str, str], list[int]]:
    """The causes, the segment that had burst before, and in which months; drawn apart, so that all else stays the same."""
    rng = np.random.default_rng([seed, 20262])
    codes = _draw_dimensions(rng, shares, 5000)
    causes = _plant(rng, design, codes)
    burst = causes[0] if causes else _segment(rng, int(rng.integers(1, 3)), codes)
    return causes, burst, rng.choice(design.months - 1, size=design.bursts, replace=False).tolist()


def simulate(design: Design, seed: int) -> Month:
    """`design.months` months of history and the month `CURRENT` with its cause; same design and seed, same rows."""
    rng = np.random.default_rng([seed, 20260])
    shares = _shares(rng)
    effects = [rng.normal(0, 0.35, size) for size in LEVELS.values()]
    pair = rng.normal(0, design.interaction, (LEVELS["category"], LEVELS["team"]))
    cells = rng.normal(0, design.leaf, tuple(LEVELS.values()))
    causes, burst, bursts = _bursts(design, shares, seed) if design.bursts else ([], {}, [])
    frames = []
    for month in range(design.months + 1):
        last = month == design.months
        mix = _shares(rng) if last and design.cause == "mix" else shares
        codes = _draw_dimensions(rng, mix, rng.poisson(design.cases))
        shocks = [rng.normal(0, design.shock, size) for size in LEVELS.values()]
        eta = sum(e[codes[:, d]] + s[codes[:, d]] for d, (e, s) in enumerate(zip(effects, shocks, strict=True)))
        eta = eta + pair[codes[:, 1], codes[:, 2]] + cells[tuple(codes.T)]
        shift = np.zeros(len(codes))
        if last:
            causes = causes or _plant(rng, design, codes)
            for segment in causes:
                shift[_touches(codes, segment)] += design.effect
            if design.cause == "general":
                shift += design.effect
        if month in bursts:
            shift[_touches(codes, burst)] += design.effect
        frame = _outcomes(rng, design, codes, eta, shift)
        frame["period"] = CURRENT if last else f"m{month:02d}"
        frames.append(frame)
    return Month(pd.concat(frames, ignore_index=True), causes, shift > 0)


def _outcomes(
    rng: np.random.Generator, design: Design, codes: np.ndarray, eta: np.ndarray, shift: np.ndarray
) -> pd.DataFrame:
    names = {DIMENSIONS[d]: np.char.add(DIMENSIONS[d][:2], codes[:, d].astype(str)) for d in range(len(DIMENSIONS))}
    frame = pd.DataFrame(names)
    size = len(codes)
    if design.kind == "rate":
        probability = 1 / (1 + np.exp(2.0 - eta - shift))
        return frame.assign(num=(rng.random(size) < probability).astype(float), den=1.0)
    if design.kind == "duration":
        # Lognormal times whose month ends before some of them: the longest are still open.
        duration = np.exp(1.5 + eta + shift + rng.normal(0, 1.0, size))
        limit = rng.uniform(5, 35, size)
        return frame.assign(duration=np.minimum(duration, limit), observed=duration <= limit)
    if design.kind == "mean":
        return frame.assign(value=10 + 3 * (eta + shift) + rng.gamma(4, 1.5, size))
    raise ValueError(design.kind)


def simulate_counts(design: Design, seed: int) -> Month:
    """Incidents by cell and month: Poisson totals with `shock` as overdispersion and a log rate shift as the cause."""
    if design.bursts:
        raise ValueError("counts have no earlier bursts")
    rng = np.random.default_rng([seed, 20261])
    shares = _shares(rng)
    grid = np.indices(tuple(LEVELS.values())).reshape(len(LEVELS), -1).T
    base = np.prod([p[grid[:, d]] for d, p in enumerate(shares.values())], axis=0)
    base = base * np.exp(rng.normal(0, design.leaf, len(grid)))
    base *= design.cases / base.sum()
    weighted = grid[rng.choice(len(grid), size=2000, p=base / base.sum())]
    causes = _plant(rng, design, weighted)
    frames = []
    for month in range(design.months + 1):
        log = sum(rng.normal(0, design.shock, size)[grid[:, d]] for d, size in enumerate(LEVELS.values()))
        shift = np.zeros(len(grid))
        if month == design.months:
            for segment in causes:
                shift[_touches(grid, segment)] += design.effect
            shift += design.effect if design.cause == "general" else 0.0
        counts = rng.poisson(base * np.exp(log + shift))
        names = {DIMENSIONS[d]: np.char.add(DIMENSIONS[d][:2], grid[:, d].astype(str)) for d in range(len(DIMENSIONS))}
        label = CURRENT if month == design.months else f"m{month:02d}"
        frames.append(pd.DataFrame(names).assign(num=counts.astype(float), den=1.0, period=label))
    return Month(pd.concat(frames, ignore_index=True), causes, shift > 0)
