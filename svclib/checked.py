"""A check that found everything sound is not made again until something that it saw has changed.

Needs the standard library alone: the answer comes as fast as help. What has changed is told by size, times and number of
the files, as `git status` does.
"""

from __future__ import annotations

import glob
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from svclib.paths import HOME, NOTEBOOKS

_SETTLED_NS = 2_000_000_000  # a file changed in the moment of the check may change again and keep its time


def recall(params: Path) -> str | None:
    """What the last check of a folder said, if it found all sound and nothing has changed since."""
    params = params.resolve()
    try:
        said, reads, known = _memory(params).read_text("utf-8").split("\n\n", 2)
        return said if known == "\n".join(_state(params, reads.splitlines())) else None
    except (OSError, ValueError):
        return None


def remember(params: Path, said: str, reads: Iterable[str]) -> None:
    """Keep what a check said. Where files cannot be looked at, or the memory not be written, it costs time only.

    Parameters
    ----------
    reads
        Path, or pattern of paths, of each source, from the folder that holds `params`. What a database holds cannot be
        told by looking at files: with such a source nothing may be remembered.
    """
    params, reads = params.resolve(), list(reads)
    path = _memory(params)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        state = list(_state(params, reads))
        newest = max(int(line.split()[1]) for line in state[1:])
        if time.time_ns() - newest < _SETTLED_NS:
            return
        draft.write_text("\n\n".join([said, "\n".join(reads), "\n".join(state)]), "utf-8")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)


def _memory(params: Path) -> Path:
    return params.parent / "snapshots" / "checked.txt"


def _state(params: Path, reads: list[str]) -> Iterator[str]:
    """Everything that a check depends on: first the interpreter and its packages, then one line a file."""
    packages = [f"{entry} {os.stat(entry).st_mtime_ns}" for entry in sys.path if entry.endswith("site-packages")]
    yield " ".join([sys.version.split()[0], time.strftime("%Y-%m-%d", time.gmtime()), *packages])
    for folder in filter(Path.is_dir, (HOME / "svclib", NOTEBOOKS, params)):  # installed, there are no notebooks
        yield from _files_below(folder)
    for read in reads:
        pattern = str(params.parent / read)
        for path in sorted(glob.glob(pattern, recursive=True)) or [pattern]:
            yield _line(path, os.stat(path))


def _files_below(folder: Path) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files_below(Path(entry.path))
        elif not entry.name.startswith("."):
            yield _line(entry.path, entry.stat())


def _line(path: str, status: os.stat_result) -> str:
    return f"{status.st_size} {max(status.st_mtime_ns, status.st_ctime_ns)} {status.st_mtime_ns} {status.st_ino} {path}"
