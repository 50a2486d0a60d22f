"""How firm an outcome is, in words: its grade, the checks that were made of it, and whether its objective is SMART."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from svclib.catalogue.models import Kpi
from svclib.evaluate.analysis import KINDS_OF_MIX
from svclib.evaluate.checks import TELLING, Check
from svclib.evaluate.outcome import ActionOutcome
from svclib.evaluate.smart import SmartCheck
from svclib.report import words
from svclib.report.words import say
from svclib.report.words.outcome import change_of, check_of, counted_text, department_of, size_of, value_of
from svclib.report.words.where import label

#: Rivals that a check names which is not critical: it leaves the estimate as it is and says whose doing it is.
_BY_A_MINOR_CHECK = ("common_trend", "regression_to_the_mean")


def grade_words(outcome: ActionOutcome) -> str:
    """The grade with what it asks for, and how many checks could not be made: these count neither for nor against it."""
    text = say(f"outcome.grade.{outcome.verdict.grade}")
    failed = [say(f"outcome.check.{c.name}") for c in outcome.assessment.checks if c.passed is False]
    if failed and outcome.verdict.grade == "B":  # none of them is critical, and one may decide all the same
        decides = say("outcome.grade.decides") if outcome.verdict.rival in _BY_A_MINOR_CHECK else ""
        names = words.list_of(f"“{name}”" for name in failed)
        text = say("outcome.grade.B_failed", count=len(failed), names=names, decides=decides)
    missing = [check for check in outcome.assessment.checks if check.passed is None]
    if not missing:
        return text
    said = say("outcome.grade.not_possible", count=len(missing), all=words.number(len(outcome.assessment.checks), 0))
    return f"{text}; {said}"


def check_result(check: Check) -> str:
    """Passed, failed (critically) or not possible."""
    if check.passed is None:
        return say("outcome.checked.none")
    if check.passed:
        return say("outcome.checked.yes")
    return say("outcome.checked.no_critical" if check.critical else "outcome.checked.no")


def check_detail(check: Check, outcome: ActionOutcome) -> str:
    """What a check found, in a few words."""
    detail, kpi = check.detail, outcome.kpi
    if check.passed is None:
        reason = _why_no_mix(outcome) if check.name == "mix" else detail["reason"]
        ranks = {name: words.number(detail[name], 2) for name in ("p", "attainable_p") if name in detail}
        return say(f"outcome.reason.{reason}", **ranks)
    if check.name == "placebo_in_peers":
        return say(
            "outcome.checked.rank",
            rank=str(detail["rank"]),
            of=str(detail["of"]),
            p=words.number(detail["p"], 2),
            attainable=words.number(detail["attainable_p"], 2),
        )
    if check.name == "leave_one_peer_out":
        peer = department_of(outcome, detail["peer"])
        return say("outcome.checked.peer", peer=peer, estimate=change_of(kpi, detail["estimate"]))
    if check.name == "mix":
        return say("outcome.checked.mix", dimension=label(detail["dimension"]), share=words.percent(detail["share"], 0))
    if check.name == "pre_trend":
        return say(
            "outcome.checked.pre_trend",
            estimate=change_of(kpi, detail["estimate"]),
            p=words.p_value(detail["p"]),
            carried=change_of(kpi, detail["carried_on"]),
        )
    if check.name in ("trigger", "common_trend"):
        if check.name == "common_trend":
            return say("outcome.checked.moved", moved=change_of(kpi, detail["moved"]))
        shift = detail["shift"]
        return say(f"outcome.checked.shift_{'below' if shift < 0 else 'above'}", shift=size_of(kpi, shift))
    if "estimate" in detail:
        return _estimate(detail, kpi)
    return _happened(detail)


def _why_no_mix(outcome: ActionOutcome) -> str:
    """Why the KPI is not worked out at the earlier mix of cases; a lack of dimensions is only one of the reasons."""
    check = check_of(outcome, "mix")
    reason = str(check.detail["reason"]) if check else "no_dimensions"
    if reason != "no_dimensions":
        return reason
    if outcome.action.segment:
        return "one_part"
    return reason if outcome.kpi.kind in KINDS_OF_MIX else "no_mean"


def _estimate(detail: Mapping[str, Any], kpi: Kpi) -> str:
    estimate = change_of(kpi, detail["estimate"])
    if detail.get("attainable_p", 1.0) <= TELLING:
        p, attainable = (words.number(detail[name], 2) for name in ("p", "attainable_p"))
        return say("outcome.checked.ranked", estimate=estimate, p=p, attainable=attainable)
    if detail.get("p") is None or "attainable_p" in detail:  # a rank among few departments tells nothing
        return say("outcome.checked.estimate_only", estimate=estimate)
    return say("outcome.checked.estimate", estimate=estimate, p=words.p_value(detail["p"]))


def _happened(detail: Mapping[str, Any]) -> str:
    dated = [entry for key in ("actions", "events", "changes") for entry in detail.get(key, [])]
    if not dated:
        return say("outcome.checked.nothing")
    return words.list_of(f"{name} ({words.date(dt.date.fromisoformat(day))})" for name, day in dated)


def smart_reason(check: SmartCheck, outcome: ActionOutcome) -> str:
    """Why a SMART criterion is met or not."""
    detail, kpi = check.detail, outcome.kpi
    if check.criterion == "measurable" and check.reason in ("baseline", "no_baseline"):
        return say(f"outcome.smart.{check.reason}", count=detail["periods"])
    if check.reason == "baseline_short":
        return say("outcome.smart.baseline_short", count=detail["declared"], all=str(detail["periods"]))
    if check.reason == "no_baseline":
        return say("outcome.smart.unknown")
    if check.reason == "too_few_periods":
        return counted_text("outcome.smart.too_few_periods", detail["periods"])
    if check.reason == "seen_after_due":
        return say("outcome.smart.seen_after_due", enough=str(detail["enough"]), count=str(detail["periods"]))
    if check.reason in ("reached_before", "never_reached"):
        return say(f"outcome.smart.{check.reason}", best=value_of(kpi, detail["own_best"]))
    if check.reason == "reached_by_peer":
        peer = department_of(outcome, detail["peer"])
        return say("outcome.smart.reached_by_peer", peer=peer, best=value_of(kpi, detail["peer_best"]))
    if check.reason in ("already_reached", "improves"):
        return say(f"outcome.smart.{check.reason}", baseline=value_of(kpi, detail["baseline"]))
    if check.reason in ("off_target", "on_target"):
        return say(f"outcome.smart.{check.reason}", target=value_of(kpi, detail["kpi_target"]))
    return say(f"outcome.smart.{check.reason}")


def lessons(outcome: ActionOutcome) -> list[str]:
    """What the next plan can do better, from what this one lacked."""
    parts = []
    ident = outcome.action.id
    if outcome.verdict.rival == "no_comparison":
        parts.append(say("outcome.lesson.comparison", id=ident))
    if outcome.verdict.rival == "regression_to_the_mean":
        parts.append(say("outcome.lesson.trigger", id=ident))
    power = outcome.assessment.power
    unseen = power is not None and power.needed is not None and power.enough is None
    if unseen and outcome.verdict.effect_state in (None, "not_attributable"):
        parts.append(say("outcome.lesson.power", id=ident))
    for check in outcome.smart if outcome.verdict.effect_state != "attributable" else ():
        if check.passed is False and check.reason != "cannot_be_seen":
            name = say(f"outcome.smart.{check.criterion}")
            parts.append(say("outcome.lesson.smart", id=ident, criterion=name, reason=smart_reason(check, outcome)))
    return parts
