"""A draft of `params/`: one source of your own, checked and measured with what a run uses, then written as YAML."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from svclib.begin.arguments import Arguments, validate
from svclib.begin.guess import Guess, guess, likely_date, outcome_columns
from svclib.begin.ideas import propose_kpis
from svclib.begin.inspect import ColumnFound
from svclib.begin.look import Look, dates_call
from svclib.begin.mapping import dated, map_departments, map_source
from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.check import check_catalogue
from svclib.catalogue.models import SHAPE_COLUMNS, Department, Kpi, Organisation, Source
from svclib.catalogue.names import nearest
from svclib.collect import Snapshot, collect
from svclib.errors import InputRefused, Problem
from svclib.report import words
from svclib.report.block import Shown
from svclib.report.show import Block, bullets, note, section, sentence, stack
from svclib.report.tables import table
from svclib.report.words import kpi as kpi_words
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.begin.quality import Quality
    from svclib.prepared import Prepared
    from svclib.report.views.kpi import KpiReport
    from svclib.study import Study

_SOURCE, _KPI = "draft_source", "draft_kpi"


@dataclass(frozen=True, eq=False, repr=False)
class Draft(Shown):
    """What would stand in `params/`: `organisation`, `departments`, one `source` and `kpis`, as YAML has them.

    `check()` tells how good the data are, `ideas()` which KPIs they allow, `chart()` shows one, `write_params(folder)`
    writes the files; `frame` is the mapping. A draft that contradicts itself cannot be made.
    """

    look: Look
    organisation: dict[str, Any]
    departments: list[dict[str, Any]]
    source: dict[str, Any]
    kpis: tuple[dict[str, Any], ...] = ()

    @cached_property
    def catalogue(self) -> Catalogue:
        """The draft as a run would have it."""
        return self._catalogue(self.source)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a column of the source: svclib's name, the file's, and what it serves."""
        needed, known = SHAPE_COLUMNS[self.source["shape"]]
        roles = [
            (own, header, "needed" if own in needed else "known" if own in known else "expression")
            for own, header in self.source["columns"].items()
        ]
        roles += [(own, header, "dimension") for own, header in _dimensions(self.source).items()]
        return pd.DataFrame(roles, columns=["own", "column", "role"])

    @cached_property
    def columns(self) -> dict[str, ColumnFound]:
        """What was found in the mapped columns, by svclib's name."""
        headers = {column.name: column for column in self.look.found.columns}
        mapped = {**self.source["columns"], **_dimensions(self.source)}
        return {own: headers[header] for own, header in mapped.items() if header in headers}

    @cached_property
    def snapshot(self) -> Snapshot:
        """Every row read and judged; rows that broke the contract lie in quarantine, however many they are."""
        return collect(self._tolerant, root=_workbench() / "snapshots", accept_shrunk=[self.source["name"]])

    @cached_property
    def prepared(self) -> Prepared:
        """Its KPIs measured for every department; `InputRefused` where none is declared."""
        from svclib.prepared import prepare

        if not self.kpis:
            raise InputRefused(Problem("draft", "declares no KPI yet", "draft = svclib.draft_kpi(draft) declares one"))
        return prepare(self._tolerant, snapshot=self.snapshot.path)

    def check(self) -> Quality:
        """Read every row and tell in words how good the data are; rows in quarantine with their reasons.

        Raises
        ------
        InputRefused
            For what is wrong with a whole column: dates that can be read in two ways, a condition that does not run.
        """
        from svclib.begin.quality import Quality

        allowed = self.catalogue.sources[0].max_bad_share
        return Quality(self.snapshot, self.source["name"], allowed)

    def ideas(self) -> Block:
        """KPIs that the mapped columns allow, each as it could be declared."""
        proposals = self.proposals
        if not proposals:
            return section(say("begin.ideas.title"), note("info", say("begin.ideas.none")))
        rows = [
            {
                say("begin.ideas.code"): kpi["code"],
                say("begin.ideas.kpi"): kpi["title"],
                say("begin.ideas.written"): ", ".join(
                    f"{key}={value!r}" for key, value in kpi.items() if key not in ("code", "title", "source")
                ),
            }
            for kpi in proposals
        ]
        shown = table(pd.DataFrame(rows), caption=say("begin.ideas.caption"))
        return section(say("begin.ideas.title"), shown, sentence(say("begin.ideas.next")))

    @cached_property
    def proposals(self) -> list[dict[str, Any]]:
        """The entries of kpis.yaml behind `ideas()`."""
        return propose_kpis(self.source, self.columns)

    def study(self, department: str | None = None, period: str | None = None) -> Study:
        """The draft opened like any study; the department with the most rows where none is named."""
        from svclib.study import Study

        prepared = self.prepared
        code = department or _busiest(self.snapshot, self.source)
        when = prepared.latest_complete() if period is None else prepared.check_period(period)
        return Study(prepared, self.catalogue.department(code), when, None, self.catalogue.organisation.language)

    def report(self, department: str | None = None, period: str | None = None) -> KpiReport:
        """The KPI analysis of the draft, as the report will have it."""
        from svclib.report.views.kpi import analyse_kpis

        return analyse_kpis(self.study(department, period))

    def chart(self, kpi: str | None = None, department: str | None = None) -> Block:
        """The control chart of a KPI (the last one declared) with its sentence."""
        report = self.report(department)
        declared = self.catalogue.kpi(kpi or self.kpis[-1]["code"])
        measured = [finding.kpi.code for finding in report.analysis.findings]
        if declared.code not in measured:
            what = f"has no value of {report.study.department.name} up to {report.study.period.label}"
            cure = "look at draft.check(), and at the KPI's where, denominator and event"
            raise InputRefused(Problem(f"{_KPI}, {declared.code}", what, cure))
        finding = report.analysis.finding(declared.code)
        remarks = [] if department else [say("begin.kpi.departments", department=report.study.department.name)]
        remarks += [] if declared.targets else [say("begin.kpi.no_target")]
        parts: list[Block] = [sentence(kpi_words.sentence(finding)), report.chart(declared.code), *self._warning()]
        return section(declared.title, *parts, *([bullets(remarks)] if remarks else []))

    def write_params(self, folder: str | Path | None = None, *, overwrite: bool = False) -> Block:
        """Write the draft as a commented `params/` folder that ``svclib check`` accepts.

        Parameters
        ----------
        folder
            Where to; it is made. None: nothing is written, the files are shown.
        overwrite
            Whether files that are there may be replaced.

        Raises
        ------
        InputRefused
            If too many rows are bad for a run, no KPI is declared, or a file is there already.
        """
        from svclib.begin.write import shown_params, write_files

        if folder is None:
            return shown_params(self)
        self._refuse_what_a_run_refuses()
        return write_files(self, Path(folder).expanduser().resolve(), overwrite=overwrite)

    def explain(self) -> Block:
        """How the file is read and what to do next; once there are KPIs, which."""
        if self.kpis:
            return bullets(say("begin.kpi.declared", title=kpi["title"]) for kpi in self.kpis)
        shown = self.frame.assign(role=[say(f"begin.role.{role}") for role in self.frame["role"]])
        headers = {name: say(f"begin.source.{name}") for name in ("own", "column", "role")}
        names = words.list_of(_shortened([d["name"] for d in self.departments]))
        remarks = [say("begin.source.departments", count=len(self.departments), list=names)]
        if ends := [c for c in outcome_columns(self.look.found) if c not in _dimensions(self.source).values()]:
            listed = words.list_of([say("begin.source.quoted", column=column) for column in ends])
            remarks.append(say("begin.source.outcomes", count=len(ends), list=listed))
        if self.organisation["time_zone"] == "UTC":
            remarks.append(say("begin.source.zone"))
        parts = [table(shown, caption=say("begin.source.title"), headers=headers), bullets(remarks)]
        return stack(*parts, sentence(say("begin.source.next")))

    def _shown(self) -> Block:
        return self.explain()

    @property
    def _called(self) -> str:
        return f"of {self.source['name']}"

    @cached_property
    def _tolerant(self) -> Catalogue:
        """The same with any share of bad rows, so that they can be looked at."""
        return self._catalogue({**self.source, "max_bad_share": 1.0})

    def _catalogue(self, source: dict[str, Any]) -> Catalogue:
        catalogue = Catalogue(
            folder=_workbench() / "params",
            organisation=validate(Organisation, self.organisation, _SOURCE),
            departments=validate(list[Department], self.departments, _SOURCE, "departments"),
            sources=validate(list[Source], [source], _SOURCE),
            kpis=validate(list[Kpi], list(self.kpis), _KPI),
            documents={
                "organisation": Arguments(Path(_SOURCE), self.organisation),
                "departments": Arguments(Path(_SOURCE), self.departments),
                "sources": Arguments(Path(_SOURCE), [source]),
                "kpis": Arguments(Path(_KPI), list(self.kpis)),
            },
        )
        if problems := check_catalogue(catalogue):
            raise InputRefused(problems)
        return catalogue

    def _refuse_what_a_run_refuses(self) -> None:
        quality = self.check()
        if not quality.runs:
            what = f"{quality.bad_share:.1%} of the rows are bad, and a run stops at {quality.allowed:.0%}"
            cure = f"look at draft.check(), mend them, or give draft_source(..., max_bad_share={quality.enough})"
            raise InputRefused(Problem("draft", what, cure))
        _ = self.prepared

    def _warning(self) -> list[Block]:
        quality = self.check()
        if quality.runs:
            return []
        return [note("warning", say("begin.kpi.refused", share=words.percent(quality.bad_share, 1)))]


def draft_source(
    look: Look,
    *,
    shape: str | None = None,
    columns: Mapping[str, str] | None = None,
    dates: Mapping[str, str] | None = None,
    dimensions: Mapping[str, str] | Sequence[str] | None = None,
    departments: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
    department_missing: str | None = None,
    organisation: str = "My organisation",
    time_zone: str | None = None,
    language: str | None = None,
    **more: Any,
) -> Draft:
    """Map the columns of a file; what is left out is as the look proposed it.

    Parameters
    ----------
    shape
        What one row is: ``cases``, ``responses``, ``outages``, ``observations`` or ``counts``.
    columns
        svclib's name to the file's column. Names that svclib does not know are kept for the expressions of KPIs;
        ``case_id: "#row"`` numbers rows that have no number.
    dates
        How a column's dates are written, e.g. ``{"opened_at": "%d/%m/%Y"}``; only needed where that is unclear. The
        file's own name of the column does as well, and makes it a column of dates for the proposal.
    dimensions
        Columns that split cases into groups: names, or svclib's name to the file's column.
    departments
        Code to name, or entries as in departments.yaml; where left out, every value of the department's column.
    department_missing
        Code of the department of rows that name none; without it they go to quarantine.
    organisation, time_zone, language
        Whose data they are, where its midnight is (UTC where left out), and the language of the reports.
    **more
        Anything else that an entry of sources.yaml may say: ``where``, ``keep``, ``key``, ``types``,
        ``other_departments``, ``max_bad_share``, ``final_to``, ...

    Raises
    ------
    InputRefused
        For columns that the file does not have, needed ones that are not mapped, unknown arguments.
    """
    if shape is not None and shape not in SHAPE_COLUMNS:
        raise InputRefused(Problem(f"{_SOURCE}, shape", f"{shape!r} is no shape", nearest(shape, SHAPE_COLUMNS)))
    if not look.found.rows:
        raise InputRefused(Problem(_SOURCE, f"{look.path.name} holds no rows", "export it again"))
    dates = dates or {}
    look = dated(look, dates, columns or {})
    proposed = look.guess if shape in (None, look.guess.shape) else guess(look.found, shape)  # type: ignore[arg-type]
    shape = shape or proposed.shape
    if shape is None:
        likely = likely_date(look.found)
        cure = dates_call(likely.name) if likely else "say with dates={...} which column holds some, and how"
        what = "no column holds dates that svclib knows"
        if likely and likely.kind in ("integer", "number"):
            what = f"{what}; {likely.name!r} holds numbers such as {likely.examples[0]}"
            cure = "if these are the day numbers of a workbook, give the column a date format there and export it again"
        elif likely and likely.formats:
            what = f"{what}; {likely.name!r} is written in several ways ({words.list_of(likely.formats)})"
            cure = "export it again with one way of writing dates"
        raise InputRefused(Problem(_SOURCE, what, cure))
    if language is not None:
        words.speak(language)
    chosen = _chosen(proposed, columns, dimensions)
    own_of = {header: own for own, header in chosen[0].items()}
    written = {name if name in chosen[0] else own_of.get(name, name): format for name, format in dates.items()}
    source = map_source(look, chosen, shape, written, more)
    declared = map_departments(look, source, departments, department_missing, organisation)
    said = {"name": organisation, "language": words.current_language(), "time_zone": time_zone or "UTC"}
    draft = Draft(look, said, declared, source)
    _ = draft.catalogue
    return draft


def draft_kpi(draft: Draft, idea: str | None = None, *, target: float | None = None, **kpi: Any) -> Draft:
    """The draft with a KPI more; one of the same code is replaced, so that a cell can be run again.

    Parameters
    ----------
    idea
        The code of a proposal of `draft.ideas()`; the first one where no `kind` is given either.
    target
        The value that is wanted, in the KPI's unit, shares between 0 and 1. It is written down as a placeholder: who
        agreed to it, and since when, is for kpis.yaml to say.
    **kpi
        Anything that an entry of kpis.yaml may say: ``code``, ``title``, ``kind``, ``numerator``, ``where``,
        ``direction``, ``unit``, ``maturity``, ...; it goes before the proposal, whose title and maturity follow it.

    Raises
    ------
    InputRefused
        For what is missing, misspelt or contradicts the source.
    """
    entry: dict[str, Any] = {}
    if idea is not None or "kind" not in kpi:
        entry = _idea(draft, idea, kpi)
    entry = _in_order({**entry, **kpi, "source": draft.source["name"]})
    if target is not None:
        first = draft.snapshot.quality[0].first
        entry["targets"] = [{"value": float(target), "from": first, "source": "placeholder"}]
    validate(list[Kpi], [entry], _KPI)
    others = [known for known in draft.kpis if known["code"] != entry["code"]]
    made = replace(draft, kpis=(*others, entry))
    _ = made.catalogue
    return made


def _in_order(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The keys as kpis.yaml has them; what no KPI knows comes last."""
    order = list(Kpi.model_fields)
    return {key: entry[key] for key in sorted(entry, key=lambda key: order.index(key) if key in order else len(order))}


def _idea(draft: Draft, idea: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The proposal of a code, in the light of what else is given.

    What the title cannot follow (another event, another statistic) has to be named by who asks for it.
    """
    known = {proposal["code"]: proposal for proposal in propose_kpis(draft.source, draft.columns, given)}
    if not known:
        raise InputRefused(Problem(_KPI, "nothing can be proposed for these columns", "give code, title, kind, ..."))
    idea = next(iter(known)) if idea is None else idea
    if idea not in known:
        raise InputRefused(Problem(f"{_KPI}, idea", f"no proposal has the code {idea!r}", nearest(idea, known)))
    proposal = known[idea]
    changed = [key for key in ("kind", "event", "statistic") if key in given and given[key] != proposal.get(key)]
    if changed and "title" not in given:
        what = f"{changed[0]}={given[changed[0]]!r} is not what the title {proposal['title']!r} says"
        raise InputRefused(Problem(f"{_KPI}, title", what, "give title= too, and unit= if it is another one"))
    return proposal


def _chosen(
    proposed: Guess, columns: Mapping[str, str] | None, dimensions: Mapping[str, str] | Sequence[str] | None
) -> tuple[dict[str, str], dict[str, str]]:
    mapped = dict(columns) if columns is not None else {**proposed.columns, **proposed.extra}
    if dimensions is None:
        used = set(mapped.values())
        groups = {own: header for own, header in proposed.dimensions.items() if header not in used}
    elif isinstance(dimensions, Mapping):
        groups = dict(dimensions)
    else:
        groups = {name: mapped.get(name, name) for name in dimensions}
    return mapped, groups


def _shortened(names: list[str], most: int = 12) -> list[str]:
    """So many names at most, the last one telling how many more there are."""
    if len(names) <= most:
        return names
    return [*names[: most - 1], say("begin.source.more", count=len(names) - most + 1)]


def _dimensions(source: Mapping[str, Any]) -> dict[str, str]:
    return {d["name"]: d["column"] for d in source.get("dimensions", ())}


def _busiest(snapshot: Snapshot, source: Mapping[str, Any]) -> str:
    """The department with the most rows; the one of rows that name none only where there is no other."""
    rows = snapshot.rows(source["name"], columns=["department"])["department"].value_counts()
    return str(next((code for code in rows.index if code != source.get("department_missing")), rows.index[0]))


@functools.cache
def _workbench() -> Path:
    """A folder for what a draft collects; it is gone when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="svclib-draft-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
