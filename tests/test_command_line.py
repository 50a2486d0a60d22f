"""What the commands answer where they must not, or cannot, do what they are asked."""

import pytest

from svclib import cli


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
