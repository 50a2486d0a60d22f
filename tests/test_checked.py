"""A sound check is told again as fast as help, and made again as soon as anything that it saw has changed."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

import svclib.study  # what is imported first while a name is patched keeps the patch
from svclib import checked, cli
from svclib.catalogue.models import Source


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of params, data and code that a check has seen and found sound."""
    monkeypatch.setattr(checked, "_SETTLED_NS", -1)
    monkeypatch.setattr(checked, "HOME", tmp_path / "home")
    monkeypatch.setattr(checked, "NOTEBOOKS", tmp_path / "home" / "notebooks")
    for name in ("params/plan", "data", "snapshots", "home/svclib/words", "home/notebooks"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("params/kpis.yaml", "params/plan/a.csv", "data/t1.csv", "data/s.csv", "home/svclib/words/en.toml"):
        (tmp_path / name).write_text("one\n")
    checked.remember(tmp_path / "params", "sound", ["data/t*.csv", "data/s.csv"])
    assert checked.recall(tmp_path / "params") == "sound"
    return tmp_path


def _same_size_and_time(path):
    status = path.stat()
    path.write_text("two\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = {
    "a declaration, of the same size and time": lambda place: _same_size_and_time(place / "params/kpis.yaml"),
    "a file of a folder of params": lambda place: (place / "params/plan/a.csv").write_text("three"),
    "a file more in params": lambda place: (place / "params/departments.yaml").write_text(""),
    "a file more of a pattern": lambda place: (place / "data/t2.csv").write_text(""),
    "a file less": lambda place: (place / "data/s.csv").unlink(),
    "another file in its place": lambda place: (place / "data/t1.csv").rename(place / "data/t3.csv"),
    "the code": lambda place: (place / "home/svclib/words/en.toml").write_text("four"),
    "a notebook": lambda place: (place / "home/notebooks/own.ipynb").write_text("{}"),
    "the memory": lambda place: (place / "snapshots/checked.txt").write_text("sound"),
    "all the snapshots": lambda place: (place / "snapshots/checked.txt").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_checked_is_checked_again_after_a_change(place, change):
    change(place)
    assert checked.recall(place / "params") is None


def test_it_is_checked_again_after_an_installation_and_on_another_day(place, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checked.time, "gmtime", lambda: time.localtime(time.time() + 86400 * 2))
        assert checked.recall(place / "params") is None
    installed = place / "site-packages"
    installed.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(installed)])
    assert checked.recall(place / "params") is None


def test_files_that_may_change_once_more_and_keep_their_time_are_not_remembered(place, monkeypatch):
    (place / "snapshots/checked.txt").unlink()
    monkeypatch.setattr(checked, "_SETTLED_NS", 3_600_000_000_000)  # all files are younger than an hour
    checked.remember(place / "params", "sound", ["data/s.csv"])
    assert not (place / "snapshots/checked.txt").exists()


def test_a_memory_that_cannot_be_written_is_no_fault(place):
    (place / "snapshots/checked.txt").unlink()
    (place / "snapshots").rmdir()
    checked.remember(place / "params", "sound", ["data/s.csv"])
    assert checked.recall(place / "params") is None


def test_an_installation_without_notebooks_remembers_too(place):
    (place / "home/notebooks").rmdir()
    assert checked.recall(place / "params") == "sound"
    (place / "snapshots/checked.txt").unlink()
    checked.remember(place / "params", "sound", ["data/s.csv"])
    assert checked.recall(place / "params") == "sound"


def test_a_file_that_cannot_be_looked_at_is_no_fault_of_the_check(place):
    (place / "snapshots/checked.txt").unlink()
    (place / "params/old.yaml~").symlink_to("nowhere")
    checked.remember(place / "params", "sound", ["data/s.csv"])
    assert checked.recall(place / "params") is None


def test_what_is_doubted_is_told_at_every_check(write_params, tmp_path):
    """Nothing is wrong, so the status is 0; a check that remembered would tell it once and never again."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/tickets.csv").write_text(
        "number,team,opened,closed,contacts,channel\nT1,D01,2026-01-02,2026-01-03,1,Sì\n"
    )
    texts = "- code: a\n  title: A\n  source: tickets\n  kind: proportion\n  numerator: channel = 'Si'\n"
    params = write_params(kpis=f"{texts}  direction: increase\n")
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    for done in (_check(params), _check(params)):
        assert ": sound (" in done.stdout
        assert "note: params/kpis.yaml:5: numerator: no row of source 'tickets' holds 'Si'" in done.stderr
        assert "Cure: write 'Sì' as the rows do" in done.stderr


def test_check_says_the_same_again_and_needs_no_pandas_for_it(organisation_for_checks):
    params = organisation_for_checks
    told = [_check(params) for _ in range(2)]
    assert told[0].stdout == told[1].stdout
    assert ": sound (" in told[0].stdout
    assert ("pandas" in told[0].stderr, "pandas" in told[1].stderr) == (True, False)
    assert (params.parent / "snapshots/checked.txt").exists()
    (params / "kpis.yaml").write_text("nonsense")
    assert _check(params, status=2).stdout == ""


@pytest.fixture
def organisation_for_checks(tmp_path):
    from svclib.sample import write_sample

    params = write_sample(tmp_path / "own", months=12, seed=3)
    hour_ago = time.time() - 3600
    for path in tmp_path.rglob("*"):
        os.utime(path, (hour_ago, hour_ago))
    time.sleep(2.2)  # a file as young as that may change once more and keep its time
    return params


def _check(params, status=0):
    words = [sys.executable, "-X", "importtime", "-m", "svclib", "check", "--params", str(params)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


@pytest.mark.parametrize(("read", "remembered"), [("data/s.csv", True), ("duckdb:///own.db", False)])
def test_what_a_database_holds_is_always_asked(place, monkeypatch, capsys, read, remembered):
    source = Source(name="s", shape="cases", read=read, table="t" if "://" in read else None, columns={})
    catalogue = SimpleNamespace(folder=place / "params", departments=[], kpis=[], actions=[], sources=[source])
    monkeypatch.setattr("svclib.catalogue.load.load_catalogue", lambda folder: catalogue)
    monkeypatch.setattr(
        svclib.prepared, "prepare", lambda _: SimpleNamespace(snapshot=SimpleNamespace(as_of="now"), doubts=list)
    )
    (place / "snapshots/checked.txt").unlink()
    cli.check(place / "params")
    assert "1 source, 0 KPIs, 0 actions; data up to now" in capsys.readouterr().out
    assert (checked.recall(place / "params") is not None) == remembered
