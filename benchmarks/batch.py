"""The batch against a loop of commands, against its own limit, and against its own size.

``python -m benchmarks.batch [--quick] [--reports N]``. The organisation is the built-in sample, its departments copied
with a share of their rows until there are enough. Figures that the project set itself stand beside those measured here.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE)}


@dataclass(frozen=True)
class Size:
    """Departments of each part, and reports of the slow loop: its time a report hardly depends on their number."""

    batch: int = 20
    small: int = 30
    large: int = 300
    loop: int = 6


QUICK = Size(batch=4, small=4, large=12, loop=2)


def notebooks() -> list[str]:
    """The notebooks that a batch runs; the guided one for own data is no report."""
    return ["kpi_analysis", "root_cause_analysis", "outcome_evaluation"]


def make_organisation(folder: Path, departments: int, *, share: float = 0.5) -> Path:
    """The sample with its departments copied: params and tables of `departments` departments.

    Parameters
    ----------
    share
        Of the sample's rows that each copy keeps.
    """
    import duckdb
    import yaml

    from svclib.prepared import prepare
    from svclib.sample import write_sample

    params = Path(write_sample(folder / "sample", months=36, seed=1))
    prepared = prepare(params)
    catalogue, snapshot = prepared.catalogue, prepared.snapshot
    codes = [department.code for department in catalogue.departments]
    copies = -(-departments // len(codes))
    target = folder / f"of-{departments}"
    (target / "data").mkdir(parents=True)
    shutil.copytree(params, target / "params", ignore=shutil.ignore_patterns("action_plan*", "events*", "hypotheses*"))
    sources = yaml.safe_load((params / "sources.yaml").read_text(encoding="utf-8"))
    for source in sources:
        path = target / "data" / f"{source['name']}.parquet"
        columns = copy_table(duckdb, Path(snapshot.table_path(source["name"])), path, copies, share)
        simplify(source, columns)
    dump(target / "params" / "sources.yaml", sources)
    many = [{"code": f"{code}-{copy:03}", "name": f"{code} {copy}"} for copy in range(copies) for code in codes]
    dump(target / "params" / "departments.yaml", many[:departments])
    return target / "params"


def copy_table(duckdb, table: Path, path: Path, copies: int, share: float) -> list[str]:
    """Copy a table's rows for each copy of a department, a share of them each time; its columns."""
    with duckdb.connect() as connection:
        columns = [
            row[0] for row in connection.execute("describe select * from read_parquet(?)", [str(table)]).fetchall()
        ]
        ids = [name for name in columns if name.endswith("_id")]
        replaced = ["department || '-' || printf('%03d', copy) as department"]
        replaced += [f"{name} || '-' || copy as {name}" for name in ids]
        query = (
            f"copy (select t.* replace ({', '.join(replaced)}) from read_parquet('{table}') t, range({copies}) r(copy) "
            f"where hash(t, copy) % 1000 < {round(share * 1000)}) to '{path}' (format parquet)"
        )
        connection.execute(query)
    return columns


def simplify(source: dict, columns: list[str]) -> None:
    """Let a source read its copied table: typed columns under svclib's own names."""
    for key in (
        "options",
        "types",
        "dates",
        "keep",
        "explode",
        "format",
        "sheet",
        "table",
        "sql",
        "where",
        "silent_after",
    ):
        source.pop(key, None)
    names = [
        dimension if isinstance(dimension, str) else dimension["name"] for dimension in source.get("dimensions", [])
    ]
    source["read"] = f"data/{source['name']}.parquet"
    source["columns"] = {
        name: name for name in columns if name in {*source["columns"], "department"} and name not in names
    }
    source["dimensions"] = names
    source["other_departments"] = "leave_out"


def dump(path: Path, content: object) -> None:
    import yaml

    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


@contextmanager
def peak_of_all(process: subprocess.Popen) -> Iterator[list[float]]:
    """Peak memory of a process and all it started, in MB; pages that are shared count once (PSS)."""
    import psutil

    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            try:
                root = psutil.Process(process.pid)
                everyone = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            peak[0] = max(peak[0], sum(pss_mb(one.pid) for one in everyone))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_mb: float
    manifest: dict


def run_batch(params: Path, out: Path, *words: str) -> Run:
    """`svclib run`, timed from outside."""
    named = [word for name in notebooks() for word in ("--notebook", name)]
    command = [sys.executable, "-m", "svclib.cli", "run", "--params", str(params), "--out", str(out), *named, *words]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with peak_of_all(process) as peak:
        _, err = process.communicate()
    if process.returncode:
        raise SystemExit(f"svclib run ended with {process.returncode}:\n{err[-2000:]}")
    seconds = time.perf_counter() - started
    manifest = json.loads(next(out.glob("*/manifest.json")).read_text(encoding="utf-8"))
    return Run(seconds, peak[0], manifest)


def tasks_of(run: Run, count: int | None = None) -> list[tuple[str, dict]]:
    """Notebook and parameters of reports, spread over notebooks and departments."""
    entries = sorted(run.manifest["reports"], key=lambda entry: (entry["department"], entry["notebook"]))
    return [(entry["notebook"], entry["parameters"]) for entry in entries[:count]]


def loop_of_commands(tasks: list[tuple[str, dict]], folder: Path) -> float:
    """What one does without a batch: the papermill command, then nbconvert's, report by report; seconds a report."""
    folder.mkdir()
    started = time.perf_counter()
    for number, (notebook, parameters) in enumerate(tasks):
        work = folder / str(number)
        work.mkdir()
        given = {**parameters, "out": str(work)}
        words = [word for name, value in given.items() if value is not None for word in ("-r", name, str(value))]
        source, executed = HERE / "notebooks" / f"{notebook}.ipynb", work / f"{notebook}-executed.ipynb"
        papermill = [
            sys.executable,
            "-m",
            "papermill",
            str(source),
            str(executed),
            *words,
            "-k",
            "python3",
            "--no-progress-bar",
        ]
        subprocess.run(papermill, env=ENVIRONMENT, check=True, capture_output=True)
        nbconvert = [sys.executable, "-m", "nbconvert", "--to", "html", "--no-input", str(executed)]
        subprocess.run(nbconvert, env=ENVIRONMENT, check=True, capture_output=True)
    return (time.perf_counter() - started) / len(tasks)


def limit(tasks: list[tuple[str, dict]], folder: Path) -> float:
    """The same cells and the same rendering in one warm process a core, without kernels; seconds a report.

    Each process makes its first report twice; the first time, in which it imports, does not count.
    """
    folder.mkdir()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    barrier, shares = context.Barrier(cores + 1), [tasks[core::cores] for core in range(cores)]
    workers = [
        context.Process(target=limit_worker, args=(share, folder / str(core), barrier))
        for core, share in enumerate(shares)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise SystemExit("a process of the limit failed")
    return (time.perf_counter() - started) / len(tasks)


def limit_worker(tasks: list[tuple[str, dict]], folder: Path, barrier) -> None:
    from svclib.run.execute import load_papermill

    load_papermill()
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="nocolor")
    folder.mkdir()
    if tasks:
        one_report(shell, *tasks[0], folder / "warm-up")
    barrier.wait()
    for number, (notebook, parameters) in enumerate(tasks):
        one_report(shell, notebook, parameters, folder / str(number))


def one_report(shell, notebook: str, parameters: dict, work: Path) -> None:
    """Run a notebook's cells in this very process and render what they show."""
    import nbformat
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_output

    from svclib.report.render import render_notebook

    work.mkdir()
    content = nbformat.read(HERE / "notebooks" / f"{notebook}.ipynb", as_version=4)
    shell.reset(new_session=False)
    for count, cell in enumerate(content.cells):
        if cell.cell_type != "code":
            continue
        with capture_output() as shown:
            done = shell.run_cell(cell.source)
        done.raise_error()
        if "parameters" in cell.metadata.get("tags", []):
            shell.user_ns.update({**parameters, "out": str(work)})
        cell.execution_count = count
        cell.outputs = [new_output("display_data", output.data, metadata=output.metadata) for output in shown.outputs]
    page = render_notebook(
        content, title=notebook, language=parameters["language"], department="", period=parameters["period"],
        provenance={}, links={},
    )  # fmt: skip
    (work / f"{notebook}.html").write_text(page, encoding="utf-8")
    (work / f"{notebook}.ipynb").write_text(json.dumps(content), encoding="utf-8")


def kernel_seconds(task: tuple[str, dict], folder: Path, *, warm: bool) -> float:
    """Processor seconds of one report's kernel, the imports of a cold one among them."""
    import resource

    from svclib.run.execute import execute_notebook, load_papermill
    from svclib.run.kernels import ColdProvisioner, private_folder
    from svclib.run.warm import ForkedProvisioner, Zygote

    load_papermill()
    notebook, parameters = task
    folder.mkdir()
    with private_folder() as runtime:
        zygote = Zygote(runtime) if warm else None
        provisioner = ForkedProvisioner.of(zygote) if zygote else ColdProvisioner
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        execution = execute_notebook(
            HERE / "notebooks" / f"{notebook}.ipynb", {**parameters, "out": str(folder)},
            runtime=runtime, folder=folder, provisioner=provisioner,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if zygote:
            zygote.close()
    if execution.failure:
        raise SystemExit(f"{notebook}: {execution.failure}")
    if warm:
        return execution.cpu_seconds or float("nan")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command_seconds(*words: str, repeat: int = 3) -> float:
    """Shortest wall time of a command."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], env=ENVIRONMENT, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def line(what: str, measured: str, asked: str, met: bool) -> None:
    print(f"{what:<58} {measured:<34} {asked:<18} {'met' if met else 'NOT MET'}", flush=True)


def against_commands(folder: Path, size: Size) -> None:
    params = make_organisation(folder, size.batch)
    run = run_batch(params, folder / "batch")
    count = len(run.manifest["reports"])
    ours = run.seconds / count
    print(
        f"{count} reports ({size.batch} departments x {len(notebooks())} notebooks) in {run.seconds:.1f} s", flush=True
    )
    tasks = tasks_of(run)
    theirs = loop_of_commands(tasks[: size.loop], folder / "loop")
    ratio = theirs / ours
    line("loop of papermill + nbconvert / batch", f"{theirs:.2f} s / {ours:.2f} s = {ratio:.1f}", ">= 10", ratio >= 10)
    bound = limit(tasks, folder / "limit")
    line(
        "batch / the same calls in a warm process a core",
        f"{ours:.2f} s / {bound:.2f} s = {ours / bound:.2f}",
        "<= 1.5",
        ours / bound <= 1.5,
    )


def warm_against_cold(folder: Path) -> None:
    """Processor seconds of kernels, forked and cold: one of each report, and what takes no analysis of ours."""
    from svclib.run.warm import STACK

    params = make_organisation(folder / "kernels", 4)
    tasks = dict(reversed(tasks_of(run_batch(params, folder / "kernels" / "reports"))))
    tasks = {name: (name, parameters) for name, parameters in sorted(tasks.items())}
    tasks["a model and two figures"] = notebook_of(folder / "realistic", _MODEL_AND_FIGURES)
    imports = "\n".join(f"import {module}" for module in STACK if not module.startswith(("svclib", "ipykernel")))
    tasks["start and imports alone"] = notebook_of(folder / "empty", [imports])
    for name, task in tasks.items():
        cold, forked = (
            kernel_seconds(task, folder / f"{name}-{'warm' if warm else 'cold'}", warm=warm) for warm in (False, True)
        )
        told = f"{cold:.2f} s / {forked:.2f} s = {cold / forked:.1f}"
        line(f"cold / forked, kernel CPU: {name}", told, ">= 5", cold / forked >= 5)


_MODEL_AND_FIGURES = [
    "import numpy as np, pandas as pd, matplotlib.pyplot as plt, seaborn as sns, statsmodels.api as sm",
    "rng = np.random.default_rng(1)\n"
    "frame = pd.DataFrame({'x': rng.normal(size=2000), 'group': rng.integers(0, 5, 2000)})\n"
    "frame['y'] = 2 * frame['x'] + frame['group'] + rng.normal(size=2000)",
    "sm.OLS(frame['y'], sm.add_constant(frame[['x', 'group']])).fit().summary()",
    "sns.lineplot(frame.head(200), x='x', y='y'); plt.show()",
    "sns.boxplot(frame, x='group', y='y'); plt.show()",
]


def notebook_of(folder: Path, cells: Sequence[str]) -> tuple[str, dict]:
    """A notebook of these cells, as a task."""
    import nbformat

    first = nbformat.v4.new_code_cell("out = None", metadata={"tags": ["parameters"]})
    content = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    (folder / "notebooks").mkdir(parents=True)
    path = folder / "notebooks" / "one.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path.with_suffix("")), {}


def against_size(folder: Path, size: Size) -> None:
    times, run, params = {}, None, None
    for departments in (size.small, size.large):
        params = make_organisation(folder / str(departments), departments, share=0.2)
        run = run_batch(params, folder / str(departments) / "reports")
        times[departments] = run.seconds / len(run.manifest["reports"])
    assert run is not None
    assert params is not None
    ratio = times[size.large] / times[size.small]
    told = f"{times[size.large]:.2f} s / {times[size.small]:.2f} s = {ratio:.2f}"
    line(f"{size.large} departments / {size.small}, time a report", told, "<= 1.1", ratio <= 1.1)
    line(
        f"peak memory of all processes, {size.large} departments",
        f"{run.peak_mb:.0f} MB",
        "<= 2500 MB",
        run.peak_mb <= 2500,
    )
    again = run_batch(params, folder / str(size.large) / "reports")
    share = again.seconds / run.seconds
    told = f"{again.seconds:.1f} s / {run.seconds:.1f} s = {share:.1%}"
    line(f"rerun with nothing changed, {len(run.manifest['reports'])} reports", told, "<= 1 %", share <= 0.01)


def command_line(folder: Path) -> None:
    nothing = command_seconds("-c", "pass", repeat=10)
    params = make_organisation(folder, 2)
    check = ("-m", "svclib.cli", "check", "--params", str(params))
    time.sleep(3)  # files as young as that are not remembered
    first = command_seconds(*check, repeat=1)
    for name, words in (("--help", ("-m", "svclib.cli", "--help")), ("check, nothing changed since the last", check)):
        seconds = command_seconds(*words, repeat=10)
        told = f"{seconds:.3f} s / {nothing:.3f} s = {seconds / nothing:.1f}"
        line(f"svclib {name} / python -c pass", told, "<= 5", seconds / nothing <= 5)
    print(f"  (the first check: {first:.2f} s, with measuring every KPI)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few departments: shows that it works, not the figures")
    parser.add_argument("--part", choices=["start", "kernels", "commands", "size"], help="only this part")
    chosen = parser.parse_args()
    size = QUICK if chosen.quick else Size()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    with tempfile.TemporaryDirectory(prefix="svclib-bench-") as folder:
        if chosen.part in (None, "start"):
            command_line(Path(folder))
        if chosen.part in (None, "kernels"):
            warm_against_cold(Path(folder))
        if chosen.part in (None, "commands"):
            against_commands(Path(folder), size)
        if chosen.part in (None, "size"):
            against_size(Path(folder), size)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
