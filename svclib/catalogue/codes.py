"""The scalar types of `params/`: codes that never change type, dates, durations, SQL expressions."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)")
UNITS = {
    "s": dt.timedelta(seconds=1), "min": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1),
    "w": dt.timedelta(weeks=1),
}  # fmt: skip


def _a_string(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"a code is text, but YAML reads this as {_yaml_kind(value)}; put it in quotes")
    return value


def _yaml_kind(value: Any) -> str:
    kinds: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", dt.date: "a date"}
    return kinds.get(type(value), "nothing" if value is None else f"a {type(value).__name__}")


def parse_duration(value: Any) -> dt.timedelta:
    """Read ``14d``, ``36h``, ``2w`` or ``30min``.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(value, dt.timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if isinstance(value, bool) or not match:
        raise ValueError("write a duration as 30min, 36h, 14d or 2w")
    return float(match[1]) * UNITS[match[2]]


def _a_date(value: Any) -> Any:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date | str):
        raise ValueError("write a date as 2026-10-31")
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("write a date as 2026-10-31") from None
    return value


def _an_expression(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError('an expression is text; put it in quotes, as in "true"')
    return value


def _one_line(value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise ValueError("one line of text is expected here")
    return value


Code = Annotated[
    str,
    BeforeValidator(_a_string),
    StringConstraints(pattern=r"^[\w][\w .+-]{0,62}[\w+]$|^\w$"),
    Field(
        description="A code: letters, digits, _ - . + and inner spaces; put it in quotes when YAML could read it as a number."
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_line)]
Date = Annotated[dt.date, BeforeValidator(_a_date)]
Duration = Annotated[dt.timedelta, BeforeValidator(parse_duration)]
Expression = Annotated[
    str,
    BeforeValidator(_an_expression),
    StringConstraints(min_length=1, max_length=4000),
    Field(description="An SQL expression over the source's columns, in DuckDB's dialect."),
]
