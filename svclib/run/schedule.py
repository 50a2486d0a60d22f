"""Which report starts when: as many at a time as cores and memory allow, longest first, faults of machinery again."""

from __future__ import annotations

import concurrent.futures
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from svclib.run.failure import INFRASTRUCTURE, Failure
from svclib.run.report import ReportOutcome, ReportTask

MOST_ATTEMPTS = 3
# Private memory of one report's kernel until a manifest knows better, and what the coordinator keeps for itself.
KERNEL_MB = 350
COLD_KERNEL_MB = 600
RESERVE_MB = 500


def available_mb() -> float:
    """Memory that can be had now, within the container's limit."""
    import psutil

    available = psutil.virtual_memory().available / 2**20
    if sys.platform == "linux":
        available = min(available, _container_mb())
    return available


def _container_mb() -> float:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
        return float("inf") if limit == "max" else (int(limit) - int(used)) / 2**20
    except (OSError, ValueError):
        return float("inf")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def jobs_for(kernel_mb: float, *, asked: int | None = None, reports: int = 10**6) -> int:
    """How many reports at a time: those asked for, else one a core, and no more than memory holds.

    Examples
    --------
    >>> jobs_for(10, asked=3), jobs_for(10**9), jobs_for(10, asked=8, reports=2)
    (3, 1, 2)
    """
    if asked is None:
        fit = int((available_mb() - RESERVE_MB) // kernel_mb)
        asked = max(1, min(cores(), fit))
    return max(1, min(asked, reports))


class Schedule:
    """Hands tasks to an executor and takes outcomes back.

    Parameters
    ----------
    executor
        Shaped like `concurrent.futures.Executor`: threads here, or a cluster.
    make
        Makes one report; called in the executor.
    jobs
        Reports at a time.
    kernel_mb
        Memory that a further report needs; with less available it waits for one to end. None: do not look.
    retried
        Called with the outcome of a failed attempt that is tried again; gives the next attempt's task.
    """

    def __init__(
        self,
        executor: Executor,
        make: Callable[[ReportTask], ReportOutcome],
        *,
        jobs: int,
        kernel_mb: float | None = None,
        retried: Callable[[ReportOutcome], ReportTask],
    ) -> None:
        self.executor = executor
        self.make = make
        self.jobs = jobs
        self.kernel_mb = kernel_mb
        self.retried = retried
        self.running: dict[Future[Any], ReportTask] = {}

    def run(
        self, tasks: Iterable[ReportTask], prepare: Callable[[ReportTask], ReportTask], tick: Callable[[], None]
    ) -> Iterable[ReportOutcome]:
        """Outcomes as they come; each report exactly once.

        Parameters
        ----------
        prepare
            Called just before a task starts: gives it its folder.
        tick
            Called a few times a second.
        """
        waiting = deque(tasks)
        while waiting or self.running:
            while waiting and self._has_room():
                task = prepare(waiting.popleft())
                self.running[self.executor.submit(self.make, task)] = task
            done, _ = concurrent.futures.wait(
                self.running, timeout=0.25, return_when=concurrent.futures.FIRST_COMPLETED
            )
            tick()
            for future in done:
                outcome = self._outcome(future, self.running.pop(future))
                reason = outcome.failure.reason if outcome.failure else None
                if reason in INFRASTRUCTURE and outcome.task.attempt < MOST_ATTEMPTS:
                    waiting.appendleft(self.retried(outcome))
                else:
                    yield outcome

    def _has_room(self) -> bool:
        if len(self.running) >= self.jobs:
            return False
        return not self.running or self.kernel_mb is None or available_mb() - RESERVE_MB > self.kernel_mb

    def _outcome(self, future: Future[Any], task: ReportTask) -> ReportOutcome:
        error = future.exception()
        if error is None:
            return future.result()
        name = type(error).__name__
        return ReportOutcome(task, Failure("infrastructure", f"the worker was lost ({name})", error=name), 0.0)
