"""Sentences of the KPI analysis: the same finding always gives the same words, with the numbers in them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.measure.analysis import KpiAnalysis, KpiFinding, band_of
from svclib.measure.record import latest_of, moved_of, recoded_of, signal_before, suggestion_of, trend_of
from svclib.measure.spc import expectation
from svclib.report import words
from svclib.report.words import say
from svclib.report.words.headline import UNKNOWN, counted_words, headline, reading, singly, weak

#: Beyond these, a probability is said in words: the model behind it is not good to a thousandth.
_ALMOST = 0.995
_RECENT = 12
_WEAK_BELOW, _WEAK_P = 24, 0.0027


def value_of(kpi: Kpi, x: float | None) -> str:
    """A value of the KPI as its reader writes it."""
    return words.value(x, kpi.unit, kpi.decimals)


def number_of(kpi: Kpi, x: float | None) -> str:
    """A value without its unit, for a column whose head names it; the per cent sign stays."""
    return words.value(x, kpi.unit if kpi.unit == "%" else "", kpi.decimals)


def head_of(kpi: Kpi) -> str:
    """The head of a column of values, with their unit."""
    value = say("column.value")
    return f"{value} ({words.unit_name(kpi.unit)})" if kpi.unit not in ("", "%") else value


def line_of(kpi: Kpi, x: float | None) -> str:
    """A centre line or limit: whole counts have lines between them."""
    if kpi.kind == "count" and kpi.decimals == 0:
        return words.value(x, kpi.unit, 1)
    return value_of(kpi, x)


def target_of(finding: KpiFinding) -> str:
    """The target, or the wanted band; empty where there is none."""
    band = band_of(finding.kpi)
    if band is not None:
        return words.interval(band[0], band[1], finding.kpi.unit, finding.kpi.decimals)
    return "" if finding.verdict.target is None else value_of(finding.kpi, finding.verdict.target)


def signal_list(codes: tuple[str, ...] | list[str]) -> str:
    """Codes of rules as words."""
    return words.list_of(say(f"kpi.signal.{code}") for code in codes)


def sentence(finding: KpiFinding, as_of: dt.date | None = None) -> str:
    """The finding in a few plain sentences: what moved and what to do next, or the value and what to make of it.

    It follows stability x target: a stable process that misses its target needs another process, an unstable one
    needs its special cause found. What cannot be said yet is said to be unknown; with the cut-off it is told whether the
    cases are too young or the source does not reach so far.
    """
    state = finding.verdict.state
    if state in UNKNOWN:
        return _unknown(finding, as_of)
    if finding.recoded is not None:
        return headline(entry_of(finding), str(finding.row["period"]))
    against = _against(finding)
    if state == "common_cause":
        parts = [_value(finding), *against[:1], _stable(finding), *_next(finding), *against[1:]]
        return " ".join([*parts, *(trend_texts(finding) or cautions(finding)[:1])])
    first = headline(entry_of(finding), str(finding.row["period"]), advice=_elsewhere(finding))
    return " ".join([first, *_again(finding), *_unstable(finding)])


def _elsewhere(finding: KpiFinding) -> str:
    """Which report holds the next step; empty where the chart and the declared events are all there is.

    Where a change comes from, and what an action did, is worked out there: any other advice here would contradict it.
    """
    state = reading(entry_of(finding))
    ids = dict.fromkeys(happened.id for happened in finding.happened if happened.id)
    if ids:
        names = words.list_of(say("kpi.elsewhere.action", id=name) for name in ids)
        return say(f"kpi.elsewhere.{state}_plan", actions=names)
    return say("kpi.elsewhere.concern") if state == "concern" else ""


def entry_of(finding: KpiFinding) -> dict[str, Any]:
    """What `headline` reads of a finding, as its entry in `kpi_analysis.json` has it."""
    kpi, judged = finding.kpi, finding.verdict
    known = {"title": kpi.title, "unit": kpi.unit, "decimals": kpi.decimals, "band": band_of(kpi)}
    return known | {
        "direction": "band" if band_of(kpi) else kpi.direction,
        "state": judged.state,
        "cause": judged.cause,
        "variation": judged.variation,
        "side": judged.side,
        "assurance": judged.assurance,
        "p_meets_target_next": judged.p_meets_target_next,
        "value": finding.row["value"],
        "target": judged.target,
        "target_source": finding.target.source if finding.target else None,
        "met": judged.met,
        "p": None if math.isnan(finding.p) else finding.p,
        "latest": latest_of(finding),
        "moved": moved_of(finding),
        "silent_change": finding.silent_change.to_json() if finding.silent_change else None,
        "trend": trend_of(finding),
        "signal_before": signal_before(finding),
        "recoded": recoded_of(finding),
        "rebase_suggestion": suggestion_of(finding),
        "chart": {"rules": finding.chart.rules},
        "season": {"kind": finding.chart.season.kind, "p": finding.chart.season.p},
    }


def final_on(finding: KpiFinding) -> dt.date:
    """The day from which the period's value counts for good."""
    final = pd.Timestamp(finding.row["end"]) + finding.kpi.maturity
    return final.date() + (dt.timedelta(days=1) if final.time() != dt.time() else dt.timedelta())


def counts_from(finding: KpiFinding, as_of: dt.date | None) -> dt.date | None:
    """The day from which a provisional period counts; None where that is past, for its source does not reach so far."""
    day = final_on(finding)
    return None if as_of is not None and day <= as_of else day


def chance_of(p: float) -> str:
    """A probability in per cent; no model is sure enough to say 100 %.

    >>> chance_of(0.62), chance_of(0.9999), chance_of(0.0)
    ('62%', '>99%', '<1%')
    """
    if p > _ALMOST:
        return f">{words.percent(0.99, 0)}"
    return f"<{words.percent(0.01, 0)}" if p < 1 - _ALMOST else words.percent(p, 0)


def _period(finding: KpiFinding) -> str:
    return words.period_name(str(finding.row["period"]))


def _cases(kpi: Kpi, count: float) -> str:
    """How many cases a value rests on, or answers where it is worked out from these."""
    noun = "answers" if kpi.kind == "score" else "cases"
    return say(f"kpi.value.{noun}", count=round(count), shown=words.number(round(count), 0))


def base_of(kpi: Kpi) -> str:
    """The head of a column of what values rest on."""
    return say({"score": "column.answers", "rate": "column.base"}.get(kpi.kind, "column.n"))


def _value(finding: KpiFinding, key: str = "plain") -> str:
    kpi, row = finding.kpi, finding.row
    said = {"title": kpi.title, "value": value_of(kpi, row["value"]), "period": _period(finding)}
    unsure = not (pd.isna(row["lower"]) or pd.isna(row["upper"]) or kpi.kind in ("count", "availability"))
    if not unsure or value_of(kpi, row["lower"]) == value_of(kpi, row["upper"]):
        return say("kpi.value.no_interval", **said) if key == "plain" else ""
    interval = words.interval(row["lower"], row["upper"], kpi.unit, kpi.decimals)
    if kpi.kind == "rate":  # what it is counted per may be hours or visits: no number of cases
        return say(f"kpi.value.{'' if key == 'plain' else 'again_'}per_exposure", **said, interval=interval)
    return say(f"kpi.value.{key}", **said, interval=interval, cases=_cases(kpi, row["n"]))


def _again(finding: KpiFinding) -> list[str]:
    """How sure the period's own value is, behind the levels before and since."""
    text = _value(finding, "again")
    return [text] if text else []


def _against(finding: KpiFinding) -> list[str]:
    judged = finding.verdict
    if judged.met is None:
        return []
    kind = "band" if band_of(finding.kpi) else "against"
    just = not judged.met and value_of(finding.kpi, finding.row["value"]) == target_of(finding)
    result = "missed_just" if just else "met" if judged.met else "missed"
    parts = [say(f"kpi.value.{kind}_{result}", target=target_of(finding))]
    if finding.target is not None and finding.target.source == "placeholder":
        parts.append(say("kpi.value.placeholder"))
    return parts


def _stable(finding: KpiFinding) -> str:
    if finding.silent_change is not None or trend_texts(finding):
        return say("kpi.stable.moving", period=_sentence_start(_period(finding)))
    code = expectation(finding.verdict.assurance, finding.verdict.p_meets_target_next)
    return say(f"kpi.stable.{code}", period=_sentence_start(_period(finding)))


def _sentence_start(text: str) -> str:
    """Months are written small in Italian, but not where they begin a sentence."""
    return text[:1].upper() + text[1:]


def _next(finding: KpiFinding) -> list[str]:
    p = finding.verdict.p_meets_target_next
    if p is None or finding.verdict.assurance == "none":
        return []
    if p >= _ALMOST:
        return [say("kpi.next.almost_sure")]
    if p <= 1 - _ALMOST:
        return [say("kpi.next.almost_never")]
    return [say("kpi.next.chance", p=words.percent(p, 0))]


def _unstable(finding: KpiFinding) -> list[str]:
    judged = finding.verdict
    better = judged.state == "improvement" and judged.assurance == "fail"  # "even without" would play it down
    outlook = "fail_better" if better else judged.assurance
    new = finding.on_new_level
    if new != "none":
        parts = [say(f"kpi.unstable.new_{new}")]
    else:
        parts = [say(f"kpi.unstable.target_{outlook}")] if outlook != "none" else []
    rule = say("kpi.unstable.rule", period=_period(finding), signals=signal_list(judged.signals))
    return [*parts, *cautions(finding)[:1], rule]


def _unknown(finding: KpiFinding, as_of: dt.date | None) -> str:
    kpi, row, judged = finding.kpi, finding.row, finding.verdict
    said = {"title": kpi.title, "period": _period(finding)}
    if judged.cause == "immature":
        return " ".join([_provisional(finding, as_of), *open_texts(finding), _latest(finding)])
    if judged.cause == "few_periods":
        known = int(finding.chart.points["judged"].sum())
        if finding.chart.standing == "trial":  # the 2023 rules draw limits on trial, and judge later
            count = words.number(finding.chart.baseline_points, 0)
            text = say("kpi.unknown.few_periods_mdc", count=count, value=value_of(kpi, row["value"]), **said)
            return " ".join([text, *_against(finding)])
        small = bool(finding.points["status"].isin(["too_few", "withheld"]).any())
        history = "few_full_periods" if small else "few_periods"
        parts = [say(f"kpi.unknown.{history}", count=known, value=value_of(kpi, row["value"]), **said)]
        return " ".join([*parts, *_against(finding)])
    if judged.cause == "few_cases":
        cases = _cases(kpi, row["n"])
        return say("kpi.unknown.few_cases", cases=cases, minimum=words.number(kpi.minimum_n, 0), **said)
    key = {"small": "withheld", "missing": "missing"}.get(judged.cause)
    return (
        say(f"kpi.unknown.{key}", **said)
        if key
        else say("kpi.unknown.impossible", value=value_of(kpi, row["value"]), **said)
    )


def _provisional(finding: KpiFinding, as_of: dt.date | None) -> str:
    kpi, value = finding.kpi, finding.row["value"]
    known = "provisional" if math.isfinite(value) else "nothing_yet"
    return say(
        f"kpi.unknown.{known}{'' if counts_from(finding, as_of) else '_uncovered'}",
        title=kpi.title,
        period=_period(finding),
        value=value_of(kpi, value),
        date=words.date(final_on(finding)),
    )


def open_texts(finding: KpiFinding) -> list[str]:
    """How many cases are still open; empty without any."""
    still = finding.row.get("open", 0)
    if pd.isna(still) or still < 1:
        return []
    return [say("kpi.value.open", count=round(still))]


def _latest(finding: KpiFinding) -> str:
    latest = finding.chart.latest
    if latest is None:
        return say("kpi.unknown.few_periods", count=0, title=finding.kpi.title, value="", period=_period(finding))
    if finding.signals:
        return counted_words(entry_of(finding), _elsewhere(finding))
    reading = say(f"kpi.unknown.reading_{finding.verdict.variation}")
    return say("kpi.unknown.latest", period=words.period_name(str(latest["period"])), reading=reading)


def cautions(finding: KpiFinding) -> list[str]:
    """What makes the chart's answer weaker than it looks, most important first."""
    chart, found = finding.chart, []
    strict = chart.rules == "strict"
    step = finding.silent_change
    if step is not None:
        levels = {"before": value_of(finding.kpi, step.before), "after": value_of(finding.kpi, step.after)}
        period = words.period_name(step.period)
        within = (finding.points["baseline"] & (finding.points["period"] >= step.period)).any()
        key = "within_limits" if within else "silent_change"
        found.append(say(f"kpi.caution.{key}", period=period, p=words.p_value(step.p), **levels))
    signalling = bool(finding.verdict.signals)
    correlation = chart.autocorrelation
    if correlation.fired and (signalling or strict):
        key = "autocorrelation_widened" if strict else "autocorrelation"
        found.append(say(f"kpi.caution.{key}", r1=words.number(correlation.r1, 2)))
    if chart.season.kind == "suspected":
        found.append(say("kpi.caution.season_suspected", p=words.p_value(chart.season.p)))
    elif chart.season.kind in ("harmonic", "months") and (signalling or strict):
        found.append(say(f"kpi.caution.season{'' if strict else '_nhs'}", p=words.p_value(chart.season.p)))
    if chart.standing == "trial":
        found.append(say("kpi.caution.trial", count=words.number(chart.baseline_points, 0)))
    elif signalling and _weak(finding):
        count = words.number(chart.baseline_points, 0)
        found.append(say("kpi.caution.weak", count=count, p=words.p_value(finding.p)))
    for change in finding.kpi.changes:
        if (
            pd.Timestamp(finding.points["start"].iloc[0]).date()
            <= change.date
            <= pd.Timestamp(finding.row["start"]).date()
        ):
            found.append(say("kpi.caution.changed", date=words.date(change.date), note=change.note))
    return found


def _weak(finding: KpiFinding) -> bool:
    return not math.isnan(finding.p) and finding.p > _WEAK_P


def trend_texts(finding: KpiFinding) -> list[str]:
    """The drift over the shown periods; empty without a clear one, and where a step is told."""
    found, kpi = finding.trend, finding.kpi
    # A step looks like a drift; where one is told, it is not told twice.
    if found is None or not found.clear or finding.suggestion is not None or finding.silent_change is not None:
        return []
    decimals = None if kpi.unit != "%" else 2
    sign = 1 if found.slope > 0 else -1
    low, high = sorted((found.lower, found.upper))
    return [
        say(
            f"kpi.trend.{'up' if found.slope > 0 else 'down'}",
            periods=words.number(found.points, 0),
            slope=words.change(found.slope * sign, kpi.unit, decimals).lstrip("+"),
            interval=words.change_interval(low, high, kpi.unit, decimals),
            p=words.p_value(found.p),
        )
    ]


def chance_text(analysis: KpiAnalysis) -> str:
    """How many charts signal, how many would by chance, how many remain."""
    signals = analysis.signals
    expected = words.number(signals.expected_by_chance, 1)
    line = say("kpi.chance.line", count=signals.charts, expected=expected)
    if not signals.found:
        return f"{line} {say('kpi.chance.found_none')}"
    after = words.number(signals.after_fdr, 0)
    may_be_chance = sum(weak(entry_of(finding)) for finding in analysis.findings)
    found = say("kpi.chance.found", count=signals.found, after=after)
    return f"{line} {found} {singly(may_be_chance)}"


def method_text(finding: KpiFinding) -> str:
    """What the limits rest on."""
    return say(f"kpi.standing.{finding.chart.standing}", count=words.number(finding.chart.baseline_points, 0))


def deviations() -> list[str]:
    """Every way in which the charts differ from NHSRplotthedots, with its reason."""
    names = ("baseline", "provisional", "gaps", "constant", "screening", "few", "rebase", "strict")
    return [say(f"kpi.method.{name}") for name in names]
