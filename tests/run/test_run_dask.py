"""Reports on a Dask cluster: a real scheduler and two real workers on loopback, one of them killed in the middle."""

import os
import re
import subprocess
import sys
import threading

import pytest
from toys import HERE, Organisation, is_running, wait_for

from svclib.errors import InputRefused

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

SLOW = (
    "import os, pathlib, time\n"
    "notes = pathlib.Path(params).with_name('notes'); notes.mkdir(exist_ok=True)\n"
    "(notes / f'{department}-{os.getppid()}-{os.getpid()}').touch()\n"
    "time.sleep(1.0)\n"
    "assert department != 'D05'"
)


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and its two worker processes."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
        "PYTHONWARNINGS": "ignore",
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s",
        "DASK_TEMPORARY_DIRECTORY": str(tmp_path / "dask"),
    }
    processes = []

    def start(*words):
        command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
        )
        processes.append(process)
        return process

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = None
    for line in scheduler.stderr:
        if found := re.search(r"Scheduler at:\s*(tcp://\S+)", line):
            address = found[1]
            break
    drain(scheduler)
    workers = [
        start(
            "dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
            "--name",
            name,
        )
        for name in ("one", "two")
    ]
    for worker in workers:
        drain(worker)
    yield address, workers
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


def drain(process):
    threading.Thread(target=process.stderr.read, daemon=True).start()


@pytest.mark.slow
def test_a_killed_worker_loses_and_doubles_no_report(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    address, workers = cluster
    toys = Organisation(tmp_path / "toys", [f"D{number:02}" for number in range(1, 9)])
    toys.write("first", SLOW)
    notes = toys.root / "notes"
    wait_for_workers(address, 2)

    def kill():
        wait_for(lambda: notes.exists() and len(list(notes.iterdir())) >= 3)
        workers[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    result = toys.run(executor=f"dask:{address}", jobs=4)
    killer.join()
    assert (result.made, result.failed, result.exit_status) == (7, 1, 1)
    entries = toys.entries()
    assert sorted(code for code, _ in entries) == toys.codes
    assert entries["D05", "first"]["failure"]["reason"] == "raised", "a failing notebook is not tried again"
    assert len([path for path in notes.iterdir() if path.name.startswith("D05")]) <= 2
    assert not list((toys.out / ".svclib" / "work").iterdir())
    wait_for(lambda: not any(is_running(int(path.name.split("-")[2])) for path in notes.iterdir()), 10)
    assert toys.run(executor=f"dask:{address}").up_to_date == 7


def wait_for_workers(address, count):
    with distributed.Client(address, timeout="20s", set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


def test_no_scheduler_there(tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.executors._ANSWER", "1s")
    toys = Organisation(tmp_path)
    toys.write("first")
    with pytest.raises(InputRefused, match="does not answer"):
        toys.run(executor="dask:tcp://127.0.0.1:9")
    assert not list(toys.out.glob("2026*"))
