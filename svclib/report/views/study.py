"""A study as it shows itself, and what its three reports have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import pandas as pd

from svclib.errors import InputRefused, Problem
from svclib.report import words
from svclib.report.block import Shown
from svclib.report.show import Block, sentence, stack
from svclib.report.tables import table
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.study import Study

Given = ParamSpec("Given")
Made = TypeVar("Made")


def of_study(make: Callable[Concatenate[Study, Given], Made]) -> Callable[Concatenate[Study, Given], Made]:
    """The function, telling whoever gives it something else than a study how to open one."""

    @functools.wraps(make)
    def checked(study: Study, /, *more: Given.args, **options: Given.kwargs) -> Made:
        from svclib.study import Study

        if not isinstance(study, Study):
            what = f"needs a study, and this is a {type(study).__name__}"
            cure = f"study = svclib.open_study(params='params'), then svclib.{make.__name__}(study)"
            raise InputRefused(Problem(make.__name__, what, cure))
        return make(study, *more, **options)

    return checked


class StudyReport(Shown):
    """A report shows its overview, and is called after the department and period that it tells of."""

    study: Study

    def overview(self) -> Block:
        raise NotImplementedError

    def _shown(self) -> Block:
        return self.overview()

    @property
    def _called(self) -> str:
        return self.study._called

    @property
    def _period(self) -> str:
        return words.period_name(self.study.period)


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
