"""Makes one report from beginning to seal: execute, check, render. What a local thread or a cluster's worker runs."""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import json
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from svclib.run.execute import Execution, Limits, execute_notebook
from svclib.run.failure import Failure
from svclib.run.parameters import forget_folder
from svclib.run.place import describe_files, seal

# A table behind a figure; anything else that a notebook leaves in its folder stays there and is removed with it.
_EXPORTS = frozenset({".csv", ".json", ".xlsx", ".svg"})


@dataclass(frozen=True)
class ReportTask:
    """Everything needed to make one report, in plain values that travel to another process.

    Parameters
    ----------
    period, department, folder, notebook
        Which report: the period's label, the department's code and folder name, the notebook's name.
    source
        Path of the notebook.
    parameters
        The notebook's parameters without `out`.
    key
        What the report depends on, by name; see `plan.report_key`.
    work
        Empty folder to make it in.
    before
        Files of this report's last version, relative to the department's folder.
    pages
        Turns the executed notebook, or a failure, into HTML; see `svclib.run.pages`.
    provenance, links, title, language
        What the page's footer tells, where it links to, the department's name, the page's language.
    reason
        Why it is made (again): 'new', 'forced', 'failed before', or what changed.
    expected_seconds
        How long it took last time.
    attempt
        From 1.
    """

    period: str
    department: str
    folder: str
    notebook: str
    source: str
    parameters: Mapping[str, Any]
    key: Mapping[str, str]
    limits: Limits
    pages: Any
    provenance: Mapping[str, Any]
    links: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    language: str | None = None
    work: str = ""
    before: tuple[str, ...] = ()
    reason: str = "new"
    expected_seconds: float | None = None
    attempt: int = 1

    @property
    def name(self) -> str:
        return f"{self.period}/{self.department}/{self.notebook}"


@dataclass(frozen=True)
class ReportOutcome:
    """What became of a task; its files lie sealed in the task's folder unless it is worth another try."""

    task: ReportTask
    failure: Failure | None
    seconds: float
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return "ok" if self.failure is None else "failed"

    def unplaced(self, error: OSError) -> ReportOutcome:
        """This outcome when its files could not be moved into place: a failure that has no page."""
        why = f"its files could not be written ({error.strerror or type(error).__name__})"
        failure = Failure("place", why, error=type(error).__name__)
        execution = Execution(None, failure, self.seconds)
        return replace(self, failure=failure, entry=_entry(self.task, execution, Path(self.task.work), []))


@dataclass(frozen=True)
class Bench:
    """What reports of one process share: the folder of sockets and the class that starts kernels."""

    runtime: Path
    provisioner: Any = None
    stop: threading.Event | None = None


@functools.cache
def process_bench(modules: tuple[str, ...]) -> Bench:
    """The bench of a cluster's worker: made on first use, removed when the process ends."""
    from svclib.run.kernels import private_folder
    from svclib.run.warm import ForkedProvisioner, SharedZygote

    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    zygotes = SharedZygote(modules, follow_source=True)
    stack.callback(zygotes.close)
    return Bench(stack.enter_context(private_folder()), ForkedProvisioner.of(zygotes))


def make_remotely(task: ReportTask, modules: tuple[str, ...]) -> ReportOutcome:
    """Make one report in a worker of a cluster, whose warm kernels have imported `modules`."""
    return make_report(task, process_bench(modules))


def make_report(task: ReportTask, bench: Bench) -> ReportOutcome:
    """Make one report in its work folder and seal it, whether it succeeded or failed.

    Returns
    -------
    ReportOutcome
        Never raises for what the notebook does; a failed one holds a page that says why.
    """
    work = Path(task.work)
    execution = execute_notebook(
        Path(task.source),
        {**task.parameters, "out": str(work)},
        runtime=bench.runtime,
        folder=work,
        result=f"{task.notebook}.json",
        limits=task.limits,
        provisioner=bench.provisioner,
        stop=bench.stop,
    )
    if execution.failure is None:
        try:
            html = task.pages.report(execution.notebook, task)
        except Exception as error:
            execution.failure = _page_fault(error)
    if execution.failure is not None and execution.failure.reason in ("interrupted", "start", "infrastructure"):
        return ReportOutcome(task, execution.failure, execution.seconds)
    try:
        if execution.failure is None:
            files = _write_success(work, task, execution, html)
        else:
            files = _write_failure(work, task, execution)
        entry = _entry(task, execution, work, files)
        remove = sorted(set(task.before) - set(files))
        seal(work, period=task.period, target=f"{task.period}/{task.folder}", entry=entry, files=files, remove=remove)
    except OSError as error:
        why = f"its files could not be written ({error.strerror or type(error).__name__})"
        return ReportOutcome(task, Failure("place", why, error=type(error).__name__), execution.seconds)
    return ReportOutcome(task, execution.failure, execution.seconds, entry)


def seal_failure(outcome: ReportOutcome) -> ReportOutcome:
    """Give a report that left nothing a page that says why, sealed in a work folder like any other."""
    task, failure = outcome.task, outcome.failure
    work = Path(task.work)
    work.mkdir(exist_ok=True)
    execution = Execution(None, failure, outcome.seconds)
    files = _write_failure(work, task, execution)
    entry = _entry(task, execution, work, files)
    remove = sorted(set(task.before) - set(files))
    seal(work, period=task.period, target=f"{task.period}/{task.folder}", entry=entry, files=files, remove=remove)
    return replace(outcome, entry=entry)


def _page_fault(error: Exception) -> Failure:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-4:]
    lines = tuple(f"File {Path(frame.filename).name}:{frame.lineno}, in {frame.name}" for frame in frames)
    name = type(error).__name__
    return Failure("render", f"the page could not be made ({name})", error=name, lines=lines)


def _write_success(work: Path, task: ReportTask, execution: Execution, html: str) -> list[str]:
    forget_folder(execution.notebook)
    (work / f"{task.notebook}.ipynb").write_text(_dump(execution.notebook), encoding="utf-8")
    (work / f"{task.notebook}.html").write_text(html, encoding="utf-8")
    exports = sorted(
        path.relative_to(work).as_posix()
        for path in (work / "data").rglob("*")
        if path.suffix in _EXPORTS and path.is_file() and not path.is_symlink()
    )
    # the page comes last: whoever sees the new page finds its tables beside it
    return [*exports, *(f"{task.notebook}.{ending}" for ending in ("json", "ipynb", "html"))]


def _write_failure(work: Path, task: ReportTask, execution: Execution) -> list[str]:
    """A page that says why, and the notebook as far as it came without what an error message may quote."""
    failure = execution.failure
    assert failure is not None
    html = task.pages.failure(failure, task)
    for path in list(work.iterdir()):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    files = []
    if execution.notebook is not None:
        _hide_errors(execution.notebook, failure)
        (work / f"{task.notebook}.ipynb").write_text(_dump(execution.notebook), encoding="utf-8")
        files.append(f"{task.notebook}.ipynb")
    (work / f"{task.notebook}.html").write_text(html, encoding="utf-8")
    return [*files, f"{task.notebook}.html"]


def _hide_errors(notebook: Any, failure: Failure) -> None:
    for cell in notebook.cells:
        kept = []
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.evalue, output.traceback = failure.message, list(failure.lines)
            kept.append(output)
        if failure.reason == "output":
            kept = []
        if cell.cell_type == "code":
            cell.outputs = kept


def _dump(notebook: Any) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _entry(task: ReportTask, execution: Execution, work: Path, files: list[str]) -> dict[str, Any]:
    """The report's lines in the manifest."""
    described = describe_files(work, files)
    page = described.get(f"{task.notebook}.html")
    return {
        "department": task.department,
        "folder": task.folder,
        "notebook": task.notebook,
        "status": "ok" if execution.failure is None else "failed",
        "html": f"{task.folder}/{task.notebook}.html" if page else None,
        "digest": page["sha256"] if page else None,
        "seconds": round(execution.seconds, 3),
        "cpu_seconds": execution.cpu_seconds,
        "peak_mb": execution.peak_mb,
        "kernel": execution.kernel,
        "attempts": task.attempt,
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "reason": task.reason,
        "title": task.title,
        "language": task.language,
        "links": dict(task.links),
        "parameters": dict(task.parameters),
        "key": dict(task.key),
        "failure": execution.failure.to_json() if execution.failure else None,
        "files": described,
    }


Maker = Callable[[ReportTask], ReportOutcome]
