"""The root-cause analysis of a department's period: every gap, step by step, to an answer with its grade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Hypothesis, Kpi, Source, Theme
from svclib.catalogue.names import pick
from svclib.explain.baseline import fit_baseline
from svclib.explain.decompose import Decomposition, decompose_count, decompose_level, mix_change_p
from svclib.explain.drivers import DriverShares, dummies, lmg_shares
from svclib.explain.grade import DraftAction, Evidence, draft_action, grade_evidence
from svclib.explain.hypotheses import Bone, root_of, test_hypotheses
from svclib.explain.localise import Localisation, Segment, localise
from svclib.explain.pareto import pareto_of_excess
from svclib.explain.process import Load, ProcessPart, measure_load, split_process
from svclib.explain.question import QUIET, Question, find_questions
from svclib.explain.scan import prepare
from svclib.explain.segments import Where, list_segments
from svclib.explain.slices import CaseSlice, leaf_cases, slice_cases, tabulate
from svclib.explain.themes import Themes, compare_comments, inside_of
from svclib.explain.whys import Rung, climb
from svclib.measure.analysis import analyse_kpis
from svclib.measure.change.step import LEAST_BASELINE
from svclib.measure.periods import Period

if TYPE_CHECKING:
    from svclib.study import Study

MOST_DRIVERS = 6
_NOBODY = frozenset({"count", "availability", "rate"})  # kinds whose rows are no persons' cases
MIX_P = 0.01
MIX_PART = 0.5  # share of the change that the mix must explain to be the answer


@dataclass(frozen=True)
class Gap:
    """One gap and what is known of it.

    Attributes
    ----------
    answer : ``no_special_cause``, ``not_evaluable``, ``local``, ``general``, ``local_and_general``, ``mix``, ``unsure``
        (special, but where is no more than a lead) or ``unlocated`` (special, but no segment stands out, or none could be
        looked at: `localisation` is None).
    limits : what could not be done and why: (code, detail), e.g. ``("folded", "category")``.
    """

    question: Question
    answer: str
    piece: CaseSlice | None
    splits: tuple[Decomposition, ...]
    paretos: dict[str, pd.DataFrame]
    localisation: Localisation | None
    replicated: bool | None
    process: list[ProcessPart]
    load: Load | None
    drivers: DriverShares | None
    bones: list[Bone]
    whys: list[Rung]
    themes: Themes | None
    evidence: Evidence
    action: DraftAction | None
    limits: tuple[tuple[str, str | Where], ...]
    factor: float = 1.0
    disclosure_minimum: int = 5

    @property
    def main_split(self) -> Decomposition | None:
        """The decomposition whose mix matters most; the first one where none does."""
        return max(self.splits, key=lambda split: abs(split.mix), default=None)

    @property
    def place(self) -> Segment | None:
        """The segment that the answer points to, named or a lead; None where it points to none."""
        local = self.localisation
        if local is None or not (local.segments or self.answer == "unsure"):
            return None
        return local.answers[0]


@dataclass(frozen=True)
class RootCause:
    """The gaps of a department's period, those with something to explain first."""

    department: str
    period: Period
    as_of: dt.date
    gaps: tuple[Gap, ...]
    kpis: int
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    def gap(self, kpi: str) -> Gap:
        """The gap of a KPI by its code.

        Raises
        ------
        InputRefused
            For a KPI without a gap, with the nearest one.
        """
        return pick({gap.question.kpi.code: gap for gap in self.gaps}, kpi, "KPI", "is no gap of this report")


def explain_gaps(study: Study, kpis: Sequence[str] | None = None, *, seed: int = 1) -> RootCause:
    """Explain every gap of the study's period: KPIs off target or signalling a concern, or those named.

    Parameters
    ----------
    kpis : codes to look at, whether they have a gap or not; the gaps where left out.
    seed : of all resampling; the same study and seed give the same result.
    """
    peers = study.department.peers
    found = analyse_kpis(
        study.near, study.kpis, study.department.code, study.period, as_of=study.as_of,
        peers=None if peers == "auto" else peers, events=study.events, actions=study.actions,
        history=study.catalogue.run.history,
        disclosure_minimum=study.organisation.disclosure_minimum, steady=study.prepared.steady(study.period),
        recoded=study.prepared.recoded,
    )  # fmt: skip
    questions = find_questions(found.findings, study.period, kpis)
    gaps = [_explain(study, question, seed) for question in questions]
    gaps.sort(key=lambda gap: not gap.question.explain)
    return RootCause(study.department.code, study.period, study.as_of, tuple(gaps), len(found.findings))


def _explain(study: Study, question: Question, seed: int) -> Gap:
    kpi = question.kpi
    source = study.source(kpi.code)
    dimensions = kpi.dimensions if kpi.dimensions is not None else list(source.dimension_columns)
    rows = comments = None
    if question.baseline and question.value is not None:
        wanted = _periods_back(study.period, question.baseline[0])
        if source.shape != "counts" or dimensions:
            rows = study.rows(kpi.code, wanted)
        if question.explain:
            comments = _comments(study, kpi.code, source, rows, wanted)
    return explain_gap(
        question, rows, dimensions, question.period, hypotheses=study.catalogue.hypotheses, source=source, comments=comments,
        code_book=study.catalogue.themes, disclosure_minimum=study.organisation.disclosure_minimum, seed=seed,
        actions=study.actions,
    )  # fmt: skip


def _periods_back(period: Period, first: str) -> int:
    count, at = 1, period
    while at.label > first and count < 60:
        at, count = at.previous(), count + 1
    return count


def _comments(study: Study, kpi: str, source: Source, rows: pd.DataFrame | None, wanted: int) -> pd.DataFrame | None:
    """Comments of the KPI's own rows, else of the first survey that the department has; who is not `content` is marked."""
    if rows is not None and "comment" in rows and rows["comment"].notna().any():
        return _with_mood(rows, study.catalogue.kpi(kpi))
    for other in study.kpis:
        if "comment" in study.source(other.code).columns and other.kind not in ("count", "availability"):
            return _with_mood(study.rows(other.code, wanted), other)
    return None


def _with_mood(rows: pd.DataFrame, kpi: Kpi) -> pd.DataFrame:
    """Whether each row's figure is on the better side of their mean; unknown where rows have no figure of their own."""
    figure = next((name for name in ("value", "num") if name in rows), None)
    if kpi.direction not in ("increase", "decrease") or figure is None:
        return rows
    value = rows[figure].astype(float)
    return rows.assign(content=value > value.mean() if kpi.direction == "increase" else value < value.mean())


def explain_gap(
    question: Question,
    rows: pd.DataFrame | None,
    dimensions: Sequence[str],
    period: Period,
    *,
    hypotheses: Sequence[Hypothesis] = (),
    source: Source | None = None,
    comments: pd.DataFrame | None = None,
    code_book: Sequence[Theme] = (),
    disclosure_minimum: int = 5,
    seed: int = 1,
    actions: Sequence[Action] = (),
) -> Gap:
    """Explain one gap from the rows behind it.

    Parameters
    ----------
    rows : as `Study.rows` gives them, baseline and current period; None where there are only totals.
    dimensions : columns to look into; none at all is an answer of its own kind (see `Gap.limits`).
    """
    current = period.label
    if question.why_not == "withheld":  # its parts would give the period away
        rows = None
    piece, limits = _slice(question, rows, dimensions, current)
    splits = _splits(piece, question, rows, dimensions, current)
    paretos = {split.dimension: _pareto(split, piece, question, current) for split in splits}
    localisation = None
    if question.explain and piece is not None and dimensions:
        table = tabulate(piece, question.baseline, current)
        localisation = localise(table, piece.family, bad=piece.bad, cases=leaf_cases(piece, table, current), seed=seed)
        limits += [("folded", name) for name in localisation.folded]
        if localisation.periods_used < LEAST_BASELINE:
            limits.append(("short_history", str(localisation.periods_used)))
        limits += [("new_segment", s.where) for s in localisation.segments if s.new]
    answer = _answer(question, localisation, splits, piece, current)
    process, load = _how(rows, question, source, period)
    best = localisation.segments[0] if localisation and localisation.segments else None
    where: Where = best.where if best else ()
    replicated = _replicated(question, piece, localisation, period)
    evidence = grade_evidence(
        answer, question, best, general_p=localisation.general.p if localisation else 1.0, replicated=replicated,
        process=any(part.p < 0.01 for part in process),
        short=any(code == "short_history" for code, _ in limits),
    )  # fmt: skip
    bones = test_hypotheses(
        hypotheses, question.kpi.code, localisation, rows, current, question.onset, question.events,
        explain=question.explain, mixed=answer == "mix",
    )  # fmt: skip
    factor = _factor(piece)
    return Gap(
        question=question, answer=answer, piece=piece, splits=tuple(splits), paretos=paretos, localisation=localisation,
        replicated=replicated, process=process, load=load,
        drivers=_drivers(piece, rows, question, dimensions, current, seed) if question.explain else None,
        bones=bones, whys=climb(question, answer, localisation, process, load, bones),
        themes=_themes(comments, where, question, code_book, disclosure_minimum),
        evidence=evidence,
        action=draft_action(question, period, where, _gain(question, piece, best, factor, current), actions),
        limits=tuple(limits), factor=factor,
        disclosure_minimum=1 if question.kpi.kind in _NOBODY else disclosure_minimum,
    )  # fmt: skip


def _slice(
    question: Question, rows: pd.DataFrame | None, dimensions: Sequence[str], current: str
) -> tuple[CaseSlice | None, list[tuple[str, str | Where]]]:
    """The rows ready to be added up, and what stands in the way."""
    if rows is None:
        known = question.value is not None and question.why_not != "withheld"
        return None, [("totals_only", "")] if known else []
    limits: list[tuple[str, str | Where]] = [] if dimensions else [("no_dimensions", "")]
    if not question.baseline:
        return None, [*limits, ("no_history", "")]
    if question.kpi.kind == "availability":
        return None, [*limits, ("no_scan_of_minutes", "")]
    piece = slice_cases(rows, question.kpi, dimensions, question.baseline, worse=question.worse)
    present = set(piece.rows["period"])
    if current not in present or not present & set(question.baseline):
        return None, [*limits, ("no_cases", "")]
    return piece, limits


def _splits(
    piece: CaseSlice | None, question: Question, rows: pd.DataFrame | None, dimensions: Sequence[str], current: str
) -> list[Decomposition]:
    if piece is None:
        return _splits_of_minutes(question, rows, dimensions, current)
    frame = piece.rows
    before, after = frame[frame["period"].isin(question.baseline)], frame[frame["period"] == current]
    if piece.measure == "count":
        return [_split_count(before, after, name, len(question.baseline)) for name in dimensions]
    return [decompose_level(before, after, name) for name in dimensions]


def _split_count(before: pd.DataFrame, after: pd.DataFrame, dimension: str, periods: int) -> Decomposition:
    """A count against the average of the usual periods; without a denominator all change is volume by segment."""
    usual = before.assign(num=before["num"] / periods, den=before["den"] / periods)
    return decompose_count(usual, after, dimension)


def _splits_of_minutes(
    question: Question, rows: pd.DataFrame | None, dimensions: Sequence[str], current: str
) -> list[Decomposition]:
    """Availability: minutes down are the number of outages times their length, by dimension."""
    if rows is None or question.kpi.kind != "availability" or not question.baseline or not dimensions:
        return []
    minutes = (pd.to_datetime(rows["ended_at"]) - pd.to_datetime(rows["started_at"])).dt.total_seconds() / 60
    frame = rows.assign(num=minutes.clip(lower=0), den=1.0).dropna(subset=["num"])
    before, after = frame[frame["period"].isin(question.baseline)], frame[frame["period"] == current]
    if before.empty or after.empty:
        return []
    return [_split_count(before, after, name, len(question.baseline)) for name in dimensions]


def _pareto(split: Decomposition, piece: CaseSlice | None, question: Question, current: str) -> pd.DataFrame:
    if piece is None:  # minutes down: more is worse whatever the KPI counts
        return pareto_of_excess(split, 1, 1.0)
    cases = 1.0 if split.kind == "count" else float(piece.rows.loc[piece.rows["period"] == current, "den"].sum())
    return pareto_of_excess(split, piece.worse, cases)


def _answer(
    question: Question,
    localisation: Localisation | None,
    splits: Sequence[Decomposition],
    piece: CaseSlice | None,
    current: str,
) -> str:
    if not question.explain:
        return "no_special_cause" if question.why_not in QUIET else "not_evaluable"
    if localisation is not None and localisation.segments:
        return "local_and_general" if localisation.general.established else "local"
    if _mixed(question, splits, piece, current):
        return "mix"
    if localisation is not None and localisation.leads:
        return "unsure"
    if localisation is not None and localisation.general.established:
        return "general"
    return "unlocated"


def _mixed(question: Question, splits: Sequence[Decomposition], piece: CaseSlice | None, current: str) -> bool:
    """Whether most of the change is one of the mix, and the mix changed beyond chance over all dimensions looked at."""
    if piece is None or piece.measure == "count":
        return False
    used = piece.rows[piece.rows["period"].isin([*question.baseline, current])]
    explaining = [s for s in splits if _worsened(s, question) and s.mix / s.delta >= MIX_PART]
    return any(mix_change_p(used, s.dimension, current) * len(splits) < MIX_P for s in explaining)


def _worsened(split: Decomposition, question: Question) -> bool:
    return split.kind == "rate" and question.worse * split.delta > 0


def _how(
    rows: pd.DataFrame | None, question: Question, source: Source | None, period: Period
) -> tuple[list[ProcessPart], Load | None]:
    """Parts of the process and load, where the source is a table of cases."""
    if rows is None or not question.explain or source is None or source.shape != "cases":
        return [], None
    used = " ".join(filter(None, (question.kpi.numerator, question.kpi.value, question.kpi.event)))
    parts = [part for part in split_process(rows, question.baseline, period.label) if part.part not in used]
    if "resolved_at" not in rows or "opened_at" not in rows:
        return parts, None
    first = Period.parse(question.baseline[0])
    periods = period.last(_periods_back(period, first.label))
    stamps = [(p.label, pd.Timestamp(p.start), pd.Timestamp(p.end)) for p in periods]
    return parts, measure_load(
        pd.to_datetime(rows["opened_at"]), pd.to_datetime(rows["resolved_at"]), stamps, period.label
    )


def _replicated(
    question: Question, piece: CaseSlice | None, localisation: Localisation | None, period: Period
) -> bool | None:
    """Whether the best segment was beyond its baseline in the period before already; None where it was not to be."""
    before = period.previous().label
    if piece is None or localisation is None or not localisation.segments or question.onset is None:
        return None
    if before < question.onset.period or before in question.baseline or before not in set(piece.rows["period"]):
        return None
    table = tabulate(piece, question.baseline, before)
    everything = list_segments(table, max_depth=0)
    again = prepare(table, everything, fit_baseline(table, piece.family), piece.bad)
    held = np.ones(table.leaves)
    for name, value in localisation.segments[0].where:
        d = table.dimensions.index(name)
        held *= np.array([table.values[d][code] == value for code in table.codes[:, d]])
    return root_of(again, table.observed[-1], held)[0] > 1.645


def _drivers(
    piece: CaseSlice | None,
    rows: pd.DataFrame | None,
    question: Question,
    dimensions: Sequence[str],
    current: str,
    seed: int,
) -> DriverShares | None:
    """Shares of the current period's variance; dimensions as dummies, parts of the process as they are."""
    if piece is None or rows is None or piece.measure not in ("share", "time", "mean"):
        return None
    frame = piece.rows[piece.rows["period"] == current]
    used = " ".join(filter(None, (question.kpi.numerator, question.kpi.value, question.kpi.event)))
    columns = {name: dummies(frame[name]) for name in dimensions if len(set(frame[name])) > 1}
    for part in ("handoffs", "contacts", "reopened"):
        if part in rows and part not in used:
            column = pd.to_numeric(rows.loc[frame.index, part], errors="coerce").fillna(0).astype(float)
            if np.ptp(column) > 0:
                columns[part] = column.to_numpy()
    columns = dict(list(columns.items())[:MOST_DRIVERS])
    if len(frame) < 100 or not columns:
        return None
    outcome = (frame["num"] / frame["den"]).to_numpy()
    return lmg_shares(outcome, columns, resamples=60, seed=seed) if np.ptp(outcome) > 0 else None


def _themes(
    comments: pd.DataFrame | None, where: Where, question: Question, code_book: Sequence[Theme], minimum: int
) -> Themes | None:
    """The segment's comments since the onset against all others; without a segment, since the onset against before."""
    if comments is None or not question.explain or not question.baseline or "comment" not in comments:
        return None
    since = question.onset.period if question.onset else question.points["period"].iloc[-1]
    now = comments[comments["period"] >= since]
    if where:
        inside = inside_of(now, where)
        if inside is None:
            return None
        here, others = now[inside], now[~inside]
    else:
        here, others = now, comments[comments["period"].isin(question.baseline)]
    quotable = here.loc[~here["content"], "comment"].dropna().tolist() if "content" in here else None
    return compare_comments(
        here["comment"].dropna().tolist(), others["comment"].dropna().tolist(), code_book, quotable=quotable, minimum=minimum
    )  # fmt: skip


def _factor(piece: CaseSlice | None) -> float:
    """From the slice's level to the KPI's own figures: a rate is shown per so many."""
    return piece.per if piece is not None and piece.measure == "rate" else 1.0


def _gain(question: Question, piece: CaseSlice | None, best: Any, factor: float, current: str) -> float | None:
    """What the KPI would be with the best segment at its baseline; None where the excess is not in the KPI's unit."""
    if best is None or piece is None or question.value is None or piece.measure == "time" or piece.level != "kpi":
        return None
    if piece.measure == "count":
        return question.value - best.excess
    exposure = float(piece.rows.loc[piece.rows["period"] == current, "scan_den"].sum())
    change = best.excess / exposure * factor
    return question.value + change if piece.flipped else question.value - change
