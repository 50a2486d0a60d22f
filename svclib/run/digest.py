"""Digests: what a report depends on, so that it is made again exactly when one of these changed."""

from __future__ import annotations

import functools
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from svclib.collect.digests import digest_file, digest_json

PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = frozenset({".py", ".toml", ".yaml", ".j2", ".css", ".js", ".json", ".txt"})


def digest_files(files: Iterable[tuple[str, Path]]) -> str:
    """Digest of several files under their names; the order does not matter."""
    return digest_json({name: digest_file(path) for name, path in files})


def digest_notebook(path: Path) -> str:
    """Digest of what a notebook says: its cells' kinds, sources and tags, not its outputs or its editor's notes."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [
        [cell["cell_type"], "".join(cell["source"]), sorted(cell.get("metadata", {}).get("tags", []))]
        for cell in notebook["cells"]
    ]
    return digest_json(cells)


def source_files(folders: Iterable[Path] | None = None) -> list[tuple[str, Path]]:
    """The files that make up svclib: its package and, beside it, the templates of the reports."""
    found = []
    for folder in folders or (PACKAGE, PACKAGE.parent / "templates"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SOURCES and "__pycache__" not in path.parts and path.is_file():
                found.append((f"{folder.name}/{path.relative_to(folder).as_posix()}", path))
    return found


def digest_source() -> str:
    """Digest of svclib's own source."""
    return digest_files(source_files())


def source_stamp() -> str:
    """A quick sign of svclib's source: sizes and times of its files, nothing is read."""
    stats = ((name, path.stat()) for name, path in source_files())
    return digest_json([[name, status.st_size, status.st_mtime_ns] for name, status in stats])


@functools.cache
def package_versions() -> Mapping[str, str]:
    """Versions of Python and of every installed distribution: the pins as they really are."""
    from importlib.metadata import distributions

    versions = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            versions[name.lower().replace("_", "-")] = distribution.version
    return {"python": platform.python_version(), **dict(sorted(versions.items()))}


def digest_requirements() -> str:
    """Digest of the versions of Python and all packages; svclib itself is told by its source."""
    return digest_json({name: version for name, version in package_versions().items() if name != "svclib"})
