"""The table of faults: whatever one report does, it is named, and the others are made."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from toys import Organisation

from svclib.errors import InputRefused
from svclib.run.execute import Limits
from svclib.run.failure import Failure
from svclib.run.plan import longest_first
from svclib.run.report import ReportOutcome, ReportTask
from svclib.run.schedule import MOST_ATTEMPTS, Schedule

# Department: what its notebook does, and the reason that must stand in the manifest.
FAULTS = {
    "raises": ("1 / 0", "raised"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "died"),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "died"),
    "hangs": ("import time\nwhile True: time.sleep(1)", "cell_deadline"),
    "spins": ("while True: pass", "cell_deadline"),
    "leaves": ("import sys; sys.exit(0)", "exited"),
    "vanishes": ("import os; os._exit(0)", "died"),
    "memory": ("import numpy; kept = numpy.ones(2**31, dtype='i1')", "memory"),
    "floods": ("for _ in range(100_000): print('x' * 1000)", "output"),
    "thread": ("import threading, time; threading.Thread(target=time.sleep, args=(99,)).start()", None),
    "link": ("import pathlib; d = pathlib.Path(out, 'data'); d.mkdir(); (d / 'x.csv').symlink_to('/etc/passwd')", None),
    "good": ("1", None),
}


def test_every_fault_is_named_and_stays_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    faults = FAULTS
    toys = Organisation(tmp_path, faults)
    cell = "\n".join(
        [f"code = { ({name: source for name, (source, _) in faults.items()})!r}[department]", "exec(code)"]
    )
    toys.write("first", cell)
    limits = Limits(cell_seconds=5, report_seconds=20, memory_mb=1500, output_mb=1)
    result = toys.run(limits=limits, jobs=3)
    reasons = {code: (entry["failure"] or {}).get("reason") for (code, _), entry in toys.entries().items()}
    assert reasons == {name: reason for name, (_, reason) in faults.items()}
    assert result.exit_status == 1
    assert result.failed == sum(reason is not None for reason in reasons.values())
    for name, reason in reasons.items():
        page = (toys.out / "2026-10" / toys.entries()[name, "first"]["folder"] / "first.html").read_text()
        assert ("This report could not be made." in page) == (reason is not None)
    assert not list((toys.out / "2026-10" / "link").rglob("*.csv")), "a link is no table"
    assert b"root:x:0" not in b"".join(toys.visible().values())


@pytest.mark.parametrize("cut", [0, 40])
def test_a_corrupt_snapshot_starts_nothing(tmp_path, cut):
    toys = Organisation(tmp_path)
    toys.write("first")
    toys.tables["tickets"].write_bytes(toys.tables["tickets"].read_bytes()[:cut])
    with pytest.raises(InputRefused, match="the table of 'tickets' cannot be read"):
        toys.run()
    assert not list(toys.out.glob("2026*"))


def test_a_thousand_departments_in_the_plan(tmp_path, capsys):
    toys = Organisation(tmp_path, [f"D{number:04}" for number in range(1000)])
    toys.write("first")
    toys.write("second")
    started = time.perf_counter()
    toys.run(plan_only=True)
    assert time.perf_counter() - started < 20
    assert len(capsys.readouterr().out.strip().split("\n")) == 2000


def test_time_zone_and_locale_of_the_machine_change_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    toys = Organisation(tmp_path, ["D01"])
    toys.write(
        "first",
        "import time, datetime, locale\nprint(time.tzname, datetime.datetime(2026, 10, 25, 2, 30).astimezone())",
    )
    pages = set()
    for zone in ("Europe/Rome", "America/Vancouver"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            toys.run(force=True)
        finally:
            monkeypatch.delenv("TZ")
            time.tzset()
        pages.add((toys.out / "2026-10" / "D01" / "first.html").read_bytes())
    assert len(pages) == 1


def task(name, *, seconds=None, notebook="first", attempt=1):
    return ReportTask(
        "2026-10", name, name, notebook, "", {}, {}, Limits(), None, {}, expected_seconds=seconds, attempt=attempt
    )


def test_longest_first_and_the_unknown_as_their_notebook():
    tasks = [
        task("a", seconds=1),
        task("b", seconds=9),
        task("c"),
        task("d", seconds=2, notebook="other"),
        task("e", notebook="none"),
    ]
    assert [one.department for one in longest_first(tasks)] == ["b", "c", "d", "a", "e"]


def schedule(make, *, jobs=2, kernel_mb=None):
    from dataclasses import replace

    pool = ThreadPoolExecutor(jobs)
    return Schedule(
        pool, make, jobs=jobs, kernel_mb=kernel_mb, retried=lambda o: replace(o.task, attempt=o.task.attempt + 1)
    )


def run_all(plan, tasks):
    return list(plan.run(tasks, lambda one: one, lambda: None))


def test_only_the_machinery_is_tried_again():
    tried = []

    def make(one):
        tried.append(one.department)
        reason = {"start": "start", "once": "infrastructure", "raised": "raised", "died": "died"}.get(one.department)
        if one.department == "once" and one.attempt > 1:
            reason = None
        return ReportOutcome(one, Failure(reason, "why") if reason else None, 0.1)

    outcomes = run_all(schedule(make), [task(name) for name in ("start", "once", "raised", "died", "good")])
    assert {name: tried.count(name) for name in set(tried)} == {
        "start": MOST_ATTEMPTS, "once": 2, "raised": 1, "died": 1, "good": 1,
    }  # fmt: skip
    assert {one.task.department: one.status for one in outcomes} == {
        "start": "failed", "once": "ok", "raised": "failed", "died": "failed", "good": "ok",
    }  # fmt: skip


def test_no_more_at_a_time_than_asked_and_than_memory_holds(monkeypatch):
    lock, most, now = threading.Lock(), [0], [0]

    def make(one):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return ReportOutcome(one, None, 0.05)

    run_all(schedule(make, jobs=3), [task(str(number)) for number in range(9)])
    assert most[0] == 3
    most[0] = 0
    monkeypatch.setattr("svclib.run.schedule.available_mb", lambda: 600.0)
    outcomes = run_all(schedule(make, jobs=3, kernel_mb=300), [task(str(number)) for number in range(4)])
    assert most[0] == 1, "600 MB less the reserve hold no second kernel, but the first always starts"
    assert len(outcomes) == 4


def test_a_lost_worker_is_the_machinery():
    class Lossy:
        def submit(self, make, one):
            future = Future()
            if one.attempt == 1:
                future.set_exception(RuntimeError("worker gone"))
            else:
                future.set_result(make(one))
            return future

    from dataclasses import replace

    plan = Schedule(
        Lossy(),
        lambda one: ReportOutcome(one, None, 0.0),
        jobs=2,
        retried=lambda o: replace(o.task, attempt=o.task.attempt + 1),
    )
    outcomes = run_all(plan, [task("a"), task("b")])
    assert sorted((one.task.department, one.task.attempt) for one in outcomes) == [("a", 2), ("b", 2)]
