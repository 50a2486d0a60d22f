"""From the files of `params/` to one checked `Catalogue`; every fault of every file is told at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.check import check_catalogue, declared_codes
from svclib.catalogue.faults import explain_faults
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
from svclib.catalogue.names import nearest
from svclib.catalogue.yaml import Document, read_yaml
from svclib.errors import InputRefused, Problem

# File stem: (model of the file, must it be there?). Lists hold one entry for each thing declared.
FILES: dict[str, tuple[Any, bool]] = {
    "organisation": (Organisation, True),
    "departments": (list[Department], True),
    "sources": (list[Source], True),
    "kpis": (list[Kpi], True),
    "events": (list[Event], False),
    "hypotheses": (list[Hypothesis], False),
    "themes": (list[Theme], False),
    "run": (RunDefaults, False),
}


def load_catalogue(folder: str | Path) -> Catalogue:
    """Read and check a `params/` folder.

    Raises
    ------
    InputRefused
        With all faults of all files: unknown keys (and the nearest known one), codes that YAML reads as something
        else, names that are declared nowhere, duplicates, expressions that name no column.
    """
    if not Path(folder).is_dir():
        raise InputRefused(
            Problem(str(Path(folder).resolve()), "there is no such params folder", _other_folder(folder))
        )
    folder = Path(folder).resolve()
    problems: list[Problem] = []
    parts: dict[str, Any] = {}
    documents: dict[str, Document] = {}
    for stem, (model, needed) in FILES.items():
        path = folder / f"{stem}.yaml"
        if not path.exists():
            if needed:
                problems.append(
                    Problem(f"{folder.name}/{stem}.yaml", "is missing", "see the sample's file of that name")
                )
            continue
        try:
            documents[stem] = read_yaml(path)
            parts[stem] = _validate(documents[stem], model, stem)
        except InputRefused as refused:
            problems += refused.problems
    problems += _strangers(folder)
    if problems:
        raise InputRefused(problems)
    catalogue = Catalogue(folder=folder, documents=documents, **parts)

    problems = check_catalogue(catalogue)
    actions: list[Action] = []
    try:
        actions = _read_actions(catalogue)
    except InputRefused as refused:
        problems += refused.problems
    if problems:
        raise InputRefused(problems)
    return Catalogue(**{**catalogue.__dict__, "actions": actions})


def _other_folder(folder: str | Path) -> str:
    """A folder of that name above the working folder, where notebooks look from theirs; else how to get one."""
    for parent in Path.cwd().parents:
        if not Path(folder).is_absolute() and (parent / folder).is_dir():
            return f"write {Path(os.path.relpath(parent / folder)).as_posix()!r}: paths start at {Path.cwd().name}/"
    return "name one that is there, or make one: svclib sample --to DIR"


def _read_actions(catalogue: Catalogue) -> list[Action]:
    path = catalogue.plan_path
    if path is None:
        return []
    from svclib.catalogue.plan import read_plan

    sources = {source.name: source for source in catalogue.sources}
    return read_plan(
        path,
        departments=declared_codes(catalogue.departments),
        kpis=declared_codes(catalogue.kpis),
        dimensions={kpi.code: sources[kpi.source].dimension_columns for kpi in catalogue.kpis if kpi.source in sources},
        declared={kpi.code: kpi for kpi in catalogue.kpis},
    )


def _strangers(folder: Path) -> list[Problem]:
    """YAML files whose name nobody reads: a misspelt one would be silently ignored."""
    return [
        Problem(
            f"{folder.name}/{path.name}",
            "is read by nobody",
            nearest(f"{path.stem}.yaml", [f"{stem}.yaml" for stem in FILES]).replace("write", "rename it to"),
        )
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
        if path.stem not in FILES or path.suffix != ".yaml"
    ]


def _validate(document: Document, model: Any, stem: str) -> Any:
    content = document.content
    if content is None:
        content = [] if stem in ("events", "hypotheses", "themes") else {} if stem == "run" else None
    try:
        return TypeAdapter(model).validate_python(content)
    except ValidationError as error:
        raise InputRefused(explain_faults(error, document, content, model)) from None


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each file of `params/`, by the file's stem, for editors that complete and check YAML."""
    schemas = {stem: TypeAdapter(model).json_schema() for stem, (model, _) in FILES.items()}
    for stem, schema in schemas.items():
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = f"svclib params/{stem}.yaml"
    return schemas
