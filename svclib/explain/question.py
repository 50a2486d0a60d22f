"""Is there anything to explain, since when, and what is the usual to compare with?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Event, Kpi
from svclib.explain.onset import Onset, find_onset
from svclib.explain.slices import worse_sign
from svclib.measure.analysis import KpiFinding
from svclib.measure.periods import Period
from svclib.measure.spc import BEYOND_CHANCE

LOOK_BACK = 24  # periods in which an onset is looked for
BASELINE = 12  # periods that make the usual, at most
LEAST_BASELINE = 3


@dataclass(frozen=True)
class DatedOnset:
    """Since when: the first period of the new level, the bounds of its interval, and how sure that there was a change.

    `method` is ``change_point`` (a significant change of level) or ``signal`` (the run of signalling points on the
    chart, where the change is too young for a test of its own; `p` is that of the change point all the same).
    """

    period: str
    earliest: str
    latest: str
    p: float
    before: float | None
    after: float | None
    method: str


@dataclass(frozen=True)
class EventNear:
    """A dated event, and whether it fell into the onset's interval, give or take a period.

    `kind` is ``event`` (declared) or ``action_start``, ``action_full_effect``: of the department's own plan on this KPI.
    """

    title: str
    date: dt.date
    near_onset: bool
    kind: Literal["event", "action_start", "action_full_effect"] = "event"


@dataclass(frozen=True)
class Question:
    """One gap, before anything is explained.

    Attributes
    ----------
    reasons : ``off_target``, ``concern``, ``chosen``.
    explain : a special cause is there to be explained.
    why_not : else ``common_cause``, ``no_concern``, ``weak_signal`` (a rule fired, the evidence is not beyond chance),
        ``provisional``, ``too_few``, ``withheld``, ``missing``, ``no_limits``.
    signals : the chart's rules that fired in the period.
    baseline : periods that make the usual.
    peers : ``worse``, ``inside``, ``unstable`` (its own figures are changing) or ``none`` (no comparison): the department beside its peers.
    """

    kpi: Kpi
    reasons: tuple[str, ...]
    explain: bool
    why_not: str
    signals: tuple[str, ...]
    worse: int
    value: float | None
    target: float | None
    n: float | None
    usual: float | None
    points: pd.DataFrame
    onset: DatedOnset | None
    events: tuple[EventNear, ...]
    baseline: tuple[str, ...]
    peers: str
    p: float | None


def find_questions(
    findings: Sequence[KpiFinding],
    period: Period,
    chosen: Sequence[str] | None = None,
    actions: Sequence[Action] = (),
) -> list[Question]:
    """The gaps of a department's period: off target, signalling a concern, or chosen by code, in the order of kpis.yaml.

    `actions` are the department's rows of the plan; those on a KPI stand beside its declared events.
    """
    found = []
    for finding in findings:
        reasons = _reasons(finding, chosen)
        if reasons:
            found.append(_question(finding, reasons, period, actions))
    return found


def _reasons(finding: KpiFinding, chosen: Sequence[str] | None) -> tuple[str, ...]:
    verdict = finding.verdict
    if chosen is not None and finding.kpi.code not in chosen:
        return ()
    tests = {
        "off_target": verdict.met is False,
        "concern": verdict.state == "concern",
        "chosen": chosen is not None,
    }
    return tuple(code for code, holds in tests.items() if holds)


def _question(finding: KpiFinding, reasons: tuple[str, ...], period: Period, actions: Sequence[Action]) -> Question:
    verdict, row = finding.verdict, finding.row
    value = float(row["value"]) if np.isfinite(row["value"]) else None
    worse = worse_sign(finding.kpi, value)
    # A rule that fires now and then by chance, on one of many charts, is no special cause by itself.
    weak = verdict.state == "concern" and np.isfinite(finding.p) and finding.p > BEYOND_CHANCE
    explain = verdict.state == "concern" and not weak
    points = finding.points
    onset = date_onset(points, worse) if explain else None
    baseline = usual_periods(points, period.label, onset)
    base = points[points["period"].isin(baseline)]
    return Question(
        kpi=finding.kpi,
        reasons=reasons,
        explain=explain,
        why_not="" if explain else "weak_signal" if weak else _why_not(finding),
        signals=verdict.signals,
        worse=worse,
        value=value,
        target=verdict.target,
        n=float(row["n"]) if np.isfinite(row["n"]) else None,
        usual=_weighted(base) if len(base) else None,
        points=points,
        onset=onset,
        events=near_events(finding.events, onset, [a for a in actions if a.kpi == finding.kpi.code], period.end),
        baseline=baseline,
        peers=_peers(finding, worse),
        p=float(finding.p) if np.isfinite(finding.p) else None,
    )


def _why_not(finding: KpiFinding) -> str:
    state, cause = finding.verdict.state, finding.verdict.cause
    if state in ("common_cause", "improvement", "neutral"):
        return "common_cause" if state == "common_cause" else "no_concern"
    if cause in ("missing", "impossible"):
        return "missing"
    if cause == "few_periods":
        return "no_limits"
    return state if state in ("provisional", "too_few", "withheld") else "missing"


def _weighted(base: pd.DataFrame) -> float:
    n = base["n"].fillna(1).to_numpy(dtype=float)
    return float(np.average(base["value"].to_numpy(dtype=float), weights=np.maximum(n, 1e-9)))


def date_onset(points: pd.DataFrame, worse: int) -> DatedOnset | None:
    """The latest significant change for the worse that lasts until now; else the run of signals the chart ends with.

    The series is split at its most likely change; where that is significant the search goes on behind it, so that an
    older change, however large, does not hide the one that is asked about.
    """
    points = points.tail(LOOK_BACK).reset_index(drop=True)
    judged = points["judged"].to_numpy(dtype=bool)
    values = np.where(judged, points["value"].to_numpy(dtype=float), np.nan)
    weights = points["n"].fillna(1).to_numpy(dtype=float)
    start, best, p = 0, None, 1.0
    while True:
        found = find_onset(values[start:], weights[start:])
        if found is None:
            break
        if start == 0 or found.p <= 0.05:
            p = found.p
        if found.p > 0.05:
            break
        if worse * (found.after - found.before) > 0:
            best = (start, found)
        start += found.index
    if best is not None:
        return _dated(points, *best)
    first = _run_of_signals(points, worse)
    if first is None:
        return None
    label = str(points["period"].iloc[first])
    return DatedOnset(label, label, str(points["period"].iloc[-1]), p, None, None, "signal")


def _dated(points: pd.DataFrame, start: int, found: Onset) -> DatedOnset:
    labels = points["period"].astype(str).to_list()
    ends = (found.index, found.earliest, found.latest)
    at, first, last = (labels[start + i] for i in ends)
    return DatedOnset(at, first, last, found.p, found.before, found.after, "change_point")


def _run_of_signals(points: pd.DataFrame, worse: int) -> int | None:
    side = "high" if worse > 0 else "low"
    fired = [any(code.endswith(side) for code in codes) for codes in points["signals"]]
    first = None
    for i in range(len(fired) - 1, -1, -1):
        if not fired[i] and bool(points["judged"].iloc[i]):
            break
        if fired[i]:
            first = i
    return first


def usual_periods(points: pd.DataFrame, current: str, onset: DatedOnset | None) -> tuple[str, ...]:
    """The latest judged periods before the onset (at most `BASELINE`); before the current one where there are too few."""
    earlier = points[(points["period"] < current) & points["judged"]]["period"].astype(str).to_list()
    calm = [label for label in earlier if onset is None or label < onset.period]
    return tuple((calm if len(calm) >= LEAST_BASELINE else earlier)[-BASELINE:])


def plan_events(actions: Sequence[Action]) -> list[EventNear]:
    """The starts of actions and the days of their full effect; a cancelled action did not happen.

    Examples
    --------
    >>> action = Action(id="A1", department="D01", kpi="k", gap="Slow", objective="Faster.", start=dt.date(2026, 9, 1),
    ...                 due=dt.date(2027, 1, 1))
    >>> [(e.title, e.kind) for e in plan_events([action])]
    [('A1: Faster', 'action_start')]
    """
    found: list[EventNear] = []
    for action in (a for a in actions if a.status != "cancelled"):
        whole, objective = action.full_effect, action.objective.rstrip(". ")  # it stands within sentences
        title = f"{action.id}: {objective}"
        found.append(EventNear(title, action.start, False, "action_start"))
        if whole is not None and whole > action.start:
            found.append(EventNear(title, whole, False, "action_full_effect"))
    return found


def near_events(
    events: Sequence[Event], onset: DatedOnset | None, actions: Sequence[Action] = (), until: dt.date = dt.date.max
) -> tuple[EventNear, ...]:
    """Declared events and the plan's own starts; those from one period before the onset's interval to its end are near.

    An action counts with its start and the day of its full effect, before `until`; a cancelled one did not happen.

    Examples
    --------
    >>> action = Action(id="A1", department="D01", kpi="k", gap="Slow", objective="Faster.", start=dt.date(2026, 9, 1),
    ...                 full_effect=dt.date(2027, 1, 1), due=dt.date(2027, 1, 1))
    >>> onset = DatedOnset("2026-09", "2026-08", "2026-09", 0.01, 10.0, 14.0, "change_point")
    >>> [(e.title, e.near_onset, e.kind) for e in near_events([], onset, [action], dt.date(2026, 11, 1))]
    [('A1: Faster', True, 'action_start')]
    """
    found = [e for e in (*(EventNear(e.title, e.date, False) for e in events), *plan_events(actions)) if e.date < until]
    if onset is None:
        return tuple(found)
    earliest, latest = Period.parse(onset.earliest).previous().start, Period.parse(onset.latest).end
    return tuple(replace(e, near_onset=earliest <= e.date < latest) for e in found)


def _peers(finding: KpiFinding, worse: int) -> str:
    if finding.funnel is None:
        return "none"
    table = finding.funnel.table
    mine = table[table["department"] == finding.row["department"]]
    if mine.empty:
        return "none"
    if mine["band"].iloc[0] == "unstable":
        return "unstable"
    side = "beyond_998_high" if worse > 0 else "beyond_998_low"
    return "worse" if mine["band"].iloc[0] == side else "inside"
