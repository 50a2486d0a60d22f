"""Digests of files and declarations: what makes two snapshots the same."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# A file changed in the moment in which it was hashed may keep its time of change: such digests are not remembered.
_SETTLED_NS = 2_000_000_000
CACHE = "digests.json"


@dataclass(frozen=True)
class FileDigest:
    """A file of a source: its name (relative to the folder of params/), size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys.

    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class DigestCache:
    """Digests of files that have kept size and time of change, so that an unchanged source need not be read again."""

    def __init__(self, root: Path) -> None:
        self._path = root / CACHE
        try:
            self._known: dict[str, list[Any]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}
        self._changed = False

    def digest(self, path: Path, name: str) -> FileDigest:
        """The digest of a file; read only if size or time of change differ from last time."""
        status = path.stat()
        key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]
        known = self._known.get(key)
        if known and known[:2] == [status.st_size, status.st_mtime_ns]:
            return FileDigest(name, status.st_size, known[2])
        sha256 = digest_file(path)
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
            self._known[key] = [status.st_size, status.st_mtime_ns, sha256]
            self._changed = True
        return FileDigest(name, status.st_size, sha256)

    def save(self) -> None:
        """Remember; a cache that cannot be written costs time only."""
        if not self._changed:
            return
        part = self._path.with_name(f"{CACHE}.{os.getpid()}")
        try:
            part.write_text(json.dumps(self._known, sort_keys=True), encoding="utf-8")
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)


def files_json(files: list[FileDigest]) -> list[dict[str, Any]]:
    """Digests as the snapshot's JSON holds them."""
    return [asdict(file) for file in files]
