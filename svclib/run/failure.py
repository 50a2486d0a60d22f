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
    "interrupted",  # the run was stopped
    "infrastructure",  # the machinery below failed (a cluster's worker was lost)
]
# Faults of the machinery, not of the report: these alone are worth another try.
INFRASTRUCTURE = frozenset({"start", "infrastructure"})
_CURES: dict[Reason, str] = {
    "no_result": "let the notebook's last cell call report.save(), then run again with --only-failed",
}

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_WORD = re.compile(r"[^\W\d][\w.]*[\w]|\w+|[^\s\w]+|\s+")
# Words of error messages that say nothing of anybody. Any other word may come from a row, and is masked.
_HARMLESS_WORDS = """
a above after all allocate already an and any are argument arguments array as at attribute attributes axis bad be
before below between bound bounds boolean by bytes call callable cannot cell character code column columns connect
connection contains convert converted could data date datetime decode defined denied dimension directory division
does dtype dtypes duplicate empty encode equal error exist exists expected failed file float for format found from
frame function get given got greater has have identical import in index indices infer input int integer invalid is
iterable key keys keyword label labels length less line list literal local longer lower match memory missing mode
module more multiple must name named names nan negative no none not null number numeric object of on only open
operand operands operation or out parse parser permission point positional positive query range read recursion
reference required row rows same schema sequence series shape shapes shorter size slice specified sql str string
such support supported table takes than that the they timeout timestamp to tuple type types unable unexpected
unhashable unknown unpack unsupported up upper valid value values variable version was were when width with without
write wrong you zero zip
"""
_HARMLESS = frozenset(_HARMLESS_WORDS.split())
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

    @property
    def cure(self) -> str:
        """What to do about it, where the reason alone tells; empty where the cell has to.

        >>> Failure("no_result", "no readable result").cure
        "let the notebook's last cell call report.save(), then run again with --only-failed"
        """
        return _CURES.get(self.reason, "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"lines": list(self.lines)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Failure:
        return cls(**{**values, "lines": tuple(values["lines"])})


def mask_message(message: str, code: str, *, limit: int = 200) -> str:
    """An exception's message with every word masked that may come from data.

    Kept are words that the code itself holds and the plain words of error messages.

    Examples
    --------
    >>> mask_message("could not convert 'Anna Rossi' (row 1207) in 'resolved_at'", "frame['resolved_at'].astype(float)")
    "could not convert '…' (row …) in 'resolved_at'"
    """
    first = _ANSI.sub("", message).strip().split("\n")[0][: 5 * limit]
    known = set(_WORD.findall(code))
    masked = "".join(part if _is_harmless(part, known) else "…" for part in _WORD.findall(first))
    masked = re.sub(r"…(?:[\s@.:/,-]*…)+", "…", masked)
    return masked if len(masked) <= limit else masked[: limit - 1] + "…"


def _is_harmless(part: str, known: set[str]) -> bool:
    return not part[0].isalnum() or part in known or part.lower() in _HARMLESS


def traceback_places(traceback: Sequence[str], *, limit: int = 8) -> tuple[str, ...]:
    """The places of an IPython traceback and the code line that was running; never values.

    Examples
    --------
    >>> frame = "File /a/b.py:7, in load(path)\\n      6 def load(path):\\n----> 7     return int(text)"
    >>> traceback_places(["ValueError", frame, "ValueError: invalid literal: 'secret'"])
    ('File b.py:7, in load', 'return int(text)')
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
