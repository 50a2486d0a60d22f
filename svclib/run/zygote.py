"""The process that all warm kernels are forked from: the stack is imported once, each kernel is a copy of it.

Run as ``python -m svclib.run.zygote SOCKET MODULE...``. It stays single-threaded, opens no zmq socket and no event
loop, and so can be forked safely; the kernel app starts in the child. It listens on a unix socket: one connection is
one kernel. A line of JSON asks for it, lines of JSON answer with its process number and, later, how it ended. When the
connection closes the kernel is killed with all its children; when standard input closes (the parent is gone, however
it went) all kernels are killed and the zygote leaves. The design follows SageMathCell's kernel provider.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import resource
import selectors
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

_PR_SET_PDEATHSIG = 1


@dataclass
class _Kernel:
    connection: socket.socket
    pid: int = 0
    running: bool = False
    resident: int = 0
    inbox: bytes = b""


@dataclass
class _State:
    listener: socket.socket
    selector: selectors.BaseSelector
    wakeup: tuple[int, int]
    kernels: dict[int, _Kernel] = field(default_factory=dict)  # by the file number of their connection
    retired: bool = False


def import_stack(modules: list[str]) -> list[str]:
    """Import what notebooks use; modules that are not there are left to the notebook. Returns the missing ones.

    debugpy is hidden: its import was half of a kernel's start, and nobody debugs a report in a batch.
    """
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    missing = []
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(module)
    _warm_figures()
    return missing


def _warm_figures() -> None:
    """Load fonts and formatters by drawing one figure: each kernel would pay for that again."""
    if "matplotlib" in sys.modules:
        import io

        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.add_subplot(title="a")
        axes.plot([0, 1])
        axes.imshow([[0, 1]])  # a picture, for Pillow loads its formats when it writes the first
        figure.savefig(io.BytesIO(), format="svg")


def count_threads() -> int:
    """Threads of this process, those of C libraries included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def serve(path: str) -> None:
    """Fork kernels on demand until standard input closes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(128)
    listener.setblocking(False)
    read_end, write_end = os.pipe()
    for end in (read_end, write_end):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler must exist for the wake-up to come
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    state = _State(listener, selectors.DefaultSelector(), (read_end, write_end))
    for source in (listener, read_end, 0):
        state.selector.register(source, selectors.EVENT_READ)
    while _turn(state) and not (state.retired and not any(kernel.running for kernel in state.kernels.values())):
        pass
    for kernel in state.kernels.values():
        _kill(kernel)


def _turn(state: _State) -> bool:
    """Handle what is ready. False when the parent is gone."""
    for key, _ in state.selector.select():
        if key.fileobj == 0:
            if not os.read(0, 4096):
                return False
        elif key.fileobj is state.listener:
            with contextlib.suppress(BlockingIOError):
                connection, _ = state.listener.accept()
                state.kernels[connection.fileno()] = _Kernel(connection)
                state.selector.register(connection, selectors.EVENT_READ)
        elif key.fileobj == state.wakeup[0]:
            os.read(state.wakeup[0], 4096)
            _reap(state)
        elif key.fd in state.kernels:
            _hear(state, state.kernels[key.fd])
    return True


def _hear(state: _State, kernel: _Kernel) -> None:
    try:
        data = kernel.connection.recv(1 << 16)
    except ConnectionError:
        data = b""
    if not data:
        _kill(kernel)
        state.selector.unregister(kernel.connection)
        if not kernel.running:
            _forget(state, kernel)
        return
    *lines, kernel.inbox = (kernel.inbox + data).split(b"\n")
    for line in lines:
        request = json.loads(line)
        if "retire" in request:
            state.retired = True  # no more forks; we leave with the last kernel
        elif "signal" in request:
            _send_signal(kernel, request["signal"])
        else:
            _fork(state, kernel, request)


def _fork(state: _State, kernel: _Kernel, request: dict[str, Any]) -> None:
    threads = count_threads()
    if threads != 1:  # a fork would copy locks that nobody will ever open
        _answer(kernel, {"error": f"{threads} threads in the process to fork from"})
        return
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            _become_kernel(state, request)
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 0
        finally:
            os._exit(status)
    kernel.pid, kernel.running, kernel.resident = pid, True, _resident_kb(pid)
    _answer(kernel, {"pid": pid})


def _reap(state: _State) -> None:
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for kernel in list(state.kernels.values()):
            if kernel.pid == pid:
                kernel.running = False
                # the leader is gone but its children may live on in its group, whose number stays theirs
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                _answer(kernel, {"status": os.waitstatus_to_exitcode(status), **_usage(usage, kernel.resident)})
                _forget(state, kernel)


def _resident_kb(pid: int) -> int:
    """Memory that a fresh child shares with us; what it takes later is its own."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() // 1024
    except (OSError, ValueError):
        return 0


def _usage(usage: resource.struct_rusage, resident_kb: int) -> dict[str, float]:
    """Processor seconds of a kernel, and the growth of its memory since the fork."""
    unit = 1 if sys.platform == "darwin" else 1024
    own = max(0, usage.ru_maxrss * unit - resident_kb * 1024) / 2**20
    return {"cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3), "peak_mb": round(own, 1)}


def _forget(state: _State, kernel: _Kernel) -> None:
    with contextlib.suppress(KeyError, ValueError):
        state.selector.unregister(kernel.connection)
    state.kernels.pop(kernel.connection.fileno(), None)
    kernel.connection.close()


def _answer(kernel: _Kernel, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        kernel.connection.sendall(json.dumps(message).encode() + b"\n")


def _send_signal(kernel: _Kernel, number: int) -> None:
    if kernel.running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel.pid, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(kernel.pid, number)  # before its setsid the child has no group of its own


def _kill(kernel: _Kernel) -> None:
    _send_signal(kernel, signal.SIGKILL)


def _become_kernel(state: _State, request: dict[str, Any]) -> None:
    """In the child: leave everything of the zygote behind and start a kernel app."""
    os.setsid()
    if sys.platform == "linux":  # die with the zygote, even where no poller runs yet
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _close_inherited(state)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    _limit(request["env"].get("SVCLIB_MEMORY_MB"))
    _reseed()
    gc.enable()
    _run_kernel(request["arguments"])


def _close_inherited(state: _State) -> None:
    state.selector.close()
    state.listener.close()
    for end in state.wakeup:
        os.close(end)
    for kernel in state.kernels.values():
        kernel.connection.close()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)


def _limit(memory_mb: str | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        limit = int(memory_mb) << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _reseed() -> None:
    """Every kernel would otherwise draw the same "random" numbers."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        numpy.random.seed()


def _run_kernel(arguments: list[str]) -> None:
    from svclib.run.kernelapp import ReportKernelApp

    sys.argv = ["ipykernel_launcher", *arguments]
    app: Any = ReportKernelApp.instance(parent_handle=os.getppid())
    app.initialize(arguments)
    if app.shell is not None and "matplotlib" in sys.modules:
        # pyplot was imported before IPython could choose the backend; without this figures vanish without an error
        app.shell.enable_matplotlib("inline")
    app.start()
    atexit._run_exitfuncs()


def main() -> None:
    """Import, report, serve."""
    path, *modules = sys.argv[1:]
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    started = time.monotonic()
    missing = import_stack(modules)
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
    gc.disable()
    threads = count_threads()
    ready = {"threads": threads, "missing": missing, "seconds": round(time.monotonic() - started, 3)}
    print(json.dumps(ready), flush=True)
    if threads == 1:
        serve(path)


if __name__ == "__main__":
    main()
