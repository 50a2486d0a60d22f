"""Candidate segments: every value of a dimension and every pair of values of two, as sums over leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import sparse

from svclib.explain.crosstab import OTHER, CrossTable

Where = tuple[tuple[str, str], ...]  # ((dimension, value), ...); empty: all cases


@dataclass(frozen=True)
class Segments:
    """Candidates and the leaves that each holds; the first one is always everything (`where` empty)."""

    where: tuple[Where, ...]
    depth: np.ndarray
    leaves: sparse.csr_array  # segments x leaves, 0 or 1
    member: np.ndarray  # the same, dense
    same_as: dict[Where, Where]  # segments that hold exactly the cases of another one

    def __len__(self) -> int:
        return len(self.where)


def list_segments(
    table: CrossTable, *, max_depth: int = 2, minimum: float = 20, cases: np.ndarray | None = None
) -> Segments:
    """All segments with at least `minimum` cases in the current period, and as many outside it.

    Where hardly any case lies outside, there is nothing to compare with: the segment is as good as everything. `cases` counts them for each leaf; the current exposure where left out.

    A segment with exactly the cases of a simpler one is not a candidate of its own; `same_as` keeps its name. The folded
    rest (`OTHER`) is no candidate: it is nothing that anybody could act on.
    """
    current = table.exposure[-1] if cases is None else cases
    rows = [np.ones(table.leaves, dtype=bool)]
    where: list[Where] = [()]
    seen: dict[bytes, Where] = {(current > 0).tobytes(): ()}
    same: dict[Where, Where] = {}
    for depth in range(1, max_depth + 1):
        for subset in combinations(range(len(table.dimensions)), depth):
            for values, member in _cells(table, subset, current, minimum):
                name = tuple((table.dimensions[d], table.values[d][v]) for d, v in zip(subset, values, strict=True))
                if any(value == OTHER for _, value in name):
                    continue
                key = (member & (current > 0)).tobytes()
                if key in seen:
                    same[name] = seen[key]
                    continue
                seen[key] = name
                where.append(name)
                rows.append(member)
    member = np.array(rows)
    return Segments(
        tuple(where), np.array([len(w) for w in where]), sparse.csr_array(member.astype(float)), member, same
    )


def _cells(
    table: CrossTable, subset: tuple[int, ...], current: np.ndarray, minimum: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The combinations of values of some dimensions with enough current cases, and their leaves."""
    cells, index = np.unique(table.codes[:, subset], axis=0, return_inverse=True)
    index = index.ravel()
    totals = np.bincount(index, weights=current, minlength=len(cells))
    for cell in np.flatnonzero((totals >= minimum) & (totals.sum() - totals >= minimum)):
        yield cells[cell], index == cell
