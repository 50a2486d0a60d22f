"""What there is to say of a KPI beyond its first sentences: around the change, over the years, ahead, in the plan."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable

from svclib.catalogue.models import Action
from svclib.measure.analysis import KpiFinding
from svclib.measure.change.happened import Happening, last_before
from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.words import say
from svclib.report.words.headline import happening_names
from svclib.report.words.kpi import cautions, open_texts, signal_list, trend_texts, value_of

_RECENT = 12


def remarks(finding: KpiFinding) -> list[str]:
    """Further findings of a KPI that can be shown: open cases, year, trend, outlook; not what `sentence` tells already."""
    if finding.verdict.state in ("withheld", "fault"):
        return []
    quiet, drift = finding.verdict.state == "common_cause", trend_texts(finding)
    parts = [] if finding.verdict.state == "provisional" else open_texts(finding)
    parts += cautions(finding)[0 if finding.verdict.state == "provisional" or (quiet and drift) else 1 :]
    return [
        *parts,
        *_calm_limits(finding),
        *happened_texts(finding),
        *_last_signal(finding),
        *_year(finding),
        *([] if quiet else drift),
        *_forecast(finding),
    ]


def _calm_limits(finding: KpiFinding) -> list[str]:
    """That the limits stop before a change of level, which later months would have hidden."""
    chart = finding.chart
    if chart.calm_until is None or not finding.steps:
        return []
    step, count = finding.steps[-1], words.number(chart.baseline_points, 0)
    return [say("kpi.caution.calm_limits", count=count, period=words.period_name(step.period), p=words.p_value(step.p))]


def happened_texts(finding: KpiFinding) -> list[str]:
    """What was declared around the change behind a signal, and since then; that nothing was is said, too."""
    change = finding.change
    if change is None or not change.dated:
        return []
    near, later = (named_of(h for h in finding.happened if getattr(h, when)) for when in ("near", "later"))
    first = say("kpi.happened.near", events=words.list_of(near)) if near else say("kpi.happened.none")
    if (last := last_before(finding.happened, change.earliest)) is not None:
        first = f"{first} {say('kpi.happened.before', events=words.list_of(named_of([last])))}"
    return [first, say("kpi.happened.later", events=words.list_of(later))] if later else [first]


def named_of(found: Iterable[Happening]) -> list[str]:
    """Events in quotes and actions by their id, with their day; an action only with the first of its days."""
    return happening_names([happening.to_json() for happening in found])


def _last_signal(finding: KpiFinding) -> list[str]:
    """A quiet period after a signal in the year before it: the reader sees the mark and should know of it."""
    if finding.verdict.state != "common_cause":
        return []
    marked = finding.points.tail(_RECENT)
    marked = marked[marked["signals"].map(bool)]
    if marked.empty:
        return []
    last = marked.iloc[-1]
    period = words.period_name(str(last["period"]))
    return [say("kpi.stable.last_signal", period=period, signals=signal_list(last["signals"]))]


def _year(finding: KpiFinding) -> list[str]:
    kpi, parts = finding.kpi, []
    year, total = finding.last_year, finding.year_to_date
    if year is not None:
        said = {"period": words.period_name(year.period), "value": value_of(kpi, year.value)}
        change = words.change(year.change, kpi.unit, kpi.decimals)
        if not year.comparable:
            parts.append(say("kpi.year.broken", **said))
        elif math.isnan(year.lower):
            same = change == words.change(0.0, kpi.unit, kpi.decimals)
            parts.append(say(f"kpi.year.{'same' if same else 'over'}", change=change, **said))
        else:
            interval = words.change_interval(year.lower, year.upper, kpi.unit, kpi.decimals)
            parts.append(say("kpi.year.over_interval", change=change, interval=interval, **said))
    if total is not None and math.isnan(total.last_year):
        parts.append(say("kpi.year.to_date", value=value_of(kpi, total.value)))
    elif total is not None:
        last = value_of(kpi, total.last_year)
        parts.append(say("kpi.year.to_date_last", value=value_of(kpi, total.value), last=last))
    return parts


def _forecast(finding: KpiFinding) -> list[str]:
    found, kpi = finding.forecast, finding.kpi
    if found is None or finding.verdict.state == "provisional":
        return []
    low, high = found.lower[0], found.upper[0]
    places = 0 if kpi.kind == "count" and kpi.decimals is None else kpi.decimals
    if places is None and kpi.unit != "%":
        places = words.decimals_of(low, high)
    if words.value(low, kpi.unit, places) == words.value(high, kpi.unit, places):
        return []
    first = words.value(low, "%" if kpi.unit == "%" else "", places)  # the unit stands once
    return [say("kpi.forecast.text", low=first, high=words.value(high, kpi.unit, places))]


def plan_remarks(actions: Iterable[Action], kpi: str, period: Period) -> list[str]:
    """The actions on a KPI: those planned or under way, and those done that were due within the year before the period."""
    year_before = period.start - dt.timedelta(days=366)
    return [
        say(
            "kpi.plan.action",
            id=action.id,
            objective=action.objective.rstrip(". "),
            status=say(f"action_status.{action.status.replace(' ', '_')}"),
            start=words.date(action.start, "medium"),
            due=words.date(action.due, "medium"),
        )
        for action in actions
        if action.kpi == kpi and action.status != "cancelled" and (action.status != "done" or action.due >= year_before)
    ]


def suggestion_text(finding: KpiFinding) -> str:
    """The rebase assistant's suggestion, with the events and the actions of the plan around it; empty where it has none."""
    found, kpi = finding.suggestion, finding.kpi
    if found is None or finding.verdict.state == "withheld":
        return ""
    text = say(
        "kpi.suggest.text",
        period=words.period_name(found.period),
        before=value_of(kpi, found.before),
        after=value_of(kpi, found.after),
        p=words.p_value(found.p),
    )
    lasts = say(f"kpi.suggest.{'sustained' if found.sustained else 'not_sustained'}")
    change = finding.change
    same = change is not None and change.period == found.period  # then it is told above what lies around it
    named = named_of([h for h in finding.happened if h.near] if same else found.cause)
    cause = say("kpi.suggest.causes", causes=words.list_of(named)) if named else say("kpi.suggest.no_cause")
    return " ".join([text, lasts, cause, say("kpi.suggest.ask")])
