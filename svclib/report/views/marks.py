"""The marks of a KPI in its report: the same as on the pages that lead to it."""

from __future__ import annotations

from svclib.measure.analysis import KpiFinding
from svclib.report import words
from svclib.report.show import Block, badge
from svclib.report.words import kpi as kpi_words
from svclib.report.words import say
from svclib.report.words.headline import counted, group, reading, standing, weak


def standing_of(finding: KpiFinding) -> str:
    """What overviews count it as: also what is ``moving`` without a signal."""
    if group(kpi_words.entry_of(finding)) in ("moving", "moving_better"):
        return "moving"
    return standing(finding.verdict.state, finding.verdict.assurance, finding.verdict.cause)


def word_of(finding: KpiFinding) -> str:
    """The word for it; a signal that may be chance is called so."""
    state, entry = standing_of(finding), kpi_words.entry_of(finding)
    return _word(state, perhaps=weak(entry) and counted(entry) is None)


def badges_of(finding: KpiFinding) -> Block:
    """The period's badge, and that of the latest period that counts where an earlier one signals, as on every page."""
    entry = kpi_words.entry_of(finding)
    own, label = badge(standing_of(finding), word_of(finding)), counted(entry)
    if label is None:
        return own
    state = reading(entry)
    said = say("state_before.badge", state=_word(state), period=words.period_name(label))
    then = badge(state, say("state_weak.badge", state=said) if weak(entry) else said)
    return Block(f"{own.html}<br>{then.html}", f"{own.plain}; {then.plain}")


def _word(state: str, *, perhaps: bool = False) -> str:
    text = say(f"state.{state}")
    return say("state_weak.badge", state=text) if perhaps else text


def unusual(state: str) -> str:
    """A point's state in a table: only what is out of the usual needs a word."""
    return "" if state in ("", "common_cause") else say(f"state.{state}")
