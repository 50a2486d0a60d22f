"""Arguments of a call, judged by the models of `params/`: the same faults, told of the call instead of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from svclib.catalogue.faults import explain_faults
from svclib.catalogue.yaml import Document, Place
from svclib.errors import InputRefused


class Arguments(Document):
    """What was given to a call, in the place of a YAML file."""

    def at(self, place: Place) -> str:
        """``draft_source, columns.opened_at`` for a place in the arguments.

        >>> Arguments(Path("draft_source"), {}).at((0, "columns", "opened_at"))
        'draft_source, columns.opened_at'
        """
        steps = ".".join(step for step in place if isinstance(step, str))
        return f"{self.path.name}, {steps}" if steps else self.path.name


def validate(model: Any, content: Any, call: str, *place: str) -> Any:
    """The content as the model has it.

    Raises
    ------
    InputRefused
        With every fault, the nearest known name and the cure; `place` says which argument it is of.
    """
    try:
        return TypeAdapter(model).validate_python(content)
    except ValidationError as error:
        document = Arguments(Path(", ".join([call, *place])), content)
        raise InputRefused(explain_faults(error, document, content, model)) from None
