"""YAML with its line numbers and its words as they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from svclib.errors import InputRefused, Problem

Place = tuple[str | int, ...]
# libyaml's parser where PyYAML was built with it: ten times faster, and three hundred departments are many nodes
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """The content of a YAML file; `lines` and `raw` give for each place its line and its text as written."""

    path: Path
    content: Any
    lines: dict[Place, int] = field(default_factory=dict)
    raw: dict[Place, str] = field(default_factory=dict)

    def at(self, place: Place) -> str:
        """``params/kpis.yaml:12`` for the place, or for the nearest place around it that was written."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path.parent.name}/{self.path.name}:{self.lines.get(place, 1)}"


def read_yaml(path: Path) -> Document:
    """Read a YAML file; `InputRefused` where it is no YAML, is not UTF-8, or says a key twice."""
    name = f"{path.parent.name}/{path.name}"
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        raise InputRefused(Problem(name, f"is not UTF-8 (byte {error.start})", "save the file as UTF-8")) from None
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark if "quoted" in str(error.context) else error.problem_mark
        where = f"{name}:{mark.line + 1 if mark else 1}"
        raise InputRefused(Problem(where, f"is no YAML here: {error.problem}", _cure(error))) from None
    except yaml.YAMLError as error:
        raise InputRefused(Problem(name, f"is no YAML: {error}", "save the file as plain UTF-8 text")) from None
    document = Document(path, None)
    problems: list[Problem] = []
    content = None if node is None else _construct(node, (), document, problems)
    if problems:
        raise InputRefused(problems)
    return Document(path, content, document.lines, document.raw)


def _cure(error: yaml.MarkedYAMLError) -> str:
    if "quoted" in str(error.context):
        return "close the quote that opens in this line"
    if "mapping values" in str(error.problem):
        return "put a text that holds ': ' in quotes, or check the indentation"
    if re.search(r"\btab\b|\\t", str(error.problem)):
        return "indent with spaces"
    return "check the indentation and the quotes, here and in the lines above"


def _construct(node: yaml.Node, place: Place, document: Document, problems: list[Problem]) -> Any:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, place, document, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*place, i), document, problems) for i, child in enumerate(node.value)]
    document.raw[place] = node.value
    try:
        return SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        what, cure = f"{node.value!r} cannot be read", "put it in quotes"
        if node.tag.endswith(":timestamp"):
            what, cure = f"{node.value!r} is no day of the calendar", "write a date as 2026-10-31"
        problems.append(Problem(document.at(place), what, cure))
        return None


def _construct_mapping(node: yaml.MappingNode, place: Place, document: Document, problems: list[Problem]) -> dict:
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        line = key_node.start_mark.line + 1
        if key in content:
            where = f"{document.path.parent.name}/{document.path.name}:{line}"
            problems.append(Problem(where, f"the key '{key}' stands here a second time", "keep one of the two"))
            continue
        document.lines[(*place, key)] = line
        content[key] = _construct(value_node, (*place, key), document, problems)
    return content
