"""What holds the project together: pins, generated files, notebooks, imports between the rooms."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from svclib.catalogue.load import json_schemas
from svclib.study import open_study

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_environment_yml_agrees_with_pyproject():
    made = load(ROOT / ".ci" / "environment.py").environment(PYPROJECT)
    assert (ROOT / "environment.yml").read_text() == made, "run `make environment`"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_pins_have_versions_and_hashes_and_no_address(name):
    text = (ROOT / name).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_pins_satisfy_pyproject():
    project = tomllib.loads(PYPROJECT)["project"]
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", (ROOT / "requirements-test.txt").read_text(), re.M))
    wanted = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    for requirement in map(Requirement, wanted):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pinned, name
        assert requirement.specifier.contains(pinned[name]), requirement


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_are_clean(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            assert cell["execution_count"] is None
            assert not re.search(r"^\s*(def|class|lambda)\b", "".join(cell["source"]), re.M)


@pytest.mark.parametrize("name", ["kpi_analysis", "root_cause_analysis", "outcome_evaluation"])
def test_the_parameters_cell_is_the_signature_of_open_study(name):
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    (cell,) = [c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    written = {}
    for statement in ast.parse("".join(cell["source"])).body:
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        written[target.id] = ast.literal_eval(statement.value)
    model = {name: p.default for name, p in inspect.signature(open_study).parameters.items()}
    assert written == model


def test_the_schemas_of_params_are_those_of_the_models():
    for stem, schema in json_schemas().items():
        written = json.loads((ROOT / "params" / "schemas" / f"{stem}.json").read_text(encoding="utf-8"))
        assert written == schema, "run `svclib schemas`"


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


# Room: the rooms it must not know.
WALLS = {
    "catalogue": ("collect", "measure", "explain", "evaluate", "report", "run", "sample", "cli", "prepared", "study"),
    "collect": ("explain", "evaluate", "report", "run", "cli", "prepared", "study"),
    "measure": ("collect", "explain", "evaluate", "report", "run", "cli"),
    "explain": ("evaluate", "report", "run", "cli"),
    "evaluate": ("report", "run", "cli"),
    "report": ("run", "cli"),
    "run": ("cli",),
}


@pytest.mark.parametrize("room", WALLS)
def test_rooms_know_only_what_comes_before_them(room):
    for path in (ROOT / "svclib" / room).rglob("*.py"):
        for name in imports_of(path):
            for other in WALLS[room]:
                assert not (name + ".").startswith(f"svclib.{other}."), f"{path.relative_to(ROOT)} imports {name}"


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv=['svclib', '--help']\ntry:\n import svclib.cli; svclib.cli.main()\nexcept SystemExit: pass\nprint([m for m in ('pandas', 'numpy', 'nbformat', 'duckdb', 'matplotlib', 'click', 'typer', 'rich', 'yaml', 'difflib', 'inspect') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("[]")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nope"],
        ["frobnicate"],
        ["run", "--force", "--only-failed"],
        ["sample", "--months", "3"],
        ["check", "--params", "nowhere"],
    ],
)
def test_wrong_use_exits_with_2_and_explains_on_stderr(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "svclib.cli", *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.strip()
    assert not done.stdout.strip()
    assert "Traceback" not in done.stderr
