"""Toy notebooks: each cell one behaviour."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

KERNEL = ["svclib.run.kernelapp"]  # all that the toys need warm
HERE = Path(__file__).resolve().parent
PARAMETERS = (
    "department = None\nperiod = None\nparams = None\nsnapshot = None\nas_of = None\nout = None\nlanguage = None"
)
SAVE = "import json, pathlib\npathlib.Path(out, '{name}.json').write_text(json.dumps({{'department': department}}))"


def toy(*cells, name="toy", save=True):
    """A notebook of the given code cells between the parameters cell and one that writes the result."""
    from svclib.run.execute import load_papermill

    load_papermill()
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    body = [new_code_cell(source) for source in cells]
    if save:
        body.append(new_code_cell(SAVE.format(name=name)))
    notebook = new_notebook(
        cells=[new_markdown_cell("# Toy"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), *body],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def write_toy(path, *cells, **options):
    path.write_text(json.dumps(toy(*cells, name=path.stem, **options)), encoding="utf-8")
    return path


class Organisation:
    """A small organisation of toy notebooks: what `svclib.prepared.prepare` gives, with real declarations."""

    def __init__(self, root, codes=("D01", "D02", "D03")):
        self.root = root
        self.codes = list(codes)
        self.notebooks = root / "notebooks"
        self.out = root / "reports"
        for name in ("notebooks", "params", "snapshots/one"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "params" / "departments.yaml").write_text("# toy")
        self.tables = {"tickets": root / "snapshots" / "one" / "tickets.parquet"}
        self.values = dict.fromkeys(self.codes, 1.0)
        self.digest = "snapshot-one"
        if not self.tables["tickets"].exists():
            self.write_table()

    def write_table(self):
        import pandas as pd

        rows = [(code, number * self.values[code]) for code in self.codes for number in range(5)]
        pd.DataFrame(rows, columns=["department", "value"]).to_parquet(self.tables["tickets"])
        (self.tables["tickets"].with_suffix(".json")).write_text(json.dumps(rows))  # reads without pandas

    def write(self, name, *cells, **options):
        return write_toy(self.notebooks / f"{name}.ipynb", *cells, **options)

    def prepare(self, params=None, *, as_of=None, frequency=None):
        import datetime as dt
        from types import SimpleNamespace

        import pandas as pd

        from svclib.catalogue.models import Department
        from svclib.errors import InputRefused, Problem
        from svclib.measure.periods import Period

        names = sorted(path.stem for path in self.notebooks.glob("*.ipynb"))
        catalogue = SimpleNamespace(
            folder=self.root / "params",
            plan_path=None,
            organisation=SimpleNamespace(name="Toys & Co", language="en", today=lambda: dt.date(2026, 11, 5)),
            departments=[Department(code=code, name=f"Department <{code}>") for code in self.codes],
            sources=[SimpleNamespace(name=name, final_to=None) for name in self.tables],
            run=SimpleNamespace(notebooks=names, cell_seconds=20, report_seconds=60, memory_mb=None, jobs=None),
        )
        snapshot = SimpleNamespace(
            path=self.root / "snapshots" / "one",
            digest=self.digest,
            as_of=dt.datetime(2026, 11, 1),
            table_path=self.tables.__getitem__,
            quality=[],
        )
        measures = pd.DataFrame({"start": [dt.date(2026, 10, 1)], "value": [0.5]})

        def check_period(label):
            if label > "2026-10":
                raise InputRefused(Problem(f"period {label}", "lies in the future"))
            return Period.parse(label)

        return SimpleNamespace(
            catalogue=catalogue,
            snapshot=snapshot,
            measures=measures,
            latest_complete=lambda: Period.parse("2026-10"),
            check_period=check_period,
            covered_until=lambda: {"tickets": dt.date(2026, 11, 1)},
            make_ready=lambda period: None,
            recoded=[],
        )

    def run(self, **options):
        from svclib.run.batch import run_batch

        defaults = {"prepare": self.prepare, "out": self.out, "notebook_folder": self.notebooks, "portal": write_portal}
        return run_batch(**{**defaults, "modules": KERNEL, **options})

    def start(self, **options):
        """The run as a process of its own, to be interrupted."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
        return subprocess.Popen(
            [sys.executable, __file__, str(self.root), json.dumps(self.codes), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def manifest(self, period="2026-10"):
        return json.loads((self.out / period / "manifest.json").read_text(encoding="utf-8"))

    def entries(self):
        return {(entry["department"], entry["notebook"]): entry for entry in self.manifest()["reports"]}

    def visible(self):
        """Every file that a reader can see, with its bytes."""
        files = [path for path in self.out.rglob("*") if path.is_file() and ".svclib" not in path.parts]
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in files}


def write_portal(out):
    """Stands in for the portal, which has its own tests."""
    for period in out.glob("*/manifest.json"):
        (period.parent / "index.html").write_text("<!doctype html><title>period</title>", encoding="utf-8")
    (out / "index.html").write_text("<!doctype html><title>all</title>", encoding="utf-8")


def wait_for(condition, seconds=30):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    import svclib.run.plan

    svclib.run.plan.digest_source = lambda: "this source"  # it may be edited while tests run
    toys = Organisation(Path(sys.argv[1]), json.loads(sys.argv[2]))
    sys.exit(toys.run(**json.loads(sys.argv[3])).exit_status)
