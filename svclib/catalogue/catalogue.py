"""Everything that `params/` declares, and where each thing is declared."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svclib.catalogue.models import (
    Action,
    Department,
    Event,
    Hypothesis,
    Kpi,
    Organisation,
    RunDefaults,
    Source,
    Theme,
)
from svclib.catalogue.names import nearest, pick
from svclib.catalogue.yaml import Document
from svclib.errors import InputRefused, Problem


@dataclass(frozen=True)
class Catalogue:
    """Everything that `params/` declares, checked."""

    folder: Path
    organisation: Organisation
    departments: list[Department]
    sources: list[Source]
    kpis: list[Kpi]
    events: list[Event] = field(default_factory=list)
    hypotheses: list[Hypothesis] = field(default_factory=list)
    themes: list[Theme] = field(default_factory=list)
    run: RunDefaults = field(default_factory=RunDefaults)
    actions: list[Action] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict, repr=False, compare=False)

    @property
    def root(self) -> Path:
        """The folder that relative paths of sources start from: the parent of `params/`."""
        return self.folder.parent

    @property
    def plan_path(self) -> Path | None:
        """The action plan of the folder, if it has one."""
        return next(
            (p for p in (self.folder / "action_plan.xlsx", self.folder / "action_plan.csv") if p.exists()), None
        )

    def department(self, code: str) -> Department:
        """A department by its code; `InputRefused` with the code of a name, or the nearest one, where there is none."""
        if all(department.code != code for department in self.departments):
            raise InputRefused(
                Problem(f"department {code}", "is not declared", department_cure(self.departments, code))
            )
        return _named(self.departments, "code", code, "department")

    def source(self, name: str) -> Source:
        return _named(self.sources, "name", name, "source")

    def kpi(self, code: str) -> Kpi:
        return _named(self.kpis, "code", code, "KPI")

    def locate(self, kind: str, name: str, *path: str | int) -> str:
        """Where something is declared: ``locate("kpis", "csat", "source")`` is ``params/kpis.yaml:31``."""
        document = self.documents.get(kind)
        if document is None:
            return f"{self.folder.name}/{kind}.yaml"
        for index, entry in enumerate(document.content or []):
            if isinstance(entry, dict) and name in (entry.get("code"), entry.get("name"), entry.get("title")):
                return document.at((index, *path))
        return document.at(())


def department_cure(departments: list[Department], text: str) -> str:
    """What to write instead of a text that is no department's code: the code of a name, or the nearest.

    >>> department_cure([Department(code="D01", name="Customer support")], "customer support")
    "write 'D01'"
    """
    called = {name.casefold(): d.code for d in departments for name in (*d.aliases, d.name, d.code)}
    if code := called.get(str(text).casefold()):
        return f"write '{code}'"
    if close := difflib.get_close_matches(str(text).casefold(), called, n=1, cutoff=0.6):
        return f"write '{called[close[0]]}'"
    return nearest(text, [department.code for department in departments])


def _named(entries: list[Any], attribute: str, name: str, what: str) -> Any:
    found: dict[str, Any] = {}
    for entry in entries:
        found.setdefault(getattr(entry, attribute), entry)
    return pick(found, name, what, "is not declared")
