"""From the files of `params/` to one checked `Catalogue`; every fault of every file is told at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

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
from svclib.catalogue.yaml import Document, Place, read_yaml
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
        return _plan_path(self.folder)

    def department(self, code: str) -> Department:
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


def load_catalogue(folder: str | Path) -> Catalogue:
    """Read and check a `params/` folder.

    Raises
    ------
    InputRefused
        With all faults of all files: unknown keys (and the nearest known one), codes that YAML reads as something
        else, names that are declared nowhere, duplicates, expressions that name no column.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise InputRefused(
            Problem(
                str(folder),
                "there is no such params folder",
                "name it with --params, or make one: svclib sample --to DIR",
            )
        )
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

    from svclib.catalogue.check import check_catalogue

    problems = check_catalogue(catalogue)
    actions: list[Action] = []
    try:
        actions = _read_actions(catalogue)
    except InputRefused as refused:
        problems += refused.problems
    if problems:
        raise InputRefused(problems)
    return Catalogue(**{**catalogue.__dict__, "actions": actions})


def nearest(name: str, known: Iterable[str]) -> str:
    """The cure for a misspelt name: the nearest known one, or all of them where none is near.

    >>> nearest("titel", ["title", "code"])
    "write 'title'"
    """
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if close:
        return f"write '{close[0]}'"
    if not known:
        return "none is declared"
    return "known: " + ", ".join(known[:25]) + (", ..." if len(known) > 25 else "")


def _named(entries: list[Any], attribute: str, name: str, what: str) -> Any:
    for entry in entries:
        if getattr(entry, attribute) == name:
            return entry
    known = [getattr(entry, attribute) for entry in entries]
    raise InputRefused(Problem(f"{what} {name}", "is not declared", nearest(name, known)))


def _plan_path(folder: Path) -> Path | None:
    return next((p for p in (folder / "action_plan.xlsx", folder / "action_plan.csv") if p.exists()), None)


def _read_actions(catalogue: Catalogue) -> list[Action]:
    path = _plan_path(catalogue.folder)
    if path is None:
        return []
    from svclib.catalogue.plan import read_plan

    return read_plan(
        path,
        departments=[d.code for d in catalogue.departments],
        kpis=[k.code for k in catalogue.kpis],
    )


def _strangers(folder: Path) -> list[Problem]:
    """YAML files whose name nobody reads: a misspelt one would be silently ignored."""
    return [
        Problem(
            f"{folder.name}/{path.name}",
            "is read by nobody",
            nearest(path.stem, FILES).replace("write", "rename it to"),
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
        raise InputRefused(_problems(error, document, content, model)) from None


def _problems(error: ValidationError, document: Document, content: Any, model: Any) -> list[Problem]:
    found: dict[tuple[Place, str], Problem] = {}
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"], content, detail["type"])
        translate = _TRANSLATIONS.get(detail["type"], _other)
        what, cure = translate(detail, place, document, model)
        # A union reports each of its members; one message a place is enough.
        key = (place, "unknown" if detail["type"] == "extra_forbidden" else "value")
        if key in found and found[key].what != what:
            previous = found[key]
            if detail["type"] == "literal_error" and "not one of" not in previous.what:
                continue
        found.setdefault(key, Problem(document.at(place), what, cure))
    return list(found.values())


def _place(loc: tuple[str | int, ...], content: Any, kind: str) -> Place:
    """The part of pydantic's location that is really in the file (unions and models add names of their own)."""
    place: list[str | int] = []
    for step in loc:
        inside = isinstance(content, dict) and step in content
        inside = inside or (isinstance(content, list) and isinstance(step, int) and step < len(content))
        if inside:
            place.append(step)
            content = content[step]
    if kind == "missing":
        place.append(loc[-1])
    return tuple(place)


def _named_entry(place: Place, document: Document) -> str:
    content, label = document.content, ""
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(content, dict):
            label = content.get("code") or content.get("name") or content.get("id") or label
    return f" (in '{label}')" if isinstance(label, str) and label else ""


def _unknown_key(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    known = _fields_at(model, detail["loc"][:-1])
    return f"unknown key '{detail['loc'][-1]}'{_named_entry(place, document)}", nearest(detail["loc"][-1], known)


def _missing_key(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    return f"the key '{place[-1]}' is missing{_named_entry(place[:-1], document)}", f"add '{place[-1]}: ...'"


def _bad_choice(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    shown = document.raw.get(place, detail["input"])
    return f"{place[-1] if place else 'value'}: '{shown}' is not one of {', '.join(known)}", nearest(str(shown), known)


def _not_text(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    raw = document.raw.get(place, str(detail["input"]))
    return f"text is expected, but YAML reads {raw} as {type(detail['input']).__name__}", f'put it in quotes: "{raw}"'


def _bad_value(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    message = str(detail["ctx"]["error"]) if "error" in detail.get("ctx", {}) else detail["msg"]
    raw = document.raw.get(place)
    what, _, cure = message.partition("; ")
    if cure == "put it in quotes" and raw is not None:
        cure = f'put it in quotes: "{raw}"'
    shown = f"{place[-1]}: {raw}: " if raw is not None and place else ""
    return f"{shown}{what}{_named_entry(place, document) if not shown else ''}", cure


def _bad_pattern(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    raw = document.raw.get(place, str(detail["input"]))
    if place and place[-1] == "keep":
        return f"keep: {raw!r} is not understood", "write 'last by COLUMN' or 'first by COLUMN'"
    return f"{raw!r} is no code", "use letters, digits, _ - . + and inner spaces, at most 64 characters"


def _other(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    raw = document.raw.get(place)
    shown = f": {raw}" if raw is not None else ""
    name = f"{place[-1]}{shown}: " if place else ""
    return name + detail["msg"][0].lower() + detail["msg"][1:] + _named_entry(place, document), ""


_TRANSLATIONS: dict[str, Callable[[Any, Place, Document, Any], tuple[str, str]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "literal_error": _bad_choice,
    "string_type": _not_text,
    "value_error": _bad_value,
    "string_pattern_mismatch": _bad_pattern,
}


def _fields_at(model: Any, loc: tuple[str | int, ...]) -> list[str]:
    """The keys known at a place: of the innermost model that the location passes through."""
    schema = TypeAdapter(model).json_schema()
    definitions = schema.get("$defs", {})
    current = schema
    for step in loc:
        current = _resolve(current, definitions, step)
    return sorted(_properties(current, definitions))


def _resolve(schema: dict[str, Any], definitions: dict[str, Any], step: str | int) -> dict[str, Any]:
    for option in _options(schema, definitions):
        if isinstance(step, int) and "items" in option:
            return option["items"]
        if isinstance(step, str) and step in option.get("properties", {}):
            return option["properties"][step]
    return schema


def _options(schema: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return _options(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return [o for member in schema["anyOf"] for o in _options(member, definitions)]
    return [schema]


def _properties(schema: dict[str, Any], definitions: dict[str, Any]) -> set[str]:
    return {name for option in _options(schema, definitions) for name in option.get("properties", {})}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each file of `params/`, by the file's stem, for editors that complete and check YAML."""
    schemas = {stem: TypeAdapter(model).json_schema() for stem, (model, _) in FILES.items()}
    for stem, schema in schemas.items():
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = f"svclib params/{stem}.yaml"
    return schemas
