"""The first sentence of a KPI: what moved, from where to where, since when, against which target, and what to do next.

It is made from an entry of ``kpis`` in `kpi_analysis.json`, so that the report and every page that leads to it say the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from svclib.measure.periods import Period
from svclib.measure.spc import BEYOND_CHANCE, SIGNALS, expectation
from svclib.report.words import values
from svclib.report.words.messages import say

UNKNOWN = frozenset({"fault", "missing", "too_few", "withheld", "provisional"})
COUNTED = ("concern", "cannot_meet", "improvement", "neutral", "moving", "unknown")
_MORE_DECIMALS = 3


def standing(state: str, assurance: str, cause: str = "") -> str:
    """The one thing that a KPI is counted as, on every page.

    It is the state, but for a KPI that shows only its usual variation and lies beyond its target with it: that is
    ``cannot_meet``; and a period without a value is ``missing``, which need be nobody's fault.

    >>> standing("common_cause", "fail"), standing("concern", "fail"), standing("fault", "none", "missing")
    ('cannot_meet', 'concern', 'missing')
    """
    if cause == "missing":
        return "missing"
    return "cannot_meet" if state == "common_cause" and assurance == "fail" else state


def outlook(kpi: Mapping[str, Any]) -> str:
    """What is to be expected of the target: ``pass``, ``fail``, ``hit_or_miss``, ``changing`` or ``none``.

    Limits tell it of a process that stays as it is. While the latest point that counts signals, it does not. A target
    inside the limits that nine periods in ten will meet (or miss) is ``mostly_pass`` (``mostly_fail``). Of a new
    level that has lasted, its own limits tell it: ``new_pass``, ``new_mostly_fail`` and so on.

    >>> outlook({"variation": "concern", "assurance": "pass"}), outlook({"variation": "common_cause", "assurance": "pass"})
    ('changing', 'pass')
    >>> outlook({"variation": "common_cause", "assurance": "hit_or_miss", "p_meets_target_next": 0.01})
    'mostly_fail'
    """
    if kpi.get("state") == "withheld":
        return "none"
    assurance = str(kpi.get("assurance") or "none")
    quiet = str(kpi.get("variation") or kpi.get("state") or "none") in ("common_cause", "none") or assurance == "none"
    if not quiet:
        new = (kpi.get("moved") or {}).get("assurance") or "none"
        return "changing" if new == "none" else f"new_{new}"
    expected = expectation(assurance, kpi.get("p_meets_target_next"))
    return "changing" if expected == "hit_or_miss" and _moving(kpi) else expected


def reading(kpi: Mapping[str, Any]) -> str:
    """The state of the latest period that counts, where that one signals; else the period's own state.

    A month of a KPI that takes long to count is provisional whenever it is reported first. What happened shows in the
    months before it.

    >>> reading({"state": "provisional", "variation": "concern"}), reading({"state": "provisional", "variation": "common_cause"})
    ('concern', 'provisional')
    """
    state, variation = str(kpi["state"]), str(kpi.get("variation") or "none")
    if state != "provisional" or variation in ("common_cause", "none"):
        return state
    return "neutral" if variation.startswith("neutral") else variation


def group(kpi: Mapping[str, Any]) -> str:
    """Where a page tells of a KPI and as what it counts it: its `standing`, or what its latest period that counts signals.

    What may be chance is not known yet: ``unknown``. What gives no signal and is not what it was is ``moving``, or
    ``moving_better`` (a clear change of level, or a drift).

    >>> group({"state": "provisional", "variation": "concern"}), group({"state": "concern", "p": 0.3})
    ('concern', 'unknown')
    """
    if weak(kpi):
        return "unknown"
    state = str(kpi["state"])
    if reading(kpi) != state:
        return reading(kpi)
    found = standing(state, str(kpi.get("assurance") or "none"), str(kpi.get("cause") or ""))
    if found != "common_cause" or not (way := _moving(kpi)):
        return found
    return "moving_better" if way == {"increase": 1, "decrease": -1}.get(str(kpi.get("direction"))) else "moving"


def _moving(kpi: Mapping[str, Any]) -> int:
    """Which way a quiet KPI has moved for good: 1 or -1; 0 where it has not."""
    silent, trend = kpi.get("silent_change"), kpi.get("trend") or {}
    if silent:
        return 1 if silent["after"] > silent["before"] else -1
    if not trend.get("clear") or kpi.get("rebase_suggestion"):
        return 0
    return 1 if trend["slope"] > 0 else -1


def still_moving(kpi: Mapping[str, Any]) -> str:
    """What a quiet KPI's latest period does not show, without its name; empty where it is what it was.

    >>> still_moving({"trend": {"clear": True, "slope": -0.1, "periods": 30}})
    'it has drifted down over 30 periods'
    """
    return _still_moving(kpi) if _moving(kpi) else ""


def counted(kpi: Mapping[str, Any]) -> str | None:
    """Label of the latest period that counts, where that is an earlier one and signals."""
    latest = kpi.get("latest")
    return str(latest["period"]) if latest and reading(kpi) != kpi["state"] else None


def counted_words(kpi: Mapping[str, Any], advice: str = "") -> str:
    """What the latest period that counts signals; empty where it does not, or the period itself is that one."""
    label = counted(kpi)
    if label is None:
        return ""
    said = headline({**kpi, **kpi["latest"], "state": reading(kpi)}, label, advice=advice)
    return say("headline.counted", period=values.period_name(label), text=said)


def count_words(kpis: Sequence[Mapping[str, Any]], departments: int | None = None) -> str:
    """How many KPIs stand how: the same count in the same words on every page, and as many as the lists below it have.

    Parameters
    ----------
    kpis
        What `group` reads of each KPI.
    departments
        How many they belong to, on a page that tells of several.

    Examples
    --------
    >>> concern, usual = {"state": "concern"}, {"state": "common_cause"}
    >>> count_words([concern, concern, {**usual, "assurance": "fail"}, {**concern, "p": 0.3}, usual])
    'Of 5 KPIs, 2 show a concern, 1 cannot meet its target and 1 cannot be judged yet (1 of these changed, but that may be chance).'
    >>> count_words([concern, {"state": "provisional", "variation": "concern", "latest": {"period": "2026-09"}}])
    'Of 2 KPIs, 2 show a concern. One of these changes is that of an earlier period, the latest that counts.'
    """
    alike = {**dict.fromkeys(UNKNOWN, "unknown"), "moving_better": "moving"}
    groups = [alike.get(name, name) for name in map(group, kpis)]
    found, total = Counter(groups), len(kpis)
    parts = [say(f"answer.{name}", count=found[name]) for name in COUNTED if found[name]]
    if not parts:
        return say("answer.quiet", count=total)
    if perhaps := sum(map(weak, kpis)):
        parts[-1] += say("answer.weak", count=perhaps)
    listed = values.list_of(parts)
    before = sum(counted(kpi) is not None and not weak(kpi) for kpi in kpis)
    earlier = f" {say('answer.before', count=before)}" if before else ""
    if departments is None:
        return say("answer.sentence", count=total, parts=listed) + earlier
    among = say("answer.departments", count=departments)
    return say("answer.sentence_all", count=total, departments=among, parts=listed) + earlier


def weak(kpi: Mapping[str, Any]) -> bool:
    """Whether a signal may be chance, all its evidence taken together."""
    p = kpi.get("p")
    return reading(kpi) in SIGNALS and isinstance(p, int | float) and p > BEYOND_CHANCE


def singly(count: int) -> str:
    """How many signals may be chance one by one, beside the count over all charts together: two counts, said as two.

    >>> singly(1)
    'That counts all charts together; looked at one by one, 1 of the changes may be chance, which is another count \
(“perhaps”).'
    """
    return say("period_page.singly", count=count) if count else say("period_page.singly_none")


def doubt(kpi: Mapping[str, Any]) -> str:
    """Why a signal is not sure: ``chance`` (`weak`), ``season`` (a yearly pattern that the chart's rules do not know) or
    ``lasting`` (its new level has not clearly lasted); else empty.

    >>> doubt({"state": "concern", "p": 0.2}), doubt({"state": "concern", "p": 0.001, "rebase_suggestion": None})
    ('chance', '')
    >>> doubt({"state": "concern", "chart": {"rules": "nhs"}, "season": {"kind": "harmonic", "p": 0.001}})
    'season'
    """
    if weak(kpi):
        return "chance"
    if _seasonal(kpi):
        return "season"
    return "lasting" if (kpi.get("rebase_suggestion") or {}).get("sustained") is False else ""


def _seasonal(kpi: Mapping[str, Any]) -> bool:
    """Whether there is a yearly pattern in a chart whose limits do not follow it; those of the strict rules do.

    Of less than three years none does, however much they resemble each other.
    """
    chart, season = kpi.get("chart") or {}, kpi.get("season") or {}
    if season.get("kind") == "suspected":
        return True
    return chart.get("rules", "strict") != "strict" and season.get("kind") in ("harmonic", "months")


def headline(kpi: Mapping[str, Any], period: str, *, advice: str = "") -> str:
    """The first sentence of a KPI.

    Parameters
    ----------
    kpi
        An entry of ``kpis`` in `kpi_analysis.json`: ``title, unit, decimals, state, value, target, target_source, met,
        band, assurance, p, moved, side, chart, season``.
    period
        Label of the period.
    advice
        What to do next, where more is known than the chart tells (what the root-cause analysis found); it fits behind
        "next:".

    Examples
    --------
    >>> headline({"title": "Escalations", "unit": "%", "decimals": None, "state": "concern", "value": 0.145, "met": False,
    ...           "target": 0.12, "p": 0.0004, "moved": {"since": "2026-10", "before": 0.103, "after": 0.145}}, "2026-10")
    'Escalations rose from 10.3% to 14.5% in October 2026, missing the target of 12.0%; next: find out where it comes \
from (root-cause analysis), before acting on the process as a whole.'
    """
    state, odd = str(kpi["state"]), kpi.get("recoded")
    if odd and state not in UNKNOWN:
        new = (
            say("headline.recoded_new", new=values.list_of(f"“{value}”" for value in odd["new"])) if odd["new"] else ""
        )
        value = {
            "title": str(kpi["title"]),
            "value": _value(kpi, kpi.get("value")),
            "period": values.period_name(period),
        }
        return say("headline.recoded", text=odd["text"], column=odd["column"], new=new, **value)
    if state in SIGNALS:
        following = advice or _find_out(kpi)
        if weak(kpi):
            following = say("headline.next_weak", p=values.p_value(kpi["p"]))
        elif _seasonal(kpi):
            following = say("headline.next_season", p=values.p_value(kpi["season"]["p"]))
        return say("headline.signal", what=_what(kpi, period), next=following)
    if state in UNKNOWN:
        return " ".join(filter(None, [_unknown(kpi, period), counted_words(kpi, advice)]))
    said = {"title": str(kpi["title"]), "value": _value(kpi, kpi.get("value")), "period": values.period_name(period)}
    if standing(state, str(kpi.get("assurance"))) == "cannot_meet":
        return say("headline.cannot_meet", target=_target(kpi) + _not_agreed(kpi), **said)
    still = _still_moving(kpi)
    if still and advice:
        still = f"{still}; {say('headline.next', advice=advice)}"
    return say(f"headline.{'usual_but' if still else 'usual'}", against=_against(kpi), but=still, **said)


def _still_moving(kpi: Mapping[str, Any]) -> str:
    """What a quiet period does not show: a clear change of level, a drift, a signal just before; empty without any."""
    silent, trend = kpi.get("silent_change"), kpi.get("trend") or {}
    if silent:
        before, after = _levels(kpi, silent)
        return say("headline.silent_change", since=values.period_name(str(silent["since"])), before=before, after=after)
    if not trend.get("clear") or kpi.get("rebase_suggestion"):
        last = kpi.get("signal_before")
        return say("headline.signal_before", period=values.period_name(str(last))) if last else ""
    way = "up" if trend["slope"] > 0 else "down"
    return say(f"headline.drift_{way}", periods=values.number(trend["periods"], 0))


def together(kpis: Sequence[Mapping[str, Any]]) -> str:
    """The first sentence of a KPI that signals the same way in several departments; those in `doubt` are counted apart.

    Examples
    --------
    >>> one = {"title": "Hand-offs", "state": "improvement", "moved": {"since": "2025-12", "before": 0.7, "after": 0.5}}
    >>> together([one, {**one, "moved": {**one["moved"], "since": "2025-10"}}])
    'Hand-offs fell in 2 departments, first in October 2025; next: find out what brought it, and keep it.'
    >>> together([one, one, {**one, "p": 0.3}])
    'Hand-offs fell in 2 departments, first in December 2025, and in 1 more where it may be chance; next: find out what \
brought it, and keep it.'
    """
    doubts = Counter(doubt(kpi) for kpi in kpis)
    sure = [kpi for kpi in kpis if not doubt(kpi)]
    title = str(kpis[0]["title"])
    if not sure:
        return say("headline.together_unsure", title=title, count=len(kpis))
    more = "".join(
        say(f"headline.more_{why}", count=doubts[why]) for why in ("chance", "season", "lasting") if doubts[why]
    )
    following = _find_out({**sure[0], "moved": {"events": common_events(sure)}})
    moves = [kpi["moved"] for kpi in sure if kpi.get("moved")]
    ways = {move["after"] > move["before"] for move in moves}
    if len(ways) != 1:
        return say("headline.together_other", title=title, count=len(sure), more=more, next=following)
    first = values.period_name(min((str(move["since"]) for move in moves), key=lambda label: Period.parse(label).start))
    way = "rose" if ways.pop() else "fell"
    return say(f"headline.together_{way}", title=title, count=len(sure), first=first, more=more, next=following)


def common_events(kpis: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events that lie near the change of most of them: what one department did explains no other.

    >>> storms = {"title": "Storms", "date": "2025-11-01", "kind": "event"}
    >>> struck, spared = {"moved": {"events": [storms]}}, {"moved": {"events": []}}
    >>> [event["title"] for event in common_events([struck, struck, spared])], common_events([struck, spared])
    (['Storms'], [])
    """
    events = [event for kpi in kpis for event in (kpi.get("moved") or {}).get("events") or [] if not event.get("id")]
    often = Counter(event["title"] for event in events)
    common = {event["title"]: event for event in events if 2 * often[event["title"]] > len(kpis)}
    return list(common.values())


def moved(kpi: Mapping[str, Any], period: str) -> str:
    """From where to where a signalling KPI went, since when and in what `doubt`, without its name.

    Empty where no level bears it out and nothing is in doubt.

    >>> move = {"since": "2026-04", "before": 5.9, "after": 9.9}
    >>> moved({"state": "concern", "unit": "h", "decimals": 1, "moved": move}, "2026-10")
    '5.9 → 9.9\\u202fh since April 2026'
    """
    move, why = kpi.get("moved"), doubt(kpi)
    parts = [say(f"headline.doubt_{why}")] if why else []
    if move:
        before, after = _levels(kpi, move)
        parts.insert(0, say("headline.moved", before=before, after=after, since=_since(move, period)))
    return ", ".join(parts)


def happening_names(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """What happened, as it is named in a sentence: events in quotes, actions by their id once, each with its day.

    >>> storms = {"title": "Storms", "date": "2025-11-01", "kind": "event"}
    >>> started = {"title": "A1: Vans", "date": "2025-12-01", "kind": "action_start", "id": "A1"}
    >>> happening_names([storms, started, {**started, "kind": "action_full_effect", "date": "2026-01-01"}])
    ['“Storms” (1 Nov 2025)', 'action A1 (from 1 Dec 2025)']
    """
    named: dict[str, str] = {}
    for one in found:
        name, day = str(one.get("id") or one["title"]), values.date(str(one["date"]), "medium")
        named.setdefault(name, say(f"headline.{one['kind']}", name=name, date=day))
    return list(named.values())


def around(kpi: Mapping[str, Any]) -> str:
    """What happened around the change of a signalling KPI, as a list of names; empty where nothing is known."""
    return values.list_of(happening_names((kpi.get("moved") or {}).get("events") or []))


def _find_out(kpi: Mapping[str, Any]) -> str:
    """What to do next where only the chart and the declared events are known, its own or those of most departments."""
    events, common = around(kpi), (kpi.get("moved") or {}).get("common")
    if common and not events:
        return say(f"headline.next_{reading(kpi)}_common", events=values.list_of(happening_names(common)))
    return say(f"headline.next_{reading(kpi)}{'_near' if events else ''}", **({"events": events} if events else {}))


def _since(move: Mapping[str, Any], period: str) -> str:
    key = "in" if move["since"] == period else "since"
    return say(f"headline.{key}", period=values.period_name(str(move["since"])))


def _what(kpi: Mapping[str, Any], period: str) -> str:
    move, title = kpi.get("moved"), str(kpi["title"])
    latest = {"value": _value(kpi, kpi.get("value")), "period": values.period_name(period)}
    against = _against(kpi)
    if not move:
        return say(f"headline.{'low' if kpi.get('side') == 'low' else 'high'}", title=title, **latest) + against
    before, after = _levels(kpi, move)
    way = "rose" if move["after"] > move["before"] else "fell"
    what = say(
        f"headline.{way}{'_gradually' if move.get('method') == 'drift' else ''}",
        title=title,
        before=before,
        after=after,
        since=_since(move, period),
    )
    if move.get("earlier"):
        first = move["earlier"]
        levels = say(
            "headline.moved", **dict(zip(("before", "after"), _levels(kpi, first), strict=True)), since=""
        ).strip()
        what += say("headline.further", period=values.period_name(str(first["since"])), levels=levels)
    # the target is judged by the period's own value, not by the level since the move
    return (
        f"{what}{against}" if latest["value"] == after else say("headline.latest", what=what, against=against, **latest)
    )


def _levels(kpi: Mapping[str, Any], move: Mapping[str, Any]) -> tuple[str, str]:
    """Both levels with as many decimals as it takes to tell them apart, the unit behind the second."""
    unit, decimals = str(kpi.get("unit") or ""), kpi.get("decimals")
    first = unit if unit == "%" else ""
    places = values.decimals_of(move["before"], move["after"]) if decimals is None and unit != "%" else decimals
    places = 1 if places is None else places
    for more in range(_MORE_DECIMALS):
        before, after = (values.value(move[name], first, places + more) for name in ("before", "after"))
        if before != after:
            break
    return before, values.value(move["after"], unit, places + more)


def _against(kpi: Mapping[str, Any]) -> str:
    """What the value is to its target, as the tail of a sentence; empty where it has none."""
    met = kpi.get("met")
    if met is None or kpi.get("state") in UNKNOWN:
        return ""
    kind, target = "band" if kpi.get("band") else "target", _target(kpi)
    just = not met and _value(kpi, kpi.get("value")) == target  # both are rounded: the reader would see no difference
    said = say(f"headline.{kind}_{'missed_just' if just else 'met' if met else 'missed'}", target=target)
    return said + _not_agreed(kpi)


def _target(kpi: Mapping[str, Any]) -> str:
    band = kpi.get("band")
    unit, decimals = str(kpi.get("unit") or ""), kpi.get("decimals")
    return values.interval(band[0], band[1], unit, decimals) if band else _value(kpi, kpi.get("target"))


def _not_agreed(kpi: Mapping[str, Any]) -> str:
    return say("headline.not_agreed") if kpi.get("target_source") == "placeholder" else ""


def _value(kpi: Mapping[str, Any], x: float | None) -> str:
    return values.value(x, str(kpi.get("unit") or ""), kpi.get("decimals"))


def _unknown(kpi: Mapping[str, Any], period: str) -> str:
    said = {"title": str(kpi["title"]), "period": values.period_name(period)}
    if kpi["state"] == "provisional" and "final_on" in kpi:
        known = "provisional" if kpi.get("value") is not None else "nothing_yet"
        said["value"] = _value(kpi, kpi.get("value"))
        if not kpi["final_on"]:  # the day is past: its source does not reach to the end of the period
            return say(f"headline.{known}_uncovered", **said)
        return say(f"headline.{known}", date=values.date(str(kpi["final_on"])), **said)
    return say("headline.unknown", meaning=say(f"state_meaning.{_unknown_code(kpi)}"), **said)


def _unknown_code(kpi: Mapping[str, Any]) -> str:
    """Why nothing can be said: the standing, or what the history lacks."""
    cause = str(kpi.get("cause") or "")
    if cause == "few_periods":
        small = any(point.get("status") in ("too_few", "withheld") for point in kpi.get("points") or ())
        return "few_full_periods" if small else "few_periods"
    return standing(str(kpi["state"]), "none", cause)
