"""Warm kernels: a Jupyter kernel provisioner that forks each kernel from a process which has imported the stack.

A cold kernel spends about four seconds of processor time on imports, a forked one none. The provisioner works wherever
jupyter starts kernels (papermill, nbval, JupyterLab). Where forking is not possible or fails it starts a cold kernel.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from svclib.run.digest import source_stamp
from svclib.run.kernels import ColdProvisioner, kernel_environment, private_folder

# What the notebooks use, imported once. Order matters little; what is missing is left to the notebook.
STACK = (
    "numpy", "pandas", "pandas.io.formats.csvs", "pandas.core.methods.to_dict", "pandas.core.reshape.reshape",
    "pyarrow", "pyarrow.parquet", "pyarrow.dataset", "pyarrow.pandas_compat", "scipy.stats", "duckdb", "ibis",
    "ibis.backends.duckdb", "ibis.backends.duckdb.converter", "openpyxl", "xml.sax.saxutils", "matplotlib.figure",
    "matplotlib.backends.backend_svg", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "seaborn",
    "statsmodels.regression.linear_model", "statsmodels.genmod.generalized_linear_model",
    "statsmodels.tsa.statespace.structural", "babel.dates", "babel.numbers", "holidays.registry", "svclib.study",
    "svclib.catalogue.plan", "svclib.sample", "svclib.measure.analysis", "svclib.explain.analysis",
    "svclib.evaluate.analysis", "svclib.report.views.kpi", "svclib.report.views.root_cause",
    "svclib.report.views.outcome", "svclib.report.show", "svclib.report.figures.svg", "svclib.run.kernelapp",
    "ipykernel.ipkernel", "ipykernel.zmqshell", "IPython.core.magics", "IPython.core.display",
    "IPython.core.pylabtools", "jupyter_client.session", "comm", "psutil",
)  # fmt: skip


class ZygoteError(Exception):
    """No warm kernel can be had; a cold one is started instead."""


class ForkedProcess:
    """A kernel forked by the zygote, with the face of `subprocess.Popen` that jupyter's provisioner expects."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid
        self.returncode: int | None = None
        self.usage: dict[str, float] = {}
        self.lost = False
        self._inbox = b""

    def poll(self) -> int | None:
        """Exit status as `subprocess` counts it, None while the kernel runs."""
        if self.returncode is None and select.select([self.connection], [], [], 0)[0]:
            self._receive()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
            if select.select([self.connection], [], [], left)[0]:
                self._receive()
        return self.returncode

    def _receive(self) -> None:
        try:
            data = self.connection.recv(1 << 16)
        except ConnectionError:
            data = b""
        self._inbox += data
        *lines, self._inbox = self._inbox.split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "status" in answer:
                self.returncode = answer.pop("status")
                self.usage = answer
        if not data and self.returncode is None:
            self.lost, self.returncode = True, -int(signal.SIGKILL)  # the zygote is gone, and the kernel dies with it
        if self.returncode is not None:
            self.connection.close()

    def send_signal(self, number: int) -> None:
        """Signal the kernel's process group, through the zygote: only it knows that the number is still the kernel's."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                self.connection.sendall(json.dumps({"signal": int(number)}).encode() + b"\n")

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Zygote:
    """Starts, asks and ends the zygote process.

    Parameters
    ----------
    folder
        Private folder for its socket.
    modules
        What it imports; the stack of the notebooks where left out.
    timeout
        Seconds that the imports may take.
    wait
        Called meanwhile.

    Raises
    ------
    ZygoteError
        Where the system cannot fork safely (Windows, macOS), or the process does not come up single-threaded.
    """

    def __init__(
        self,
        folder: Path,
        modules: Sequence[str] = STACK,
        *,
        timeout: float = 120,
        wait: Callable[[], Any] | None = None,
    ) -> None:
        if not can_fork():
            raise ZygoteError("this system does not fork")
        self.path = str(folder / f"z-{uuid.uuid4().hex[:8]}")
        self.stamp = source_stamp()
        # in a session of its own: Ctrl-C on the terminal is ours to handle
        self.process = subprocess.Popen(
            [sys.executable, "-m", "svclib.run.zygote", self.path, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kernel_environment(folder),
            cwd=folder,
            start_new_session=True,
        )
        if wait is not None:
            wait()
        self.ready = self._wait_until_ready(timeout)

    @classmethod
    @contextlib.contextmanager
    def started(
        cls, folder: Path, modules: Sequence[str] = STACK, *, wait: Callable[[], Any] | None = None
    ) -> Iterator[Zygote]:
        """A zygote for the length of a block; all its kernels end with it."""
        zygote = cls(folder, modules, wait=wait)
        try:
            yield zygote
        finally:
            zygote.close()

    def _wait_until_ready(self, timeout: float) -> dict[str, Any]:
        output = self.process.stdout
        assert output is not None
        line = output.readline() if select.select([output], [], [], timeout)[0] else b""
        ready = json.loads(line) if line.endswith(b"\n") else {"threads": 0}
        if ready["threads"] != 1:
            self.close()
            raise ZygoteError(f"{ready['threads']} threads after the imports" if line else "no answer in time")
        deadline = time.monotonic() + 10
        while not os.path.exists(self.path) and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        return ready

    def fork(self, arguments: Sequence[str], env: dict[str, str], cwd: str) -> ForkedProcess:
        """Fork one kernel.

        Parameters
        ----------
        arguments
            Of the kernel app: the connection file and so on.
        env, cwd
            Environment and working folder of the kernel.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(30)
        try:
            connection.connect(self.path)
            request = {"arguments": list(arguments), "env": env, "cwd": cwd}
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline() or b"{}")
        except (OSError, ValueError) as error:
            connection.close()
            raise ZygoteError(str(error)) from error
        if "pid" not in answer:
            connection.close()
            raise ZygoteError(answer.get("error", "the zygote is gone"))
        connection.settimeout(None)
        return ForkedProcess(connection, answer["pid"])

    def retire(self) -> None:
        """Fork no more, and leave when the last kernel has ended."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(self.path)
            connection.sendall(b'{"retire": true}\n')

    def close(self) -> None:
        """End it with all its kernels."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def can_fork() -> bool:
    """Whether a fork is safe here: macOS has fork, but Accelerate and Objective-C do not survive it."""
    return sys.platform == "linux" and os.environ.get("SVCLIB_KERNELS") != "cold"


class SharedZygote:
    """A zygote that is started on first use and replaced when it died or, if asked, when svclib's source changed.

    Parameters
    ----------
    modules
        What it imports.
    follow_source
        For JupyterLab, which outlives edits: kernels that run stay with the old zygote, new ones get a new one. A
        batch keeps to the source that it began with, which is the one that its reports name.
    """

    def __init__(self, modules: Sequence[str] = STACK, *, follow_source: bool = False) -> None:
        self.modules = modules
        self.follow_source = follow_source
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._failures = 0
        self._exit = contextlib.ExitStack()

    def get(self, *, wait: Callable[[], Any] | None = None) -> Zygote | None:
        """The zygote, or None where there is none to be had; three failures in a row are believed.

        Parameters
        ----------
        wait
            Called while a new zygote imports.
        """
        with self._lock:
            zygote = self._zygote
            if zygote is not None and zygote.process.poll() is None:
                if not self.follow_source or zygote.stamp == source_stamp():
                    return zygote
                zygote.retire()
            self._zygote = None
            if self._failures < 3 and can_fork():
                try:
                    folder = self._exit.enter_context(private_folder())
                    self._zygote = self._exit.enter_context(Zygote.started(folder, self.modules, wait=wait))
                    self._failures = 0
                except (ZygoteError, OSError):
                    self._failures += 1
            return self._zygote

    def close(self) -> None:
        """End every zygote with its kernels."""
        with self._lock:
            self._zygote = None
            self._exit.close()


_SHARED = SharedZygote(follow_source=True)
atexit.register(_SHARED.close)


class ForkedProvisioner(ColdProvisioner):
    """Starts a kernel by forking; named `svclib-forked` for jupyter."""

    kind = "cold"  # until a fork has worked
    zygotes: ClassVar[Any] = _SHARED

    @classmethod
    def of(cls, zygotes: Zygote | SharedZygote) -> type[ForkedProvisioner]:
        """The provisioner for kernels of one zygote."""
        return type("ForkedProvisioner", (cls,), {"zygotes": zygotes})

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        source = self.zygotes
        zygote = await asyncio.to_thread(source.get) if isinstance(source, SharedZygote) else source
        arguments = _kernel_arguments(cmd)
        if zygote is None or arguments is None:
            return await super().launch_kernel(cmd, **kwargs)
        try:
            env = {str(name): str(value) for name, value in (kwargs.get("env") or os.environ).items()}
            env["JPY_PARENT_PID"] = str(zygote.process.pid)
            process = await asyncio.to_thread(zygote.fork, arguments, env, str(kwargs.get("cwd") or os.getcwd()))
        except ZygoteError:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]
        self.pid = self.pgid = process.pid  # type: ignore[assignment]
        self.cwd = kwargs.get("cwd", Path.cwd())  # type: ignore[assignment]
        self.kind = "forked"
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        if isinstance(self.process, ForkedProcess):
            self.process.send_signal(signum)
        else:
            await super().send_signal(signum)

    async def poll(self) -> int | None:
        process = self.process
        status = await super().poll()
        if isinstance(process, ForkedProcess) and status is not None:
            self.cpu_seconds = process.usage.get("cpu_seconds")
            self.peak_mb = max(self.peak_mb or 0.0, process.usage.get("peak_mb", 0.0))
            if process.lost:
                self.status = None
        return status

    async def kill(self, restart: bool = False) -> None:
        """Kill it, and note what memory was its own: pages that it wrote to are no longer shared."""
        if isinstance(self.process, ForkedProcess) and self.process.poll() is None:
            self.peak_mb = private_mb(self.process.pid)
        await super().kill(restart)

    async def wait(self) -> int | None:
        """Wait for the end without the tenth of a second that jupyter sleeps between two looks."""
        if not isinstance(self.process, ForkedProcess):
            return await super().wait()
        while await self.poll() is None:
            await asyncio.sleep(0.003)
        status, self.process = self.process.returncode, None
        return status


def private_mb(pid: int) -> float:
    """Memory that a process shares with nobody, in MB; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024, 1)


def _kernel_arguments(cmd: Sequence[str]) -> list[str] | None:
    """What follows ipykernel's name in the command, None for a command that starts something else.

    Examples
    --------
    >>> _kernel_arguments(["python", "-m", "ipykernel_launcher", "-f", "k.json"])
    ['-f', 'k.json']
    """
    for name in ("svclib.run.kernelapp", "ipykernel_launcher", "ipykernel"):
        if name in cmd:
            return list(cmd[list(cmd).index(name) + 1 :])
    return None


def install_kernelspec(prefix: str | Path | None = None) -> Path:
    """Write the kernelspec `svclib`, so that JupyterLab and nbval can choose the warm kernel.

    Parameters
    ----------
    prefix
        The environment's folder; this Python's where left out.

    Returns
    -------
    Path
        The kernelspec's folder.
    """
    folder = Path(prefix or sys.prefix) / "share" / "jupyter" / "kernels" / "svclib"
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "svclib (warm)",
        "language": "python",
        "metadata": {"debugger": False, "kernel_provisioner": {"provisioner_name": "svclib-forked"}},
    }
    text = json.dumps(spec, indent=1) + "\n"
    target = folder / "kernel.json"
    if not target.exists() or target.read_text() != text:
        target.write_text(text)
    return folder
