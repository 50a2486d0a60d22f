"""Is there anything to explain, since when, and what is the usual to compare with?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.explain.slices import worse_sign
from svclib.measure.analysis import KpiFinding
from svclib.measure.change.happened import Happening, around
from svclib.measure.change.step import LevelChange, date_change, level_of, usual_periods
from svclib.measure.periods import Period
from svclib.measure.spc import BEYOND_CHANCE
from svclib.measure.spc.trend import Trend
from svclib.measure.target import meets

#: Reasons not to explain a gap that can be judged.
QUIET = ("common_cause", "changed_before", "drifting", "improved", "no_concern", "weak_signal")


@dataclass(frozen=True)
class Question:
    """One gap, before anything is explained.

    Attributes
    ----------
    period : that is asked about: the report's, or the latest that counts where that one is provisional.
    reasons : ``off_target``, ``concern``, ``changed`` (see `silent`), ``chosen``.
    explain : a special cause is there to be explained.
    silent : it is a clear change for the worse that the period does not signal and still lies beyond.
    why_not : else ``common_cause``, ``changed_before`` (a clear change for the worse that the period is back from),
        ``drifting`` (slowly, for the worse), ``improved`` (beyond chance), ``no_concern``, ``weak_signal`` (a rule fired,
        the evidence is not beyond chance), ``provisional``, ``too_few``, ``withheld``, ``missing``, ``no_limits``,
        ``recoded`` (its figure may be a fault of the data).
    signals : the chart's rules that fired in the period.
    onset : since when the gap is there; of the KPI analysis, where that looked the same way.
    events : what happened to the KPI, marked by where it lies to the onset.
    baseline : periods that make the usual.
    untold : the change for the better, or the one that the period does not signal, where there is one.
    drift : the trend over the shown periods.
    too_early : the report's period, where it is provisional and an earlier one is asked about.
    peers : ``worse``, ``inside``, ``unstable`` (its own figures are changing) or ``none`` (no comparison): the department beside its peers.
    """

    kpi: Kpi
    period: Period
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
    onset: LevelChange | None
    events: tuple[Happening, ...]
    baseline: tuple[str, ...]
    peers: str
    p: float | None
    silent: bool = False
    untold: LevelChange | None = None
    drift: Trend | None = None
    too_early: Period | None = None


def find_questions(
    findings: Sequence[KpiFinding], period: Period, chosen: Sequence[str] | None = None
) -> list[Question]:
    """The gaps of a department's period: off target, signalling a concern, or chosen by code, in the order of kpis.yaml.

    A KPI that takes long to count is provisional whenever its period is reported first, and would never be explained:
    of it the latest period that counts is asked about.
    """
    found = []
    for finding in findings:
        asked = _asked(finding)
        reasons = _reasons(asked, chosen)
        if reasons:
            found.append(_question(asked, reasons, period))
    return found


def _asked(finding: KpiFinding) -> KpiFinding:
    """The finding as of the latest period that counts, where all later ones are provisional."""
    latest = finding.chart.latest
    if finding.verdict.state != "provisional" or latest is None or finding.chart.standing == "none":
        return finding
    if finding.points.loc[finding.points["period"] > latest["period"], "mature"].any():
        return finding
    variation = finding.verdict.variation
    state = "neutral" if variation.startswith("neutral") else variation
    target = finding.kpi.target_on(Period.parse(str(latest["period"])).start)
    value = target.value if target else None
    met = meets(float(latest["value"]), value, finding.kpi.direction)
    judged = replace(finding.verdict, state=state, cause="", target=value, met=met)  # type: ignore[arg-type]
    return replace(finding, row=latest, verdict=judged) if variation != "none" else finding


def _reasons(finding: KpiFinding, chosen: Sequence[str] | None) -> tuple[str, ...]:
    verdict = finding.verdict
    if chosen is not None and finding.kpi.code not in chosen:
        return ()
    tests = {
        "off_target": verdict.met is False,
        "concern": verdict.state == "concern",
        "changed": _silent(finding) is not None,
        "chosen": chosen is not None,
    }
    return tuple(code for code, holds in tests.items() if holds)


def _question(finding: KpiFinding, reasons: tuple[str, ...], report: Period) -> Question:
    verdict, row = finding.verdict, finding.row
    period = Period.parse(str(row["period"]))
    value = float(row["value"]) if np.isfinite(row["value"]) else None
    worse = worse_sign(finding.kpi, value)
    # A rule that fires now and then by chance, on one of many charts, is no special cause by itself.
    weak = verdict.state == "concern" and np.isfinite(finding.p) and finding.p > BEYOND_CHANCE
    silent = _silent(finding)
    explain = ((verdict.state == "concern" and not weak) or silent is not None) and finding.recoded is None
    points = finding.points
    onset = (silent or _onset(finding, worse)) if explain else None
    baseline = usual_periods(points, period.label, onset.period if onset else None, finding.steps)
    base = points[points["period"].isin(baseline)]
    return Question(
        kpi=finding.kpi,
        period=period,
        reasons=reasons,
        explain=explain,
        why_not="" if explain else "weak_signal" if weak and finding.recoded is None else _why_not(finding, worse),
        signals=verdict.signals,
        worse=worse,
        value=value,
        target=verdict.target,
        n=float(row["n"]) if np.isfinite(row["n"]) else None,
        usual=level_of(base) if len(base) else None,
        points=points,
        onset=onset,
        events=_events(finding, onset),
        baseline=baseline,
        peers=_peers(finding, worse),
        p=float(finding.p) if np.isfinite(finding.p) else None,
        untold=finding.change if verdict.state == "improvement" else finding.silent_change,
        drift=finding.trend,
        silent=silent is not None,
        too_early=report if report.label != period.label else None,
    )


def _silent(finding: KpiFinding) -> LevelChange | None:
    """A clear change for the worse that the period does not signal, where the period lies nearer to the new level."""
    change, value = finding.silent_change, float(finding.row["value"])
    if finding.verdict.state != "common_cause" or change is None or change.before is None or change.after is None:
        return None
    if change.rose != (worse_sign(finding.kpi, value) > 0):
        return None
    return change if abs(value - change.after) < abs(value - change.before) else None


def _onset(finding: KpiFinding, worse: int) -> LevelChange | None:
    """The change that the KPI analysis found; one for the worse, where that one went the other way (a wanted band)."""
    change = finding.change
    if change is None or change.rose != (worse > 0):
        return date_change(finding.points, rose=worse > 0)
    return change


def _events(finding: KpiFinding, onset: LevelChange | None) -> tuple[Happening, ...]:
    if onset is None or not onset.dated:
        return finding.happened
    return around(finding.happened, onset.earliest, onset.latest, onset.period)


def _why_not(finding: KpiFinding, worse: int) -> str:
    state, cause = finding.verdict.state, finding.verdict.cause
    silent, drift = finding.silent_change, finding.trend
    if finding.recoded is not None and state != "provisional":
        return "recoded"
    if state == "common_cause" and silent is not None and silent.rose == (worse > 0):
        return "changed_before"
    if state == "common_cause" and silent is None and drift is not None and drift.clear and drift.slope * worse > 0:
        return "drifting"
    if state == "improvement" and finding.change is not None and finding.p <= BEYOND_CHANCE:
        return "improved"
    if state in ("common_cause", "improvement", "neutral"):
        return "common_cause" if state == "common_cause" else "no_concern"
    if cause in ("missing", "impossible"):
        return "missing"
    if cause == "few_periods":
        return "no_limits"
    return state if state in ("provisional", "too_few", "withheld") else "missing"


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
