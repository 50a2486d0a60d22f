"""From choices to entries of `sources.yaml` and `departments.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from svclib.begin.guess import guess, own_name
from svclib.begin.inspect import MOST_VALUES
from svclib.begin.look import Look
from svclib.catalogue.models import SHAPE_COLUMNS, TIMESTAMPS
from svclib.collect.read import ROW
from svclib.errors import InputRefused, Problem
from svclib.report.words import say

_CALL = "draft_source"
_CODE = re.compile(r"[\w][\w .+-]{0,62}[\w+]|\w")
_EVERYBODY = "all"


def map_source(
    look: Look,
    chosen: tuple[dict[str, str], dict[str, str]],
    shape: str,
    dates: Mapping[str, str],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The entry of `sources.yaml`.

    Parameters
    ----------
    chosen
        Columns and dimensions: svclib's name to the file's column.

    Raises
    ------
    InputRefused
        With every column that the file does not have, and the nearest it has.
    """
    columns, dimensions = chosen
    _check_columns(look, [*columns.values(), *dimensions.values()])
    source: dict[str, Any] = {"name": shape, "shape": shape, "read": str(look.path)}
    if look.sheet is not None:
        source["sheet"] = look.sheet
    if look.options:
        source["options"] = look.options
    source["columns"] = columns
    if types := {**_types(look, columns, shape, dates), **more.get("types", {})}:
        source["types"] = types
    if written := {**_dates(look, columns), **dates}:
        source["dates"] = written
    if dimensions:
        source["dimensions"] = [{"name": own, "column": header} for own, header in dimensions.items()]
    return source | {key: value for key, value in more.items() if key != "types"}


def dated(look: Look, dates: Mapping[str, str], columns: Mapping[str, str]) -> Look:
    """The look with the columns of dates that `dates` names as the file does, and a new proposal.

    A name of `columns` is svclib's own.
    """
    headers = {column.name for column in look.found.columns}
    named = {name: format for name, format in dates.items() if name in headers and name not in columns}
    if not named:
        return look
    changed = tuple(
        replace(column, kind="date", format=named[column.name]) if column.name in named else column
        for column in look.found.columns
    )
    found = replace(look.found, columns=changed)
    return replace(look, found=found, guess=guess(found))


def map_departments(
    look: Look,
    source: dict[str, Any],
    departments: Mapping[str, str] | Sequence[Mapping[str, Any]] | None,
    missing: str | None,
    organisation: str,
) -> list[dict[str, Any]]:
    """The entries of `departments.yaml`; `source` is told where rows belong that name no department.

    Raises
    ------
    InputRefused
        If the department's column has so many values that it names something else.
    """
    header = source["columns"].get("department")
    if isinstance(departments, Mapping):
        declared = [{"code": str(code), "name": str(name)} for code, name in departments.items()]
    elif departments is not None:
        declared = [dict(department) for department in departments]
    elif header is not None:
        declared = _named_in(look, header)
    else:
        declared = [{"code": source.get("department", _EVERYBODY), "name": organisation}]
    if header is None:
        source.setdefault("department", declared[0]["code"])
    if missing is not None:
        source["department_missing"] = missing
        if missing not in {department["code"] for department in declared}:
            declared.append({"code": missing, "name": say("begin.source.nobody", column=header or "")})
    return declared


def _check_columns(look: Look, headers: Sequence[str]) -> None:
    problems = []
    for header in dict.fromkeys(headers):
        if header == ROW:
            continue
        try:
            kind = look.column(header).kind
            if kind == "twice":
                what = f"the file has the column {header!r} twice"
                problems.append(Problem(_CALL, what, "give each its own name in the file"))
        except InputRefused as refused:
            problems += refused.problems
    if problems:
        raise InputRefused(problems)


def _types(look: Look, columns: Mapping[str, str], shape: str, dates: Mapping[str, str]) -> dict[str, str]:
    """Types of the columns that the shape does not know; whole numbers in this file may be fractions in the next."""
    known = {name for part in SHAPE_COLUMNS.get(shape, ()) for name in part}  # type: ignore[call-overload]
    types = {}
    for own, header in columns.items():
        if own not in known and own not in dates and header != ROW:
            kind = look.column(header).kind
            types[own] = {"integer": "number", "number": "number", "boolean": "boolean", "date": "timestamp"}.get(
                kind, "text"
            )
    return types


def _dates(look: Look, columns: Mapping[str, str]) -> dict[str, str]:
    """Formats of dates, where all values of the column fit one."""
    found = {}
    for own, header in columns.items():
        column = look.column(header) if header != ROW else None
        if column is not None and column.format and (own in TIMESTAMPS or column.kind == "date"):
            found[own] = column.format
    return found


def _named_in(look: Look, header: str) -> list[dict[str, Any]]:
    column = look.column(header)
    if column.filled and not column.values:
        what = f"the column {header!r} has {column.distinct} different values, too many for departments"
        cure = f"map another column to department (at most {MOST_VALUES} values), or give departments={{code: name}}"
        raise InputRefused(Problem(_CALL, what, cure))
    declared: list[dict[str, Any]] = []
    taken: set[str] = set()
    for value in column.values:
        name = " ".join(value.split())
        code = name if _CODE.fullmatch(name) else own_name(name, taken)
        if code.casefold() in taken:
            code = own_name(name, taken)
        taken.add(code.casefold())
        entry: dict[str, Any] = {"code": code, "name": name}
        if name != value.strip():
            entry["aliases"] = [value]
        declared.append(entry)
    return sorted(declared, key=lambda department: department["code"])
