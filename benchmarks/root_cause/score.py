"""Runs of the scan on generated months and on the video cases, and what they add up to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from benchmarks.root_cause.tickets import CURRENT, DIMENSIONS, Design, Month, simulate, simulate_counts
from benchmarks.root_cause.video import read_video_cases
from svclib.catalogue.models import Kpi
from svclib.explain.crosstab import cross_tabulate
from svclib.explain.localise import Localisation, localise
from svclib.explain.slices import leaf_cases, slice_cases, tabulate

_KPIS = {
    "rate": {"kind": "proportion", "numerator": "num"},
    "duration": {"kind": "time_to_event", "event": "resolved_at", "unit": "h"},
    "mean": {"kind": "mean", "value": "value"},
    "count": {"kind": "count"},
}


@dataclass
class Score:
    """Tallies over repetitions; every rate comes with its simulation error.

    `any_false` counts repetitions that named a segment without a cause, `any_astray` those that named one or gave one as a
    lead; `true_found` counts causes among the segments that were named, `in_three` those among the first three answers.
    """

    repetitions: int = 0
    any_false: int = 0
    any_astray: int = 0
    hit_first: int = 0
    true_found: int = 0
    in_three: int = 0
    found: int = 0
    planted: int = 0
    general: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, localisation: Localisation, causes: Sequence[frozenset], seconds: float) -> None:
        found = [frozenset(segment.where) for segment in localisation.segments]
        right = [segment in causes for segment in found]
        self.repetitions += 1
        self.any_false += not all(right)
        self.any_astray += not {frozenset(segment.where) for segment in localisation.answers} <= set(causes)
        self.hit_first += bool(right and right[0])
        self.true_found += sum(right)
        self.in_three += len(set(ranked_answers(localisation)[:3]) & set(causes))
        self.found += len(found)
        self.planted += len(causes)
        self.general += localisation.general.established
        self.seconds.append(seconds)

    @property
    def false_alarms(self) -> float:
        return self.any_false / self.repetitions

    @property
    def astray(self) -> float:
        return self.any_astray / self.repetitions

    @property
    def recall(self) -> float:
        return self.true_found / self.planted if self.planted else float("nan")

    @property
    def recall_in_three(self) -> float:
        return self.in_three / self.planted if self.planted else float("nan")

    @property
    def f1(self) -> float:
        return 2 * self.true_found / (self.found + self.planted) if self.found + self.planted else float("nan")

    @property
    def hit(self) -> float:
        return self.hit_first / self.repetitions

    def error(self, rate: float, n: int | None = None) -> float:
        """Standard error of a rate over the repetitions (or over `n`)."""
        n = n or self.repetitions
        return float(np.sqrt(max(rate * (1 - rate), 0.25 / n) / n))

    def __add__(self, other: Score) -> Score:
        return Score(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


def ranked_answers(localisation: Localisation) -> list[frozenset]:
    """The named segments, the leads, then what describes the data nearly as well as what was named; each once."""
    answers = [frozenset(segment.where) for segment in localisation.answers]
    near = [frozenset(where) for segment in localisation.segments for where in segment.alternatives]
    return list(dict.fromkeys([*answers, *near]))


def run_month(design: Design, seed: int) -> tuple[Month, Localisation, float]:
    """Generate a month, scan it as the product does (stability included) and time the scan."""
    month = simulate_counts(design, seed) if design.kind == "count" else simulate(design, seed)
    kpi = Kpi(code="k", title="K", source="s", direction="decrease", **_KPIS[design.kind])
    rows, periods = month.rows, sorted(set(month.rows["period"]) - {CURRENT})
    begin = time.perf_counter()
    if design.kind in ("mean",):
        rows = rows.assign(den=1.0)
    piece = slice_cases(rows, kpi, DIMENSIONS, periods)
    table = tabulate(piece, periods, CURRENT)
    found = localise(table, piece.family, bad=piece.bad, cases=leaf_cases(piece, table, CURRENT), seed=seed)
    return month, found, time.perf_counter() - begin


def score_design(design: Design, seeds: Sequence[int]) -> Score:
    """Score a design over seeds."""
    score = Score()
    for seed in seeds:
        month, found, seconds = run_month(design, seed)
        score.add(found, [frozenset(cause.items()) for cause in month.causes], seconds)
    return score


def score_video(folder: Path, which: str) -> Score:
    """Score a half of the video cases; every segment of an answer counts, exact matches only."""
    score = Score()
    for case in read_video_cases(folder, which):
        begin = time.perf_counter()
        table = cross_tabulate(case.rows, case.dimensions, current=case.current)
        found = localise(table, "binomial", resamples=20)
        score.add(found, case.causes, time.perf_counter() - begin)
    return score
