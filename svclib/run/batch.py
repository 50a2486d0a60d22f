"""The whole of `svclib run`: plan, make, place, tell; what is finished stays, whatever happens to the rest."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from svclib.doubts import late_doubts
from svclib.errors import InputRefused, Problem
from svclib.measure.periods import read_period
from svclib.paths import HOME
from svclib.run.digest import package_versions
from svclib.run.execute import Limits
from svclib.run.executors import check_executor, open_workshop
from svclib.run.fresh import calendar_notes
from svclib.run.manifest import Manifest, past_peak_mb, past_seconds, platform_facts
from svclib.run.pages import ReportPages
from svclib.run.place import OutFolder
from svclib.run.plan import (
    Inputs,
    Plan,
    describe_plan,
    find_departments,
    find_notebooks,
    gather_inputs,
    plan_reports,
)
from svclib.run.progress import Progress
from svclib.run.report import ReportOutcome, ReportTask, seal_failure
from svclib.run.schedule import Schedule
from svclib.run.warm import STACK


@dataclass(frozen=True)
class BatchResult:
    """What a run came to.

    Parameters
    ----------
    made, up_to_date, failed
        Numbers of reports.
    left
        Number of those that are not up to date and were not to be made, for only failed ones were asked for.
    exit_status
        0 all reports are there; 1 some failed or are missing; 130 or 143 the run was interrupted.
    index
        The period's page.
    """

    made: int
    up_to_date: int
    failed: int
    exit_status: int
    index: Path
    seconds: float = 0.0
    left: int = 0


class Interrupted(BaseException):
    """The run was told to end, by Ctrl-C or a scheduler's SIGTERM."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def run_batch(
    params: Any = None,
    *,
    prepare: Callable[..., Any],
    period: str | None = None,
    departments: Sequence[str] | None = None,
    notebooks: Sequence[str] | None = None,
    out: Path = Path("reports"),
    as_of: str | None = None,
    jobs: int | None = None,
    plan_only: bool = False,
    force: bool = False,
    only_failed: bool = False,
    executor: str = "local",
    log: Literal["text", "json"] = "text",
    language: str | None = None,
    notebook_folder: Path | None = None,
    pages: Any = None,
    portal: Callable[[Path], Any] | None = None,
    modules: Sequence[str] = STACK,
    limits: Limits | None = None,
    links: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    shown: bool = True,
) -> BatchResult:
    """Make a period's reports: every notebook for every department, each made again only if something changed.

    Parameters
    ----------
    params
        The folder that declares the organisation, as `prepare` takes it.
    prepare
        Gives catalogue, snapshot and measures; `svclib.prepared.prepare`.
    period
        Label; the latest complete period where left out.
    departments, notebooks
        All, and those of run.yaml, where left out.
    out
        Folder of the reports. Only one run at a time may hold it.
    as_of, language
        Given on to the notebooks.
    jobs
        Reports at a time.
    plan_only
        Print what would be made, and make nothing.
    force, only_failed
        Make all again; make only what failed last time.
    executor
        'local' or 'dask:ADDRESS'.
    log
        'text', or 'json' for one JSON object a line.
    notebook_folder, pages, portal, modules, limits
        Replace the project's notebooks, its pages, its portal, what warm kernels import and run.yaml's limits.
    links
        Addresses that pages show, by department and notebook; found by themselves where left out.
    shown
        Print where the reports lie, and what to do about those that failed.

    Returns
    -------
    BatchResult
        Its `exit_status` is the command's.

    Raises
    ------
    InputRefused
        When nothing was started: params, sources, period, names or the folder are not good.
    """
    started = time.monotonic()
    check_executor(executor)
    if language is not None:
        from svclib.report.words.messages import check_language

        check_language(language)  # before anything is started
    prepared = prepare(params, as_of=as_of, frequency=None if period is None else read_period(period).frequency)
    found = prepared.latest_complete() if period is None else prepared.check_period(period)
    label = found.label
    catalogue = prepared.catalogue
    chosen = find_departments(departments, catalogue)
    paths = find_notebooks(notebooks, catalogue.run.notebooks, notebook_folder)
    progress = Progress(log)
    if shown:
        lately = late_doubts(prepared) if found == prepared.latest_complete() else []
        for text in (*calendar_notes(prepared, found, asked=period is not None, as_of=as_of), *lately):
            progress.note(f"note: {text}")
    out = Path(out)
    if only_failed and not OutFolder(out).state.exists():  # a folder that no run has held is left as it is
        _refuse_unmade(Manifest.load(out, label))
    with _run_folder(out, plan_only) as folder, _signals():
        inputs = gather_inputs(prepared, label, notebooks=paths, as_of=as_of, language=language)
        manifest = Manifest.load(folder.path, label, folder.journal(label))
        if only_failed:
            _refuse_unmade(manifest)
        plan = plan_reports(
            inputs,
            chosen,
            out=folder.path,
            manifest=manifest,
            limits=limits or run_limits(catalogue.run),
            pages=pages or ReportPages(catalogue.organisation.name),
            links=links,
            provenance=page_provenance(inputs),
            past=past_seconds(folder.path, label),
            force=force,
            only_failed=only_failed,
        )
        if plan_only:
            print(describe_plan(plan))
            return BatchResult(0, len(plan.good), 0, 0, folder.path / label / "index.html", left=len(plan.left))
        spoken = shared_language(inputs, [d.code for d in chosen], manifest)
        run = _Run(inputs, folder, manifest, progress, portal, executor, jobs, modules, started, shown, spoken)
        result = run.make(plan)
        if shown:
            print(_shown(result.index if result.index.exists() else folder.path))
        return result


def _refuse_unmade(manifest: Manifest) -> None:
    """Refuse to make what failed of a period that nobody has made yet."""
    if not manifest.entries:
        what = "has no reports yet, so none of them failed"
        raise InputRefused(Problem(f"period {manifest.period}", what, "run it without --only-failed"))


def shared_language(inputs: Inputs, chosen: Collection[str], manifest: Manifest) -> str:
    """The language of the pages that all departments share.

    A run of every department speaks one language. A run of some leaves these pages in the language they have, or
    writes them in the organisation's: one department's language is not everybody's.
    """
    if set(chosen) >= {department.code for department in inputs.catalogue.departments}:
        return inputs.language
    return str(manifest.header.get("language") or inputs.catalogue.organisation.language)


def run_limits(run: Any) -> Limits:
    """The limits that run.yaml sets."""
    return Limits(cell_seconds=run.cell_seconds, report_seconds=run.report_seconds, memory_mb=run.memory_mb)


def page_provenance(inputs: Inputs) -> dict[str, Any]:
    """What every page tells of its origin. No clock of ours and no path: the same input gives the same page."""
    snapshot = inputs.prepared.snapshot
    versions = package_versions()
    return {
        "snapshot": str(snapshot.digest)[:16],
        "as_of": snapshot.as_of.isoformat() if isinstance(snapshot.as_of, dt.datetime) else str(snapshot.as_of),
        "svclib": f"{versions.get('svclib', 'source')} ({inputs.digests['package'][:12]})",
        "versions": {"python": versions["python"], **platform_facts(versions)["packages"]},
    }


@contextlib.contextmanager
def _run_folder(out: Path, plan_only: bool) -> Iterator[OutFolder]:
    """The folder, held for a run; a plan only looks at it."""
    if plan_only:
        yield OutFolder(out)
    else:
        with OutFolder(out).held() as folder:
            yield folder


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted` in the main thread, so that a scheduler's stop is as clean as Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Run:
    """One run on a folder that it holds."""

    inputs: Inputs
    folder: OutFolder
    manifest: Manifest
    progress: Progress
    portal: Callable[[Path], Any] | None
    executor: str
    jobs: int | None
    modules: Sequence[str]
    started: float
    shown: bool
    language: str
    made: int = 0
    failed: int = 0
    kernels: str = "none"
    explained: list[Path] = field(default_factory=list)  # the pages that say why a report failed

    def make(self, plan: Plan) -> BatchResult:
        interrupted, good = 0, plan.good
        try:
            if plan.tasks:
                self._make_all(plan.tasks, len(good))
            else:
                self.progress.start(0, len(good), period=self.inputs.period, jobs=0, kernels="no", expected=None)
        except Interrupted as interruption:
            interrupted = interruption.number
        finally:
            self.progress.stop()
        for entry in self.folder.recover():  # finished, but not yet in its place when the run was stopped
            self.manifest.add(entry)
            self.made += entry["status"] == "ok"
        sound = self._finish(bool(plan.tasks), interrupted)
        seconds = time.monotonic() - self.started
        bad = sum(self.manifest.entries.get(key, {}).get("status") == "failed" for key in good)
        facts = {"made": self.made, "up_to_date": len(good) - bad, "failed": self.failed + bad, "left": len(plan.left)}
        status = 128 + interrupted if interrupted else int(bool(facts["failed"] or plan.missing) or not sound)
        index = self.folder.path / self.inputs.period / "index.html"
        if self.shown:
            self._say_what_to_do(len(plan.left), bool(interrupted))
        self.progress.end(**facts, seconds=round(seconds, 3), interrupted=bool(interrupted), exit_status=status)
        return BatchResult(**facts, exit_status=status, index=index, seconds=seconds)

    def _make_all(self, tasks: list[ReportTask], good: int) -> None:
        peak = past_peak_mb(self.manifest)
        with open_workshop(
            self.executor, jobs=self.jobs, reports=len(tasks), peak_mb=peak, modules=self.modules
        ) as workshop:
            self.kernels = workshop.kernels
            known = [task.expected_seconds for task in tasks if task.expected_seconds is not None]
            expected = sum(known) / len(known) * len(tasks) if known else None
            self.progress.start(
                len(tasks),
                good,
                period=self.inputs.period,
                jobs=workshop.jobs,
                kernels=workshop.kernels,
                expected=expected,
            )
            schedule = Schedule(
                workshop.executor,
                workshop.make,
                jobs=workshop.jobs,
                kernel_mb=workshop.kernel_mb,
                retried=self._again,
            )
            try:
                for outcome in schedule.run(tasks, self._with_folder, lambda: None):
                    self._place(outcome)
            except BaseException:
                workshop.stop()
                raise

    def _say_what_to_do(self, left: int, interrupted: bool) -> None:
        """The next step of whoever reads this in a mail from cron; its options are those of the command that ran."""
        if self.explained:
            pages = ", ".join(_shown(page) for page in self.explained[:3])
            more = f" and {len(self.explained) - 3} more" if len(self.explained) > 3 else ""
            self.progress.note(f"why: {pages}{more}; once it is mended, the same command with --only-failed makes them")
        if interrupted:
            self.progress.note("interrupted; what is finished stays, and the same command makes the rest")
        if left:
            self.progress.note(
                f"left, though not up to date: {left}; the same command without --only-failed makes them"
            )

    def _with_folder(self, task: ReportTask) -> ReportTask:
        return replace(task, work=str(self.folder.new_work()))

    def _again(self, outcome: ReportOutcome) -> ReportTask:
        self.progress.retry(outcome)
        shutil.rmtree(outcome.task.work, ignore_errors=True)
        return replace(outcome.task, attempt=outcome.task.attempt + 1)

    def _place(self, outcome: ReportOutcome) -> None:
        """Move a report into place; one that left nothing gets at least a page that says why."""
        try:
            if not outcome.entry and outcome.failure is not None:
                outcome = seal_failure(outcome)
            entry = self.folder.commit(Path(outcome.task.work))
        except OSError as error:
            outcome = outcome.unplaced(error)
            entry = outcome.entry
        self.manifest.add(entry)
        self.made += outcome.failure is None
        self.failed += outcome.failure is not None
        page = self.folder.path / outcome.task.period / outcome.task.folder / f"{outcome.task.notebook}.html"
        if outcome.failure is not None and page.exists():
            self.explained.append(page)
        self.progress.report(outcome)

    def _finish(self, changed: bool, interrupted: int) -> bool:
        """Write the manifest and the portal. False if that failed: the reports stay, and the next run mends it."""
        journal = self.folder.journal(self.inputs.period)
        index = self.folder.path / self.inputs.period / "index.html"
        if not changed and not journal.exists() and index.exists():
            return True
        sound = True
        self.manifest.header = self._header(interrupted)
        for what, write in (
            ("the manifest", lambda: self.manifest.write(self.folder.path, journal)),
            ("the action plan", self._write_register),
            ("the portal", self._write_portal),
        ):
            try:
                (self.folder.path / self.inputs.period).mkdir(exist_ok=True)
                write()
            except Exception as error:
                sound = False
                why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
                self.progress.note(f"{what} could not be written ({why}); the reports are kept, the next run mends it")
        return sound

    def _write_register(self) -> None:
        plan = self.inputs.catalogue.plan_path
        if plan is not None:
            from svclib.run.register import write_period_register

            write_period_register(self.folder.path, self.manifest, plan, self.language)

    def _write_portal(self) -> None:
        if self.portal is not None:
            self.portal(self.folder.path)
        else:
            from svclib.report.portal import write_period_pages, write_portal

            write_period_pages(self.folder.path, self.inputs.period)
            write_portal(self.folder.path)

    def _header(self, interrupted: int) -> dict[str, Any]:
        prepared, catalogue = self.inputs.prepared, self.inputs.catalogue
        as_of = prepared.snapshot.as_of
        return {
            "organisation": catalogue.organisation.name,
            "departments": [{"code": d.code, "name": d.name} for d in catalogue.departments],
            "as_of": as_of.isoformat() if isinstance(as_of, dt.datetime) else str(as_of),
            "language": self.language,
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.started, 3),
            "interrupted": bool(interrupted),
            "kernels": self.kernels,
            "snapshot": {"digest": prepared.snapshot.digest, "path": str(prepared.snapshot.path)},
            "params": {"digest": self.inputs.digests["catalogue"], "path": str(catalogue.folder)},
            "parameters": {
                "as_of": self.inputs.as_of,
                "language": self.inputs.language,
                "notebooks": list(self.inputs.notebooks),
            },
            "code": {"svclib": self.inputs.digests["package"], **_commit()},
            **platform_facts(package_versions()),
        }


def _commit() -> dict[str, Any]:
    """The commit that the source stands on, where it is a checkout."""
    if not (HOME / ".git").exists() or shutil.which("git") is None:
        return {}

    def git(*words: str) -> str:
        command = ["git", "-C", str(HOME), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        changed = bool(git("status", "--porcelain", "--untracked-files=no"))
        return {"commit": git("rev-parse", "HEAD"), "changed": changed}
    except (subprocess.SubprocessError, OSError):
        return {}


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") and sys.platform != "win32" else str(path)
