"""Where files go and how they get there: names that cannot escape, and moves that are whole or not at all.

A report is made in a folder of its own below ``out/.svclib/work``, on the same file system. When it is finished its
files are flushed to disk and *sealed* by a list of them; then each is renamed into place and the report is noted in the
journal. A run that was killed before the seal left nothing; killed after it, the next run finishes the move.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import time
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from svclib.collect.digests import digest_file
from svclib.errors import InputRefused, Problem

STATE = ".svclib"
SEAL = "seal.json"
_SAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "data", "index.html", "manifest.json", "action_plan.xlsx"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)


def folder_names(codes: Iterable[str]) -> dict[str, str]:
    """A folder name for each department code: plain ASCII, never reserved, never two that a disk takes for one.

    A code that is a good name is its own folder; any other gets a readable form and a digest of the code.

    Examples
    --------
    >>> folder_names(["D01", "d02", "D02", "../../x"])["D01"]
    'D01'
    >>> names = folder_names(["d02", "D02", "../../x", "Büro 7", "NUL"])
    >>> sorted(names.values())
    ['Buro-7-cfe3f784', 'D02-f29bc501', 'NUL-ae6de182', 'd02-ab407769', 'x-9cdf6a50']
    """
    codes = list(codes)
    twins: dict[str, int] = {}
    for code in set(codes):
        twins[code.casefold()] = twins.get(code.casefold(), 0) + 1
    return {code: _folder_name(code, twins[code.casefold()] > 1) for code in codes}


def _folder_name(code: str, has_twin: bool) -> str:
    plain = unicodedata.normalize("NFKD", code).encode("ascii", "ignore").decode()
    plain = _SAFE.sub("-", plain).strip(".-_ ")[:48]
    reserved = plain.split(".")[0].casefold() in _RESERVED or plain.casefold() in _RESERVED
    if plain == code and not reserved and not has_twin:
        return code
    return f"{plain or 'x'}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"


def inside(out: Path, *parts: str) -> Path:
    """A path below `out`; links that lead out of it are refused.

    Raises
    ------
    InputRefused
        Where the path, with all links followed, is not below `out`.
    """
    path = out.joinpath(*parts)
    if not path.resolve().is_relative_to(out.resolve()):
        raise InputRefused(Problem(str(path), "leads out of the reports folder", "remove the link"))
    return path


class OutFolder:
    """The reports folder while a run holds it.

    Parameters
    ----------
    path
        Made where missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.state = self.path / STATE
        self.work = self.state / "work"

    @contextlib.contextmanager
    def held(self) -> Iterator[OutFolder]:
        """Hold the folder: a second run on it is told so.

        Raises
        ------
        InputRefused
            Where another run holds it or nothing can be written there.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self.state.chmod(0o700)
            lock = (self.state / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            cure = "choose another folder with --out, or mend its permissions"
            fault = f"cannot be written ({error.strerror or type(error).__name__})"
            raise InputRefused(Problem(str(self.path), fault, cure)) from None
        with lock:
            if not _try_lock(lock):
                lock.seek(0)
                holder = lock.read().strip() or "another process"
                cure = "wait until it has finished, or choose another --out"
                raise InputRefused(Problem(str(self.path), f"a run is making reports here ({holder})", cure))
            lock.seek(0)
            lock.truncate()
            lock.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            lock.flush()
            self.recover()
            yield self

    def new_work(self) -> Path:
        """An empty folder for one report, on the same file system as its place."""
        folder = self.work / uuid.uuid4().hex[:16]
        folder.mkdir()
        return folder

    def recover(self) -> list[dict[str, Any]]:
        """Finish the moves of a run that was killed, and clear away what it had not finished."""
        recovered = []
        for folder in sorted(self.work.iterdir()):
            with contextlib.suppress(OSError):  # a full disk: the seal stays, and with it the next chance
                if (folder / SEAL).exists():
                    recovered.append(self.commit(folder))
                else:
                    shutil.rmtree(folder, ignore_errors=True)
        return recovered

    def commit(self, work: Path) -> dict[str, Any]:
        """Move a sealed report into place, note it in the journal, and return its entry. Safe to repeat."""
        seal = json.loads((work / SEAL).read_text(encoding="utf-8"))
        target = inside(self.path, *seal["target"].split("/"))
        target.mkdir(parents=True, exist_ok=True)
        for name in seal["files"]:
            if (work / name).exists():
                place = inside(target, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(work / name, place)
        for name in seal["remove"]:
            inside(target, name).unlink(missing_ok=True)
        _flush_folder(target)
        self._note(seal["period"], seal["entry"])
        shutil.rmtree(work, ignore_errors=True)
        return seal["entry"]

    def _note(self, period: str, entry: dict[str, Any]) -> None:
        with self.journal(period).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def journal(self, period: str) -> Path:
        """The reports placed since the manifest of the period was last written, one a line."""
        return self.state / f"journal-{period}.jsonl"


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Entries of a journal; a last line that was cut off is left out, for its report is still in its work folder."""
    entries = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").split("\n"):
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
    return entries


def seal(work: Path, *, period: str, target: str, entry: dict[str, Any], files: list[str], remove: list[str]) -> None:
    """Flush a finished report's files and seal its folder; from here on it will be placed, come what may."""
    for name in files:
        _flush(work / name)
    content = {"period": period, "target": target, "entry": entry, "files": files, "remove": remove}
    write_atomically(work / SEAL, json.dumps(content, ensure_ascii=False, allow_nan=False))


def describe_files(work: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Digest and size of each file."""
    return {name: {"sha256": digest_file(work / name), "bytes": (work / name).stat().st_size} for name in names}


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by new content; readers see the old one or the new one."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    if os.name == "posix":
        number = os.open(path, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # some network file systems cannot
                os.fsync(number)
        finally:
            os.close(number)


def _try_lock(file: IO[str]) -> bool:
    """Lock a file for this process; the system lets go of it however the process ends."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
