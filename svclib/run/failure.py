"""Why a report failed, told without showing a row of data."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Reason = Literal[
    "parameters",  # the notebook does not take these parameters
    "start",  # no kernel came up
    "raised",  # a cell raised an error
    "memory",  # a cell asked for more memory than allowed
    "cell_deadline",  # a cell took too long
    "report_deadline",  # the report took too long
    "died",  # the kernel's process ended by itself or was killed
    "exited",  # a cell left by sys.exit, whatever its status
    "output",  # more output than a report may hold
    "incomplete",  # a code cell never completed
    "no_result",  # the last cell wrote no readable result
    "render",  # the page could not be made
    "place",  # the files could not be written
    "infrastructure",  # the machinery below failed (a cluster's worker was lost)
]
# Faults of the machinery, not of the report: these alone are worth another try.
INFRASTRUCTURE = frozenset({"start", "infrastructure"})

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|<[^>]*>")
_NUMBER = re.compile(r"\d[\d.,:/-]*\d|\d{2,}")
_FRAME = re.compile(r"^(?:File |Cell In)")
_CODE = re.compile(r"^\s*(?:-+> )?\s*\d+ ")


@dataclass(frozen=True)
class Failure:
    """One report's failure.

    Parameters
    ----------
    reason
        Machine-readable code, see `Reason`.
    sentence
        The reason in plain English, for logs; pages word the code in their own language.
    cell
        Number of the code cell, from 1; None when no cell is to blame.
    source
        Last lines of that cell.
    error
        Name of the exception, or of the signal that ended the kernel.
    message
        The exception's first line with everything masked that may come from data.
    lines
        Places of the traceback, innermost last: file, line and function, and the code that stands there.
    """

    reason: Reason
    sentence: str
    cell: int | None = None
    source: str = ""
    error: str = ""
    message: str = ""
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"lines": list(self.lines)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Failure:
        return cls(**{**values, "lines": tuple(values["lines"])})


def mask_message(message: str, code: str, *, limit: int = 200) -> str:
    """Hide what may be data in an exception's message: quoted text and numbers that the code itself does not hold.

    Examples
    --------
    >>> mask_message("could not convert 'Anna Rossi' (row 1207) in 'resolved_at'", "frame['resolved_at'].astype(float)")
    "could not convert '…' (row …) in 'resolved_at'"
    """
    first = _ANSI.sub("", message).strip().split("\n")[0]

    def keep_code(match: re.Match[str]) -> str:
        text = match[0]
        inner = text[1:-1]
        return text if inner and inner in code else f"{text[0]}…{text[-1]}"

    parts = [(match.start(), match.end()) for match in _QUOTED.finditer(first)]
    result, at = "", 0
    for start, end in parts:
        result += _NUMBER.sub("…", first[at:start]) + _QUOTED.sub(keep_code, first[start:end])
        at = end
    result += _NUMBER.sub("…", first[at:])
    return result if len(result) <= limit else result[: limit - 1] + "…"


def traceback_places(traceback: Sequence[str], *, limit: int = 8) -> tuple[str, ...]:
    """The places of an IPython traceback and the code line that was running; never values.

    Examples
    --------
    >>> frame = "File /a/b.py:7, in load(path)\\n      6 def load(path):\\n----> 7     return int('secret')"
    >>> traceback_places(["ValueError", frame, "ValueError: invalid literal: 'secret'"])
    ('File b.py:7, in load', 'return int('secret')')
    """
    places: list[str] = []
    for part in traceback:
        lines = _ANSI.sub("", part).split("\n")
        head = next((line for line in lines if _FRAME.match(line)), None)
        if head is None:
            continue
        place = re.sub(r"File \S*?([^/\\\s]+:\d+)", r"File \1", head).split("(")[0].rstrip(" ,")
        running = next((line for line in lines if line.startswith("-") and "> " in line), "")
        places += [place] + ([re.sub(r"^-+>\s*\d+\s?", "", running).strip()] if running else [])
    return tuple(places[-limit:])


def signal_name(status: int | None) -> str:
    """What ended a process, from its status as `subprocess` counts it.

    Examples
    --------
    >>> signal_name(-11), signal_name(3), signal_name(None)
    ('SIGSEGV', 'exit status 3', 'unknown')
    """
    if status is None:
        return "unknown"
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def last_lines(source: str, count: int = 8) -> str:
    """The last lines of a cell.

    Examples
    --------
    >>> last_lines("a\\nb\\nc", 2)
    'b\\nc'
    """
    return "\n".join(source.rstrip().split("\n")[-count:])
