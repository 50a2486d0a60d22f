"""Which reports are to be made, from what, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svclib.catalogue.catalogue import department_cure
from svclib.catalogue.names import nearest
from svclib.collect.digests import digest_json
from svclib.errors import InputRefused, Problem
from svclib.measure.periods import Period
from svclib.paths import NOTEBOOKS, report_notebooks
from svclib.run.digest import digest_files, digest_notebook, digest_requirements, digest_source
from svclib.run.execute import Limits
from svclib.run.manifest import Key, Manifest
from svclib.run.pages import page_links
from svclib.run.place import folder_names
from svclib.run.report import ReportTask
from svclib.run.slices import measures_digest, slice_digests

_NEW, _INCOMPLETE = "new", "a file of it is missing or changed"
_CHANGED = {
    "notebook": "the notebook changed",
    "package": "svclib changed",
    "requirements": "package versions changed",
    "parameters": "its parameters changed",
    "catalogue": "params/ changed",
    "data": "its data changed",
    "measures": "the departments' figures changed",
}


@dataclass(frozen=True)
class Inputs:
    """What all reports of a run share.

    Parameters
    ----------
    prepared
        Catalogue, snapshot and measures, see `svclib.prepared.Prepared`.
    period
        The period's label.
    as_of
        The cut-off as asked for.
    language
        Of the reports.
    notebooks
        Name to path, in the order in which they are shown.
    digests
        The parts of the key that all reports share.
    data
        Department code to the digest of its slice of the snapshot.
    """

    prepared: Any
    period: str
    as_of: str | None
    language: str
    notebooks: Mapping[str, Path]
    digests: Mapping[str, str]
    data: Mapping[str, str]

    @property
    def catalogue(self) -> Any:
        return self.prepared.catalogue


def gather_inputs(
    prepared: Any,
    period: str,
    *,
    notebooks: Mapping[str, Path],
    as_of: str | None = None,
    language: str | None = None,
) -> Inputs:
    """Digest everything that the period's reports depend on, once."""
    catalogue = prepared.catalogue
    prepared.make_ready(Period.parse(period))
    digests = {
        "package": digest_source(),
        "requirements": digest_requirements(),
        "catalogue": catalogue_digest(catalogue),
        "measures": measures_digest(prepared.measures, period),
    }
    tables = {source.name: Path(prepared.snapshot.table_path(source.name)) for source in catalogue.sources}
    data = slice_digests(tables, Path(prepared.snapshot.path), prepared.snapshot.digest)
    language = language or catalogue.organisation.language
    return Inputs(prepared, period, as_of, language, notebooks, digests, data)


def catalogue_digest(catalogue: Any) -> str:
    """Digest of the files of `params/`."""
    files = [(path.name, path) for path in sorted(catalogue.folder.glob("*.yaml"))]
    if catalogue.plan_path is not None:
        files.append((catalogue.plan_path.name, catalogue.plan_path))
    return digest_files(files)


def find_notebooks(names: Sequence[str] | None, defaults: Sequence[str], folder: Path | None = None) -> dict[str, Path]:
    """The notebooks asked for, or those of run.yaml.

    Raises
    ------
    InputRefused
        For a name that no notebook has, with the nearest one, and for a notebook that makes no report.
    """
    folder = folder or NOTEBOOKS
    known = report_notebooks(folder)
    wanted = list(dict.fromkeys(names or defaults))
    problems = [
        Problem(
            f"notebook {name}",
            "makes no report" if (folder / f"{name}.ipynb").exists() else "does not exist",
            nearest(name, known),
        )
        for name in wanted
        if name not in known
    ]
    if problems:
        raise InputRefused(problems)
    return {name: known[name] for name in wanted}


def find_departments(codes: Sequence[str] | None, catalogue: Any) -> list[Any]:
    """The departments asked for, or all.

    Raises
    ------
    InputRefused
        For each code that is not declared, with the nearest one.
    """
    declared = {department.code: department for department in catalogue.departments}
    wanted = list(dict.fromkeys(codes or declared))
    problems = [
        Problem(
            f"department {code}", "is not declared in departments.yaml", department_cure(catalogue.departments, code)
        )
        for code in wanted
        if code not in declared
    ]
    if problems:
        raise InputRefused(problems)
    return [declared[code] for code in wanted]


@dataclass(frozen=True)
class Plan:
    """What a run makes and what it leaves.

    Parameters
    ----------
    tasks
        The reports to make, longest first, without a work folder.
    good
        (department, notebook) of those that are still good.
    left
        Of those that would have to be made and did not fail, where only failed ones are asked for: why.
    """

    tasks: list[ReportTask]
    good: list[Key]
    left: dict[Key, str]

    @property
    def missing(self) -> int:
        """Of those that are left, how many are not there in full."""
        return sum(reason in (_NEW, _INCOMPLETE) for reason in self.left.values())


def plan_reports(
    inputs: Inputs,
    departments: Iterable[Any],
    *,
    out: Path,
    manifest: Manifest,
    limits: Limits,
    pages: Any,
    provenance: Mapping[str, Any],
    past: Mapping[tuple[str, str], float] | None = None,
    force: bool = False,
    only_failed: bool = False,
    links: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
) -> Plan:
    """The reports to make, those that are still good, and those that are left.

    A report is made again only if its notebook, the package, its parameters, its slice of the data or a package's
    version changed, if it failed before, or if a file of it is missing.

    `links` are the addresses that pages show, by department and notebook; found by themselves where left out.
    """
    catalogue = inputs.catalogue
    folders = folder_names(department.code for department in catalogue.departments)
    sources = {name: digest_notebook(path) for name, path in inputs.notebooks.items()}
    past = past or {}
    tasks, good, left = [], [], {}
    for department in departments:
        for name, path in inputs.notebooks.items():
            parameters = report_parameters(inputs, department.code)
            key = report_key(inputs, department.code, sources[name], parameters)
            which = (department.code, name)
            before = manifest.entries.get(which)
            reason = _reason(before, key, force, still_good=manifest.is_good(out, which, key))
            if reason is None:
                good.append(which)
                continue
            if only_failed and (before is None or before["status"] == "ok"):
                left[which] = reason
                continue
            tasks.append(
                ReportTask(
                    period=inputs.period,
                    department=department.code,
                    folder=folders[department.code],
                    notebook=name,
                    source=str(path),
                    parameters=parameters,
                    key=key,
                    limits=limits,
                    pages=pages,
                    provenance={**provenance, "data": key["data"][:16], "parameters": _told(parameters)},
                    links=(links or {}).get(which) or _links(inputs, out, manifest, which, folders[department.code]),
                    title=department.name,
                    language=inputs.language,
                    before=tuple(before["files"]) if before else (),
                    reason=reason,
                    expected_seconds=past.get(which),
                )
            )
    return Plan(longest_first(tasks), good, left)


def _links(inputs: Inputs, out: Path, manifest: Manifest, which: tuple[str, str], folder: str) -> dict[str, str]:
    code, notebook = which
    siblings = {*inputs.notebooks, *(name for department, name in manifest.entries if department == code)}
    before = Period.parse(inputs.period).previous().label
    there = (out / before / folder / f"{notebook}.html").exists()
    return page_links(folder, notebook, siblings=siblings, previous=before if there else None)


def report_parameters(inputs: Inputs, department: str) -> dict[str, Any]:
    """What a report's notebook is given, but for its folder."""
    return {
        "department": department,
        "period": inputs.period,
        "params": str(inputs.catalogue.folder),
        "snapshot": str(inputs.prepared.snapshot.path),
        "as_of": inputs.as_of,
        "language": inputs.language,
    }


def _told(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the footer tells them: where the folders lie is nobody's business and no part of the result."""
    return {
        name: value for name, value in parameters.items() if name not in ("params", "snapshot") and value is not None
    }


def report_key(inputs: Inputs, department: str, notebook: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Everything that shapes a report, by name; paths count by what lies there."""
    as_of = inputs.prepared.snapshot.as_of
    told = {**_told(parameters), "cut-off": as_of.isoformat() if isinstance(as_of, dt.datetime) else str(as_of)}
    data = inputs.data.get(department, "")
    return {**inputs.digests, "notebook": notebook, "parameters": digest_json(told), "data": data or digest_json(None)}


def _reason(before: Mapping[str, Any] | None, key: Mapping[str, str], force: bool, *, still_good: bool) -> str | None:
    if force:
        return "forced"
    if before is None:
        return _NEW
    if before["status"] != "ok":
        return "failed before"
    changed = [text for part, text in _CHANGED.items() if before["key"].get(part) != key[part]]
    if changed:
        return ", ".join(changed)
    return None if still_good else _INCOMPLETE


def longest_first(tasks: Sequence[ReportTask]) -> list[ReportTask]:
    """The order that fills the cores to the end; a report never seen counts as its notebook's average.

    Examples
    --------
    >>> longest_first([])
    []
    """
    known: dict[str, list[float]] = {}
    for task in tasks:
        if task.expected_seconds is not None:
            known.setdefault(task.notebook, []).append(task.expected_seconds)
    average = {notebook: sum(seconds) / len(seconds) for notebook, seconds in known.items()}

    def seconds(task: ReportTask) -> float:
        return task.expected_seconds if task.expected_seconds is not None else average.get(task.notebook, 0.0)

    return sorted(tasks, key=lambda task: -seconds(task))


def describe_plan(plan: Plan) -> str:
    """What a run would make, for people; tab-separated, one report a line."""
    tasks = sorted(plan.tasks, key=lambda task: task.name)
    lines = [f"{task.department}\t{task.notebook}\t{task.reason}" for task in tasks]
    lines += [f"{department}\t{notebook}\tleft: {reason}" for (department, notebook), reason in plan.left.items()]
    lines += [f"{department}\t{notebook}\tup to date" for department, notebook in plan.good]
    return "\n".join(lines)
