"""Sentences of the root-cause analysis: the same gap always gives the same words, with the numbers in them."""

from __future__ import annotations

import datetime as dt
from functools import partial

import numpy as np

from svclib.catalogue.models import Kpi
from svclib.explain.analysis import Gap
from svclib.explain.decompose import Decomposition
from svclib.explain.localise import Localisation, Segment
from svclib.explain.question import QUIET
from svclib.explain.segments import Where
from svclib.explain.whys import Rung
from svclib.measure.change.happened import Happening, last_before
from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.words import say
from svclib.report.words.headline import happening_names
from svclib.report.words.where import label, shown_answer
from svclib.report.words.where import value_name as value_name
from svclib.report.words.where import where_of as where_of

STOOD_OUT_SHOWN = 4  # parts


def value_of(kpi: Kpi, x: float | None) -> str:
    """A value of the KPI as its reader writes it."""
    return words.value(x, kpi.unit, kpi.decimals)


def change_of(kpi: Kpi, x: float | None) -> str:
    """A difference of two values of the KPI."""
    return words.change(x, kpi.unit, kpi.decimals)


def sentence(gap: Gap, period: Period) -> str:
    """The answer to a gap in a few plain sentences; of a provisional period, that an earlier one is told of."""
    early = gap.question.too_early
    told = _sentence(gap, period)
    onset = gap.question.onset
    if gap.question.silent and onset is not None:
        said = {"since": words.period_name(onset.period), "p": words.p_value(onset.p)}
        told = f"{say('root_cause.sentence.silent', period=words.period_name(period), **said)} {told}"
    if early is None:
        return told
    return f"{say('root_cause.sentence.too_early', early=words.period_name(early), period=words.period_name(period))} {told}"


def _sentence(gap: Gap, period: Period) -> str:
    question = gap.question
    if not question.explain:
        return _nothing(gap, period)
    said = {
        "title": question.kpi.title,
        "value": value_of(question.kpi, question.value),
        "usual": value_of(question.kpi, question.usual),
        "period": words.period_name(period),
    }
    best = gap.place
    if gap.answer in ("local", "local_and_general") and best is not None:
        said |= {"where": where_of(best.where), "excess": excess(gap, best), "elsewhere": elsewhere(gap, best)}
        return say(f"root_cause.sentence.{gap.answer}", **said).strip()
    if gap.answer == "unsure" and best is not None:
        return f"{say('root_cause.sentence.unsure', **said)} {lead_text(gap, best)}"
    if gap.answer == "mix":
        split = mixed_split(gap)
        part = question.worse * split.mix / (question.worse * (split.after - split.before))
        said |= {
            "dimension": label(split.dimension),
            "mix": words.percent(part, 0) if part <= 1 else say("root_cause.excess.more_than_all"),
            "delta": split_change(gap, split, split.delta),
        }
    totals = gap.answer == "unlocated" and any(code in ("totals_only", "no_dimensions") for code, _ in gap.limits)
    shown = "unlocated_totals" if totals else "general_small" if answer_of(gap) == "general_small" else gap.answer
    return say(f"root_cause.sentence.{shown}", **said)


def lead_text(gap: Gap, lead: Segment) -> str:
    """Where to look although nothing is established there, and what keeps it from being a finding."""
    told = say("root_cause.lead.text", where=where_of(lead.where), excess=excess(gap, lead))
    doubt = say(f"root_cause.lead.{lead.doubt}", stability=words.percent(lead.stability or 0.0, 0))
    return " ".join(filter(None, [told, elsewhere(gap, lead), doubt]))


def answer_of(gap: Gap) -> str:
    """The gap's answer as readers get it (`shown_answer`)."""
    return shown_answer(gap.answer, gap.question.why_not, gap.localisation.candidates if gap.localisation else None)


def mixed_split(gap: Gap) -> Decomposition:
    """The decomposition whose mix explains most of the deterioration."""
    return max(gap.splits, key=lambda split: gap.question.worse * split.mix)


def _nothing(gap: Gap, period: Period) -> str:
    question = gap.question
    advice = say("root_cause.sentence.advice_none")
    if "off_target" in question.reasons and question.target is not None:
        advice = say("root_cause.sentence.advice_target", target=value_of(question.kpi, question.target))
    change, off = question.untold, "off_target" in question.reasons and question.target is not None
    if question.why_not == "improved" and change is not None and change.before is not None:
        levels = {"before": value_of(question.kpi, change.before), "after": value_of(question.kpi, change.after)}
        known = change.after is not None and question.target is not None
        beyond = known and question.worse * (change.after - question.target) <= 0  # type: ignore[operator]
        key = "advice_improved_met" if beyond else "advice_improved"
        further = say(f"root_cause.sentence.{key}", target=value_of(question.kpi, question.target))
        said = levels | {"title": question.kpi.title, "since": words.period_name(change.period)}
        return say("root_cause.sentence.improved", advice=further if off else "", **said).strip()
    if question.why_not == "changed_before" and change is not None:
        levels = {"before": value_of(question.kpi, change.before), "after": value_of(question.kpi, change.after)}
        said = {"title": question.kpi.title, "since": words.period_name(change.period), "p": words.p_value(change.p)}
        return say("root_cause.sentence.changed_before", period=words.period_name(period), **said, **levels)
    if question.why_not == "drifting" and question.drift is not None:
        drift = {"periods": words.number(question.drift.points, 0), "p": words.p_value(question.drift.p)}
        said = {"title": question.kpi.title, "value": value_of(question.kpi, question.value)}
        return say("root_cause.sentence.drifting", period=words.period_name(period), **said, **drift)
    key = f"root_cause.sentence.{'no_concern' if question.why_not == 'improved' else question.why_not}"
    said = {"title": question.kpi.title, "period": words.period_name(period)}
    if question.why_not in QUIET:
        said |= {"value": value_of(question.kpi, question.value), "advice": advice}
    if question.why_not == "weak_signal":
        said["p"] = words.p_value(question.p)
        if "off_target" not in question.reasons:
            said["advice"] = say("root_cause.sentence.advice_weak")
    return say(key, **said)


def excess(gap: Gap, segment: Segment) -> str:
    """What a segment adds, in the measure's own terms."""
    measure = gap.piece.measure if gap.piece else "share"
    low, high = segment.ratio_interval
    write = (lambda x: change_of(gap.question.kpi, x)) if measure == "mean" else (lambda x: words.number(x, 1))
    said = {
        "share": _share_of_gap(segment),
        "ratio": write(segment.ratio),
        "low": write(low),
        "high": write(high),
    }
    if measure in ("share", "rate", "count"):
        said["excess"] = words.number(round(abs(segment.excess)), 0)
    if measure in ("share", "mean"):
        said["cases"] = words.number(round(segment.cases), 0)
    return say(f"root_cause.excess.{measure}", **said)


def _share_of_gap(segment: Segment) -> str:
    """How much of the gap a segment is; a share beyond the whole is said in words, for elsewhere it got better."""
    share = segment.share
    if share is None:
        return say("root_cause.excess.share_unknown")
    if not 0 <= share <= 1:
        return say(f"root_cause.excess.share_{'more' if share > 1 else 'none'}")
    interval = ""
    if segment.share_interval is not None:
        low, high = (_bound(x) for x in segment.share_interval)
        interval = say("root_cause.excess.interval", low=low, high=high)
    return say("root_cause.excess.share_part", share=words.percent(share, 0), interval=interval)


def _bound(share: float) -> str:
    """An end of an interval of shares of a whole."""
    if share < 0:
        return say("root_cause.excess.under_none", none=words.percent(0.0, 0))
    return say("root_cause.excess.over_all", all=words.percent(1.0, 0)) if share > 1 else words.percent(share, 0)


def share_cell(share: float | None) -> str:
    """A share of the gap in a table; beyond none and all in words."""
    if share is None or not np.isfinite(share):
        return "–"
    if 0 <= share <= 1:
        return words.percent(share, 0)
    return say(f"root_cause.excess.cell_{'more' if share > 1 else 'none'}")


def level_of(gap: Gap, x: float | None) -> float | None:
    """A segment's level on the KPI's own scale; None where the scan's scale has no such reading (times)."""
    if x is None or gap.piece is None or gap.piece.measure in ("time", "count"):
        return None
    level = 1 - x if gap.piece.flipped else x
    return level * gap.factor


def elsewhere(gap: Gap, segment: Segment) -> str:
    """The level of all other cases, now and usually; empty for times and counts."""
    now, usual = level_of(gap, segment.complement), level_of(gap, segment.complement_baseline)
    if now is None or usual is None:
        return ""
    beyond = gap.piece is not None and gap.piece.level == "share_beyond"
    key, write = ("elsewhere_beyond", words.percent) if beyond else ("elsewhere", partial(value_of, gap.question.kpi))
    return say(f"root_cause.excess.{key}", value=write(now), usual=write(usual))


def onset_text(gap: Gap) -> str:
    """Since when, and how sure that is."""
    onset = gap.question.onset
    if onset is None:
        return say("root_cause.onset.none")
    said = {"period": words.period_name(onset.period), "p": words.p_value(onset.p)}
    if onset.method == "drift":
        return say("root_cause.onset.drift", **said)
    if onset.method == "signal":
        return say("root_cause.onset.signal", **said)
    if onset.earliest == onset.latest:
        return say("root_cause.onset.change_point_exact", **said)
    ends = {"earliest": words.period_name(onset.earliest), "latest": words.period_name(onset.latest)}
    return say("root_cause.onset.change_point", **said, **ends)


def events_text(gap: Gap) -> str:
    """Declared events around the onset; empty without an onset."""
    if gap.question.onset is None or not gap.question.onset.dated:
        return ""
    near: list[str] = []
    told: set[str] = set()
    for event in (e for e in gap.question.events if e.near):
        again = event.kind == "action_full_effect" and event.title in told  # stands right behind the action's start
        name = say("root_cause.onset.its_full_effect") if again else event_name(event)
        near.append(f"{name} ({words.date(event.date, 'medium')})")
        told.add(event.title)
    # a signal without a date of its own has no "around then", only the time since
    key = "event_since" if gap.question.onset.method != "change_point" else "event"
    first = say(f"root_cause.onset.{key}", events=words.list_of(near)) if near else say("root_cause.onset.no_event")
    if (last := last_before(gap.question.events, gap.question.onset.earliest)) is not None:
        first = f"{first} {say('kpi.happened.before', events=words.list_of(happening_names([last.to_json()])))}"
    later = happening_names([event.to_json() for event in gap.question.events if event.later])
    return f"{first} {say('root_cause.onset.later', events=words.list_of(later))}" if later else first


def event_name(event: Happening) -> str:
    """The title of an event; a plan's action is marked as such."""
    title = event.title.rstrip(". ")  # it stands within a sentence
    return title if event.kind == "event" else say(f"root_cause.onset.{event.kind}", title=title)


def mix_text(gap: Gap, split: Decomposition) -> str:
    """One decomposition in a sentence."""
    said = {name: split_change(gap, split, getattr(split, name)) for name in ("delta", "rate", "mix")}
    if split.kind == "count":
        said["volume"] = split_change(gap, split, split.volume)
    return say(f"root_cause.mix.{split.kind}", dimension=label(split.dimension), **said)


def split_change(gap: Gap, split: Decomposition, x: float) -> str:
    """A part of a change, in the unit of what was split."""
    if gap.piece is None:
        return f"{words.signed(x, 0)}\u202f{words.unit_name('min')}"
    if split.kind == "count":
        return words.signed(x, 0)
    if gap.piece.level == "share_beyond":
        return words.change(x, "%")
    return change_of(gap.question.kpi, x * gap.factor)


def split_level(gap: Gap, x: float) -> str:
    """A level of what was split, in its unit."""
    if gap.piece is not None and gap.piece.level == "share_beyond":
        return words.percent(x)
    return value_of(gap.question.kpi, x * gap.factor)


def split_remark(gap: Gap) -> str:
    """What was split where the KPI itself has no parts that add up; empty where it was the KPI."""
    if gap.piece is None:
        return say("root_cause.mix.minutes")
    if gap.piece.level == "kpi":
        return ""
    horizon = value_of(gap.question.kpi, gap.piece.horizon) if gap.piece.horizon is not None else ""
    return say(f"root_cause.mix.{gap.piece.level}", horizon=horizon)


def limit_text(code: str, detail: str | Where) -> str:
    """What could not be done."""
    if code == "folded":
        detail = label(str(detail))
    return say(f"root_cause.limits.{code}", detail=detail if isinstance(detail, str) else where_of(detail))


def stood_out_text(local: Localisation) -> str:
    """Which parts stood out before, and so do not count as usual; empty where none did."""
    periods: dict[Where, list[str]] = {}
    for where, period in local.stood_out:
        periods.setdefault(where, []).append(words.period_name(period))
    if not periods:
        return ""
    parts = [f"{where_of(where)} ({words.list_of(names)})" for where, names in periods.items()]
    if len(parts) > STOOD_OUT_SHOWN:
        parts[STOOD_OUT_SHOWN - 1 :] = [say("root_cause.segments.more_parts", count=len(parts) - STOOD_OUT_SHOWN + 1)]
    return say("root_cause.segments.stood_out", parts=words.list_of(parts))


def season_text(gap: Gap, period: Period) -> str:
    """What is named stood out a year before, too; empty where it did not, or nothing is named."""
    place, local, onset = gap.place, gap.localisation, gap.question.onset
    if place is None or local is None:
        return ""
    since = onset.period if onset else period.label
    now = [one for one in period.last(12) if one.label >= since] or [period]
    year_before = {Period.containing(one.start - dt.timedelta(days=365), one.frequency).label for one in now}
    mine = set(place.where)
    for where, then in local.stood_out:
        if then in year_before and where and (mine <= set(where) or mine >= set(where)):
            return say("root_cause.segments.season", where=where_of(where), period=words.period_name(then))
    return ""


def rung_text(rung: Rung) -> str:
    """One answer on the ladder of whys."""
    facts = rung.facts
    if rung.code == "since":
        named: dict[str, str] = {}
        for event in facts["events"]:
            named.setdefault(event.title, event_name(event))  # an action's start and its full effect are one answer
        tail = say("root_cause.why.since_events", events=words.list_of(named.values())) if named else ""
        return say("root_cause.why.since", period=words.period_name(facts["period"]), events=tail)
    if rung.code == "segment":
        return say("root_cause.why.segment", where=where_of(facts["where"]))
    if rung.code == "process":
        return say(
            "root_cause.why.process",
            part=say(f"root_cause.process.{facts['part']}"),
            usual=part_value(facts["part"], facts["usual"]),
            now=part_value(facts["part"], facts["now"]),
        )
    if rung.code == "hypothesis":
        return say("root_cause.why.hypothesis", causes=words.list_of(facts["causes"]))
    return say(f"root_cause.why.{rung.code}")


def driver_name(name: str) -> str:
    """A driver: a dimension by its own name, what the program makes of the cases by the language's."""
    key = f"root_cause.process.{name}"
    return say(key) if words.known(key) else label(name)


def part_value(part: str, x: float) -> str:
    """A mean of a part of the process."""
    if part == "reopened":
        return words.percent(x, 1)
    return words.value(x, "h", 1) if part.endswith("hours") else words.number(x, 2)


def part_change(part: str, x: float) -> str:
    """A difference of two means of a part of the process, in the unit of `part_value`."""
    if part == "reopened":
        return words.change(x, "%", 1)
    return words.change(x, "h", 1) if part.endswith("hours") else words.signed(x, 2)


def evidence_codes(codes: tuple[str, ...]) -> str:
    """What speaks for or against, in words."""
    return words.list_of(say(f"root_cause.grade.{code}") for code in codes)
