"""Where the project keeps its things."""

from __future__ import annotations

import json
import re
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
NOTEBOOKS = HOME / "notebooks"
TEMPLATES = HOME / "templates"
WORDS = Path(__file__).resolve().parent / "report" / "words"


def default_params() -> Path:
    """The `params/` of the working folder, or the sample organisation's beside the package."""
    here = Path.cwd() / "params"
    return here if here.is_dir() else HOME / "params"


def report_languages() -> tuple[str, ...]:
    """Languages that reports can be written in: those with a catalogue of messages.

    >>> report_languages()
    ('en', 'it')
    """
    return tuple(sorted(path.stem for path in WORDS.glob("*.toml")))


def is_report_language(language: str) -> bool:
    """Whether reports can be written in a language, whatever its region.

    >>> is_report_language("en_GB"), is_report_language("fr")
    (True, False)
    """
    plain = language.replace("_", "-")
    return bool({plain, plain.split("-")[0].lower()} & set(report_languages()))


def report_notebooks(folder: Path | None = None) -> dict[str, Path]:
    """The notebooks that make reports, by name: those whose parameters cell asks for a department.

    The others of the folder are opened by people. A file that is no notebook counts: its report tells what is wrong.

    >>> list(report_notebooks())
    ['kpi_analysis', 'outcome_evaluation', 'root_cause_analysis']
    """
    return {path.stem: path for path in sorted((folder or NOTEBOOKS).glob("*.ipynb")) if _makes_a_report(path)}


def _makes_a_report(path: Path) -> bool:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        given = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return True
    return any(re.search(r"^department\b", source, re.MULTILINE) for source in given)
