"""The files behind the sources: which they are, their digests, and whether they stayed as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.models import Source
from svclib.collect.digests import DigestCache, FileDigest
from svclib.collect.read import file_name, find_files
from svclib.collect.snapshot import MANIFEST, list_snapshots
from svclib.errors import InputRefused, Problem

Located = tuple[Path, int, int]  # a file, its size, its time of change in nanoseconds
T = TypeVar("T")


def locate_inputs(catalogue: Catalogue) -> dict[str, list[Located]]:
    """The files behind each source with size and time of change; empty where a database server holds it.

    Raises
    ------
    InputRefused
        With every source whose files are not there.
    """

    def files_of(source: Source, where: str) -> list[Located]:
        stats = [(path, path.stat()) for path in find_files(source, catalogue.folder.parent, where)]
        return [(path, status.st_size, status.st_mtime_ns) for path, status in stats]

    return _of_every_source(catalogue, files_of)


def read_inputs(catalogue: Catalogue, root: Path) -> dict[str, list[FileDigest] | None]:
    """The files behind each source with their digests, by name; None where a database server holds it.

    Raises
    ------
    InputRefused
        With every source whose files are not there.
    """
    cache, base = DigestCache(root), catalogue.folder.parent

    def digests_of(source: Source, where: str) -> list[FileDigest] | None:
        return [cache.digest(path, file_name(path, base)) for path in find_files(source, base, where)] or None

    inputs = _of_every_source(catalogue, digests_of)
    cache.save()
    return inputs


def _of_every_source(catalogue: Catalogue, read: Callable[[Source, str], T]) -> dict[str, T]:
    """What `read` gives for each source, by name; refused with the faults of all of them together."""
    found: dict[str, T] = {}
    problems: list[Problem] = []
    for source in catalogue.sources:
        where = catalogue.locate("sources", source.name, "read")
        try:
            found[source.name] = read(source, where)
        except InputRefused as refused:
            problems += refused.problems
        except OSError as error:
            problems.append(Problem(where, f"{source.read!r} cannot be read: {error.strerror}", "check its rights"))
    if problems:
        raise InputRefused(problems)
    return found


def may_be_kept(located: dict[str, list[Located]], root: Path) -> bool:
    """Whether a kept snapshot was made of as many files of the same sizes: then their digests tell."""
    sizes = sorted(size for files in located.values() for _, size, _ in files)
    for path in list_snapshots(root):
        try:
            sources = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["sources"]
            if sorted(file["size"] for source in sources for file in source["files"]) == sizes:
                return True
        except (OSError, ValueError, KeyError):
            continue  # a broken one, or one of a database's rows
    return False


def check_unchanged(catalogue: Catalogue, located: dict[str, list[Located]]) -> None:
    """Of files that changed while they were read, half may be old and half new."""
    now = locate_inputs(catalogue)
    problems = [
        Problem(catalogue.locate("sources", name, "read"), f"the files of {name!r} changed while they were read",
                "wait until the export is complete, and collect again")
        for name, files in located.items()
        if files != now[name]
    ]  # fmt: skip
    if problems:
        raise InputRefused(problems)
