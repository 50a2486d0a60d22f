"""The KPI analysis of one department and period: every KPI charted, judged, and set beside its peers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Band, Event, Kpi, Target
from svclib.catalogue.names import pick
from svclib.measure.change.gradual import gradual_change
from svclib.measure.change.happened import Happening, around, happenings
from svclib.measure.change.level import chart_kpi, further_change, on_new_level, silent_change
from svclib.measure.change.rebase import RebaseSuggestion, suggest_rebase
from svclib.measure.change.step import LevelChange, Step, change_of, find_steps
from svclib.measure.disclosure import suppressed
from svclib.measure.peers import Funnel, funnel
from svclib.measure.periods import Period
from svclib.measure.spc.choice import ratio_kind
from svclib.measure.spc.control import ControlChart
from svclib.measure.spc.evidence import combined_p
from svclib.measure.spc.forecast import Forecast, forecast
from svclib.measure.spc.multiplicity import SignalCount, count_signals
from svclib.measure.spc.trend import Trend, trend
from svclib.measure.spc.verdict import Verdict, verdict
from svclib.measure.years import YearOverYear, YearToDate, year_over_year, year_to_date

if TYPE_CHECKING:
    from svclib.measure.literals import Recoded

_SIGNALS = ("improvement", "concern", "neutral_high", "neutral_low")
_A_YEAR = {"month": 12, "week": 52, "quarter": 4}
# Kinds whose rows are single cases or answers of people; the others disclose nobody.
_PERSONAL = frozenset({"proportion", "mean", "quantile", "score", "time_to_event"})


@dataclass(frozen=True)
class KpiFinding:
    """Everything known of one KPI in one department and period.

    Attributes
    ----------
    chart
        Over the history and up to a year more (see `recent`), so that frozen limits do not drift; `points` is what
        is shown of it.
    row
        The period's row of the measures table.
    p
        Evidence that something changed, comparable across charts (`svclib.measure.spc.evidence.combined_p`).
    steps
        Every significant change of level in the latest two years.
    change
        The one behind the signal of the latest period that counts; None where it does not signal.
    silent_change
        Of a quiet chart: a clear change of level that its latest point does not signal.
    on_new_level
        Where that change has lasted: the target against the limits of the new level alone, as `expectation` has it.
    recoded
        A text of its expressions that the department's rows do not hold any more: its figure may be none.
    happened
        Declared events of this KPI and beginnings of the plan's actions on it within the shown periods, marked by where
        they lie to the change.
    """

    kpi: Kpi
    chart: ControlChart
    points: pd.DataFrame
    row: pd.Series
    verdict: Verdict
    target: Target | None
    p: float
    trend: Trend | None
    forecast: Forecast | None
    suggestion: RebaseSuggestion | None
    funnel: Funnel | None
    last_year: YearOverYear | None
    year_to_date: YearToDate | None
    steps: tuple[Step, ...] = ()
    change: LevelChange | None = None
    silent_change: LevelChange | None = None
    on_new_level: str = "none"
    happened: tuple[Happening, ...] = ()
    recoded: Recoded | None = None

    @property
    def signals(self) -> bool:
        """Whether the latest period that counts signals a change."""
        return self.verdict.variation in _SIGNALS

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The points with limits kept within what is possible, as figures and their descriptions show them.

        A withheld period has none: limits that follow the number of cases would give it away.
        """
        low, high = self.chart.possible
        open_ = self.points["status"] != "withheld"
        ends = {c: self.points[c].clip(lower=low, upper=high).where(open_) for c in ("lower", "upper")}
        return self.points.assign(**ends)

    @property
    def shown(self) -> bool:
        """Whether the period's value may be shown at all."""
        return self.verdict.state != "withheld"

    @property
    def notable(self) -> bool:
        """Whether there is more to say than the usual variation: a signal, a change without one, a fault, or a target
        that it never meets.
        """
        moved = self.silent_change is not None or (self.trend is not None and self.trend.clear)
        return self.signals or moved or self.verdict.state == "fault" or self.verdict.assurance == "fail"


@dataclass(frozen=True)
class KpiAnalysis:
    """The findings of a department's period, in the order of kpis.yaml."""

    department: str
    period: Period
    as_of: dt.datetime | dt.date
    findings: tuple[KpiFinding, ...]
    signals: SignalCount
    data_quality: list[dict[str, Any]] = field(default_factory=list)

    def finding(self, kpi: str) -> KpiFinding:
        """The finding of a KPI by its code.

        Raises
        ------
        InputRefused
            For a code that the department has no figures of, with the nearest one.
        """
        return pick({f.kpi.code: f for f in self.findings}, kpi, "KPI", "has no figures in this report")


def analyse_kpis(
    measures: pd.DataFrame,
    kpis: Sequence[Kpi],
    department: str,
    period: Period,
    *,
    as_of: dt.datetime | dt.date,
    peers: Sequence[str] | None = None,
    events: Sequence[Event] = (),
    actions: Sequence[Action] = (),
    history: int = 36,
    disclosure_minimum: int = 5,
    data_quality: list[dict[str, Any]] | None = None,
    steady: Mapping[str, Collection[str]] | None = None,
    recoded: Iterable[Recoded] = (),
) -> KpiAnalysis:
    """Chart and judge every KPI of a department.

    Parameters
    ----------
    measures
        The measures table of all departments, up to `period`.
    kpis
        What the department is measured on.
    peers
        Departments to compare with; None for all.
    events, actions
        Declared events of the department, and the rows of its action plan.
    history
        How many periods are shown; the charts know up to a year more.
    steady
        What `steady_departments` gives; worked out here where left out.
    recoded
        Texts that rows do not hold any more, of all departments and KPIs (`svclib.measure.literals.recoded_texts`).
    """
    gone = {r.kpi: r for r in recoded if r.department == department and r.period == period.label}
    if steady is None:
        steady = steady_departments(measures, kpis, period, history=history)
    own = measures[measures["department"] == department]
    now = measures[measures["period"] == period.label]
    findings = []
    for kpi in kpis:
        rows = own[own["kpi"] == kpi.code]
        if rows.empty:
            continue
        mine = happenings(
            [e for e in events if e.kpis == "all" or kpi.code in e.kpis], [a for a in actions if a.kpi == kpi.code]
        )
        compared = _peers(now[now["kpi"] == kpi.code], kpi, department, peers, disclosure_minimum, steady)
        found = _find(rows, kpi, period, compared, mine, history)
        findings.append(replace(found, recoded=gone.get(kpi.code)))
    signals = count_signals(
        np.array([f.p for f in findings]),
        np.array([f.signals for f in findings], dtype=bool),
        [f.kpi.rules for f in findings],
        [f.chart.frozen for f in findings],
    )
    return KpiAnalysis(department, period, as_of, tuple(findings), signals, data_quality or [])


def _find(
    rows: pd.DataFrame, kpi: Kpi, period: Period, compared: Funnel | None, mine: Sequence[Happening], history: int
) -> KpiFinding:
    series = recent(rows, history, _A_YEAR[period.frequency])
    chart, points, steps, p = chart_kpi(series, kpi, history)
    judged = verdict(chart, kpi)
    known = points["value"].where(points["judged"]).to_numpy(dtype=float)
    since = pd.Timestamp(points["start"].iloc[0]).date()
    happened = [h for h in mine if (h.to or h.date) >= since and h.date < period.end]
    signals = judged.variation in _SIGNALS
    change, silent, settled = None, None, points
    if not signals:
        silent = silent_change(points, steps, p)
    elif chart.drift is not None and (chart.drift.slope > 0) == (judged.side == "high"):
        change = gradual_change(points, chart.drift)
    elif (change := further_change(series, kpi, points, judged.side)) is not None:
        settled = points[points["period"] < change.period]
        steps, p = find_steps(settled)
    else:
        change = change_of(points, steps, p, rose=judged.side == "high")
    slow = trend(known, _A_YEAR[period.frequency])
    moving = silent is not None or (slow is not None and slow.clear)
    if moving:  # the process is not the one that the limits were set with
        judged = replace(judged, p_meets_target_next=None)
    return KpiFinding(
        kpi=kpi,
        chart=chart,
        points=points,
        row=series.iloc[-1],
        verdict=judged,
        target=kpi.target_on(period.start),
        p=_evidence(chart),
        trend=slow,
        forecast=None if moving else forecast(chart),
        suggestion=suggest_rebase(settled, steps, kpi.direction, happened),
        funnel=compared,
        last_year=year_over_year(chart.points, kpi),
        year_to_date=year_to_date(chart.points, kpi),
        steps=tuple(steps),
        change=change,
        silent_change=silent,
        on_new_level=on_new_level(series, kpi, period, change),
        happened=around(happened, change.earliest, change.latest, change.period)
        if change and change.dated
        else tuple(happened),
    )


def _evidence(chart: ControlChart) -> float:
    latest = chart.latest
    if latest is None or chart.standing == "none":
        return float("nan")
    return combined_p(float(latest["p"]), chart.level_p, chart.drift.p if chart.drift else float("nan"))


def recent(series: pd.DataFrame, history: int, a_year: int) -> pd.DataFrame:
    """The latest periods of a series: `history` of them and up to a year more.

    Limits that rest on a decade ago say nothing of today, and limits that move each month are no yardstick: where a
    series is longer than the history that is looked at, its beginning moves on by whole years.

    Examples
    --------
    >>> [len(recent(pd.DataFrame({"value": range(n)}), 36, 12)) for n in (30, 36, 47, 48, 49)]
    [30, 36, 47, 36, 37]
    """
    drop = max(0, len(series) - history) // a_year * a_year
    return series.iloc[drop:].reset_index(drop=True)


def _peers(
    now: pd.DataFrame,
    kpi: Kpi,
    department: str,
    peers: Sequence[str] | None,
    minimum: int,
    steady: Mapping[str, Collection[str]],
) -> Funnel | None:
    """The funnel of the period; departments whose own chart signals are shown, and marked as unstable."""
    kind = ratio_kind(kpi)
    now = now[now["mature"] & now["value"].notna()]
    if kind not in ("p", "u") or department not in set(now["department"]):
        return None
    if peers is not None:
        now = now[now["department"].isin([department, *peers])]
    if kpi.kind in _PERSONAL:
        own = (now["department"] == department).to_numpy()
        now = now[~suppressed(now["n"].to_numpy(dtype=float), minimum, own)]
    table = now[["department", "numerator", "denominator"]].assign(stable=now["department"].isin(steady[kpi.code]))
    return funnel(table, kind, kpi.per) if department in set(table["department"]) else None


def steady_departments(
    measures: pd.DataFrame, kpis: Sequence[Kpi], period: Period, *, history: int = 36
) -> dict[str, list[str]]:
    """For each share or rate, the departments whose own chart is quiet in the period: a funnel may compare those.

    Every department's report needs it of all departments, so a batch works it out once.

    Parameters
    ----------
    measures
        The measures table of all departments.
    """
    found = {}
    until = measures[measures["start"] <= period.start]
    for kpi in kpis:
        if ratio_kind(kpi) not in ("p", "u"):
            continue
        quiet = []
        for code, rows in until[until["kpi"] == kpi.code].groupby("department", sort=False):
            latest = chart_kpi(recent(rows, history, _A_YEAR[period.frequency]), kpi, history)[0].latest
            if latest is not None and not latest["signals"]:
                quiet.append(str(code))
        found[kpi.code] = quiet
    return found


def band_of(kpi: Kpi) -> list[float] | None:
    """The wanted band of a KPI that has one."""
    return list(kpi.direction.between) if isinstance(kpi.direction, Band) else None
