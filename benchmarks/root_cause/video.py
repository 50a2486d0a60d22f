"""The video service cases: real failures with known causes, split into a tuning and a test half by a fixed rule."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml


@dataclass(frozen=True)
class VideoCase:
    """Cells by minute up to the minute of the failure; `causes` are sets of (dimension, value)."""

    name: str
    rows: pd.DataFrame
    dimensions: list[str]
    current: str
    causes: list[frozenset[tuple[str, str]]]


def half(name: str) -> str:
    """``tune`` or ``test``: by the file name's checksum, so that nobody can choose.

    >>> half("case5_0824_1500728851.csv")
    'test'
    """
    return "tune" if zlib.crc32(name.encode()) % 2 == 0 else "test"


def read_video_cases(folder: Path, which: str) -> list[VideoCase]:
    """The cases of a half (or ``all``), in the order of the file."""
    entries = yaml.safe_load((folder / "causes.yaml").read_text("utf-8"))
    return [_read(folder, entry) for entry in entries if which in ("all", half(entry["file"]))]


def _read(folder: Path, entry: dict) -> VideoCase:
    cells = pd.read_csv(folder / entry["file"])
    dimensions = [name for name in cells.columns if name not in ("min", "value", "cnt")]
    causes = entry["cause"] if isinstance(entry["cause"], list) else [entry["cause"]]
    rows = cells[cells["min"] <= entry["minute"]]
    rows = rows.assign(period=rows["min"].astype(str), num=rows["value"].astype(float), den=rows["cnt"].astype(float))
    rows[dimensions] = rows[dimensions].astype(str)
    sets = [frozenset((name, str(value)) for name, value in cause.items()) for cause in causes]
    return VideoCase(entry["file"], rows, dimensions, str(entry["minute"]), sets)
