"""What pydantic found wrong with a file of `params/`, said in the words of the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from svclib.catalogue.names import nearest
from svclib.catalogue.yaml import Document, Place
from svclib.errors import Problem

# What people write for a choice, where its letters lead nowhere near.
_MEANT = {
    **dict.fromkeys(("up", "higher", "more", "rise", "maximise", "maximize", "max", "+"), "increase"),
    **dict.fromkeys(("down", "lower", "less", "fall", "minimise", "minimize", "min", "-"), "decrease"),
}


def explain_faults(error: ValidationError, document: Document, content: Any, model: Any) -> list[Problem]:
    """One problem for each place: its line, what is wrong there, and the cure."""
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
    meant = _MEANT.get(str(shown).strip().lower())
    cure = f"write '{meant}'" if meant in known else nearest(str(shown), known)
    return f"{place[-1] if place else 'value'}: '{shown}' is not one of {', '.join(known)}", cure


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


def _no_list(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    if place:
        return f"{place[-1]}: a list is expected{_named_entry(place, document)}", "write it as [one, two]"
    return _nothing_or(document, "holds no list of entries"), "begin each entry with '- ', as the sample's file does"


def _no_keys(detail: Any, place: Place, document: Document, model: Any) -> tuple[str, str]:
    if place:
        raw = document.raw.get(place, detail["input"])
        return f"{raw!r} stands where an entry with keys is expected", "write its keys, as 'code: ...', one a line"
    return _nothing_or(document, "holds no keys"), "write its keys, as 'name: ...', one a line; see the sample's file"


def _nothing_or(document: Document, what: str) -> str:
    return "is empty" if document.content is None else what


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
    "list_type": _no_list,
    "dict_type": _no_keys,
    "model_type": _no_keys,
    "model_attributes_type": _no_keys,
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
