"""Plans without effect show none by a fluke either: chance is levelled before and after, month by month it stays.

A made-up plan that did nothing would look as if it had worked in one sample of twenty or so, and then teach the wrong
lesson. So in the departments of such plans the random parts of the process add up to nothing over the months before,
over a planted bad quarter, and over the months after; within these spans they come as they come. So they do in the
months of a planted mix shift or local cause, which is to be the only thing that moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from svclib.sample.organisation import POSITION
from svclib.sample.plants import PLANS, Plant, planted
from svclib.sample.span import Span


def spans_to_level(process: str, span: Span) -> Iterator[tuple[int, int, int]]:
    """Department, first month and the month after the last, of each span over which chance adds up to nothing.

    Examples
    --------
    >>> from svclib.measure.periods import Period
    >>> list(spans_to_level("satisfaction", Span(36, Period.parse("2026-10"))))
    [(3, 0, 23), (3, 23, 37)]
    """
    alone = [plant for plant in planted(span) if plant.instead_of_noise and plant.process == process]
    for plan in PLANS:
        if plan.process != process or not plan.does_nothing:
            continue
        edges = {0, span.months + 1, span.position(plan.full_effect)}
        for plant in alone:
            if plant.department == plan.department:
                edges |= set(_months_of(plant, span))
        inside = sorted(edge for edge in edges if 0 <= edge <= span.months + 1)
        for first, end in pairwise(inside):
            yield POSITION[plan.department], first, end
    for plant in alone:
        first, end = _months_of(plant, span)
        yield POSITION[plant.department], max(first, 0), end


def _months_of(plant: Plant, span: Span) -> tuple[int, int]:
    return span.position(plant.first), span.months if plant.last is None else span.position(plant.last + 1)


def level_effects(own: np.ndarray, process: str, span: Span) -> None:
    """Centre the monthly effects (departments x months) of such departments, in place."""
    for row, first, end in spans_to_level(process, span):
        own[row, first:end] -= own[row, first:end].mean()


def level_draws(draws: np.ndarray, desk: np.ndarray, month: np.ndarray, process: str, span: Span) -> None:
    """Centre the draws of single cases or answers in such departments, in place."""
    for row, first, end in spans_to_level(process, span):
        inside = (desk == row) & (first <= month) & (month < end)
        if inside.any():
            draws[inside] -= draws[inside].mean()


def level_counts(
    counts: np.ndarray, expected: np.ndarray, desk: np.ndarray, month: np.ndarray, process: str, span: Span,
    rng: np.random.Generator, *, most: int | None = None,
) -> None:  # fmt: skip
    """Change as few cases by one as bring the total of such departments to what was expected, in place.

    `most` is the highest count a case can have, 1 for what happens or does not.
    """
    for row, first, end in spans_to_level(process, span):
        inside = np.flatnonzero((desk == row) & (first <= month) & (month < end))
        missing = round(float(expected[inside].sum() - counts[inside].sum()))
        if missing > 0:
            open_to_it = inside if most is None else inside[counts[inside] < most]
            weight = expected[open_to_it]
        else:
            open_to_it = inside[counts[inside] > 0]
            weight = 1 / expected[open_to_it]
        if missing:
            counts[rng.choice(open_to_it, abs(missing), replace=False, p=weight / weight.sum())] += np.sign(missing)
