"""Tells how a run goes: a live line on a terminal, plain lines elsewhere, or JSON lines for a scheduler. On stderr."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from typing import IO, Any, Literal

from svclib.run.failure import Failure
from svclib.run.report import ReportOutcome


def readable_seconds(seconds: float) -> str:
    """A duration for people.

    Examples
    --------
    >>> readable_seconds(4.26), readable_seconds(95), readable_seconds(7320)
    ('4.3 s', '1 min 35 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def _told(failure: Failure) -> str:
    """The failure on one line, with what may be shown of the exception's own words, and the cure where one is known."""
    telling = failure.message.strip(" …") and failure.message not in failure.sentence
    told = f"{failure.sentence}: {failure.message}" if telling else failure.sentence
    return f"{told}. Cure: {failure.cure}" if failure.cure else told


class Progress:
    """Lines on a stream, and on a terminal one that moves.

    Parameters
    ----------
    log
        'text' or 'json'.
    stream
        Standard error where left out.
    """

    def __init__(self, log: Literal["text", "json"] = "text", stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stderr
        self.json = log == "json"
        self.live: Any = None
        self.bar: Any = None
        self.total = self.done = self.failed = self.jobs = 0
        self.expected_left = 0.0
        self.started = time.monotonic()

    def start(self, total: int, good: int, *, period: str, jobs: int, kernels: str, expected: float | None) -> None:
        """A run of `total` reports begins; `good` more are up to date."""
        self.total, self.jobs, self.started = total, jobs, time.monotonic()
        self.event("start", period=period, reports=total, up_to_date=good, jobs=jobs, kernels=kernels)
        if self.json:
            return
        eta = f", about {readable_seconds(expected / jobs)}" if expected else ""
        told = "one report" if total == 1 else f"{total} reports"
        self._line(f"{period}: {told} to make, {good} up to date ({jobs} at a time, {kernels} kernels{eta})")
        if total and self.stream.isatty():
            self._start_bar()

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        console = Console(file=self.stream)
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.live = RichProgress(*columns, TextColumn("{task.description}"), console=console, transient=True)
        self.live.start()
        self.bar = self.live.add_task("", total=self.total)

    def report(self, outcome: ReportOutcome) -> None:
        """One report is done."""
        self.done += 1
        failure = outcome.failure
        self.failed += failure is not None
        task = outcome.task
        self.event(
            "report",
            department=task.department,
            notebook=task.notebook,
            status=outcome.status,
            seconds=round(outcome.seconds, 3),
            attempts=task.attempt,
            reason=failure.reason if failure else None,
            message=failure.sentence if failure else None,
            cure=(failure.cure or None) if failure else None,
        )
        if self.json:
            return
        text = f"{task.department} {task.notebook}: "
        text += f"failed: {_told(failure)}" if failure else f"made in {readable_seconds(outcome.seconds)}"
        if self.live is not None:
            if failure:
                self._line(text)
            self.live.update(self.bar, advance=1, description=f"{self.failed} failed" if self.failed else "")
        else:
            self._line(f"[{self.done}/{self.total}] {text}{self._remaining()}")

    def _remaining(self) -> str:
        left = self.total - self.done
        if not left or self.done < 3:
            return ""
        seconds = (time.monotonic() - self.started) / self.done * left
        return f" (about {readable_seconds(seconds)} left)"

    def retry(self, outcome: ReportOutcome) -> None:
        """An attempt failed through the machinery and is made again."""
        why = outcome.failure.sentence if outcome.failure else ""
        task = outcome.task
        self.event("retry", department=task.department, notebook=task.notebook, attempt=task.attempt, message=why)
        if not self.json:
            self._line(f"{task.department} {task.notebook}: tried again: {why}")

    def note(self, text: str) -> None:
        """A remark on the run as a whole."""
        self.event("note", message=text)
        if not self.json:
            self._line(text)

    def end(self, **facts: Any) -> None:
        """The run is over."""
        self.stop()
        self.event("end", **facts)
        if not self.json:
            made = f"{facts['made']} made, {facts['up_to_date']} up to date, {facts['failed']} failed"
            self._line(
                f"{made} in {readable_seconds(facts['seconds'])}{' (interrupted)' if facts['interrupted'] else ''}"
            )

    def stop(self) -> None:
        """Take the moving line away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def event(self, event: str, **facts: Any) -> None:
        """One JSON line, where JSON was asked for."""
        if self.json:
            now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
            self.stream.write(json.dumps({"time": now, "event": event, **facts}, ensure_ascii=False) + "\n")
            self.stream.flush()

    def _line(self, text: str) -> None:
        safe = "".join(character if character.isprintable() else "�" for character in text)
        if self.live is not None:
            self.live.console.print(safe, markup=False, highlight=False)
        else:
            self.stream.write(safe + "\n")
            self.stream.flush()
