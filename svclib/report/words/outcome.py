"""Sentences of the outcome evaluation: made from the result's numbers and codes only, so they cannot contradict it."""

from __future__ import annotations

from svclib.catalogue.models import Band, Kpi
from svclib.evaluate.checks import Check
from svclib.evaluate.goal import Goal
from svclib.evaluate.outcome import ActionOutcome
from svclib.evaluate.power import FEWEST_BEFORE
from svclib.evaluate.verdict import ALPHA, improvement
from svclib.report import words
from svclib.report.words import say
from svclib.report.words.where import label, where_of

_TOO_LITTLE = ("too_early", "not_evaluable")


def value_of(kpi: Kpi, x: float | None) -> str:
    """A level of the KPI as its reader writes it."""
    return words.value(x, kpi.unit, kpi.decimals)


def change_of(kpi: Kpi, x: float | None) -> str:
    """A difference of two levels."""
    return words.change(x, kpi.unit, kpi.decimals)


def change_interval(kpi: Kpi, low: float, high: float) -> str:
    """Two bounds of a difference."""
    return words.change_interval(low, high, kpi.unit, kpi.decimals)


def size_of(kpi: Kpi, x: float | None) -> str:
    """The size of a difference, without a sign."""
    if kpi.unit != "%" or x is None:
        return words.value(None if x is None else abs(x), kpi.unit, kpi.decimals)
    return say("value.points", x=words.number(abs(x) * 100, 1 if kpi.decimals is None else kpi.decimals))


def counted_text(key: str, count: int, **values: str) -> str:
    """A message with plural forms; none at all has a sentence of its own."""
    return say(f"{key}_zero", **values) if count == 0 else say(key, count=count, **values)


def probability(p: float) -> str:
    """A probability to the per cent, never 0 or 1.

    >>> probability(0.9999), probability(0.37)
    ('over 99%', '37%')
    """
    if p > 0.99:
        return say("outcome.over", p=words.percent(0.99, 0))
    if p < 0.01:
        return say("outcome.under", p=words.percent(0.01, 0))
    return words.percent(p, 0)


def sentence(outcome: ActionOutcome) -> str:
    """The outcome of an action in one paragraph: goal, effect, whose doing, when one will know, what next."""
    verdict = outcome.verdict
    if verdict.rival in ("cancelled", "department_closed"):
        return say("outcome.until.cancelled" if verdict.rival == "cancelled" else "outcome.until.closed")
    parts = [_goal(outcome)]
    if verdict.effect_state is not None:
        parts += [_effect(outcome), *_cause(outcome)]
    elif outcome.assessment.n_before < FEWEST_BEFORE:
        parts.append(counted_text("outcome.until.before", outcome.assessment.n_before))
    elif (trigger := check_of(outcome, "trigger")) and trigger.passed is False:
        parts.append(say("outcome.until.trigger", shift=size_of(outcome.kpi, trigger.detail["shift"])))
    parts += _until(outcome)
    if verdict.outlook:
        parts.append(say(f"outcome.outlook.{verdict.outlook}"))
    if fades(outcome):
        return " ".join([*parts, _persistence(outcome), say("outcome.next.adjust_fading")])
    return " ".join([*parts, say(f"outcome.next.{verdict.next_step}")])


def fades(outcome: ActionOutcome) -> bool:
    """Whether an effect that the plan is credited with is on its way back."""
    attributable = outcome.verdict.effect_state == "attributable"
    return attributable and outcome.persistence is not None and not outcome.persistence.holds


def _persistence(outcome: ActionOutcome) -> str:
    held = outcome.persistence
    assert held is not None
    later = _later(outcome)
    key = f"{'persists' if held.holds else 'fades'}{'_later' if later else ''}"
    first, last = (change_of(outcome.kpi, x) for x in (held.first, held.last))
    return say(f"outcome.more.{key}", first=first, last=last, **({"names": words.list_of(later)} if later else {}))


def title_of(outcome: ActionOutcome) -> str:
    """The KPI's title, with the part of the cases that the action speaks of."""
    segment = outcome.action.segment
    if not segment:
        return outcome.kpi.title
    return f"{outcome.kpi.title} ({where_of(segment.items())})"


def _goal(outcome: ActionOutcome) -> str:
    goal, kpi = outcome.assessment.goal, outcome.kpi
    full = outcome.surroundings.whole
    if goal.level is None or outcome.verdict.effect_state is None:
        count = outcome.assessment.n_after
        if goal.target is None:
            return counted_text("outcome.goal.no_level_no_target", count, full=words.date(full))
        return counted_text("outcome.goal.no_level", count, full=words.date(full), target=value_of(kpi, goal.target))
    said = {
        "title": title_of(outcome),
        "level": value_of(kpi, goal.level),
        "interval": words.interval(goal.lower, goal.upper, kpi.unit, kpi.decimals),
        "p": probability(goal.probability) if goal.probability is not None else "",
    }
    if isinstance(kpi.direction, Band) and goal.verdict == "met":
        return say("outcome.goal.met_band", **said)
    if goal.target is None or goal.probability is None:
        return say("outcome.goal.no_target", title=said["title"], level=said["level"], interval=said["interval"])
    said["target"] = value_of(kpi, goal.target)
    if goal.verdict == "open":
        said["due"] = words.date(outcome.action.due)
    return say(f"outcome.goal.{goal.verdict}", **said)


def comparison_of(outcome: ActionOutcome) -> str:
    """What the department was compared with."""
    effect = outcome.assessment.effect
    if effect is None or effect.comparison is None:
        return say("outcome.effect.series")
    return say("outcome.effect.peers", count=len(effect.comparison.weights))


def _effect(outcome: ActionOutcome) -> str:
    effect, kpi = outcome.assessment.effect, outcome.kpi
    assert effect is not None
    direction = outcome.assessment.better
    if effect.p > ALPHA:
        key = "nothing"
    elif direction not in ("increase", "decrease"):
        key = "moved"
    else:
        key = "better" if improvement(effect.estimate, direction) > 0 else "worse"
    return say(
        f"outcome.effect.{key}",
        comparison=comparison_of(outcome),
        effect=change_of(kpi, effect.estimate),
        interval=change_interval(kpi, effect.lower, effect.upper),
        p=words.p_value(effect.p),
    )


def _cause(outcome: ActionOutcome) -> list[str]:
    verdict, effect = outcome.verdict, outcome.assessment.effect
    assert effect is not None
    if verdict.effect_state == "attributable":
        early = verdict.code in ("too_early", "inconclusive") and not fades(outcome)
        doubts = [f"“{say(f'outcome.check.{c.name}')}”" for c in outcome.assessment.checks if c.passed is False]
        found = [say(f"outcome.cause.attributable{'_early' if early else ''}")]
        if doubts:
            found.append(say("outcome.cause.attributable_but", count=len(doubts), names=words.list_of(doubts)))
        return found
    if verdict.effect_state == "contrary":
        parts = [say("outcome.cause.worsened" if verdict.rival is None else "outcome.cause.worsened_rival")]
        return parts + ([rival_sentence(outcome)] if verdict.rival else [])
    if verdict.rival is None:
        return []
    if verdict.rival == "chance" and effect.p <= ALPHA:
        return [say("outcome.cause.not_trusted")]
    return [rival_sentence(outcome)]


def department_of(outcome: ActionOutcome, code: str) -> str:
    """A department's name by its code."""
    return outcome.names.get(code, code)


def rival_sentence(outcome: ActionOutcome) -> str:
    """The rival explanation in words, with the names of what stands for it."""
    rival = outcome.verdict.rival
    return say(f"outcome.cause.{rival}", **_names(outcome))


def _names(outcome: ActionOutcome) -> dict[str, str]:
    rival, found = outcome.verdict.rival, {c.name: c.detail for c in outcome.assessment.checks}
    listed: list[str] = []
    if rival == "other_action":
        listed = [name for name, _ in outcome.surroundings.joint]
    elif rival == "event":
        listed = [f"{name} ({words.date(day)})" for name, day in outcome.surroundings.events]
    elif rival == "later_event":
        listed = _later(outcome)
    elif rival == "definition_change":
        listed = [f"{name}, {words.date(day)}" for name, day in outcome.surroundings.changes]
    elif rival == "one_peer":
        listed = [department_of(outcome, str(found["leave_one_peer_out"].get("peer", "")))]
    elif rival == "mix":
        listed = [label(str(found["mix"].get("dimension", "")))]
    return {"names": words.list_of(listed)} if listed else {}


def _until(outcome: ActionOutcome) -> list[str]:
    verdict, assessment = outcome.verdict, outcome.assessment
    needed = change_of(outcome.kpi, assessment.needed) if assessment.needed else ""
    if verdict.effect_state is not None and outcome.too_early_until == outcome.action.due:
        return []  # the goal's sentence says when it is due
    if outcome.too_early_until:
        if not needed:
            return [say("outcome.until.date_no_target", date=words.date(outcome.too_early_until))]
        key = "date_blocked" if verdict.next_step == "unblock" else "date"
        return [say(f"outcome.until.{key}", needed=needed, date=words.date(outcome.too_early_until))]
    power = assessment.power
    if verdict.code in _TOO_LITTLE and needed and power is not None and power.enough is None:
        return [say("outcome.until.never", needed=needed)]
    return []


def remarks(outcome: ActionOutcome) -> list[str]:
    """What else the numbers say, most useful first."""
    assessment, kpi = outcome.assessment, outcome.kpi
    effect = assessment.effect
    if effect is None or outcome.verdict.effect_state is None:
        return _about_comparison(outcome)
    parts = []
    if outcome.share_of_target is not None and outcome.share_of_target > 0 and effect.p <= ALPHA:
        parts.append(say("outcome.more.share", share=words.percent(outcome.share_of_target, 0)))
    if outcome.avoided is not None and effect.p <= ALPHA:
        parts.append(_avoided(outcome))
    if outcome.persistence is not None and effect.p <= ALPHA and not fades(outcome):
        parts.append(_persistence(outcome))
    if effect.slope is not None and effect.slope.p <= ALPHA:
        slope = effect.slope
        change, interval = change_of(kpi, slope.change), change_interval(kpi, *slope.change_interval)
        parts.append(say("outcome.more.slope", change=change, interval=interval, p=words.p_value(slope.p)))
    if outcome.p_adjusted is not None and words.p_value(outcome.p_adjusted) != words.p_value(effect.p):
        parts.append(say("outcome.more.adjusted", p=words.p_value(outcome.p_adjusted)))
    if effect.p > ALPHA:
        parts.append(say("outcome.more.mde", mde=size_of(kpi, effect.mde80)))
    if assessment.before_after is not None:
        parts.append(say("outcome.more.tracker", change=change_of(kpi, assessment.before_after)))
    if outcome.pooled is not None:
        pooled = outcome.pooled
        interval = change_interval(kpi, pooled.lower, pooled.upper)
        effect_text = change_of(kpi, pooled.estimate)
        parts.append(say("outcome.more.pooled", count=str(pooled.count), effect=effect_text, interval=interval))
    return parts + _about_comparison(outcome)


def _avoided(outcome: ActionOutcome) -> str:
    avoided = outcome.avoided
    assert avoided is not None
    bounds = sorted((abs(avoided.lower), abs(avoided.upper)))
    key = "avoided" if avoided.count > 0 else "harmed"
    low, high = (words.number(round(x), 0) for x in bounds)
    interval = say("value.interval", low=low, high=high)
    return say(f"outcome.more.{key}", count=words.number(abs(round(avoided.count)), 0), interval=interval)


def _about_comparison(outcome: ActionOutcome) -> list[str]:
    parts = []
    if outcome.peers_left_out:
        by_reason: dict[str, list[str]] = {}
        for code, why in outcome.peers_left_out.items():
            by_reason.setdefault(why, []).append(department_of(outcome, code))
        names = [say(f"outcome.more.left_out_{why}", name=words.list_of(c)) for why, c in by_reason.items()]
        parts.append(say("outcome.more.left_out", names=words.list_of(names)))
    if outcome.surroundings.joint:
        joint = words.list_of(name for name, _ in outcome.surroundings.joint)
        parts.append(say("outcome.more.joint", names=joint))
    if outcome.surroundings.common_events:
        parts.append(say("outcome.more.common_events", names=words.list_of(outcome.surroundings.common_events)))
    if later := _later(outcome):
        tried, listed = check_of(outcome, "before_later"), words.list_of(later)
        if tried is None or tried.passed is None:
            parts.append(say("outcome.more.later_events", names=listed))
        else:
            estimate = change_of(outcome.kpi, tried.detail["estimate"])
            parts.append(say("outcome.more.later_events_tried", names=listed, estimate=estimate))
    return parts


def check_of(outcome: ActionOutcome, name: str) -> Check | None:
    """One of the checks by its name; None where it was not asked."""
    return next((check for check in outcome.assessment.checks if check.name == name), None)


def _later(outcome: ActionOutcome) -> list[str]:
    """Events of this department that came too late to make the step, with their day."""
    return [f"{name} ({words.date(day)})" for name, day in outcome.surroundings.later_events]


def goal_words(goal: Goal) -> str:
    """Target reached, with its probability; a dash where nothing can be said."""
    return "–" if goal.probability is None else probability(goal.probability)
