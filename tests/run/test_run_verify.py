"""Every figure is confirmed by making it again, or its difference is named."""

import json

import pytest
from toys import KERNEL, Organisation

from svclib.errors import InputRefused
from svclib.run.verify import verify_period

RESULT = (
    "import json, pathlib\n"
    "rows = json.loads(pathlib.Path(snapshot, 'tickets.json').read_text())\n"
    "total = sum(value for code, value in rows if code == department)\n"
    "data = pathlib.Path(out, 'data'); data.mkdir()\n"
    "(data / 'total.csv').write_text(f'total\\n{total}\\n')\n"
    "pathlib.Path(out, 'first.json').write_text(json.dumps({'kpis': [{'value': total}]}))\n"
    "print(total)"
)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    for module in ("plan", "verify"):
        monkeypatch.setattr(f"svclib.run.{module}.digest_source", lambda: "this source")
    toys = Organisation(tmp_path)
    toys.write("first", RESULT, save=False)
    assert toys.run().exit_status == 0
    return toys


def verify(toys, **options):
    def prepare(params, *, snapshot, **keywords):
        return toys.prepare(params, **keywords)

    options = {"notebook_folder": toys.notebooks, "modules": KERNEL, **options}
    return [str(difference) for difference in verify_period(toys.out / "2026-10", prepare=prepare, **options)]


def test_the_same_again(toys):
    assert verify(toys) == []


def test_the_same_again_with_links_to_other_reports(toys):
    """A second notebook and an earlier period: their pages link to one another, and are confirmed all the same."""
    toys.write("kpi_analysis", "print('second')")
    toys.run()
    toys.run(period="2026-09")
    toys.run(force=True, notebooks=["first"])
    page = (toys.out / "2026-10" / "D01" / "first.html").read_text()
    assert 'href="kpi_analysis.html"' in page
    assert 'href="../../2026-09/D01/first.html"' in page
    assert verify(toys) == []


def test_another_figure_is_named_with_its_place(toys):
    toys.values["D02"] = 2.0
    toys.write_table()
    differences = verify(toys)
    assert "D02/first: first.json: kpis[0].value: was 10.0, is 20.0" in differences
    assert "D02/first: data/total.csv: differs" in differences
    assert not [text for text in differences if "D01" in text]


def test_a_file_changed_by_hand_is_named(toys):
    path = toys.out / "2026-10" / "D01" / "first.html"
    path.write_text(path.read_text().replace("10.0", "99.0"))
    (toys.out / "2026-10" / "D03" / "data" / "total.csv").unlink()
    assert verify(toys) == [
        "D01/first: first.html: was changed after it was made",
        "D03/first: data/total.csv: is missing",
    ]


def test_other_code_made_the_pages(toys, monkeypatch):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "other source")
    monkeypatch.setattr("svclib.run.verify.digest_source", lambda: "other source")
    notes = []
    assert verify(toys, note=notes.append) == []
    assert "pages are not" in notes[0]


def test_another_snapshot_is_refused(toys):
    toys.digest = "other"
    with pytest.raises(InputRefused, match="not the snapshot that the manifest names"):
        verify(toys)


def test_no_manifest(toys):
    with pytest.raises(InputRefused, match="holds no manifest"):
        verify_period(toys.out / "2026-09")


def test_same_input_same_bytes(toys):
    """Pages, results and tables of two runs, one of them serial, are equal byte by byte."""
    before = toys.visible()
    assert toys.run(force=True, jobs=1).made == 3
    after = toys.visible()
    names = [name for name in before if not name.endswith((".ipynb", "manifest.json"))]
    assert len(names) > 9
    assert [name for name in names if before[name] != after[name]] == []


def test_cold_and_forked_make_the_same_bytes(toys, monkeypatch):
    before = toys.visible()
    monkeypatch.setenv("SVCLIB_KERNELS", "cold")
    toys.run(force=True)
    assert {entry["kernel"] for entry in toys.manifest()["reports"]} == {"cold"}
    after = toys.visible()
    names = [name for name in before if not name.endswith((".ipynb", "manifest.json"))]
    assert [name for name in names if before[name] != after[name]] == []


def test_notebooks_keep_nothing_of_the_machine_but_their_parameters(toys):
    notebook = json.loads((toys.out / "2026-10" / "D01" / "first.ipynb").read_text())
    injected = next(cell for cell in notebook["cells"] if "injected-parameters" in cell["metadata"]["tags"])
    rest = json.dumps([cell for cell in notebook["cells"] if cell is not injected])
    assert str(toys.root) not in rest
