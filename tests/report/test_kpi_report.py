"""The KPI notebook on the sample organisation: every cell runs, words and numbers agree, planted facts are found."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from svclib.report.show import Block, slug
from svclib.report.words import kpi as kpi_words
from svclib.report.words.headline import headline
from svclib.sample import write_sample

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "kpi_analysis.ipynb"


@pytest.fixture(scope="module")
def cells():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [("".join(c["source"]), c) for c in notebook["cells"] if c["cell_type"] == "code"]


@pytest.fixture(scope="module")
def executed(cells, tmp_path_factory):
    """The notebook's cells, run one after the other as a kernel would, with what each of them shows."""
    root = tmp_path_factory.mktemp("sample")
    params = write_sample(root, months=36, seed=1)
    out = tmp_path_factory.mktemp("out")
    space: dict = {}
    shown = []
    for source, cell in cells:
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), space)
        if "parameters" in cell["metadata"].get("tags", []):
            space |= {"params": str(params), "department": "D01", "period": "2026-10", "out": str(out)}
        if last is not None:
            shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), space))
    return space, shown, out


def test_the_notebook_is_clean(cells):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert all(not c.get("outputs") and c.get("execution_count") is None for _, c in cells)
    assert sum("parameters" in c["metadata"].get("tags", []) for c in notebook["cells"]) == 1
    for source, _ in cells:
        assert not any(isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Lambda) for n in ast.walk(ast.parse(source)))


def test_every_cell_shows_something_with_text_for_the_terminal(executed):
    _, shown, _ = executed
    blocks = [b for b in shown if b is not None]
    assert len(blocks) >= 8
    assert all(isinstance(b, Block) and b.plain.strip() for b in blocks)
    assert not any("nan" in b.plain.split() for b in blocks)


def test_the_files_say_what_the_report_says(executed):
    space, shown, out = executed
    result = json.loads((out / "kpi_analysis.json").read_text(encoding="utf-8"))
    report = space["report"]
    explained = next(b for b in shown if b is not None and "The other KPIs" in b.plain)
    for record, finding in zip(result["kpis"], report.analysis.findings, strict=True):
        assert record["sentence"] == kpi_words.sentence(finding, space["study"].as_of)
        assert record["sentence"] in explained.plain
        assert f'id="{slug(record["code"])}"' in explained.html
        points = pd.read_csv(out / "data" / f"kpi-{slug(record['code'])}.csv")
        assert points["period"].tolist() == [p["period"] for p in record["points"]]
        assert points["value"].tolist()[-1] == pytest.approx(record["value"])
        moved = finding.change
        assert (record["moved"] or {}).get("since") == (moved.period if moved and moved.before is not None else None)
        if record["state"] in ("concern", "improvement"):  # what moved is told alike; the step stands where it is known
            what, _, following = record["sentence"].partition("; next: ")
            assert headline(record, "2026-10").startswith(f"{what}; next: ")
            assert record["state"] != "concern" or following.startswith(
                ("see the root-cause analysis", "wait", "compare")
            )
    assert (out / "data" / "kpis.csv").exists()
    assert result["signals_found"] == report.analysis.signals.found


def test_a_heading_calls_a_weak_signal_so(executed):
    _, shown, _ = executed
    text = next(b for b in shown if b is not None and "The other KPIs" in b.plain).plain
    assert "Average response time [Improvement, perhaps]" in text


def test_nothing_is_written_in_jupyterlab(executed, tmp_path):
    space, _, _ = executed
    from dataclasses import replace

    from svclib.report.views.kpi import KpiReport

    report = KpiReport(replace(space["study"], out=None), space["report"].analysis)
    report.save()
    assert list(tmp_path.iterdir()) == []


def test_planted_facts_are_found_and_young_months_are_not_judged(executed):
    space, _, _ = executed
    states = space["report"].frame.set_index("code")["state"]
    # F01: a local cause since September; F16: a plan that made satisfaction worse; F12: fewer hand-offs everywhere.
    assert states["escalation_rate"] == "concern"
    assert states["csat"] == "concern"
    assert states["handoffs"] == "improvement"
    assert states["first_contact_resolution"] == "provisional"
    # The outage of June is over: October is quiet again.
    assert states["incidents"] == "common_cause"


def test_the_picture_in_the_readme_is_what_the_package_draws(executed):
    """To renew it: write the chart's `svg` and a line feed into the file."""
    space, _, _ = executed
    kept = NOTEBOOK.parents[1] / "templates" / "example.svg"
    assert space["report"].chart("escalation_rate").svg == kept.read_text(encoding="utf-8").rstrip("\n")


def test_only_what_stands_out_is_drawn(executed):
    """A chart for each KPI with news and for no other; all have their sentence, their anchor and their numbers."""
    space, shown, _ = executed
    explained = next(b for b in shown if b is not None and "The other KPIs" in b.plain)
    for finding in space["report"].analysis.findings:
        part = explained.html.split(f'id="{slug(finding.kpi.code)}"')[1].split("<section")[0]
        assert ("<img" in part) == finding.notable
        assert kpi_words.sentence(finding).split(";")[0].split(":")[0] in part
        assert "svc-data" in part
    assert "<svg" not in explained.html


def test_each_page_stays_small(executed):
    space, _, _ = executed
    charts = space["report"].charts
    assert max(len(c.svg.encode()) for c in charts) < 17_000
    assert all(c.alt and c.caption and c.data is not None for c in charts)


def test_what_changed_since_the_snapshot_before_is_listed(write_params):
    """A small organisation, collected twice: rows of March come late, April had not been reported yet."""
    import numpy as np

    import svclib
    from svclib.prepared import prepare
    from svclib.study import open_study

    params = write_params()
    rng = np.random.default_rng(1)
    opened = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 485, 900)), unit="D")
    rows = pd.DataFrame(
        {"number": np.arange(900), "team": "D01", "opened": opened, "contacts": rng.integers(1, 3, 900)}
    )
    rows["closed"] = rows["opened"] + pd.Timedelta("2h")
    rows["channel"] = "mail"
    rows[["opened", "closed"]] = rows[["opened", "closed"]].apply(lambda s: s.dt.strftime("%Y-%m-%d %H:%M:%S"))
    (params.parent / "data").mkdir()
    path = params.parent / "data" / "tickets.csv"
    late = rows["opened"].str.startswith("2026-03") & (np.arange(900) % 5 == 0)
    rows[~late].to_csv(path, index=False)
    prepare(params, as_of="2026-04-10")
    rows.to_csv(path, index=False)
    report = svclib.analyse_kpis(open_study(params=params, department="D01", period="2026-04", as_of="2026-05-05"))
    text = report.revised().plain
    assert f"{late.sum()} rows of before 10 April 2026 have come since then" in text
    assert "March 2026" in text
    assert "One figure of the latest six periods differs" in text
    assert "April 2026  " not in text


def test_the_overview_marks_each_kpi_as_the_front_pages_do(executed):
    from svclib.report.views.marks import badges_of, word_of

    space, _, _ = executed
    finding = next(f for f in space["report"].analysis.findings if f.verdict.state == "improvement")
    assert badges_of(replace(finding, p=0.3)).plain == "◆ Improvement, perhaps"
    assert word_of(replace(finding, p=0.3)) == "Improvement, perhaps"
    assert badges_of(replace(finding, p=0.0001)).plain == "◆ Improvement"
    young = replace(finding, p=0.0001, verdict=replace(finding.verdict, state="provisional", cause="immature"))
    assert badges_of(young).plain == "○ Provisional; ◆ Improvement, October 2026"
