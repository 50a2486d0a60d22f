"""Where reports are made: in threads of this process, each with a kernel beside it, or on a Dask cluster."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from svclib.errors import InputRefused, Problem
from svclib.run.kernels import ColdProvisioner, private_folder
from svclib.run.report import Bench, Maker, make_remotely, make_report
from svclib.run.schedule import COLD_KERNEL_MB, KERNEL_MB, jobs_for
from svclib.run.warm import STACK, ForkedProvisioner, SharedZygote, can_fork

_ANSWER = "10s"  # a scheduler that is there answers at once


@dataclass(frozen=True)
class Workshop:
    """An executor, ready to make reports.

    Parameters
    ----------
    executor, make
        ``executor.submit(make, task)`` makes a report.
    jobs
        Reports at a time.
    kernels
        'forked', 'cold' or the cluster's address.
    kernel_mb
        Memory of a kernel that is watched for here; None where others watch.
    stop
        Ends what is running.
    """

    executor: Executor
    make: Maker
    jobs: int
    kernels: str
    kernel_mb: float | None
    stop: Callable[[], None]


@contextlib.contextmanager
def open_workshop(
    spec: str,
    *,
    jobs: int | None,
    reports: int,
    peak_mb: float | None = None,
    modules: Sequence[str] = STACK,
) -> Iterator[Workshop]:
    """Open what `--executor` names.

    Parameters
    ----------
    spec
        'local' or 'dask:ADDRESS'.
    jobs
        Reports at a time; as many as cores and memory allow where left out.
    reports
        How many there are to make.
    peak_mb
        What a kernel needed before.
    modules
        What warm kernels have imported.

    Raises
    ------
    InputRefused
        For an executor that is not known, or a cluster that does not answer.
    """
    if spec == "local":
        with _local(jobs, reports, peak_mb, modules) as workshop:
            yield workshop
    elif spec.startswith("dask:"):
        with _dask(spec.removeprefix("dask:"), jobs, reports, modules) as workshop:
            yield workshop
    else:
        check_executor(spec)


def check_executor(spec: str) -> None:
    """Refuse what names no executor.

    Raises
    ------
    InputRefused
        With what can be written.
    """
    if spec != "local" and not spec.startswith("dask:"):
        raise InputRefused(Problem(f"executor {spec}", "is not known", "write local or dask:ADDRESS"))


@contextlib.contextmanager
def _local(jobs: int | None, reports: int, peak_mb: float | None, modules: Sequence[str]) -> Iterator[Workshop]:
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        runtime = stack.enter_context(private_folder())
        zygotes = SharedZygote(modules)
        stack.callback(zygotes.close)
        warm = can_fork() and zygotes.get(wait=load_tools) is not None
        provisioner = ForkedProvisioner.of(zygotes) if warm else ColdProvisioner
        kernel_mb = max(peak_mb or 0.0, KERNEL_MB if warm else COLD_KERNEL_MB)
        jobs = jobs_for(kernel_mb, asked=jobs, reports=reports)
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="report")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        stack.callback(stop.set)
        make = partial(make_report, bench=Bench(runtime, provisioner, stop))
        yield Workshop(pool, make, jobs, "forked" if warm else "cold", kernel_mb, stop.set)


def load_tools() -> None:
    """Import what reports and the pages about them need, while the zygote imports what a notebook needs."""
    from svclib.run.execute import load_papermill

    load_papermill()
    with contextlib.suppress(ImportError):
        import svclib.report.portal  # noqa: F401 # else it would be waited for when all reports are made
        from svclib.report.render import exporter

        exporter()


@contextlib.contextmanager
def _dask(address: str, jobs: int | None, reports: int, modules: Sequence[str]) -> Iterator[Workshop]:
    """Reports as tasks of an existing cluster; it must see the same folders as we do.

    A worker that dies takes no report with it: Dask gives its tasks to another, and only the coordinator here moves a
    finished report into place, so none is there twice.
    """
    try:
        from distributed import Client
    except ImportError:
        cure = "install the extra: pip install 'svclib[cluster]'"
        raise InputRefused(Problem("executor dask", "needs dask.distributed", cure)) from None
    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        cure = "look whether the scheduler runs and the address is right"
        raise InputRefused(
            Problem(f"executor dask:{address}", f"does not answer ({type(error).__name__})", cure)
        ) from None
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise InputRefused(Problem(f"executor dask:{address}", "has no workers", "start one: dask worker ADDRESS"))
        jobs = jobs_for(0, asked=jobs or 2 * threads, reports=reports)
        pool: Any = client.get_executor(pure=False, retries=2)
        make = partial(make_remotely, modules=tuple(modules))
        yield Workshop(pool, make, jobs, f"dask {address}", None, lambda: client.cancel(list(client.futures)))
    finally:
        client.close()
