"""Executes one notebook by papermill: typed parameters, deadlines, a kernel of its own, and no success that was none."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from svclib.errors import InputRefused
from svclib.run.failure import Failure, Reason, last_lines, mask_message, signal_name, traceback_places
from svclib.run.parameters import INJECTED, check_injected, check_parameters

ENGINE = "svclib"
_LOG = logging.getLogger("svclib.run.notebook")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False
_LOG.setLevel(logging.CRITICAL + 1)  # jupyter's own messages quote cells and errors; ours are in the Failure
_IMPORT = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """What one report may use.

    Parameters
    ----------
    cell_seconds, report_seconds, start_seconds
        Longest time of one cell, of the whole report, and of a kernel's start.
    memory_mb
        Private memory of the kernel; None sets no limit.
    output_mb
        Outputs that the notebook may hold.
    """

    cell_seconds: float = 120
    report_seconds: float = 600
    start_seconds: float = 60
    memory_mb: int | None = None
    output_mb: float = 10


@dataclass
class Execution:
    """An executed notebook: complete when `failure` is None.

    Parameters
    ----------
    notebook
        The notebook as far as it came, outputs included.
    failure
        Why it is not complete.
    seconds
        Wall time, the kernel's start included.
    kernel
        'forked' or 'cold'.
    peak_mb, cpu_seconds
        Of the kernel, where they could be measured.
    """

    notebook: Any
    failure: Failure | None = None
    seconds: float = 0.0
    kernel: str = ""
    peak_mb: float | None = None
    cpu_seconds: float | None = None


@dataclass
class _Job:
    """What the engine gets and gives back; papermill's own keywords carry no results."""

    runtime: Path
    folder: Path
    limits: Limits
    parameters: Mapping[str, Any]
    provisioner: Any
    deadline: float
    stop: threading.Event | None = None
    execution: Execution = field(default_factory=lambda: Execution(None))


@functools.cache
def load_papermill() -> Any:
    """Import papermill and register our engine with it, once.

    nbformat's import compiles 35 grammars of `rfc3987_syntax` (1.4 s of processor time) for a check of URIs that no
    notebook uses; jsonschema does without where the module is missing, so it is hidden during the import.
    """
    with _IMPORT:
        hidden = "rfc3987_syntax" not in sys.modules
        if hidden:
            sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
        try:
            import papermill
            from papermill.engines import papermill_engines
        finally:
            if hidden:
                del sys.modules["rfc3987_syntax"]
        logging.getLogger("papermill").setLevel(logging.ERROR)
        papermill_engines.register(ENGINE, _engine())
        return papermill


def execute_notebook(
    source: Any,
    parameters: Mapping[str, Any],
    *,
    runtime: Path,
    folder: Path,
    result: str | None = None,
    limits: Limits | None = None,
    provisioner: Any = None,
    stop: threading.Event | None = None,
) -> Execution:
    """Execute one notebook in a kernel of its own.

    Parameters
    ----------
    source
        A notebook's path, or the notebook itself (it is left as it is).
    parameters
        Values for names of its `parameters` cell.
    runtime
        Private folder for the kernel's sockets, see `kernels.private_folder`.
    folder
        The kernel's working folder; the last cell writes its result there.
    result
        Name of that result (JSON). A run that does not write it is no success.
    limits
        Deadlines, memory and output.
    provisioner
        Class that starts the kernel; a cold start where left out.
    stop
        When it is set the kernel is killed and the reason is 'interrupted'.

    Returns
    -------
    Execution
        Never raises for what the notebook does.
    """
    papermill = load_papermill()
    limits = limits or Limits()
    started = time.monotonic()
    notebook = _read(source) if isinstance(source, str | Path) else source
    job = _Job(runtime, folder, limits, dict(parameters), provisioner, started + limits.report_seconds, stop)
    job.execution.notebook = copy.deepcopy(notebook)
    try:
        check_parameters(notebook, parameters)
        papermill.execute_notebook(
            notebook,
            None,
            parameters=job.parameters,
            engine_name=ENGINE,
            kernel_name="svclib",
            language="python",
            progress_bar=False,
            job=job,
        )
    except papermill.exceptions.PapermillExecutionError:
        pass  # the engine has told it already, with the cell
    except InputRefused as refused:
        job.execution.failure = Failure("parameters", str(refused))
    execution = job.execution
    if execution.failure is None:
        execution.failure = _incomplete(execution.notebook) or _no_result(folder, result)
    execution.seconds = time.monotonic() - started
    return execution


@functools.lru_cache(maxsize=32)
def _parsed(path: str, stamp: tuple[int, int]) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def _read(path: str | Path) -> Any:
    """A notebook's content, parsed once for all departments while its file stays the same."""
    status = Path(path).stat()
    return _parsed(str(path), (status.st_mtime_ns, status.st_size))


def _incomplete(notebook: Any) -> Failure | None:
    """The first code cell that never completed; papermill itself calls a run that left by sys.exit(0) a success."""
    number = 0
    for cell in notebook.cells:
        number += is_own_code(cell)
        if cell.cell_type != "code":
            continue
        status = cell.metadata.get("papermill", {}).get("status")
        if cell.source.strip() and (cell.get("execution_count") is None or status != "completed"):
            sentence = f"code cell {number} never completed, though no error was seen"
            return Failure("incomplete", sentence, number, last_lines(cell.source))
    return None


def _no_result(folder: Path, result: str | None) -> Failure | None:
    if result is None:
        return None

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.loads((folder / result).read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, ValueError):
        return Failure("no_result", f"all cells ran, but the last one left no readable {result}")
    return None


def is_own_code(cell: Any) -> bool:
    """Whether a code cell stands in the source too, so that cells are counted as the analyst sees them."""
    return cell.cell_type == "code" and INJECTED not in cell.metadata.get("tags", [])


def _engine() -> Any:
    """Our engine for papermill; made here so that importing this module does not import papermill."""
    from papermill.engines import Engine

    class ReportEngine(Engine):
        """Executes a managed notebook in a kernel of its own, within its limits."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, job: _Job, **_: Any) -> None:
            job.execution.notebook = nb_man.nb
            check_injected(nb_man.nb, job.parameters)
            asyncio.run(_client_class()(nb_man, job).run())

    return ReportEngine


@functools.cache
def _client_class() -> Any:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient

    from svclib.run.kernels import KERNEL_ARGUMENTS, ReportKernelManager, kernel_environment

    class ReportClient(PapermillNotebookClient):
        """papermill's client, run as one coroutine: no change of directory, no signal handlers, no loop left open."""

        def __init__(self, nb_man: Any, job: _Job) -> None:
            self.job = job
            self.room = job.limits.output_mb * 2**20
            super().__init__(
                nb_man,
                km=ReportKernelManager.in_folder(job.runtime, job.provisioner),
                log=_LOG,
                timeout_func=self.seconds_left,
                startup_timeout=job.limits.start_seconds,
                extra_arguments=list(KERNEL_ARGUMENTS),
                kernel_name="svclib",
                ipython_hist_file="",
                coalesce_streams=True,
                record_timing=False,
            )

        def seconds_left(self, cell: Any) -> float:
            """A cell may use its own deadline or what is left of the report's."""
            return max(0.05, min(self.job.limits.cell_seconds, self.job.deadline - time.monotonic()))

        async def run(self) -> None:
            self.reset_execution_trackers()
            provisioner = self.km.provisioner
            body = asyncio.ensure_future(self.run_body())
            try:
                while not (await asyncio.wait({body}, timeout=0.2))[0]:
                    if self.job.stop is not None and self.job.stop.is_set():
                        body.cancel()
                if body.cancelled() or (self.job.stop is not None and self.job.stop.is_set()):
                    self.fail("interrupted", "the run was stopped", None)
                else:
                    body.result()
            finally:
                await self._async_cleanup_kernel_now(provisioner)

        async def run_body(self) -> None:
            if await self.started():
                await self.run_cells()
                language = {"name": "python", "version": ".".join(map(str, sys.version_info[:3]))}
                self.nb.metadata["language_info"] = language

        async def started(self) -> bool:
            environment = kernel_environment(self.job.runtime, memory_mb=self.job.limits.memory_mb)
            try:
                await self.async_start_new_kernel(env=environment, cwd=str(self.job.folder))
                await self.connect()
            except Exception as error:
                # whatever a start raises (no reply, no process, no socket) is the machinery's fault
                self.fail("start", f"no kernel started ({type(error).__name__})", None)
                return False
            return True

        async def connect(self) -> None:
            """Wait until the kernel answers *and* its outputs reach us.

            jupyter's own wait ends with a fifth of a second of silence; here the question is repeated until its echo
            comes over the channel of outputs, which proves the subscription.
            """
            self.kc = self.km.client()
            self.kc.start_channels()
            self.kc.allow_stdin = False
            deadline = time.monotonic() + self.job.limits.start_seconds
            heard = answered = False
            while not (heard and answered):
                if time.monotonic() > deadline or not await self.km.is_alive():
                    raise DeadKernelError("the kernel did not answer")
                self.kc.kernel_info()
                with contextlib.suppress(Empty):
                    answered = answered or bool(await self.kc.shell_channel.get_msg(timeout=0.5))
                    heard = heard or bool(await self.kc.iopub_channel.get_msg(timeout=0.1))

        async def run_cells(self) -> None:
            number = 0
            for index, cell in enumerate(self.nb.cells):
                number += is_own_code(cell)
                self.nb_man.cell_start(cell, index)
                try:
                    await self.async_execute_cell(cell, index)
                except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                    self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                    self.tell(error, number, cell)
                    return
                finally:
                    self.nb_man.cell_complete(cell, cell_index=index)

        def tell(self, error: Exception, number: int, cell: Any) -> None:
            limits = self.job.limits
            if self.room < 0:
                self.fail(
                    "output", f"code cell {number} gave more than {limits.output_mb:g} MB of output", number, cell
                )
            elif isinstance(error, CellTimeoutError) and time.monotonic() >= self.job.deadline - 0.05:
                sentence = f"the report took longer than {limits.report_seconds:g} s"
                self.fail("report_deadline", sentence, number, cell)
            elif isinstance(error, CellTimeoutError):
                sentence = f"code cell {number} took longer than {limits.cell_seconds:g} s"
                self.fail("cell_deadline", sentence, number, cell)
            elif isinstance(error, DeadKernelError):
                self.fail("died", f"the kernel died in code cell {number}", number, cell)
            else:
                self.tell_raised(error, number, cell)

        def tell_raised(self, error: Any, number: int, cell: Any) -> None:
            outputs = [output for output in cell.outputs if output.output_type == "error"]
            places = traceback_places(outputs[-1].traceback if outputs else ())
            message = mask_message(error.evalue or "", cell.source + "\n".join(places))
            reason: Reason = "raised"
            sentence = f"code cell {number} raised {error.ename}"
            if error.ename == "SystemExit":
                reason, sentence = "exited", f"code cell {number} left by sys.exit; the cells after it did not run"
            elif error.ename.endswith("MemoryError"):
                limit = f" of {self.job.limits.memory_mb} MB" if self.job.limits.memory_mb else ""
                reason, sentence = "memory", f"code cell {number} needed more memory than the limit{limit}"
            self.fail(reason, sentence, number, cell, error=error.ename, message=message, lines=places)

        def fail(self, reason: Reason, sentence: str, number: int | None, cell: Any = None, **details: Any) -> None:
            source = last_lines(cell.source) if cell is not None else ""
            self.job.execution.failure = Failure(reason, sentence, number, source, **details)

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            """Take an output, unless the notebook is full: then stop waiting, and the kernel is killed."""
            if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data", "error"):
                self.room -= _size(msg["content"])
                if self.room < 0:
                    self.task_poll_for_reply.cancel()
                    return None
            return super().process_message(msg, cell, cell_index)

        async def _async_cleanup_kernel_now(self, provisioner: Any) -> None:
            """Kill the kernel with all its children, and learn how it ended and what it used."""
            execution = self.job.execution
            died = execution.failure is not None and execution.failure.reason == "died"
            if died:
                await provisioner.poll()
            if provisioner.has_process:
                await provisioner.kill()
                await asyncio.wait_for(provisioner.wait(), 10)
            if self.kc is not None:
                self.kc.stop_channels()
            connection = Path(self.km.connection_file)
            await self.km._async_cleanup_resources()
            for socket in connection.parent.glob(f"{connection.stem}*"):  # a killed kernel leaves some
                socket.unlink(missing_ok=True)
            execution.kernel, execution.peak_mb = provisioner.kind, provisioner.peak_mb
            execution.cpu_seconds = provisioner.cpu_seconds
            if died and execution.failure is not None:
                execution.failure = _explain_death(execution.failure, provisioner.status)

    return ReportClient


def _size(content: Mapping[str, Any]) -> int:
    """About how many bytes an output takes in the notebook."""
    total = len(content.get("text", ""))
    for value in content.get("data", {}).values():
        total += len(value) if isinstance(value, str) else len(json.dumps(value))
    return total + sum(map(len, content.get("traceback", ())))


def _explain_death(failure: Failure, status: int | None) -> Failure:
    """Name the signal; a kernel that was killed from outside may have met the end of the machine's memory."""
    if status is None:
        sentence = f"{failure.sentence} with the process it was forked from"
        return Failure("infrastructure", sentence, failure.cell, failure.source)
    name = signal_name(status)
    why = {
        "SIGSEGV": "it crashed in compiled code",
        "SIGABRT": "compiled code gave up",
        "SIGBUS": "it crashed in compiled code or the disk is full",
        "SIGKILL": "it was killed, as happens when the machine runs out of memory",
        "SIGXFSZ": "a file grew larger than allowed",
    }.get(name, "it ended by itself")
    sentence = f"{failure.sentence} ({name}): {why}"
    return Failure(failure.reason, sentence, failure.cell, failure.source, error=name)
