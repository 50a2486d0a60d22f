"""The root-cause analysis as plain JSON: None for missing numbers, labels for periods, nothing that is withheld."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from svclib.explain.analysis import Gap, RootCause
from svclib.explain.decompose import Decomposition
from svclib.explain.localise import Segment
from svclib.explain.segments import Where
from svclib.measure.disclosure import suppressed
from svclib.measure.record import heading, plain


def analysis_record(analysis: RootCause, sentence: Callable[[Gap], str]) -> dict[str, Any]:
    """The result as `root_cause_analysis.json` has it; `sentence` puts a gap into words."""
    gaps = [record_of(gap) | {"sentence": sentence(gap)} for gap in analysis.gaps]
    return heading(analysis.department, analysis.period, analysis.as_of) | {"gaps": gaps}


def record_of(gap: Gap) -> dict[str, Any]:
    """One entry of ``gaps`` in `root_cause_analysis.json`, without its sentence."""
    question, local = gap.question, gap.localisation
    withheld = question.why_not == "withheld"
    return {
        "kpi": question.kpi.code,
        "title": question.kpi.title,
        "reasons": list(question.reasons),
        "explain": question.explain,
        "why_not": question.why_not or None,
        "explained_period": question.period.label,
        "answer": gap.answer,
        "value": None if withheld else plain(question.value),
        "usual": plain(question.usual),
        "target": plain(question.target),
        "n": None if withheld else plain(question.n),
        "p": plain(question.p),
        "baseline": [question.baseline[0], question.baseline[-1]] if question.baseline else None,
        "peers": question.peers,
        "onset": _onset(gap),
        "mix_rate": [_split(split, gap.disclosure_minimum) for split in gap.splits],
        "segments": [_segment(segment, gap) for segment in (local.segments if local else ())],
        "leads": [_segment(lead, gap) | {"doubt": lead.doubt} for lead in (local.leads if local else ())],
        "stood_out": [{"where": _where(where), "period": period} for where, period in (local.stood_out if local else ())],
        "candidates": local.candidates if local else None,
        "general_shift": _general(gap),
        "process": _process(gap),
        "drivers": _drivers(gap),
        "pareto": {name: _rows(table) for name, table in shown_paretos(gap).items()},
        "hypotheses": [
            {
                "code": bone.code, "category": bone.category, "cause": bone.cause, "status": bone.status,
                "why": bone.why, "cases": plain(bone.cases), "share": plain(bone.share), "p": plain(bone.p),
            }
            for bone in gap.bones
        ],
        "whys": [rung.code for rung in gap.whys],
        "themes": _themes(gap),
        "grade": gap.evidence.grade,
        "evidence": {"for": list(gap.evidence.for_), "missing": list(gap.evidence.against)},
        "draft_action": _action(gap),
        "limits": [{"code": code, "detail": _detail(detail)} for code, detail in gap.limits],
    }  # fmt: skip


def _where(where: Where) -> dict[str, str]:
    return dict(where)


def _detail(detail: str | Where) -> str:
    return detail if isinstance(detail, str) else ", ".join(f"{name} = {value}" for name, value in detail)


def _onset(gap: Gap) -> dict[str, Any] | None:
    onset = gap.question.onset
    if onset is None:
        return None
    return {
        "period": onset.period,
        "interval": [onset.earliest, onset.latest],
        "p": plain(onset.p),
        "before": plain(onset.before),
        "after": plain(onset.after),
        "method": onset.method,
        "events": [
            {"title": e.title, "date": e.date.isoformat(), "near": e.near, "kind": e.kind} for e in gap.question.events
        ],
    }


def _split(split: Decomposition, minimum: int) -> dict[str, Any]:
    return {
        "dimension": split.dimension,
        "kind": split.kind,
        "before": plain(split.before),
        "after": plain(split.after),
        "delta": plain(split.delta),
        "rate": plain(split.rate),
        "mix": plain(split.mix),
        "volume": plain(split.volume),
        "threefold": {
            "rate": plain(split.rate_before),
            "mix": plain(split.mix_before),
            "interaction": plain(split.interaction),
        },
        "simpson": split.simpson,
        "segments": _rows(without_small(split.segments, minimum)),
    }


def _segment(segment: Segment, gap: Gap) -> dict[str, Any]:
    return {
        "where": _where(segment.where),
        "cases": plain(segment.cases),
        "excess": plain(segment.excess),
        "share": plain(segment.share),
        "share_interval": [plain(x) for x in segment.share_interval] if segment.share_interval else None,
        "odds_ratio": plain(segment.ratio),
        "odds_ratio_interval": [plain(x) for x in segment.ratio_interval],
        "effect": effect_of(gap),
        "value": plain(segment.value),
        "baseline": plain(segment.baseline),
        "complement": plain(segment.complement),
        "complement_baseline": plain(segment.complement_baseline),
        "p_adjusted": plain(segment.p_adjusted),
        "stability": plain(segment.stability),
        "alternatives": [_where(where) for where in segment.alternatives],
        "new": segment.new,
    }


def effect_of(gap: Gap) -> str:
    """What ``odds_ratio`` holds for this kind of KPI."""
    measure = gap.piece.measure if gap.piece else "share"
    return {
        "share": "odds_ratio",
        "rate": "rate_ratio",
        "count": "rate_ratio",
        "mean": "difference",
        "time": "pace_ratio",
    }[measure]


def _general(gap: Gap) -> dict[str, Any] | None:
    if gap.localisation is None:
        return None
    general = gap.localisation.general
    return {
        "established": general.established,
        "odds_ratio": plain(general.ratio),
        "odds_ratio_interval": [plain(x) for x in general.ratio_interval],
        "effect": effect_of(gap),
        "p": plain(general.p),
    }


def _process(gap: Gap) -> dict[str, Any] | None:
    if not gap.process and gap.load is None:
        return None
    parts = [
        {name: plain(getattr(part, name)) for name in ("part", "usual", "now", "difference", "lower", "upper", "p")}
        for part in gap.process
    ]
    load = None
    if gap.load is not None:
        load = {
            "answer": gap.load.answer,
            "arrivals_z": plain(gap.load.arrivals_z),
            "closed_z": plain(gap.load.closed_z),
            "periods": _rows(gap.load.periods),
        }
    return {"parts": parts, "load": load}


def _drivers(gap: Gap) -> dict[str, Any] | None:
    if gap.drivers is None:
        return None
    return {"r2": plain(gap.drivers.r2), "n": gap.drivers.n, "shares": _rows(gap.drivers.to_frame())}


def _themes(gap: Gap) -> dict[str, Any] | None:
    themes = gap.themes
    if themes is None:
        return None
    return {
        "comments": None if themes.withheld else themes.comments,
        "withheld": themes.withheld,
        "words": [{"word": w.word, "z": plain(w.z), "inside": w.inside, "outside": w.outside} for w in themes.words],
        "themes": [
            {"code": t.code, "share": plain(t.share), "share_outside": plain(t.share_outside), "p": plain(t.p)}
            for t in themes.themes
        ],
        "quotes": list(themes.quotes),
    }


def _action(gap: Gap) -> dict[str, Any] | None:
    action = gap.action
    if action is None:
        return None
    return {
        "kpi": action.kpi,
        "segment": _where(action.segment),
        "baseline_from": action.baseline_from.isoformat(),
        "baseline_to": action.baseline_to.isoformat(),
        "baseline": plain(action.baseline),
        "current": plain(action.current),
        "target_type": "level",
        "target_value": plain(action.target),
        "target_source": action.target_source,
        "expected_if_segment_recovers": plain(action.gain),
        "start": action.start.isoformat(),
        "due": action.due.isoformat(),
        "running": list(action.running),
        "steps": [],
        "responsible": None,
    }


def _rows(table: Any) -> list[dict[str, Any]]:
    return [{str(name): plain(x) for name, x in row.items()} for row in table.to_dict("records")]


def without_small(segments: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """The values of a decomposition without the figures of those that stand for fewer than `minimum` cases."""
    return _masked(segments, segments["value"].isin(small_values(segments, minimum)))


def small_values(segments: pd.DataFrame, minimum: int) -> set[str]:
    """The values of a decomposition that are withheld: of fewer than `minimum` cases, before or now.

    One such value alone could be had from the total by subtraction, so the next smallest goes with it.
    """
    few = suppressed(segments["n0"].to_numpy(float), minimum) | suppressed(segments["n1"].to_numpy(float), minimum)
    return set(segments.loc[few, "value"])


def shown_paretos(gap: Gap) -> dict[str, pd.DataFrame]:
    """The Pareto tables without the figures of the values that are withheld, which come last.

    From the first of them on the cumulated share is withheld too: its steps would give them away.
    """
    splits = {split.dimension: split.segments for split in gap.splits}
    shown = {}
    for name, table in gap.paretos.items():
        small = small_values(splits[name], gap.disclosure_minimum) if name in splits else set()
        few = table["value"].isin(small)
        masked = _masked(table, few)
        masked["cumulative"] = masked["cumulative"].mask((few & (table["excess"] > 0)).cummax())
        shown[name] = masked.sort_values("excess", ascending=False, kind="stable", ignore_index=True)
    return shown


def _masked(table: pd.DataFrame, hidden: pd.Series) -> pd.DataFrame:
    figures = [name for name in table.columns if name != "value"]
    return table.assign(**{name: table[name].astype(float).mask(hidden) for name in figures})
