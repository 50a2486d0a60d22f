"""Write environment.yml from pyproject.toml, so that conda users get what pip users get."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(pyproject: str) -> str:
    """The text of environment.yml that agrees with a pyproject.toml."""
    project = tomllib.loads(pyproject)["project"]
    python = project["requires-python"]
    lines = [
        "# Generated from pyproject.toml by `make environment`; a test keeps the two equal.",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f'  - "python{python}"',
        "  - pip",
        "  - pip:",
        *(f'      - "{dependency}"' for dependency in project["dependencies"]),
        '      - "-e ."',
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment((ROOT / "pyproject.toml").read_text()))
