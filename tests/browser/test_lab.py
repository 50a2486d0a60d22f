"""An analyst's first minute: JupyterLab opens a notebook, runs all cells, and shows figures."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from svclib.paths import NOTEBOOKS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
TOKEN = "a-token-of-this-test"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on loopback, with settings, workspaces and history of its own; yields its address and folder."""
    root = tmp_path_factory.mktemp("lab")
    work = root / "notebooks"
    work.mkdir()
    shutil.copy(NOTEBOOKS / "kpi_analysis.ipynb", work)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    places = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
        "JUPYTER_RUNTIME_DIR",
    )
    environment = {**os.environ, **{name: str(root / name.lower()) for name in places}, "PYTHONWARNINGS": "ignore"}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={work}", "--allow-root",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/api/status?token={TOKEN}", process, root / "log")
        yield address, work
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_for(url, process, log, seconds=90):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def test_a_notebook_opens_runs_and_shows_its_figures(chromium, lab):
    address, work = lab
    page = chromium.new_page(viewport={"width": 1400, "height": 1200})
    try:
        page.goto(f"{address}/lab/tree/kpi_analysis.ipynb?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        page.get_by_text("| Idle").wait_for(timeout=90_000)
        page.get_by_text("Run", exact=True).first.click()
        page.get_by_text("Run All Cells", exact=True).first.click()
        notebook = _saved_when_done(page, work / "kpi_analysis.ipynb")
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["execution_count"] for cell in code)
        kinds = [output["output_type"] for cell in code for output in cell["outputs"]]
        assert "error" not in kinds
        page.keyboard.press("Control+Home")
        page.wait_for_selector("img.svc-chart")
        broken = page.evaluate("[...document.querySelectorAll('img.svc-chart')].filter(i => !i.naturalWidth).length")
        assert broken == 0
        colours = page.evaluate(
            "[...document.querySelectorAll('.svc .svc-badge')].map(b => getComputedStyle(b).fontWeight)"
        )
        assert colours
    finally:
        page.close()


def _saved_when_done(page, path, seconds=120):
    """Save until the file holds the last cell's execution; the file tells more than the page, which shows a window."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page.wait_for_timeout(2000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(500)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        failed = any(output["output_type"] == "error" for cell in code for output in cell["outputs"])
        if code[-1]["execution_count"] or failed:
            return notebook
    page.screenshot(path=path.with_suffix(".png"))
    pytest.fail(f"the notebook did not finish in time; see {path.with_suffix('.png')}")
