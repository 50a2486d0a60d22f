"""An analyst's way through JupyterLab in a real browser: the start page, every notebook, a mistake and its answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from svclib.paths import NOTEBOOKS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
ERROR = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
SECONDS = 240  # on a busy machine; alone a notebook takes ten


@pytest.fixture(scope="module")
def lab(tmp_path_factory, chromium):
    """JupyterLab on a copy of the notebooks, with settings and runtime files of its own; ended by its id."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, home / "notebooks", ignore=shutil.ignore_patterns(".*"))
    settings = home / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # Cells outside the window would not be in the page, and could not be looked at.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    token = secrets.token_hex(16)
    folders = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", "--port=0", "--no-browser", "--allow-root",
        f"--ServerApp.root_dir={home}", f"--IdentityProvider.token={token}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    environment = os.environ | {name: str(home / folder) for name, folder in folders.items()}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield home, _address(server, home), token
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _address(server: subprocess.Popen, home: Path) -> str:
    for _ in range(600):
        assert server.poll() is None, (home / "log").read_text()[-2000:]
        for path in (home / "runtime").glob(f"jpserver-{server.pid}.json"):
            try:
                return json.loads(path.read_text())["url"]
            except ValueError:  # half written
                pass
        time.sleep(0.1)
    raise AssertionError((home / "log").read_text()[-2000:])


@pytest.fixture
def page(lab, chromium):
    _, address, token = lab
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(60_000)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))

    def open_file(path: str) -> None:
        page.goto(f"{address}lab/tree/{path}?token={token}&reset")

    page.open_file = open_file
    yield page
    page.close()


def run_all(page, path: Path) -> list[dict]:
    """Run every cell of the open notebook; its code cells as they were saved."""
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()  # in the status bar: before the kernel is there, nothing would run
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    end = time.monotonic() + SECONDS
    while True:
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        if all(re.search(r"[0-9]", prompt) for prompt in prompts) or page.locator(ERROR).count():
            break
        assert time.monotonic() < end, f"{path.name} is not through after {SECONDS} seconds: {prompts}"
        page.wait_for_timeout(1000)
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(200)
        if path.stat().st_mtime_ns != before:
            with contextlib.suppress(ValueError):  # half written
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                return [cell for cell in cells if cell["cell_type"] == "code"]
    raise AssertionError(f"{path.name} was not saved")


@pytest.mark.parametrize("name", sorted({path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {"start"}))
def test_a_notebook_runs_as_it_stands_and_shows_its_figures(lab, page, name):
    home, address, _ = lab
    page.open_file(f"notebooks/{name}.ipynb")
    cells = run_all(page, home / "notebooks" / f"{name}.ipynb")
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [o for o in outputs if o["output_type"] in ("error", "stream")] == []
    figures = page.locator(".jp-OutputArea img.svc-chart")
    assert figures.count() >= 1
    drawn = figures.evaluate_all("images => images.every(i => i.complete && i.naturalWidth > 100 && i.alt.length > 20)")
    assert drawn
    page.set_viewport_size({"width": 1024, "height": 768})
    over = "i.getBoundingClientRect().right - i.parentElement.getBoundingClientRect().right"
    cut = figures.evaluate_all(f"images => images.filter(i => i.width > 0 && {over} > 1).map(i => i.alt)")
    assert cut == [], "the latest month stands at the right edge, and nothing would say that it is hidden"
    assert {url.split("/")[2] for url in page.asked if url.startswith("http")} == {address.split("/")[2]}


def test_the_start_page_leads_to_the_notebooks(page):
    page.open_file("notebooks/start.ipynb")
    link = page.get_by_role("link", name="Your own data")
    link.wait_for()
    links = page.locator(".jp-RenderedMarkdown td a").evaluate_all("all => all.map(a => a.textContent)")
    assert len(links) == len(list(NOTEBOOKS.glob("*.ipynb"))) - 1
    link.click()
    page.get_by_role("heading", name="1. What stands in the file").wait_for()


def test_a_mistake_is_answered_in_two_lines(lab, page):
    home, _, _ = lab
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    source = 'import svclib\nsvclib.look_into("notebooks/kpi_analysis.ipnb")'
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [{**cell, "source": source}], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path = home / "mistake.ipynb"
    path.write_text(json.dumps(notebook))
    page.open_file("mistake.ipynb")
    run_all(page, path)
    shown = page.locator(".jp-OutputArea-output").inner_text().strip().splitlines()
    assert len(shown) == 2
    assert "there is no file 'kpi_analysis.ipnb'" in shown[0]
    assert "write 'kpi_analysis.ipynb'" in shown[1]
