"""Kernels for one report each: private sockets instead of TCP ports, a clean environment, a memory limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

# A unix socket's path may not be longer than 107 bytes, and zmq adds "-ipc-5" to ours.
_LONGEST_FOLDER = 60
# What a kernel may see of our environment. Credentials live in other variables and so never reach a notebook.
_PASSED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "LANG", "VIRTUAL_ENV", "CONDA_PREFIX",
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA",
        "LOCALAPPDATA", "PROGRAMDATA", "USERPROFILE", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX", "PYTHONWARNINGS", "JAVA_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    }
)  # fmt: skip
# One thread a kernel: the batch already fills the cores, and a process with threads cannot be forked.
SINGLE_THREADED = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
MEMORY_VARIABLE = "SVCLIB_MEMORY_MB"
KERNEL_ARGUMENTS = ["--HistoryManager.enabled=False"]


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can enter, with a path short enough for sockets; removed at the end."""
    base = tempfile.gettempdir()
    if os.name == "posix" and len(os.fsencode(base)) > _LONGEST_FOLDER - 16:
        base = "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="svclib-", dir=base))  # mkdtemp makes it 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kernel_environment(runtime: Path, *, memory_mb: int | None = None) -> dict[str, str]:
    """The environment of a kernel: the same for everyone, wherever and whenever it runs.

    Time zone and hash seed are fixed so that the same input gives the same bytes; IPython's folder is an empty one, so
    that nobody's start-up files change a report.

    Examples
    --------
    >>> import os
    >>> os.environ["SVCLIB_TEST_SECRET"] = "canary"
    >>> "canary" in kernel_environment(Path("/tmp")).values()
    False
    """
    environment = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("LC_")}
    package_parent = str(Path(__file__).resolve().parents[2])
    if package_parent not in (Path(p).as_posix() for p in sys.path if "site-packages" in p):
        paths = [package_parent, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment |= SINGLE_THREADED | {
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's import starts a thread otherwise
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "IPYTHONDIR": str(runtime / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    if memory_mb:
        environment[MEMORY_VARIABLE] = str(memory_mb)
    return environment


class ReportKernelManager(AsyncKernelManager):
    """A kernel manager for one report: our own kernelspec, whatever is installed, and sockets in a private folder."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts a cold kernel; a forked one takes its arguments from it."""
        argv = [sys.executable, "-m", "svclib.run.kernelapp", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="svclib", language="python")

    @classmethod
    def in_folder(cls, runtime: Path, provisioner: type[LocalProvisioner] | None = None, **config: Any) -> Any:
        """A manager whose sockets lie in `runtime`, with a provisioner of the given class.

        Every kernel gets its own file name there: jupyter's default name for ipc is the same for all kernels of a
        process, which made parallel ones talk to each other's sockets.
        """
        ipc = {"transport": "ipc"} if os.name == "posix" else {}
        manager = cls(connection_file=str(runtime / f"k-{uuid.uuid4().hex[:12]}.json"), kernel_name="", **ipc)
        manager.provisioner = (provisioner or ColdProvisioner)(
            kernel_id=uuid.uuid4().hex, kernel_spec=manager.kernel_spec, parent=manager, **config
        )
        return manager


class ColdProvisioner(LocalProvisioner):
    """Starts a kernel as a new process, with the memory limit that a forked one has."""

    kind = "cold"
    status: int | None = None
    peak_mb: float | None = None
    cpu_seconds: float | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        quiet = {"stdin": -3, "stdout": -3, "stderr": -3}  # subprocess.DEVNULL: nothing of a notebook on our terminal
        info = await super().launch_kernel(cmd, **{**kwargs, **quiet})
        memory = (kwargs.get("env") or {}).get(MEMORY_VARIABLE)
        if memory and sys.platform == "linux" and self.pid:
            import resource

            limit = int(memory) << 20
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(self.pid, resource.RLIMIT_DATA, (limit, limit))
        return info

    async def poll(self) -> int | None:
        status = await super().poll()
        if self.process is not None and status is not None:
            self.status = status
        return status
