"""The main job: the sample organisation's reports, made by the command that the operator uses."""

from __future__ import annotations

import csv
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import html5lib
import pytest

from svclib.report.brief import verdict_badge
from svclib.report.words.headline import reading

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ("kpi_analysis", "root_cause_analysis", "outcome_evaluation")
DEPARTMENTS = ("D01", "D06")

# What scripts may rely on: the keys that the design promises.
KPI_KEYS = {
    "code", "value", "numerator", "denominator", "interval", "target", "state", "variation", "assurance",
    "p_meets_target_next", "chart", "points", "trend", "season", "autocorrelation", "peers", "forecast", "sentence",
}  # fmt: skip
POINT_KEYS = {"period", "value", "n", "centre", "lower", "upper", "signal", "mature", "phase"}
GAP_KEYS = {
    "kpi", "explain", "onset", "mix_rate", "segments", "general_shift", "process", "pareto", "themes", "grade",
    "draft_action", "sentence",
}  # fmt: skip
ACTION_KEYS = {
    "id", "progress", "goal", "effect", "checks", "verdict", "grade", "rival", "too_early_until", "sentence",
}  # fmt: skip
STATES = {"improvement", "concern", "common_cause", "neutral", "provisional", "too_few", "withheld", "fault"}


def svclib(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "svclib.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reports")
    chosen = [part for code in DEPARTMENTS for part in ("--department", code)]
    done = svclib("run", *chosen, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.strip().endswith("index.html")
    return out


@pytest.fixture(scope="module")
def result(reports):
    def read(department: str, notebook: str) -> dict:
        text = (reports / "2026-10" / department / f"{notebook}.json").read_text(encoding="utf-8")
        return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in {notebook}.json"))

    return read


def test_every_file_that_scripts_rely_on_is_there(reports):
    for path in ["index.html", "2026-10/index.html", "2026-10/manifest.json", "2026-10/action_plan.xlsx"]:
        assert (reports / path).is_file(), path
    for code in DEPARTMENTS:
        folder = reports / "2026-10" / code
        assert (folder / "index.html").is_file()
        for notebook in NOTEBOOKS:
            for suffix in ("html", "json", "ipynb"):
                assert (folder / f"{notebook}.{suffix}").is_file(), f"{code}/{notebook}.{suffix}"
        assert list((folder / "data").glob("*.csv"))


@pytest.mark.parametrize("code", DEPARTMENTS)
def test_kpi_results_keep_their_form(result, code):
    found = result(code, "kpi_analysis")
    assert {"department", "period", "as_of", "kpis", "signals_expected_by_chance", "signals_found"} <= set(found)
    assert {"signals_after_fdr", "data_quality"} <= set(found)
    assert len(found["kpis"]) == 14
    for kpi in found["kpis"]:
        assert set(kpi) >= KPI_KEYS
        assert kpi["state"] in STATES
        assert kpi["assurance"] in ("pass", "fail", "hit_or_miss", "none")
        assert len(kpi["interval"]) == 2
        assert kpi["sentence"].endswith(".")
        for point in kpi["points"]:
            assert set(point) >= POINT_KEYS


@pytest.mark.parametrize("code", DEPARTMENTS)
def test_root_cause_and_outcome_results_keep_their_form(result, code):
    for gap in result(code, "root_cause_analysis")["gaps"]:
        assert set(gap) >= GAP_KEYS
        assert gap["grade"] in ("A", "B", "C", "D", None)
    actions = result(code, "outcome_evaluation")["actions"]
    assert actions
    for action in actions:
        assert set(action) >= ACTION_KEYS


def test_the_young_month_is_provisional_in_result_and_page(result, reports):
    kpi = next(k for k in result("D01", "kpi_analysis")["kpis"] if k["code"] == "first_contact_resolution")
    assert kpi["state"] == "provisional"
    assert kpi["points"][-1]["mature"] is False
    assert "rovisional" in (reports / "2026-10/D01/kpi_analysis.html").read_text(encoding="utf-8")


def test_pages_are_valid_load_nothing_and_show_no_code(reports):
    for path in reports.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        parser = html5lib.HTMLParser(strict=True)
        parser.parse(text)
        assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text, path
        assert not re.search(r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//", text), path
        assert not re.search(r"<img(?![^>]*\balt=)", text), path
        if path.stem in NOTEBOOKS:
            assert "import svclib" not in text
            assert "<script" not in text


def test_sentences_of_the_page_are_those_of_the_result(result, reports):
    page = html.unescape((reports / "2026-10/D01/kpi_analysis.html").read_text(encoding="utf-8"))
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    for kpi in result("D01", "kpi_analysis")["kpis"]:
        assert re.sub(r"\s+", " ", kpi["sentence"]) in plain, kpi["code"]


def _plain(page: Path) -> str:
    text = re.sub(r"<(?:style|svg)\b.*?</(?:style|svg)>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.mark.parametrize("code", DEPARTMENTS)
def test_two_reports_of_one_change_agree(result, code):
    """What changed, since when, from where to where and what happened then is the same for chart and causes."""
    kpis = {kpi["code"]: kpi for kpi in result(code, "kpi_analysis")["kpis"]}
    gaps = {gap["kpi"]: gap for gap in result(code, "root_cause_analysis")["gaps"]}
    counts = {name: kpi["latest"] if kpi["state"] == "provisional" else kpi for name, kpi in kpis.items()}
    wanted = {name for name, kpi in kpis.items() if reading(kpi) == "concern" or counts[name]["met"] is False}
    assert set(gaps) == wanted
    explained = [gap for gap in gaps.values() if gap["explain"]]
    assert explained
    for gap in explained:
        kpi, onset = kpis[gap["kpi"]], gap["onset"]
        assert reading(kpi) == "concern"
        told = {"since": onset["period"], "before": onset["before"], "after": onset["after"], "p": onset["p"]}
        assert {name: kpi["moved"][name] for name in told} == told
        near = [event["title"] for event in onset["events"] if event["near"]]
        assert [event["title"] for event in kpi["moved"]["events"]] == near


def test_front_pages_say_what_the_reports_say(result, reports):
    month = _plain(reports / "2026-10" / "index.html")
    for code in DEPARTMENTS:
        department = _plain(reports / "2026-10" / code / "index.html")
        for kpi in result(code, "kpi_analysis")["kpis"]:
            change = kpi["sentence"].split("; next:")[0].replace("\u202f", " ")
            if kpi["state"] in ("concern", "improvement") and kpi["p"] < 0.01:
                assert change in department, kpi["code"]
        for action in result(code, "outcome_evaluation")["actions"]:
            assert f"{action['id']} " in department
            assert verdict_badge(action["verdict"]).text in department
            assert action["id"] in month or action["verdict"] not in ("worsened", "not_met")


def test_headings_of_tables_are_words(reports):
    """No column of a table is headed by the name that the package has for it."""
    dimensions = {"channel", "category", "priority", "customer_type", "service", "kind", "topic"}
    for path in reports.rglob("*.html"):
        tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        for head in tree.iter("th"):
            text = "".join(head.itertext()).strip()
            if head.get("scope") == "col" and re.fullmatch(r"[a-z]+[a-z_]*\d*", text):
                assert text in dimensions | {"p"}, f"{path.name}: {text}"


def test_exported_tables_cannot_run_as_formulas(reports):
    for path in reports.rglob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not re.match(r"[=@\t\r]|[+-](?![\d.]|$)", cell), f"{path.name}: {cell!r}"


def test_the_manifest_tells_what_was_made_of_what(reports):
    manifest = json.loads((reports / "2026-10" / "manifest.json").read_text(encoding="utf-8"))
    text = json.dumps(manifest)
    assert "2026-10" in text
    for notebook in NOTEBOOKS:
        assert notebook in text
    assert re.search(r"[0-9a-f]{16}", text)


def test_a_second_run_makes_nothing(reports):
    pages = {path: path.read_bytes() for path in reports.rglob("*.html")}
    chosen = [part for code in DEPARTMENTS for part in ("--department", code)]
    done = svclib("run", *chosen, "--out", str(reports))
    assert done.returncode == 0, done.stderr
    assert "0 made" in done.stderr
    assert {path: path.read_bytes() for path in reports.rglob("*.html")} == pages


def test_kept_notebooks_ran_to_their_end(reports):
    for path in reports.rglob("*.ipynb"):
        cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
        assert all(cell["execution_count"] for cell in cells), path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--period", "2031-01"], "lies in the future"),
        (["--period", "2001-01"], "lies before the data"),
        (["--period", "october"], "is no period"),
        (["--department", "D99"], "D99"),
        (["--notebook", "kpi_analysys"], "kpi_analysis"),
        (["--params", "nowhere"], "there is no such params folder"),
        (["--as-of", "yesterday"], "is no day"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_starts(arguments, expected, tmp_path):
    done = svclib("run", *arguments, "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
