"""Ended at any moment: what is finished stays, nothing half-written is ever seen, no process is left behind."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from toys import Organisation, is_running, wait_for

SLOW = (
    "import os, pathlib, time\n"
    "pathlib.Path(params).with_name(f'pid-{department}').write_text(str(os.getpid()))\n"
    "time.sleep(0.2 if department < 'D03' or pathlib.Path(params, 'mended').exists() else 60)"
)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    toys = Organisation(tmp_path, ["D01", "D02", "D03", "D04", "D05"])
    toys.write("first", SLOW)
    return toys


def kernels(toys):
    return [int(path.read_text() or 0) for path in toys.root.glob("pid-*")]


def mend(toys):
    """The hang is gone; the notebook stays as it is."""
    (toys.root / "params" / "mended").touch()


def is_whole(toys):
    """Whether each visible report is all there: page, notebook and result, each complete."""
    for folder in (toys.out / "2026-10").glob("D*"):
        if (folder / "first.html").exists():
            page = (folder / "first.html").read_text()
            assert page.rstrip().endswith("</html>")
            if "This report could not be made." in page:
                assert not (folder / "first.json").exists()
                continue
            json.loads((folder / "first.ipynb").read_text())
            json.loads((folder / "first.json").read_text())
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_is_finished(toys, number):
    process = toys.start(jobs=2)
    wait_for(lambda: len(list(toys.root.glob("pid-*"))) >= 4)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert sorted(code for code, _ in toys.entries()) == ["D01", "D02"]
    assert toys.manifest()["interrupted"] is True
    assert is_whole(toys)
    assert sorted(path.name for path in (toys.out / "2026-10").glob("D*")) == ["D01", "D02"]
    wait_for(lambda: not any(map(is_running, kernels(toys))), 5)
    mend(toys)
    result = toys.run()
    assert (result.made, result.up_to_date) == (3, 2)


def test_a_killed_run_leaves_no_kernel_and_the_next_goes_on(toys):
    process = toys.start(jobs=2)
    wait_for(lambda: len(list(toys.root.glob("pid-*"))) >= 4)
    wait_for(lambda: (toys.out / "2026-10" / "D02" / "first.html").exists())
    time.sleep(0.2)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(is_running, kernels(toys))), 5)
    assert is_whole(toys)
    made = {path: path.stat().st_mtime_ns for path in (toys.out / "2026-10").rglob("first.html")}
    assert len(made) == 2
    mend(toys)
    result = toys.run()
    assert (result.made, result.up_to_date, result.exit_status) == (3, 2, 0)
    assert made == {path: path.stat().st_mtime_ns for path in made}


@pytest.mark.slow
def test_killed_at_any_moment(toys):
    """SIGKILL at six moments; each time all that is visible is whole, and the next run makes only the rest."""
    toys.write(
        "first", "import pathlib; d = pathlib.Path(out, 'data'); d.mkdir(); (d / f'{department}.csv').write_text('a')"
    )
    finished = 0
    for moment in range(6):
        process = toys.start(jobs=2)
        time.sleep(0.6 + 0.25 * moment)
        process.kill()
        process.communicate()
        assert is_whole(toys)
    process = toys.start(jobs=2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    finished = re.search(r"(\d) made, (\d) up to date", err)
    assert int(finished[1]) + int(finished[2]) == 5
    assert not list((toys.out / ".svclib" / "work").iterdir())
    result = toys.start().communicate(timeout=60)[1]
    assert "0 made, 5 up to date" in result


def test_a_sealed_report_is_moved_by_the_next_run(toys, monkeypatch):
    """Killed between two renames: the next run finishes the move instead of making the report again."""
    from svclib.run import place

    mend(toys)
    moved = []

    def replace(source, target):
        if "first.html" in str(target) and "D02" in str(target):
            raise KeyboardInterrupt  # as good as dead
        moved.append(target)
        return os_replace(source, target)

    os_replace = os.replace
    monkeypatch.setattr(place.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        toys.run(departments=["D02"])
    monkeypatch.undo()
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    assert not (toys.out / "2026-10" / "D02" / "first.html").exists()
    result = toys.run(departments=["D02"])
    assert (result.made, result.up_to_date) == (0, 1)
    assert is_whole(toys)
    assert toys.entries()["D02", "first"]["status"] == "ok"


def test_a_manifest_cut_off_is_none(toys):
    mend(toys)
    toys.run(departments=["D01"])
    path = toys.out / "2026-10" / "manifest.json"
    path.write_text(path.read_text()[:100])
    assert toys.run(departments=["D01"]).made == 1


def test_a_file_where_the_folder_should_be(toys):
    from svclib.errors import InputRefused

    toys.out.write_text("not a folder")
    with pytest.raises(InputRefused, match="cannot be written"):
        toys.run()


@pytest.fixture
def small_disk(toys):
    """A disk of 120 kB."""
    disk = toys.root / "small"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(disk)]).returncode:
        pytest.skip("no right to mount a small disk")
    toys.out = disk / "reports"
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(toys, small_disk):
    """What fits is made, what does not is a failure; with room again the next run makes the rest."""
    mend(toys)
    result = toys.run()
    assert result.exit_status == 1
    assert result.failed > 0
    assert is_whole(toys)
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert toys.run().exit_status == 0
    assert is_whole(toys)
    assert len(toys.entries()) == 5


def test_a_folder_that_cannot_be_written(toys, small_disk):
    from svclib.errors import InputRefused

    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputRefused, match=r"cannot be written \(Read-only"):
        toys.run()
