"""Since when a KPI stands where it stands: one dated change, for its first sentence, the causes and the limits alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from svclib.measure.change.onset import find_onset

LOOK_BACK = 24  # periods in which changes are looked for
BASELINE = 12  # periods that make the usual, at most
LEAST_BASELINE = 3
SUSTAINED = 7  # periods that make a new level one that has lasted
FOUND_P, CLEAR_P = 0.05, 0.01


@dataclass(frozen=True)
class Step:
    """A significant change of level: its first period, the bounds of its 95 % interval, p, and which way it went."""

    period: str
    earliest: str
    latest: str
    p: float
    rose: bool


@dataclass(frozen=True)
class LevelChange:
    """The change behind a signal.

    Attributes
    ----------
    period, earliest, latest
        First period of the new level, and the bounds of its interval (labels).
    p
        Of there being a change of level at all (permutation test).
    method
        ``change_point`` (a significant change of level), ``signal`` (the run of signalling points on the chart,
        where the change is too young for a test of its own) or ``drift`` (bit by bit since then).
    before, after
        Levels, weighted by the cases behind each period, in the KPI's unit: of the usual periods before, and since
        then. None where no level before bears the signal out.
    lasted
        At least seven periods, nine in ten of them and the latest two nearer to the new level.
    earlier
        The change that had made the level before, where this one is a further one the same way.
    """

    period: str
    earliest: str
    latest: str
    p: float
    method: Literal["change_point", "signal", "drift"]
    rose: bool
    before: float | None
    after: float | None
    lasted: bool
    earlier: LevelChange | None = None

    @property
    def dated(self) -> bool:
        """Whether there is a time at which something may have happened: a drift has none."""
        return self.method != "drift"

    def to_json(self) -> dict[str, Any]:
        """As `kpi_analysis.json` has it."""
        return {
            "since": self.period,
            "method": self.method,
            "earliest": self.earliest,
            "latest": self.latest,
            "p": self.p,
            "before": self.before,
            "after": self.after,
            "lasted": self.lasted,
            "earlier": self.earlier.to_json() if self.earlier else None,
        }


def find_steps(points: pd.DataFrame) -> tuple[list[Step], float]:
    """Every significant change of level in the latest phase and two years, oldest first, and the p of the first test.

    A declared rebase has explained what came before. The series is split at its most likely change; where that is
    significant (p <= .05) the search goes on behind it, so that an older change, however large, does not hide the one
    that is asked about. Each further one must be clear (p <= .01): it is one more test, and a change that takes months
    to come would be cut into several.

    Parameters
    ----------
    points
        Columns ``period, value, n, judged`` and, where limits were declared anew, ``phase``; oldest first.

    Examples
    --------
    >>> points = pd.DataFrame({"period": [f"2026-{m:02d}" for m in range(1, 13)], "n": 100.0, "judged": True,
    ...                        "value": [10.0, 11, 10, 9, 10, 11, 10, 15, 16, 15, 15, 16]})
    >>> [(step.period, step.rose) for step in find_steps(points)[0]]
    [('2026-08', True)]
    """
    points = latest_phase(points).tail(LOOK_BACK).reset_index(drop=True)
    values, weights = _series(points)
    labels = points["period"].astype(str).to_list()
    steps: list[Step] = []
    start, p = 0, 1.0
    while (found := find_onset(values[start:], weights[start:])) is not None:
        p = found.p if start == 0 else p
        if found.p > (CLEAR_P if steps else FOUND_P):
            break
        at, first, last = (labels[start + i] for i in (found.index, found.earliest, found.latest))
        steps.append(Step(at, first, last, found.p, found.after > found.before))
        start += found.index
    return steps, p


def date_change(points: pd.DataFrame, *, rose: bool) -> LevelChange | None:
    """The latest significant change of level in that direction; else the run of signals that the chart ends with.

    Parameters
    ----------
    points
        Columns ``period, value, n, judged, signals, centre``, oldest first.
    """
    return change_of(points, *find_steps(points), rose=rose)


def change_of(points: pd.DataFrame, steps: Sequence[Step], p: float, *, rose: bool) -> LevelChange | None:
    """The same, from what `find_steps` gave."""
    mine = [step for step in steps if step.rose == rose]
    run = None if mine else _run_of_signals(points, rose=rose)
    if not mine and run is None:
        return None
    at, method = (mine[-1], "change_point") if run is None else (_within_run(points, run, p, rose=rose), "signal")
    before, after = _levels(points, steps, at)
    lasted = method == "change_point" and before is not None and lasting(points, at.period, before, after)
    return LevelChange(at.period, at.earliest, at.latest, at.p, method, rose, before, after, lasted)  # type: ignore[arg-type]


def usual_periods(
    points: pd.DataFrame, current: str, since: str | None = None, steps: Sequence[Step] = ()
) -> tuple[str, ...]:
    """The periods that make the usual: the latest judged ones before the change, at most `BASELINE`.

    They begin no earlier than the latest phase, nor than a clear step before the change, as long as three are left;
    where the change leaves fewer than three, they are the latest before the current period.
    """
    known = points[(points["period"] < current) & points["judged"]]
    own = latest_phase(points)["period"]
    mine = known[known["period"].isin(own)]
    earlier = (mine if len(mine) >= LEAST_BASELINE else known)["period"].astype(str).to_list()
    calm = [label for label in earlier if since is None or label < since]
    if len(calm) < LEAST_BASELINE:
        return tuple(earlier[-BASELINE:])
    for step in (step for step in steps if step.p < CLEAR_P and (since is None or step.period < since)):
        on_it = [label for label in calm if label >= step.period]
        calm = on_it if len(on_it) >= LEAST_BASELINE else calm
    return tuple(calm[-BASELINE:])


def latest_phase(points: pd.DataFrame) -> pd.DataFrame:
    """The points since the latest declared rebase; all of them where none is declared."""
    return points[points["phase"] == points["phase"].iloc[-1]] if "phase" in points and len(points) else points


def level_of(points: pd.DataFrame) -> float:
    """Mean value, weighted by the cases behind each; NaN without any.

    >>> level_of(pd.DataFrame({"value": [1.0, 4.0], "n": [200.0, 100.0]}))
    2.0
    """
    if points.empty:
        return float("nan")
    weights = np.maximum(points["n"].fillna(1).to_numpy(dtype=float), 1e-9)
    return float(np.average(points["value"].to_numpy(dtype=float), weights=weights))


def lasting(points: pd.DataFrame, since: str, before: float, after: float) -> bool:
    """Whether a level has lasted: seven periods, nine in ten and the latest two nearer to it than to the one before."""
    now = points[(points["period"] >= since) & points["judged"]]["value"].to_numpy(dtype=float)
    new = np.sign(after - before)
    side = np.sign(now - (before + after) / 2) == new
    return bool(now.size >= SUSTAINED and side.mean() >= 0.9 and side[-2:].all())


def _levels(points: pd.DataFrame, steps: Sequence[Step], at: Step) -> tuple[float | None, float]:
    usual = usual_periods(points, str(points["period"].iloc[-1]), at.period, steps)
    judged = points[points["judged"]]
    after = level_of(judged[judged["period"] >= at.period])
    sign = 1 if at.rose else -1
    earlier = level_of(judged[judged["period"].isin(usual)])
    for before in (earlier, level_of(judged[judged["period"] < at.period]), float(points["centre"].iloc[-1])):
        if np.isfinite(before) and (after - before) * sign > 0:
            return before, after
    return None, after


def _series(points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    values = np.where(points["judged"], points["value"].to_numpy(dtype=float), np.nan)
    return values, points["n"].fillna(1).to_numpy(dtype=float)


def _within_run(points: pd.DataFrame, first: str, p: float, *, rose: bool) -> Step:
    """The likeliest beginning within a run of signals: a rule marks all the points that it looked at, early ones too."""
    points = latest_phase(points).tail(LOOK_BACK).reset_index(drop=True)
    labels = points["period"].astype(str).to_list()
    found = find_onset(*_series(points), permutations=1)
    if found is None or (found.after > found.before) != rose or labels[found.index] < first:
        return Step(first, first, labels[-1], p, rose)
    return Step(labels[found.index], max(first, labels[found.earliest]), labels[found.latest], p, rose)


def _run_of_signals(points: pd.DataFrame, *, rose: bool) -> str | None:
    """First period of the run of signals on that side that the chart ends with; None where it ends without."""
    side, first = "_high" if rose else "_low", None
    for row in reversed(latest_phase(points).to_dict("records")):
        fired = any(code.endswith(side) for code in row["signals"])
        if not fired and row["judged"]:
            break
        first = str(row["period"]) if fired else first
    return first
