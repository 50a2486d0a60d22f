"""A control chart of one KPI in one department: limits, signals and evidence, phase by phase."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.measure.periods import Period
from svclib.measure.spc.baseline import FREEZE, Standing, baseline_mask, phases, standing
from svclib.measure.spc.choice import Choice, choose_chart, ratio_kind
from svclib.measure.spc.gates import Autocorrelation, Dispersion, Season, dispersion, season, season_at
from svclib.measure.spc.phase import PhaseChart, PhaseData, chart_phase
from svclib.measure.spc.predictive import Predictive
from svclib.measure.spc.rules import Runs
from svclib.measure.spc.scale import forward
from svclib.measure.spc.trend import Trend
from svclib.measure.target import target_values

# Charts that know how many cases stand behind a point: small periods may help to set their limits.
_SIZED = frozenset({"p", "p_prime", "u", "u_prime", "i_prime"})
_LINES = ("centre", "lower", "upper", "near_lower", "near_upper")


@dataclass(frozen=True)
class ControlChart:
    """The chart of one KPI in one department.

    Attributes
    ----------
    kind, scale, reason, exact, rules
        The chart, the scale it judges on, why it was chosen, whether its limits are exact, and the rule set.
    points
        One row a period: ``period, start, end, value, numerator, denominator, n, mature, status, target, phase,
        baseline, judged, centre, lower, upper, near_lower, near_upper, z, p, signals``. Limits are unclipped.
    standing, baseline_points
        What the limits of the latest phase rest on.
    calm_until
        The day from which on no period set them, since the level is known to have changed; None else.
    runs
        Anhøj's statistics of the latest phase.
    sigma_z
        How much wider than chance a p' or u' chart varies; 1 elsewhere.
    level_p
        p-value of the latest six points against those before them.
    drift
        The slow drift that the latest phase still follows; None without one, and in the NHS rule sets.
    next
        What the next period may bring; None without limits.
    season_ahead
        The season's effect in the next three periods on the judging scale; empty where no season is taken out.
    possible
        Lowest and highest value the KPI can take.
    """

    kpi: str
    department: str
    kind: str
    scale: str
    reason: str
    exact: bool
    rules: str
    points: pd.DataFrame
    standing: Standing
    baseline_points: int
    calm_until: dt.date | None
    runs: Runs
    autocorrelation: Autocorrelation
    season: Season
    dispersion: Dispersion
    sigma_z: float
    level_p: float
    drift: Trend | None
    next: Predictive | None
    season_ahead: tuple[float, ...]
    possible: tuple[float | None, float | None]

    @cached_property
    def latest(self) -> pd.Series | None:
        """The latest point that may be judged, or None."""
        rows = self.points[self.points["judged"]]
        return rows.iloc[-1] if len(rows) else None

    @property
    def constant(self) -> bool:
        """Whether the latest phase's baseline never varies."""
        return self.next is not None and self.next.law == "constant"

    @property
    def frozen(self) -> bool:
        """Whether the latest phase has gone on beyond the periods that set its limits."""
        latest = self.points[self.points["phase"] == self.points["phase"].iloc[-1]]
        return int(latest["judged"].sum()) > self.baseline_points + 1

    @cached_property
    def reading(self) -> pd.DataFrame:
        """The points with lines for the eye: clipped to the possible range, except in the NHS rule sets."""
        if self.rules != "strict":
            return self.points
        low, high = (
            end if end is not None else other for end, other in zip(self.possible, (-np.inf, np.inf), strict=True)
        )
        return self.points.assign(**{name: np.clip(self.points[name].to_numpy(), low, high) for name in _LINES[1:]})


@dataclass(frozen=True)
class _Series:
    values: np.ndarray
    numerator: np.ndarray
    denominator: np.ndarray
    sizes: np.ndarray
    usable: np.ndarray
    judged: np.ndarray
    starts: list[dt.date]
    phase: np.ndarray


def control_chart(
    series: pd.DataFrame, kpi: Kpi, *, freeze: int | None = FREEZE, calm_until: dt.date | None = None
) -> ControlChart:
    """Chart one KPI of one department.

    Parameters
    ----------
    series
        Rows of the measures table of one KPI and department on a gap-free spine, sorted by period. Columns used:
        ``department, period, start, end, value, numerator, denominator, n, mature, status``.
    kpi
        Its declaration: kind, direction, rebases, chart and rule set.
    freeze
        Points after which a phase's limits no longer move; None keeps all (NHSRplotthedots' default).
    calm_until
        Periods that begin on this day or later set no limits of the latest phase: its level is known to have changed.

    Raises
    ------
    InputRefused
        Where a rebase matches no period, or a declared chart lacks its counts.
    """
    found = _series(series, kpi)
    strict = kpi.rules == "strict"
    calm = np.array([calm_until is None or day < calm_until for day in found.starts]) | (found.phase < found.phase[-1])
    base = calm & baseline_mask(found.usable, found.phase, freeze=freeze, spare_latest=strict)
    choice = choose_chart(kpi, *(a[base] for a in (found.values, found.numerator, found.denominator, found.sizes)))
    if choice.kind not in _SIZED:
        # A month of two cases would set the width of a chart that cannot know how small it is.
        found = replace(found, usable=found.judged)
        base = calm & baseline_mask(found.usable, found.phase, freeze=freeze, spare_latest=strict)
    wave = _season(found, choice, spare_latest=strict)
    drawn = [
        chart_phase(_phase_data(found, base, number, wave, strict), choice, kpi) for number in np.unique(found.phase)
    ]
    last, member = drawn[-1], found.phase == found.phase[-1]
    return ControlChart(
        kpi=kpi.code,
        department=str(series["department"].iloc[0]) if "department" in series else "",
        kind=last.choice.kind,
        scale=last.choice.scale,
        reason=last.choice.reason,
        exact=last.choice.exact,
        rules=kpi.rules,
        points=_table(series, found, base, drawn, kpi),
        standing=standing(last.points),
        baseline_points=last.points,
        calm_until=calm_until,
        runs=last.runs,
        autocorrelation=last.autocorrelation,
        season=wave,
        dispersion=_dispersion(found, base & member, kpi),
        sigma_z=last.lines.sigma_z,
        level_p=last.level_p,
        drift=last.drift,
        next=last.next,
        season_ahead=_ahead(found, wave, strict),
        possible=kpi.bounds,
    )


def _series(series: pd.DataFrame, kpi: Kpi) -> _Series:
    def column(name: str) -> np.ndarray:
        if name not in series:
            return np.full(len(series), np.nan)
        values = pd.to_numeric(series[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan)

    values, numerator, denominator = column("value"), column("numerator"), column("denominator")
    status = series["status"].astype(str).to_numpy() if "status" in series else np.full(len(series), "ok")
    mature = series["mature"].to_numpy(dtype=bool) if "mature" in series else np.full(len(series), True)
    usable = np.isfinite(values) & mature
    if kpi.kind == "count":
        numerator, denominator = values, np.where(np.isfinite(values), 1.0, np.nan)
    return _Series(
        values=values,
        numerator=numerator,
        denominator=denominator,
        sizes=column("n"),
        usable=usable,
        judged=usable & ~np.isin(status, ["too_few", "withheld", "provisional"]),
        starts=[pd.Timestamp(day).date() for day in series["start"]],
        phase=phases([pd.Timestamp(day).date() for day in series["start"]], [r.date for r in kpi.rebase]),
    )


def _season(found: _Series, choice: Choice, *, spare_latest: bool) -> Season:
    known = found.usable.copy()
    if spare_latest and known.any():
        known[np.flatnonzero(known)[-1]] = False
    return season(np.where(known, forward(found.values, choice.scale), np.nan), found.starts, found.phase)


def _phase_data(found: _Series, base: np.ndarray, number: int, wave: Season, strict: bool) -> PhaseData:
    member = found.phase == number
    ahead = _ahead(found, wave, strict)
    return PhaseData(
        values=found.values[member],
        numerator=found.numerator[member],
        denominator=found.denominator[member],
        sizes=found.sizes[member],
        usable=found.usable[member],
        judged=found.judged[member],
        base=base[member],
        effect=wave.effect[member] if ahead else np.zeros(int(member.sum())),
        next_effect=ahead[0] if ahead else 0.0,
    )


def _ahead(found: _Series, wave: Season, strict: bool) -> tuple[float, ...]:
    """The season in the next three periods; empty where the chart does not follow it."""
    if not strict or wave.kind not in ("harmonic", "months"):
        return ()
    gap = (found.starts[1] - found.starts[0]).days
    period = Period.containing(found.starts[-1], "week" if gap < 28 else "quarter" if gap > 80 else "month")
    coming = []
    for _ in range(3):
        period = period.next()
        coming.append(period.start)
    return tuple(float(e) for e in season_at(wave, found.starts, coming))


def _dispersion(found: _Series, base: np.ndarray, kpi: Kpi) -> Dispersion:
    kind = ratio_kind(kpi)
    if kind is None:
        return Dispersion(np.nan, np.nan, False)
    return dispersion(found.numerator[base], found.denominator[base], binomial=kind == "p")


def _table(series: pd.DataFrame, found: _Series, base: np.ndarray, drawn: list[PhaseChart], kpi: Kpi) -> pd.DataFrame:
    keep = [
        c
        for c in ("period", "start", "end", "value", "numerator", "denominator", "n", "mature", "status")
        if c in series
    ]
    table: dict[str, Any] = {name: series[name].array for name in keep}  # one by one, each new column costs a copy
    table |= {
        "target": target_values(kpi, found.starts),
        "phase": found.phase,
        "baseline": base,
        "judged": found.judged,
    }
    table |= {name: np.concatenate([getattr(chart.lines, name) for chart in drawn]) for name in _LINES}
    table |= {name: np.concatenate([getattr(chart, name) for chart in drawn]) for name in ("z", "p")}
    return pd.DataFrame(table | {"signals": [codes for chart in drawn for codes in chart.signals]})
