"""Where the project keeps its things."""

from __future__ import annotations

from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
NOTEBOOKS = HOME / "notebooks"
TEMPLATES = HOME / "templates"


def default_params() -> Path:
    """The `params/` of the working folder, or the sample organisation's beside the package."""
    here = Path.cwd() / "params"
    return here if here.is_dir() else HOME / "params"
