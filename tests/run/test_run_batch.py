"""A batch: every report made or explained, nothing half-written, nothing twice."""

import json
import os

import pytest
from toys import Organisation

from svclib.errors import InputRefused

GOOD = "pathlib_data = __import__('pathlib').Path(out, 'data'); pathlib_data.mkdir(); (pathlib_data / f'{department}.csv').write_text('a,b\\n1,2\\n')"


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")  # it may be edited while tests run
    return Organisation(tmp_path)


def test_every_notebook_for_every_department(toys, capsys):
    toys.write("first", GOOD)
    toys.write("second")
    result = toys.run(jobs=2)
    assert (result.made, result.failed, result.exit_status) == (6, 0, 0)
    for code in toys.codes:
        folder = toys.out / "2026-10" / code
        assert sorted(path.name for path in folder.iterdir()) == [
            "data", "first.html", "first.ipynb", "first.json", "second.html", "second.ipynb", "second.json",
        ]  # fmt: skip
        assert json.loads((folder / "first.json").read_text()) == {"department": code}
        assert (folder / "data" / f"{code}.csv").exists()
        html = (folder / "first.html").read_text()
        assert f"Department &lt;{code}&gt;" in html
        assert str(toys.root) not in html
    captured = capsys.readouterr()
    assert captured.out.strip().endswith("2026-10/index.html")
    assert "6 made, 0 up to date, 0 failed" in captured.err
    assert "\x1b" not in captured.err
    assert not list((toys.out / ".svclib" / "work").iterdir())


def test_the_manifest_tells_what_was_made_from_what(toys):
    toys.write("first")
    toys.run()
    manifest = toys.manifest()
    assert manifest["snapshot"]["digest"] == "snapshot-one"
    assert manifest["packages"]["papermill"]
    assert len(manifest["reports"]) == 3
    for entry in manifest["reports"]:
        assert entry["status"] == "ok"
        assert entry["kernel"] == "forked"
        for name, file in entry["files"].items():
            path = toys.out / "2026-10" / entry["folder"] / name
            assert path.stat().st_size == file["bytes"]


def test_a_failure_stays_alone_and_is_explained(toys, capsys):
    toys.write("first", "if department == 'D02': raise ValueError(bytes([65, 110, 110, 97]).decode())")
    result = toys.run()
    assert (result.made, result.failed, result.exit_status) == (2, 1, 1)
    folder = toys.out / "2026-10" / "D02"
    page = (folder / "first.html").read_text()
    assert "This report could not be made." in page
    assert "ValueError" in page
    assert not (folder / "first.json").exists()
    visible = b"".join(content for name, content in toys.visible().items() if not name.endswith("index.html"))
    assert b"Anna" not in visible
    err = capsys.readouterr().err
    assert "D02 first: failed: code cell 2 raised ValueError" in err
    assert "2026-10/D02/first.html; once it is mended, the same command with --only-failed makes them" in err
    assert "Anna" not in err


def test_a_failure_is_told_with_what_the_code_says_of_it(toys, capsys):
    toys.write("first", "{}['resolved_at']")
    toys.run(departments=["D01"])
    assert "failed: code cell 2 raised KeyError: 'resolved_at'" in capsys.readouterr().err


def test_nothing_changed_nothing_made(toys, monkeypatch):
    toys.write("first")
    toys.run()
    before = {path: path.stat().st_mtime_ns for path in toys.out.rglob("*.*") if path.is_file()}
    monkeypatch.setattr("svclib.run.batch.open_workshop", None)  # no kernel, no worker, no thread
    result = toys.run()
    assert (result.made, result.up_to_date, result.exit_status) == (0, 3, 0)
    assert before == {path: path.stat().st_mtime_ns for path in toys.out.rglob("*.*") if path.is_file()}


def made(toys, **options):
    toys.run(**options)
    return {entry["department"]: entry["made"] + entry["reason"] for entry in toys.manifest()["reports"]}


def changed(before, after):
    return sorted(code for code in after if before.get(code) != after[code])


def test_only_what_changed_is_made_again(toys, monkeypatch):
    path = toys.write("first")
    before = made(toys)
    toys.values["D02"], toys.digest = 2.0, "snapshot-two"
    toys.write_table()
    after = made(toys)
    assert changed(before, after) == ["D02"]
    assert after["D02"].endswith("its data changed")

    (toys.out / "2026-10" / "D03" / "first.json").unlink()
    missing = made(toys)
    assert changed(after, missing) == ["D03"]

    notebook = json.loads(path.read_text())
    notebook["metadata"]["editor"] = "someone opened it"
    path.write_text(json.dumps(notebook))
    assert made(toys) == missing, "an editor's note is no change"

    notebook["cells"][0]["source"] = "# Another title"
    path.write_text(json.dumps(notebook))
    assert changed(missing, made(toys)) == toys.codes

    (toys.root / "params" / "departments.yaml").write_text("# other")
    assert all(text.endswith("params/ changed") for text in made(toys).values())
    assert all(text.endswith("its parameters changed") for text in made(toys, language="it").values())
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "other")
    assert all(text.endswith("svclib changed") for text in made(toys, language="it").values())
    assert all(text.endswith("forced") for text in made(toys, language="it", force=True).values())


def test_failed_ones_are_tried_again_and_only_they(toys):
    toys.write("first", "import pathlib; assert department != 'D02' or pathlib.Path(params, 'mended').exists()")
    assert toys.run().exit_status == 1
    before = toys.entries()
    (toys.root / "params" / "mended").touch()
    toys.values["D01"], toys.digest = 2.0, "snapshot-two"
    toys.write_table()
    result = toys.run(only_failed=True)
    assert (result.made, result.exit_status) == (1, 0)
    assert toys.entries()["D01", "first"] == before["D01", "first"]
    assert toys.entries()["D02", "first"]["status"] == "ok"
    again = toys.run(only_failed=True)
    assert (again.made, again.up_to_date, again.left, again.exit_status) == (0, 2, 1, 0), "the data of D01 changed"


def test_only_failed_is_no_success_where_reports_are_missing(toys, capsys):
    toys.write("first")
    toys.run(departments=["D01"])
    capsys.readouterr()
    result = toys.run(only_failed=True)
    assert (result.made, result.up_to_date, result.left, result.exit_status) == (0, 1, 2, 1)
    assert "left, though not up to date: 2; the same command without --only-failed" in capsys.readouterr().err
    toys.run(only_failed=True, plan_only=True)
    assert "D02\tfirst\tleft: new" in capsys.readouterr().out


def test_only_failed_of_a_period_without_reports_starts_nothing(toys):
    toys.write("first")
    with pytest.raises(InputRefused, match=r"has no reports yet.*without --only-failed$"):
        toys.run(only_failed=True)
    assert not toys.out.exists()
    toys.out.mkdir()
    with pytest.raises(InputRefused, match="has no reports yet"):
        toys.run(only_failed=True)
    assert not list(toys.out.iterdir())


@pytest.mark.parametrize("log", ["text", "json"])
def test_a_notebook_that_saves_nothing_is_told_with_its_cure(toys, capsys, log):
    toys.write("first", save=False)
    assert toys.run(departments=["D01"], log=log).exit_status == 1
    err = capsys.readouterr().err
    cure = "let the notebook's last cell call report.save(), then run again with --only-failed"
    if log == "json":
        (event,) = [json.loads(line) for line in err.splitlines() if '"report"' in line]
        assert (event["reason"], event["cure"]) == ("no_result", cure)
    else:
        assert f"all cells ran, but the last one left no readable first.json. Cure: {cure}" in err


def test_a_report_that_fails_now_takes_its_old_files_away(toys):
    toys.write("first", GOOD)
    toys.run()
    toys.write("first", "1 / 0")
    toys.run(departments=["D01"])
    names = sorted(path.name for path in (toys.out / "2026-10" / "D01").rglob("*") if path.is_file())
    assert names == ["first.html", "first.ipynb"]
    assert (toys.out / "2026-10" / "D02" / "first.json").exists()


def test_a_plan_makes_nothing(toys, capsys):
    toys.write("first")
    toys.run(departments=["D01"])
    capsys.readouterr()
    before = toys.visible()
    result = toys.run(plan_only=True)
    assert result.exit_status == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert lines == ["D02\tfirst\tnew", "D03\tfirst\tnew", "D01\tfirst\tup to date"]
    assert toys.visible() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"departments": ["D1"]}, "department D1: is not declared.*'D01'"),
        ({"notebooks": ["frist"]}, "notebook frist: does not exist.*'first'"),
        ({"period": "2026-13"}, "period 2026-13"),
        ({"period": "2027-01"}, "lies in the future"),
        ({"executor": "moon"}, "executor moon: is not known"),
    ],
)
def test_what_cannot_start_starts_nothing(toys, options, said):
    toys.write("first")
    with pytest.raises(InputRefused, match=said):
        toys.run(**options)
    assert not list(toys.out.glob("2026*"))


def test_two_runs_at_once_the_second_says_so(toys):
    from svclib.run.place import OutFolder

    toys.write("first")
    with OutFolder(toys.out).held(), pytest.raises(InputRefused, match=f"a run is making reports here.*{os.getpid()}"):
        toys.run()
    assert toys.run().exit_status == 0


def test_json_lines_for_a_scheduler(toys, capsys):
    toys.write("first", "assert department != 'D02'")
    toys.run(log="json")
    events = [json.loads(line) for line in capsys.readouterr().err.strip().split("\n")]
    assert [event["event"] for event in events] == ["start", "report", "report", "report", "note", "end"]
    failed = next(event for event in events if event.get("status") == "failed")
    assert (failed["department"], failed["reason"]) == ("D02", "raised")
    assert events[-1]["exit_status"] == 1


def test_odd_codes_stay_inside(tmp_path):
    codes = ["../../x", "..", "NUL", "d01", "D01", "Büro 7", "x" * 300, "\N{GRINNING FACE}", "<img src=x>", "a/b", "."]
    toys = Organisation.__new__(Organisation)
    Organisation.__init__(toys, tmp_path, ["D01"])
    from svclib.run.place import folder_names

    names = folder_names(codes)
    assert len({name.casefold() for name in names.values()}) == len(codes)
    for name in names.values():
        assert (toys.out / name).resolve().parent == toys.out.resolve()
        assert name.isascii()
        assert len(name) < 64


def test_a_link_that_leads_out_is_refused(toys, tmp_path):
    toys.write("first")
    (tmp_path / "elsewhere").mkdir()
    (toys.out / "2026-10").mkdir(parents=True)
    (toys.out / "2026-10" / "D01").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputRefused, match="leads out of the reports folder"):
        toys.run()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_one_departments_language_is_not_everybodys(toys):
    """The pages that all share keep the organisation's language when only some departments are made in another."""
    toys.write("first")

    def spoken():
        return {code: entry["language"] for (code, _), entry in toys.entries().items()}

    toys.run(departments=["D02"], language="it")
    assert (toys.manifest()["language"], spoken()) == ("en", {"D02": "it"})
    toys.run(language="it")
    assert (toys.manifest()["language"], set(spoken().values())) == ("it", {"it"})
    toys.run(departments=["D02"], language="en")
    assert (toys.manifest()["language"], spoken()["D02"]) == ("it", "en")
    toys.run()
    assert (toys.manifest()["language"], set(spoken().values())) == ("en", {"en"})
