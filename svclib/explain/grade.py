"""How strong the evidence is (A to D), and the row that the action plan could take from it."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from svclib.catalogue.models import Action
from svclib.explain.localise import Segment
from svclib.explain.question import Question
from svclib.explain.segments import Where
from svclib.measure.periods import Period

Grade = Literal["A", "B", "C", "D"]
MONTHS_TO_IMPROVE = 6


@dataclass(frozen=True)
class Evidence:
    """A grade and what it rests on.

    Attributes
    ----------
    grade : A: the segment is beyond doubt (adjusted p < .01, stability >= .8), the onset meets a declared event or a
        change of the process, and the period before, or the peers, say the same. B: adjusted p < .05, stability >= .6; for
        a general shift, its own test, a dated onset and an event. C: what contributed is known exactly or the shift is
        beyond chance, but nothing says where it comes from; also a segment whose share of the gap is open, its 95 %
        interval running from below none to above all (``share_open``), or a history too short to know the swing. D:
        hypotheses only.
    for_, against : codes of what speaks for and against it.
    """

    grade: Grade
    for_: tuple[str, ...]
    against: tuple[str, ...]


def grade_evidence(
    answer: str,
    question: Question,
    best: Segment | None,
    *,
    general_p: float,
    replicated: bool | None,
    process: bool,
    short: bool = False,
) -> Evidence:
    """Grade the answer of a gap.

    Parameters
    ----------
    replicated : the segment was also beyond its baseline in the period before (None: the onset is the current period).
    process : a part of the process changed beyond chance.
    short : the usual periods are too few to know their swing; nothing found is then better than C.
    """
    # A plan is often the answer to what it stands beside: its own start proves nothing.
    event = any(e.near and e.kind == "event" for e in question.events)
    dated = question.onset is not None and question.onset.method == "change_point"
    holds = {
        "segment_sure": best is not None and best.p_adjusted < 0.01,
        "segment_significant": best is not None and 0.01 <= best.p_adjusted < 0.05,
        "stable": best is not None and (best.stability or 0.0) >= 0.8,
        "onset_dated": dated,
        "event_near": event,
        "process_changed": process,
        "replicated": replicated is True,
        "peers_agree": question.peers == "worse",
        "general_beyond_chance": answer in ("general", "local_and_general", "unsure") and general_p < 0.01,
    }
    grade: Grade = "D"
    if answer in ("local", "local_and_general") and best is not None:
        sure = holds["segment_sure"] and holds["stable"]
        linked = (event or process) and question.onset is not None
        grade = "A" if sure and linked and (replicated or holds["peers_agree"]) else "B"
    elif answer == "general":
        grade = "B" if holds["general_beyond_chance"] and dated and event else "C"
    elif answer in ("mix", "unsure"):
        grade = "C"
    share_open = _share_open(best)
    if (short or share_open) and grade in ("A", "B"):
        grade = "C"
    relevant = [code for code in holds if not (answer == "mix" and code.startswith(("segment", "stable")))]
    codes = ("onset_dated", "event_near", "replicated")
    missing: list[str] = [code for code in codes if not holds[code] and code in relevant]
    missing += ["stable"] if best is not None and not holds["stable"] else []
    missing += ["history"] if short else []
    missing += ["share_open"] if share_open else []
    return Evidence(grade, tuple(code for code in relevant if holds[code]), tuple(missing))


def _share_open(best: Segment | None) -> bool:
    """Whether the data leave any share of the gap possible, from none of it to all of it."""
    if best is None or best.share_interval is None:
        return False
    low, high = best.share_interval
    return low < 0 and high > 1


@dataclass(frozen=True)
class DraftAction:
    """A row for the action plan, its figures filled in and everything that people decide left empty.

    `target_source` says what the target rests on: ``agreed``, ``legal`` or ``placeholder`` (the KPI's target in force) or
    ``usual`` (the level before, where there is no target or the level before was better: a change for the worse is
    mended when it is undone, not when the target is met again).
    `gain` is what the KPI would be if the segment were at its baseline again.
    `running` names the actions by id that work on this KPI and these cases already: to be reviewed before a new one.
    """

    kpi: str
    segment: Where
    baseline_from: dt.date
    baseline_to: dt.date
    baseline: float | None
    current: float | None
    target: float | None
    target_source: str
    gain: float | None
    start: dt.date
    due: dt.date
    running: tuple[str, ...] = ()


def draft_action(
    question: Question, period: Period, segment: Where, gain: float | None, actions: Sequence[Action] = ()
) -> DraftAction | None:
    """Propose baseline, target and date from the data; None without a value or a baseline.

    Parameters
    ----------
    actions : of the department's plan; those that began before the period's end on this KPI are looked through.
    """
    if question.value is None or question.usual is None or not question.baseline:
        return None
    first, last = Period.parse(question.baseline[0]), Period.parse(question.baseline[-1])
    declared = question.kpi.target_on(period.start)
    target = question.target
    source: str = declared.source if declared else "agreed"
    worsened = question.worse * (question.value - question.usual) > 0
    if target is None or (worsened and question.worse * (target - question.usual) > 0):
        target, source = question.usual, "usual"
    due = _add_months(period.end, MONTHS_TO_IMPROVE)
    return DraftAction(
        question.kpi.code, segment, first.start, last.end - dt.timedelta(days=1), question.usual, question.value,
        target, source, gain, period.end, due,
        tuple(a.id for a in actions if a.kpi == question.kpi.code and _runs(a, period) and _overlaps(a, segment)),
    )  # fmt: skip


def _runs(action: Action, period: Period) -> bool:
    return action.status not in ("done", "cancelled") and action.start < period.end


def _overlaps(action: Action, segment: Where) -> bool:
    """Whether an action and a segment may speak of the same cases; an action without a part speaks of all."""
    own = action.segment or {}
    return all(own.get(name, value) == value for name, value in segment)


def _add_months(day: dt.date, months: int) -> dt.date:
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
