"""What the commands answer where they must not, or cannot, do what they are asked."""

import json
import os
import subprocess
import sys

import pytest

from svclib import cli
from svclib.paths import HOME
from svclib.run.lab import lab_command


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["svclib", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code, capsys.readouterr()


def test_an_edited_sample_is_not_written_over(monkeypatch, capsys, tmp_path):
    (tmp_path / "params").mkdir()
    mine = tmp_path / "params" / "kpis.yaml"
    mine.write_text("mine", encoding="utf-8")
    status, said = command(monkeypatch, capsys, "sample", "--to", tmp_path)
    assert status == 2
    assert "is there already; name another folder" in said.err
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_written_is_told_in_a_line(monkeypatch, capsys, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    status, said = command(monkeypatch, capsys, "sample", "--to", blocked / "below")
    assert status == 2
    assert said.err.startswith("svclib: ")
    assert "Traceback" not in said.err
    assert "Cure: look at the folder's rights" in said.err


@pytest.mark.parametrize("name", ["start", "own_data", "kpi_analisys"])
def test_what_is_no_report_is_refused_before_anything_starts(monkeypatch, capsys, tmp_path, name):
    status, said = command(monkeypatch, capsys, "run", "--notebook", name, "--out", tmp_path / "out")
    assert status == 2
    assert f"notebook {name}: does not exist" in said.err or f"notebook {name}: makes no report" in said.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_executor_is_refused_by_a_plan_too(monkeypatch, capsys, tmp_path):
    status, said = command(monkeypatch, capsys, "run", "--plan", "--executor", "moon", "--out", tmp_path / "out")
    assert status == 2
    assert "executor moon: is not known" in said.err


def test_jupyterlab_takes_the_place_of_the_command(monkeypatch, capsys):
    taken = []
    monkeypatch.setattr("svclib.run.lab.os.chdir", lambda folder: None)
    monkeypatch.setattr("svclib.run.lab.os.execv", lambda program, words: taken.append(words))
    command(monkeypatch, capsys, "lab", "--no-browser")
    assert taken[0][-2:] == ["notebooks/start.ipynb", "--no-browser"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["run", "--perod", "2026-10"],
            "unrecognized arguments: --perod 2026-10. Cure: write '--period', see svclib run --help",
        ),
        (["run", "2026-10"], "unrecognized arguments: 2026-10. Cure: see svclib run --help"),
        (["rnu", "--period", "2026-10"], "there is no command 'rnu'. Cure: write 'run'; see svclib --help"),
        (["xxxx"], "there is no command 'xxxx'. Cure: known: sample, check, collect, run, template"),
        (
            ["run", "--jobs", "0"],
            "argument -j/--jobs: '0' is not a whole number, 1 or more. Cure: see svclib run --help",
        ),
        (["sample", "--months", "1e2"], "argument --months: '1e2' is not a whole number, 12 to 120"),
        (["run", "--log", "xml"], "argument --log: invalid choice: 'xml'"),
        (["compare", "2026-09"], "the following arguments are required: PERIOD. Cure: see svclib compare --help"),
        (["run", "--dep", "D01"], "unrecognized arguments: --dep D01"),
    ],
)
def test_wrong_words_are_told_with_a_cure(monkeypatch, capsys, words, said):
    status, shown = command(monkeypatch, capsys, *words)
    assert status == 2
    assert shown.err.startswith(f"svclib: {said}")
    assert not shown.out


def test_the_lab_leads_to_the_start_page_whoever_opens_it_and_asks_nobody_for_news():
    words = lab_command()
    assert words[-1] == "notebooks/start.ipynb"
    assert "--LabApp.default_url=/lab/tree/notebooks/start.ipynb" in words, "the address that --no-browser prints"
    assert "--ip=127.0.0.1" in words
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in words


def test_who_stops_reading_gets_no_advice_on_the_disk(tmp_path):
    code = (
        "from svclib import cli\n"
        "cli._COMMANDS['compare'] = (lambda **_: print('x' * 10_000_000), cli._COMMANDS['compare'][1])\n"
        "cli.main()"
    )
    words = [sys.executable, "-c", code, "compare", "2026-09", "2026-10"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdout.read(10)
    running.stdout.close()
    assert running.stderr.read() == ""
    running.stderr.close()
    assert running.wait(60) == 141


def test_a_console_that_cannot_write_a_sign_shows_another(tmp_path):
    code = (
        "from svclib import cli\n"
        "cli._COMMANDS['compare'] = (lambda **_: print('\\u25cf Concern'), cli._COMMANDS['compare'][1])\n"
        "cli.main()"
    )
    words = [sys.executable, "-c", code, "compare", "2026-09", "2026-10"]
    done = subprocess.run(words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, check=True)
    assert done.stdout.strip() == b"? Concern"


def test_a_refusal_is_json_where_a_scheduler_reads_json(monkeypatch, capsys, tmp_path):
    status, said = command(monkeypatch, capsys, "run", "--params", tmp_path / "none", "--log", "json")
    events = [json.loads(line) for line in said.err.splitlines()]
    assert status == 2
    assert [event["event"] for event in events] == ["refused", "end"]
    assert (events[0]["what"], events[1]["exit_status"]) == ("there is no such params folder", 2)


def test_whose_reports_are_made_is_said_where_nobody_named_params(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = []
    monkeypatch.setattr("svclib.run.batch.run_batch", lambda params, **more: given.append(params) or exit(7))
    assert "so this is the sample organisation; name yours with --params" in command(monkeypatch, capsys, "run")[1].err
    (tmp_path / "params").mkdir()
    assert command(monkeypatch, capsys, "run")[1].err == ""
    assert given == [HOME / "params", tmp_path / "params"]


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "svclib", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("svclib ")


def test_without_a_command_the_help_is_shown_and_nothing_was_done(monkeypatch, capsys):
    status, shown = command(monkeypatch, capsys)
    assert status == 2
    assert "Make the reports of a period" in shown.err
    assert "schemas" not in shown.err


def test_options_reach_the_run_under_their_own_names(monkeypatch, capsys):
    given = {}
    monkeypatch.setattr("svclib.run.batch.run_batch", lambda params, **more: given.update(more) or exit(7))
    words = [
        "run",
        "--department",
        "D01",
        "--department",
        "D02",
        "--only-failed",
        "-j",
        "3",
        "--as-of",
        "2026-11-05",
        "--log",
        "json",
        "--language",
        "it",
    ]
    assert command(monkeypatch, capsys, *words)[0] == 7
    assert given["departments"] == ["D01", "D02"]
    assert (given["jobs"], given["as_of"], given["log"], given["language"]) == (3, "2026-11-05", "json", "it")
    assert given["only_failed"]
    assert not given["force"]
    assert not given["plan_only"]
    assert given["notebooks"] is None
