"""The guided notebook from a file of one's own to written params, executed as an analyst would."""

from __future__ import annotations

import datetime as dt

import nbformat
import pytest
from nbclient import NotebookClient

from svclib.catalogue.load import load_catalogue
from svclib.paths import NOTEBOOKS


@pytest.mark.slow
def test_the_guided_notebook_writes_params(tmp_path):
    lines = ["Nr,Opened,Closed,Office"]
    for i in range(500):
        opened = dt.datetime(2025, 1, 1, 8) + dt.timedelta(hours=17 * i)
        lines.append(
            f"{i},{opened:%Y-%m-%d %H:%M},{opened + dt.timedelta(hours=30 * (i % 7)):%Y-%m-%d %H:%M},{'AB'[i % 2]}"
        )
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    notebook = nbformat.read(NOTEBOOKS / "own_data.ipynb", 4)
    parameters = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    parameters.source += f"\npath = {str(tmp_path / 'cases.csv')!r}\nfolder = {str(tmp_path / 'params')!r}"
    NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    shown = [o.data["text/html"] for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    assert len(shown) == 7
    assert 'class="svc-chart"' in shown[-2]
    catalogue = load_catalogue(tmp_path / "params")
    assert [kpi.code for kpi in catalogue.kpis] == ["closed_in_time"]
    assert [d.code for d in catalogue.departments] == ["A", "B"]
