"""`manifest.json` of a period: what was made, from what, by what; and which reports are still good."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svclib.run.place import read_journal, write_atomically

FORMAT = 1
# The packages that shape figures and pages; the manifest names these, the key counts all.
NAMED = (
    "babel", "duckdb", "ibis-framework", "ipykernel", "matplotlib", "nbconvert", "numpy", "pandas", "pandera",
    "papermill", "pyarrow", "pydantic", "scipy", "seaborn", "statsmodels", "svclib",
)  # fmt: skip

Key = tuple[str, str]  # department code, notebook


@dataclass
class Manifest:
    """What is known of a period's reports.

    Parameters
    ----------
    period
        Its label.
    header
        Of the last run: times, versions, snapshot, parameters.
    entries
        One for each report, by department and notebook; see `report._entry`.
    """

    period: str
    header: dict[str, Any] = field(default_factory=dict)
    entries: dict[Key, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, out: Path, period: str, journal: Path | None = None) -> Manifest:
        """The manifest as written, with what the journal of an unfinished run adds.

        A manifest that cannot be read counts as none: then every report is made again.
        """
        content: dict[str, Any] = {}
        try:
            content = json.loads((out / period / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {}
        entries = [*content.pop("reports", []), *(read_journal(journal) if journal else [])]
        return cls(period, content, {(entry["department"], entry["notebook"]): entry for entry in entries})

    def add(self, entry: dict[str, Any]) -> None:
        """Put in a report's entry, over its earlier one."""
        self.entries[entry["department"], entry["notebook"]] = entry

    def is_good(self, out: Path, key: Key, digests: Mapping[str, str]) -> bool:
        """Whether a report was made from exactly these things and its files still lie there in full."""
        entry = self.entries.get(key)
        if entry is None or entry["status"] != "ok" or entry["key"] != dict(digests):
            return False
        folder = out / self.period / entry["folder"]
        return all(_has_size(folder / name, file["bytes"]) for name, file in entry["files"].items())

    def to_json(self) -> dict[str, Any]:
        reports = [self.entries[key] for key in sorted(self.entries)]
        return {"format": FORMAT, "period": self.period, **self.header, "reports": reports}

    def write(self, out: Path, journal: Path) -> None:
        """Replace the manifest; the journal has done its work then."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(out / self.period / "manifest.json", text)
        journal.unlink(missing_ok=True)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def past_seconds(out: Path, period: str) -> dict[Key, float]:
    """How long each report took last time: this period's, else the latest one's that was made before."""
    seconds: dict[Key, float] = {}
    manifests = sorted(out.glob("*/manifest.json"), key=lambda path: (path.parent.name == period, path.parent.name))
    for path in manifests[-3:]:
        entries = Manifest.load(out, path.parent.name).entries
        seconds |= {key: entry["seconds"] for key, entry in entries.items() if entry["status"] == "ok"}
    return seconds


def past_peak_mb(manifest: Manifest) -> float | None:
    """The largest memory that a kernel of the period needed."""
    peaks = [entry["peak_mb"] for entry in manifest.entries.values() if entry.get("peak_mb")]
    return max(peaks, default=None)


def platform_facts(versions: Mapping[str, str], names: Iterable[str] = NAMED) -> dict[str, Any]:
    """Python, system and the named packages.

    Examples
    --------
    >>> platform_facts({"pandas": "3.0", "python": "3.12.1"})["packages"]
    {'pandas': '3.0'}
    """
    return {
        "python": versions.get("python", platform.python_version()),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: versions[name] for name in names if name in versions},
    }
