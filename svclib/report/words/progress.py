"""How far an action has come, in words: its steps, its delay, who should know of it."""

from __future__ import annotations

from svclib.evaluate.outcome import ActionOutcome
from svclib.report import words
from svclib.report.words import say


def progress_words(outcome: ActionOutcome) -> str:
    """State and steps done."""
    progress = outcome.progress
    late = any(step.state == "late" for step in progress.steps)
    foreseen = progress.code == "late" and not late  # no step is, but at the pace so far the end will be
    state = say("outcome.progress.late_foreseen" if foreseen else f"outcome.progress.{progress.code}")
    if not progress.total:
        return state
    return say("outcome.progress.steps", state=state, done=str(progress.done), total=str(progress.total))


def _who(outcome: ActionOutcome) -> str:
    """The names of those to tell, in brackets; empty where the plan names nobody."""
    names = [outcome.action.responsible] if outcome.progress.escalate == "responsible" else []
    if outcome.progress.escalate == "owner":
        names = [s.step.owner for s in outcome.progress.steps if s.state in ("late", "blocked")]
    known = list(dict.fromkeys(name for name in names if name))
    return f" ({words.list_of(known)})" if known else ""


def stopping(outcome: ActionOutcome) -> bool:
    """Whether the evaluation says to stop the action: its open steps are nothing to chase then."""
    return outcome.verdict.next_step == "stop" and outcome.action.status not in ("done", "cancelled")


def pursued(outcome: ActionOutcome) -> bool:
    """Whether its open steps are to be worked on."""
    return outcome.action.status not in ("done", "cancelled") and not stopping(outcome)


def delays(outcome: ActionOutcome) -> list[str]:
    """Forecast of the end, and who should know of a delay; of an action to be stopped, that this comes first."""
    progress, ident = outcome.progress, outcome.action.id
    parts = []
    if stopping(outcome) and progress.done < progress.total:
        return [say("outcome.progress.stop_first", id=ident, count=progress.total - progress.done)]
    if progress.code == "done" and progress.done < progress.total:
        return [say("outcome.progress.done_early", id=ident, count=progress.total - progress.done)]
    if progress.forecast_end is None and progress.code == "blocked":
        parts.append(say("outcome.progress.blocked_open", id=ident))
    elif progress.forecast_end is None and progress.escalate and progress.days_beyond_due:
        days = say("outcome.progress.days", count=progress.days_beyond_due)
        parts.append(say("outcome.progress.overdue", id=ident, days=days))
    if progress.forecast_end is not None:
        if progress.code == "blocked":
            parts.append(say("outcome.progress.forecast_blocked", id=ident, date=words.date(progress.forecast_end)))
        elif progress.days_beyond_due:
            days = say("outcome.progress.days", count=progress.days_beyond_due)
            date = words.date(progress.forecast_end)
            parts.append(say("outcome.progress.forecast", id=ident, date=date, days=days))
        elif not progress.done:  # no step is done, so there is no pace: this is the plan's own date
            parts.append(say("outcome.progress.as_planned", id=ident, date=words.date(progress.forecast_end)))
        else:
            parts.append(say("outcome.progress.forecast_in_time", id=ident, date=words.date(progress.forecast_end)))
    if progress.escalate:
        parts.append(say(f"outcome.progress.escalate_{progress.escalate}", id=ident, who=_who(outcome)))
    return parts
