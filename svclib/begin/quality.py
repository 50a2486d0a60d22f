"""How good a source of your own is, in words: what can be used, what lies in quarantine and why, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from svclib.collect import Snapshot, SourceQuality
from svclib.report import words
from svclib.report.block import Shown
from svclib.report.show import Block, bullets, note, section, sentence
from svclib.report.tables import table
from svclib.report.words import say

_SHOWN = 8


@dataclass(frozen=True, eq=False, repr=False)
class Quality(Shown):
    """The quality of one source: `frame` counts bad rows by reason, `quarantine` has each of them.

    `allowed` is the share of bad rows with which a run still goes on.
    """

    snapshot: Snapshot = field(repr=False)
    source: str
    allowed: float

    @cached_property
    def facts(self) -> SourceQuality:
        """What the snapshot recorded."""
        return next(quality for quality in self.snapshot.quality if quality.source == self.source)

    @property
    def bad_share(self) -> float:
        """Share of bad rows as a run counts them: full copies do no harm."""
        considered = self.facts.kept + self.facts.bad_rows
        return (self.facts.bad_rows - self.facts.bad.get("duplicate", 0)) / considered if considered else 0.0

    @property
    def runs(self) -> bool:
        """Whether a run would go on with these data."""
        return self.bad_share <= self.allowed

    @property
    def enough(self) -> float:
        """The `max_bad_share` with which a run would go on."""
        return math.ceil(self.bad_share * 100) / 100

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Reasons of quarantine with the number of their rows, the most frequent first."""
        bad = sorted(self.facts.bad.items(), key=lambda item: (-item[1], item[0]))
        return pd.DataFrame(bad, columns=["reason", "rows"])

    @cached_property
    def quarantine(self) -> pd.DataFrame:
        """The rows in quarantine as text: file, row number, reasons, and the mapped columns under svclib's names."""
        return pd.read_csv(self.snapshot.quarantine_path(self.source), dtype=str, keep_default_na=False)

    def explain(self) -> Block:
        """All of it in words, with the first rows in quarantine."""
        parts: list[Block] = [sentence(self._answer()), bullets(self._remarks())]
        if not self.runs:
            limit = words.percent(self.allowed, 0)
            parts.append(note("warning", say("begin.check.too_many", limit=limit, enough=str(self.enough))))
        else:
            parts.append(note("good", say("begin.check.good")))
        if len(self.frame):
            parts += [self._reasons(), self._rows()]
        return section(say("begin.check.title"), *parts)

    def _shown(self) -> Block:
        return self.explain()

    @property
    def _called(self) -> str:
        return f"of {self.source}"

    def _answer(self) -> str:
        facts = self.facts
        if not facts.bad_rows:
            return say("begin.check.all", count=facts.kept)
        said = {"kept": facts.kept, "read": facts.kept + facts.bad_rows, "bad": facts.bad_rows}
        share = words.percent(facts.bad_rows / said["read"], 1)
        return say("begin.check.some", share=share, **{key: words.number(value, 0) for key, value in said.items()})

    def _remarks(self) -> list[str]:
        facts, remarks = self.facts, []
        if facts.first and facts.last:
            remarks.append(say("begin.check.span", first=words.date(facts.first), last=words.date(facts.last)))
        counts = {"left_out": sum(facts.left_out.values()), "folded": facts.folded, "later": facts.later}
        counts["gaps"] = int(facts.gaps.get("missing", 0))
        remarks += [say(f"begin.check.{name}", count=count) for name, count in counts.items() if count]
        holes = [
            say("begin.check.filled", column=name, share=words.percent(share, 0))
            for name, share in facts.completeness.items()
            if share < 0.995
        ]
        if holes:
            remarks.append(say("begin.check.incomplete", list=words.list_of(holes)))
        return remarks

    def _reasons(self) -> Block:
        rows = []
        for reason, count in zip(self.frame["reason"], self.frame["rows"], strict=True):
            family = str(reason).partition(":")[0]
            rows.append(
                {
                    say("begin.check.reason"): str(reason),
                    say("begin.check.rows"): words.number(int(count), 0),
                    say("begin.check.meaning"): words.quarantine_reason(str(reason)),
                    say("begin.check.cure"): say(f"begin.cure.{family}"),
                }
            )
        return table(pd.DataFrame(rows), caption=say("begin.check.caption"))

    def _rows(self) -> Block:
        first = self.quarantine.head(_SHOWN)
        own = [name for name in first.columns if name not in ("source_file", "row", "reasons", "line")]
        rows = [
            {
                say("begin.check.row"): row["row"],
                say("begin.check.reasons"): row["reasons"],
                say("begin.check.what"): _told(row, own),
            }
            for row in first.to_dict("records")
        ]
        shown = table(pd.DataFrame(rows), caption=say("begin.check.rows_caption"))
        return section(say("begin.check.quarantine"), shown, sentence(say("begin.check.where_kept")), level=3)


def _told(row: dict[str, str], columns: list[str]) -> str:
    """The values that a row's reasons speak of, or its first ones."""
    speaking = [name for name in columns if name in row["reasons"]]
    if not any(row[name] for name in speaking):  # what is missing does not tell which row it is
        speaking = list(dict.fromkeys([*speaking, *columns[:4]]))
    told = ", ".join(f"{name} = {row[name][:60]}" for name in speaking)
    return row["line"][:120] if row.get("line") else told
