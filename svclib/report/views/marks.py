"""The marks of a KPI in its report: the same as on the pages that lead to it."""

from __future__ import annotations

from svclib.measure.analysis import KpiFinding
from svclib.measure.spc import SIGNALS
from svclib.report import words
from svclib.report.show import Block, badge
from svclib.report.words import kpi as kpi_words
from svclib.report.words import say
from svclib.report.words.headline import counted, reading, standing, weak


def standing_of(finding: KpiFinding) -> str:
    return standing(finding.verdict.state, finding.verdict.assurance, finding.verdict.cause)


def badges_of(finding: KpiFinding) -> Block:
    """The period's badge, and that of the latest period that counts where an earlier one signals, as on every page."""
    entry = kpi_words.entry_of(finding)
    label = counted(entry)

    def mark(state: str, key: str, **said: str) -> Block:
        text = say(key, state=say(f"state.{state}"), **said)
        return badge(state, say("state_weak.badge", state=text) if weak(entry) and state in SIGNALS else text)

    own = mark(standing_of(finding), "state_before.own")
    if label is None:
        return own
    then = mark(reading(entry), "state_before.badge", period=words.period_name(label))
    return Block(f"{own.html}<br>{then.html}", f"{own.plain}; {then.plain}")


def unusual(state: str) -> str:
    """A point's state in a table: only what is out of the usual needs a word."""
    return "" if state in ("", "common_cause") else say(f"state.{state}")
