"""What the overview pages say of a KPI or an action in a sentence or two; the reports have the whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from svclib.report import words
from svclib.report.results import DepartmentMonth, KpiResult
from svclib.report.show import STANDING_SIGNS, VERDICT_STATES, slug
from svclib.report.words.headline import around, count_words, headline, outlook
from svclib.report.words.where import QUIETER, shown_answer, where_of

#: Answers to a gap that point to a part of the cases.
PLACED = ("local", "local_and_general", "unsure")


@dataclass(frozen=True)
class Badge:
    """A state as it stands in a template: its class, its sign, its word; a weak one has its sign in no colour."""

    state: str
    text: str
    weak: bool = False

    @property
    def kind(self) -> str:
        return "weak" if self.weak else self.state.replace("_", "-")

    @property
    def sign(self) -> str:
        return STANDING_SIGNS[self.state]


def state_badge(state: str) -> Badge:
    """The badge of a KPI's standing; a state that this version does not know shows its code."""
    if state not in STANDING_SIGNS:
        return Badge("missing", state.replace("_", " "))
    return Badge(state, words.say(f"state.{state}"))


def told_badge(state: str, *, perhaps: bool = False) -> Badge:
    """The badge of a state; of a signal that may be chance it stands back."""
    return _perhaps(state_badge(state)) if perhaps else state_badge(state)


def kpi_badge(kpi: KpiResult) -> Badge:
    """The badge of a KPI's standing; a signal that may be chance is called so and stands back."""
    return told_badge(kpi.standing, perhaps=kpi.perhaps and kpi.counted is None)


def signal_badge(kpi: KpiResult) -> Badge:
    """The badge of a KPI in a list of signals: with the period that shows it, where that is not the page's own."""
    if kpi.counted is None:
        return kpi_badge(kpi)
    badge = state_badge(kpi.reading)
    said = words.say("state_before.badge", state=badge.text, period=words.period_name(kpi.counted))
    badge = replace(badge, text=said)
    return _perhaps(badge) if kpi.perhaps else badge


def kpi_badges(kpi: KpiResult) -> list[Badge]:
    """The period's own badge, and behind it that of the latest period that counts, where an earlier one signals."""
    return [kpi_badge(kpi)] if kpi.counted is None else [kpi_badge(kpi), signal_badge(kpi)]


def _perhaps(badge: Badge) -> Badge:
    return replace(badge, text=words.say("state_weak.badge", state=badge.text), weak=True)


def verdict_badge(verdict: str) -> Badge:
    """The badge of an action's verdict."""
    code = verdict.lower().replace(" ", "_")
    text = words.say(f"verdict.{code}") if words.known(f"verdict.{code}") else verdict.replace("_", " ")
    return Badge(VERDICT_STATES.get(code, "missing"), text)


def value_words(kpi: KpiResult) -> str:
    """A KPI's value with its unit, or that it is withheld."""
    if kpi.state == "withheld":
        return words.say("kpi.value.hidden")
    return words.value(kpi.value, kpi.unit, kpi.decimals)


def kpi_counts(kpis: Sequence[KpiResult], departments: int | None = None) -> str:
    """How many KPIs stand how, as the lists of the page tell of them."""
    return count_words([kpi.raw for kpi in kpis], departments)


def kpi_href(department: DepartmentMonth, code: str) -> str | None:
    """Where a KPI's evidence stands."""
    return f"kpi_analysis.html#{slug(code)}" if department.reports["kpi_analysis"].has_page else None


def kpi_brief(department: DepartmentMonth, kpi: KpiResult, period: str) -> str:
    """A KPI's first sentence, with the next step that the action plan's verdict or the root-cause analysis gives."""
    gap = next((gap for gap in department.gaps if gap.get("kpi") == kpi.code), None)
    found = gap_advice(gap, around(kpi.entry)) if gap else ""
    located = gap is not None and answer_of(gap) in ("local", "local_and_general", "mix")
    return headline(kpi.entry, period, advice=found if located else _plan_advice(department, kpi) or found)


def _plan_advice(department: DepartmentMonth, kpi: KpiResult) -> str:
    """What to do next where the KPI moved the way that an action on it is held to have moved it; else empty."""
    for action in department.actions:
        key = f"headline.next_{kpi.reading}_{verdict_of(action)}"
        if action.get("kpi") == kpi.code and not action.get("segment") and words.known(key):
            return words.say(key, id=str(action["id"]))
    return ""


def gap_advice(gap: Mapping[str, Any], events: str = "") -> str:
    """What to do next about a gap that is explained; empty where the chart alone has to say it.

    `events` names what happened around then: the first place to look at where no part of the cases stands out.
    """
    answer = answer_of(gap)
    if not gap.get("explain") or not words.known(f"headline.next_{answer}"):
        return ""
    said = _grown(gap) if answer == "mix" else {}
    if said:
        return words.say(
            f"headline.next_mix_of{'_near' if events else ''}", **said, **({"events": events} if events else {})
        )
    if events and words.known(f"headline.next_{answer}_near"):
        return words.say(f"headline.next_{answer}_near", events=events)
    if answer in PLACED:
        place = _place(gap)
        if not place:
            return ""
        said = {"where": place, "grade": str(gap.get("grade") or "–")}
    return words.say(f"headline.next_{answer}", **said)


def _grown(gap: Mapping[str, Any]) -> dict[str, str]:
    """The kind of case whose share changed most in a mix shift that does harm, and its share of all cases before and now; empty where unknown."""
    splits = [split for split in gap.get("mix_rate") or [] if split.get("kind") == "rate"]
    if not splits or any(part[n] is None for split in splits for part in split["segments"] for n in ("n0", "n1")):
        return {}
    worse = 1 if splits[0]["delta"] > 0 else -1
    split = max(splits, key=lambda s: worse * s["mix"])
    all0, all1 = (sum(part[n] for part in split["segments"]) for n in ("n0", "n1"))
    adding = [part for part in split["segments"] if worse * part["mix"] > 0] or split["segments"]
    part = max(adding, key=lambda s: abs(s["n1"] / all1 - s["n0"] / all0))
    shares = {"before": words.percent(part["n0"] / all0, 0), "after": words.percent(part["n1"] / all1, 0)}
    return {"where": where_of([(split["dimension"], part["value"])])} | shares


def answer_of(gap: Mapping[str, Any]) -> str:
    """The answer to a gap of `root_cause_analysis.json` as its report names it."""
    return shown_answer(str(gap.get("answer")), gap.get("why_not"), gap.get("candidates"))


def _place(gap: Mapping[str, Any]) -> str:
    """The first part of the cases that a gap's answer points to, named or a lead; empty where there is none."""
    parts = [*(gap.get("segments") or []), *(gap.get("leads") or [])]
    return where_of(parts[0]["where"].items()) if parts else ""


def outlook_text(kpi: KpiResult) -> str:
    """What to expect of the target; empty where there is none, or nothing that could tell."""
    code = outlook(kpi.entry)
    return "" if kpi.target is None or code == "none" else words.say(f"assurance.{code}")


def gap_brief(gap: Mapping[str, Any]) -> str:
    """A gap's answer, where and since when, in short."""
    answer, place, onset = answer_of(gap), _place(gap), gap.get("onset")
    if answer == "not_evaluable" or not words.known(f"root_cause.answer.{answer}"):
        return str(gap.get("sentence") or "")  # it says why
    if answer in ("no_special_cause", *QUIETER):  # its badge says so
        return ""
    parts = [words.say(f"root_cause.answer.{answer}")]
    if answer in PLACED and place:
        parts[0] = f"{parts[0]}: {place}"
    if gap.get("explain") and onset:
        parts.append(words.say("headline.since", period=words.period_name(str(onset["period"]))))
    return f"{', '.join(parts)}."


def verdict_of(action: Mapping[str, Any]) -> str:
    """The code of an action's verdict."""
    return str(action.get("verdict") or "not_evaluable")


def action_title(action: Mapping[str, Any]) -> str:
    """An action by its objective."""
    return str(action.get("title") or action.get("objective") or action.get("id")).rstrip(". ")


def action_brief(action: Mapping[str, Any]) -> str:
    """Where the level stands against the target, or from when one will know; then the next step."""
    goal, effect = action.get("goal") or {}, action.get("effect") or {}
    parts = []
    if goal.get("level") is not None and effect:
        unit, title = str(effect.get("unit") or ""), str(action.get("kpi_title") or action.get("kpi") or "")
        level = words.value(goal["level"], unit)
        if goal.get("interval"):
            low, high = goal["interval"]
            interval = words.interval(low, high, unit)
            level = words.say("department.action_interval", level=level, interval=interval)
        said = {"title": title, "level": level}
        if goal.get("target") is None:
            parts.append(words.say("department.action_level", **said))
        else:
            parts.append(words.say("department.action_against", target=words.value(goal["target"], unit), **said))
    elif action.get("too_early_until") and action.get("next_step") != "unblock":
        until = dt.date.fromisoformat(str(action["too_early_until"])[:10])
        parts.append(words.say("department.action_until", date=words.date(until)))
    step = f"outcome.next.{action.get('next_step')}"
    if words.known(step):
        parts.append(words.say(step))
    return " ".join(parts) or str(action.get("sentence") or "")
