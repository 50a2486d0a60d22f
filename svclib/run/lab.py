"""JupyterLab on the project's notebooks."""

from __future__ import annotations

import os
import subprocess
import sys

from svclib.catalogue.names import nearest
from svclib.errors import InputRefused, Problem
from svclib.paths import HOME, NOTEBOOKS


def lab_command(notebook: str | None = None) -> list[str]:
    """The command that opens JupyterLab, on loopback only, with this Python's kernel, asking nobody outside for news.

    The address that it prints leads to the notebook too, for whoever opens the browser by hand.

    Raises
    ------
    InputRefused
        For a notebook that does not exist.

    Examples
    --------
    >>> lab_command("kpi_analysis")[-1]
    'notebooks/kpi_analysis.ipynb'
    """
    path = "notebooks/start.ipynb"
    if notebook is not None:
        known = sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb"))
        stem = notebook.removesuffix(".ipynb").rsplit("/", 1)[-1]
        if stem not in known:
            raise InputRefused(Problem(f"notebook {notebook}", "does not exist", nearest(stem, known)))
        path = f"notebooks/{stem}.ipynb"
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # as in containers
    quiet = ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    place = [f"--ServerApp.root_dir={HOME}", f"--LabApp.default_url=/lab/tree/{path}", path]
    return [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", *root, *quiet, *place]


def open_lab(notebook: str | None = None, *, browser: bool = True) -> int:
    """Run JupyterLab until it is ended; its exit status.

    Where the system can, JupyterLab takes this process's place, so that who ends the one ends the other.
    """
    command = lab_command(notebook) + ([] if browser else ["--no-browser"])
    if sys.platform == "win32":
        return subprocess.call(command, cwd=HOME)
    os.chdir(HOME)
    os.execv(command[0], command)
