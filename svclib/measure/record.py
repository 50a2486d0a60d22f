"""The KPI analysis as plain JSON: None for missing numbers, times ISO 8601, nothing that is withheld."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from svclib.measure.analysis import KpiAnalysis, KpiFinding, band_of
from svclib.measure.periods import Period
from svclib.measure.target import meets


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers of Python, None for what is not finite, days as ISO text.

    >>> plain({"a": np.float64("nan"), "b": (dt.date(2026, 1, 2), np.bool_(True))})
    {'a': None, 'b': ['2026-01-02', True]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def heading(department: str, period: Period, as_of: dt.date) -> dict[str, Any]:
    """Whose result it is, of which period, and how far the data go.

    >>> heading("D01", Period.parse("2026-10"), dt.date(2026, 11, 5))
    {'department': 'D01', 'period': '2026-10', 'as_of': '2026-11-05'}
    """
    return {"department": department, "period": period.label, "as_of": as_of.isoformat()}


def analysis_record(analysis: KpiAnalysis, sentence: Callable[[KpiFinding], str]) -> dict[str, Any]:
    """The result as `kpi_analysis.json` has it; `sentence` puts a finding into words."""
    return heading(analysis.department, analysis.period, analysis.as_of) | {
        "kpis": [record_of(f) | {"sentence": sentence(f)} for f in analysis.findings],
        "signals_expected_by_chance": round(analysis.signals.expected_by_chance, 2),
        "signals_found": analysis.signals.found,
        "signals_after_fdr": analysis.signals.after_fdr,
        "data_quality": analysis.data_quality,
    }


def record_of(finding: KpiFinding) -> dict[str, Any]:
    """One entry of ``kpis`` in `kpi_analysis.json`, without its sentence."""
    kpi, chart, judged, row = finding.kpi, finding.chart, finding.verdict, finding.row
    shown = finding.shown
    hidden = {"value": None, "numerator": None, "denominator": None, "interval": None, "n": None}
    open_figures = {
        "value": plain(row["value"]),
        "numerator": plain(row["numerator"]),
        "denominator": plain(row["denominator"]),
        "interval": [plain(row["lower"]), plain(row["upper"])],
        "n": plain(row["n"]),
    }
    return {
        "code": kpi.code,
        "title": kpi.title,
        "unit": kpi.unit,
        "decimals": kpi.decimals,
        "direction": "band" if band_of(kpi) else kpi.direction,
        "band": band_of(kpi),
        "owner": kpi.owner,
        **(open_figures if shown else hidden),
        "open": plain(row.get("open", 0)) if shown else None,
        "target": judged.target,
        "target_source": finding.target.source if finding.target else None,
        "met": judged.met if shown else None,
        "state": judged.state,
        "cause": judged.cause or None,
        "variation": judged.variation,
        "side": judged.side,
        "assurance": judged.assurance,
        "p_meets_target_next": plain(judged.p_meets_target_next),
        "p": plain(finding.p),
        "latest": latest_of(finding),
        "moved": moved_of(finding),
        "silent_change": plain(finding.silent_change.to_json()) if finding.silent_change else None,
        "signal_before": signal_before(finding),
        "recoded": recoded_of(finding),
        "chart": {
            "kind": chart.kind,
            "scale": chart.scale,
            "exact": chart.exact,
            "reason": chart.reason,
            "rules": chart.rules,
            "standing": chart.standing,
            "baseline_points": chart.baseline_points,
            "frozen": chart.frozen,
            "calm_until": plain(chart.calm_until),
        },
        "points": [_point(point) for point in finding.points.to_dict("records")],
        "trend": trend_of(finding),
        "season": {
            "kind": chart.season.kind,
            "p": plain(chart.season.p),
            "amplitude": plain(chart.season.amplitude),
        },
        "autocorrelation": {
            "r1": plain(chart.autocorrelation.r1),
            "fired": chart.autocorrelation.fired,
            "step_explains": chart.autocorrelation.step_explains,
            "drift_explains": chart.autocorrelation.drift_explains,
        },
        "overdispersion": {"ratio": plain(chart.dispersion.ratio), "fired": chart.dispersion.fired},
        "peers": _peers(finding),
        "forecast": _forecast(finding) if shown else None,
        "rebase_suggestion": suggestion_of(finding),
        "last_year": _last_year(finding),
        "year_to_date": _year_to_date(finding),
    }


def moved_of(finding: KpiFinding) -> dict[str, Any] | None:
    """The change behind a signal, what happened around it, and the target on the new level; None without a change."""
    change = finding.change
    if change is None or change.before is None:
        return None
    near = [happening.to_json() for happening in finding.happened if happening.near]
    return plain(change.to_json() | {"events": near, "assurance": finding.on_new_level})


def recoded_of(finding: KpiFinding) -> dict[str, Any] | None:
    """A text that the rows do not hold any more, and what they hold that is new; None without one."""
    found = finding.recoded
    return None if found is None else {"column": found.column, "text": found.text, "new": list(found.new)}


def signal_before(finding: KpiFinding) -> str | None:
    """Label of the period before the latest that counts, where that one signals and the latest does not."""
    judged = finding.points[finding.points["judged"]].tail(2)
    if finding.signals or len(judged) < 2 or not judged["signals"].iloc[0]:
        return None
    return str(judged["period"].iloc[0])


def latest_of(finding: KpiFinding) -> dict[str, Any] | None:
    """The latest period that counts: its label and value, and its target; None where none is known."""
    latest = finding.chart.latest
    if latest is None:
        return None
    target, value = plain(latest["target"]), plain(latest["value"])
    return {
        "period": latest["period"],
        "value": value,
        "target": target,
        "met": meets(value, target, finding.kpi.direction),
    }


def _point(point: dict[Any, Any]) -> dict[str, Any]:
    withheld = point["status"] == "withheld"
    return {
        "period": point["period"],
        "value": None if withheld else plain(point["value"]),
        "n": None if withheld else plain(point["n"]),
        "centre": plain(point["centre"]),
        "lower": None if withheld else plain(point["lower"]),
        "upper": None if withheld else plain(point["upper"]),
        "signal": list(point["signals"]),
        "mature": bool(point["mature"]),
        "phase": int(point["phase"]),
        "status": point["status"],
        "target": plain(point["target"]),
        "p": plain(point["p"]),
    }


def trend_of(finding: KpiFinding) -> dict[str, Any] | None:
    """The drift over the shown periods; None where there are too few."""
    found = finding.trend
    if found is None:
        return None
    return {
        "slope": plain(found.slope),
        "interval": [plain(found.lower), plain(found.upper)],
        "p": plain(found.p),
        "seasonal": found.seasonal,
        "clear": found.clear,
        "periods": found.points,
    }


def _forecast(finding: KpiFinding) -> list[dict[str, Any]] | None:
    found = finding.forecast
    if found is None:
        return None
    ends = zip(found.centre, found.lower, found.upper, strict=True)
    return [{"centre": plain(c), "lower": plain(lo), "upper": plain(hi)} for c, lo, hi in ends]


def _peers(finding: KpiFinding) -> dict[str, Any] | None:
    found = finding.funnel
    if found is None:
        return None
    mine = found.table[found.table["department"] == finding.chart.department].iloc[0]
    return {
        "level": plain(found.level * found.per),
        "phi": plain(found.phi),
        "tau2": plain(found.tau2),
        "departments": len(found.table),
        "band": mine["band"],
        "shrunken": plain(mine["shrunken"]),
        "limits_95": [plain(mine["lower95"]), plain(mine["upper95"])],
        "limits_998": [plain(mine["lower998"]), plain(mine["upper998"])],
    }


def suggestion_of(finding: KpiFinding) -> dict[str, Any] | None:
    """Where new limits may be due; None where they are not."""
    found = finding.suggestion
    if found is None:
        return None
    return {
        "date": found.date.isoformat(),
        "period": found.period,
        "before": plain(found.before),
        "after": plain(found.after),
        "p": plain(found.p),
        "sustained": found.sustained,
        "wanted": found.wanted,
        "cause": [happening.title for happening in found.cause],
        "expected_to_last": None,
    }


def _last_year(finding: KpiFinding) -> dict[str, Any] | None:
    found = finding.last_year
    if found is None or not finding.shown:
        return None
    return {
        "period": found.period,
        "value": plain(found.value),
        "change": plain(found.change),
        "interval": [plain(found.lower), plain(found.upper)],
        "comparable": found.comparable,
    }


def _year_to_date(finding: KpiFinding) -> dict[str, Any] | None:
    found = finding.year_to_date
    if found is None or not finding.shown:
        return None
    return {
        "since": found.since.isoformat(),
        "periods": found.periods,
        "value": plain(found.value),
        "last_year": plain(found.last_year),
        "provisional": found.provisional,
    }
