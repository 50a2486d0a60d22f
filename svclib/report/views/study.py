"""A study as it shows itself: which department and period are open, which KPIs have figures, how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from svclib.report import words
from svclib.report.show import Block, sentence, stack
from svclib.report.tables import table
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.study import Study


def study_block(study: Study) -> Block:
    """What is open, the codes that `chart(...)` and `explain(...)` of its reports take, and the calls that go on."""
    opened = say(
        "study.opened",
        department=study.department.name,
        code=study.department.code,
        period=words.period_name(study.period),
        as_of=words.date(study.as_of),
    )
    rows = pd.DataFrame([{"code": kpi.code, "kpi": kpi.title} for kpi in study.kpis], columns=["code", "kpi"])
    headers = {name: say(f"begin.ideas.{name}") for name in rows}
    shown = table(rows, caption=say("study.kpis"), headers=headers)
    return stack(sentence(opened), shown, sentence(say("study.next")))
