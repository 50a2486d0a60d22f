"""Parameters of a notebook are data, never code: what papermill may inject, and proof that it did.

Papermill writes parameter *names* into the notebook as they come and turns unknown objects into quoted text, so a
name such as ``x=1;run()#`` would be executed. Here only names that the notebook's own `parameters` cell assigns pass,
with values that JSON knows, and the injected cell is parsed again before anything is executed.
"""

from __future__ import annotations

import ast
import keyword
import math
from collections.abc import Mapping
from typing import Any

from svclib.errors import InputRefused, Problem

TAG = "parameters"
INJECTED = "injected-parameters"


def parameter_names(notebook: Mapping[str, Any]) -> list[str]:
    """Names that the notebook's `parameters` cell assigns, in its order.

    Annotated assignments count too, which papermill's own inspection misses.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "a = None\\nb: str | None = None"}
    >>> parameter_names({"cells": [cell]})
    ['a', 'b']
    """
    names: list[str] = []
    for cell in _cells_tagged(notebook, TAG):
        for statement in ast.parse(_source(cell)).body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def check_parameters(notebook: Mapping[str, Any], parameters: Mapping[str, Any], *, where: str = "parameters") -> None:
    """Refuse names that the notebook does not declare and values that are not plain JSON; all faults at once.

    Raises
    ------
    InputRefused
        With one problem for each parameter at fault.

    Examples
    --------
    >>> check_parameters({"cells": []}, {"x=1;print()#": 1})
    Traceback (most recent call last):
    svclib.errors.InputRefused: parameters: 'x=1;print()#' is no name. Cure: use a name of the parameters cell
    """
    known = parameter_names(notebook)
    problems = []
    for name, value in parameters.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            problems.append(Problem(where, f"{name!r} is no name", "use a name of the parameters cell"))
        elif name not in known:
            cure = "known are " + ", ".join(known) if known else "tag the cell that assigns them 'parameters'"
            problems.append(Problem(where, f"the notebook has no parameter '{name}'", cure))
        elif not is_json(value):
            problems.append(Problem(where, f"'{name}' is no plain value", "give text, a finite number, a list or null"))
    if problems:
        raise InputRefused(problems)


def is_json(value: Any) -> bool:
    """Whether a value survives JSON as it is: exact types only, no NaN, no infinity.

    Examples
    --------
    >>> is_json({"a": [1, 2.5, None, "x"]}), is_json(float("nan")), is_json({1: 2}), is_json((1,))
    (True, False, False, False)
    """
    if value is None or type(value) in (str, bool, int):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(is_json(item) for item in value)
    return type(value) is dict and all(type(key) is str and is_json(item) for key, item in value.items())


def check_injected(notebook: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Prove that the injected cell assigns exactly these values and does nothing else.

    Raises
    ------
    InputRefused
        When the cell holds anything but assignments of literals, or other names or values than asked.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": "a = print(1)"}
    >>> check_injected({"cells": [cell]}, {"a": 1})
    Traceback (most recent call last):
    svclib.errors.InputRefused: parameters: the injected cell is not just assignments of literals. Cure: report this
    """
    found: dict[str, Any] = {}
    try:
        for cell in _cells_tagged(notebook, INJECTED):
            for statement in ast.parse(_source(cell)).body:
                if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
                    raise ValueError("not an assignment")
                found[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
    except (ValueError, SyntaxError):
        fault = "the injected cell is not just assignments of literals"
        raise InputRefused(Problem("parameters", fault, "report this")) from None
    if found != dict(parameters):
        raise InputRefused(Problem("parameters", "the injected cell holds other values than asked", "report this"))


def forget_folder(notebook: Any) -> None:
    """Let the kept notebook write nothing when somebody runs it again: the folder it wrote into is gone by then.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": 'out = "a"\\nperiod = "b"'}
    >>> forget_folder({"cells": [cell], "metadata": {}})
    >>> print(cell["source"])
    out = None
    period = "b"
    """
    for cell in _cells_tagged(notebook, INJECTED):
        lines = _source(cell).split("\n")
        cell["source"] = "\n".join("out = None" if line.startswith("out = ") else line for line in lines)
    told = notebook["metadata"].get("papermill", {}).get("parameters", {})
    if "out" in told:
        told["out"] = None


def _cells_tagged(notebook: Mapping[str, Any], tag: str) -> list[Any]:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if tag in cell.get("metadata", {}).get("tags", [])]


def _source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])
