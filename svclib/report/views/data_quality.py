"""How good the data behind the KPIs are: rows, faults, gaps, silence, and the score over the snapshots."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from svclib.measure.analysis import KpiAnalysis
from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.show import Block, bullets, note, section
from svclib.report.tables import table
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.study import Study


def department_names(study: Study) -> dict[str, str]:
    """Department code to name."""
    return {department.code: department.name for department in study.catalogue.departments}


def quality_records(study: Study) -> list[dict[str, Any]]:
    """The data quality of the department's sources as `kpi_analysis.json` has it."""
    names = {kpi.source for kpi in study.kpis}
    return [
        {
            "source": q.source,
            "score": round(float(q.score), 4),
            "read": q.read,
            "kept": q.kept,
            "bad_rows": q.bad_rows,
            "bad": dict(q.bad),
            "copies": _copies(q),
            "missing_periods": q.gaps.get("missing", 0),
            "silent": [dict(s) for s in q.silent],
            "first": q.first.isoformat() if q.first else None,
            "last": q.last.isoformat() if q.last else None,
            "sentence": _quality_text(study, q),
        }
        for q in study.quality
        if q.source in names
    ]


def _copies(q: Any) -> int:
    """Rows that equal an earlier one in every column: in quarantine where the source has a key, else kept."""
    return q.exact_copies + int(q.bad.get("duplicate", 0))


def _quality_text(study: Study, q: Any) -> str:
    """A source's quality in words."""
    names = department_names(study)
    parts = [
        say(
            "kpi.quality.line",
            source=q.source,
            kept=words.number(q.kept, 0),
            read=words.number(q.read, 0),
            score=words.percent(q.score),
        )
    ]
    if q.bad_rows:
        reasons = words.list_of(
            f"{words.quarantine_reason(reason)} ({words.number(count, 0)})" for reason, count in sorted(q.bad.items())
        )
        parts.append(say("kpi.quality.bad", count=q.bad_rows, reasons=reasons))
    if text := _lately_text(study, q):
        parts.append(text)
    if text := _ends_early_text(study, q):
        parts.append(text)
    left_out = sum(q.left_out.values())
    for name, count in (("later", q.later), ("left_out", left_out), ("folded", q.folded)):
        if count:
            parts.append(say(f"kpi.quality.{name}", count=count))
    if q.silent:
        codes = [str(s.get("department", "")) for s in q.silent]
        parts.append(say("kpi.quality.silent", departments=words.list_of(names.get(code, code) for code in codes)))
    if q.gaps.get("missing"):
        parts.append(_gaps_text(study, q, names))
    return " ".join(parts)


def _lately_text(study: Study, q: Any) -> str:
    """That much of the latest whole month is bad, where the share in all rows is small; empty where it is not."""
    lately, allowed = q.bad_lately, study.catalogue.source(q.source).max_bad_share
    if not lately or lately["bad"] <= allowed * lately["considered"]:
        return ""
    reasons = words.list_of(
        f"{words.quarantine_reason(reason)} ({words.number(count, 0)})" for reason, count in lately["reasons"].items()
    )
    month, share = words.period_name(lately["month"][:7]), words.percent(lately["bad"] / lately["considered"])
    return say("kpi.quality.lately", month=month, share=share, reasons=reasons)


def _ends_early_text(study: Study, q: Any) -> str:
    """That a source ends before the period does; empty where it does not, or may."""
    end = study.prepared.covered_until().get(q.source)
    if end is None or end >= study.period.end or study.catalogue.source(q.source).final_to:
        return ""
    return say(
        "kpi.quality.ends_early", date=words.date(end - dt.timedelta(days=1)), period=words.period_name(study.period)
    )


def _gaps_text(study: Study, q: Any, names: Mapping[str, str]) -> str:
    """Whose periods hold no row, and that these are zeros where every KPI of the source counts them so."""
    shown = Counter(names.get(code, code) for code in (str(gap["department"]) for gap in q.gaps.get("shown", [])))
    count, listed = int(q.gaps["missing"]), words.list_of(f"{name} ({n})" for name, n in shown.most_common())
    zero = all(kpi.empty_period == "zero" for kpi in study.catalogue.kpis if kpi.source == q.source)
    among = say("kpi.quality.among", list=listed) if shown.total() < count else listed
    return say(f"kpi.quality.gaps{'_zero' if zero else ''}", count=count, list=among)


def quality(study: Study, analysis: KpiAnalysis) -> Block:
    """Sources: rows, faults, gaps, silence, changes of definition, and the score over the snapshots."""
    names = {kpi.source for kpi in study.kpis}
    mine = [q for q in study.quality if q.source in names]
    history = _scores(study, names)
    rows = [
        {
            say("kpi.quality.source"): q.source,
            say("kpi.quality.score"): words.percent(q.score),
            say("kpi.quality.before"): words.list_of(words.percent(s) for s in history.get(q.source, [])) or "–",
            say("kpi.quality.rows"): words.number(q.kept, 0),
            say("kpi.quality.faulty"): words.number(q.bad_rows, 0),
            say("kpi.quality.copies"): words.number(_copies(q), 0),
            say("kpi.quality.missing"): words.number(int(q.gaps.get("missing", 0)), 0),
            say("kpi.quality.until"): words.date(_until(q), "medium") if q.last else "–",
        }
        for q in mine
    ]
    remarks = [
        _quality_text(study, q)
        for q in mine
        if q.bad_rows or q.silent or q.gaps.get("missing") or _ends_early_text(study, q)
    ]
    remarks += [
        say("kpi.quality.changed", title=f.kpi.title, date=words.date(c.date), note=c.note)
        for f in analysis.findings
        for c in f.kpi.changes
    ]
    whole = table(pd.DataFrame(rows), caption=say("kpi.quality.caption")) if rows else note("info", say("value.none"))
    return section(say("kpi.title.quality"), whole, *([bullets(remarks)] if remarks else []))


def _until(q: Any) -> dt.date:
    """The last day that a source covers: a row that holds a month's figure covers the month."""
    last: dt.date = q.last
    return last if q.frequency == "none" else Period.containing(last, q.frequency).end - dt.timedelta(days=1)


def _scores(study: Study, names: set[str], most: int = 3) -> dict[str, list[float]]:
    """Scores of each source in the snapshots before this one, oldest first."""
    from svclib.collect.snapshot import list_snapshots, open_snapshot
    from svclib.errors import InputRefused

    found: dict[str, list[float]] = {}
    earlier = [p for p in list_snapshots(study.snapshot.path.parent) if p.resolve() != study.snapshot.path.resolve()]
    for path in earlier[:most]:
        try:
            snapshot = open_snapshot(path, verify=False)
        except InputRefused:
            continue
        if snapshot.created < study.snapshot.created and snapshot.as_of < study.snapshot.as_of:
            for q in snapshot.quality:
                if q.source in names:
                    found.setdefault(q.source, []).insert(0, float(q.score))
    return found
