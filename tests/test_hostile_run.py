"""Data are never markup and never code: the whole way from hostile names and values to the pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import html5lib
import numpy as np
import pandas as pd
import pytest

NAMES = {
    "D01": "<img src=x onerror=alert(1)>",
    "D02": "../../x",
    "D03": "Department " + "of everything " * 20,
    "D04": "🏥 Emergency {{7*7}} $x_1$ </script>",
}
DIMENSION = '"><svg onload=alert(2)>'


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(5)
    size = 4000
    opened = pd.Timestamp("2024-01-02") + pd.to_timedelta(np.sort(rng.uniform(0, 700 * 24, size)), unit="h")
    frame = pd.DataFrame(
        {
            "number": [f"T{i}" for i in range(size)],
            "team": rng.choice(list(NAMES), size),
            "opened": opened.strftime("%Y-%m-%d %H:%M"),
            "closed": (opened + pd.Timedelta(days=1)).strftime("%Y-%m-%d %H:%M"),
            "contacts": rng.integers(1, 3, size),
            "channel": rng.choice([DIMENSION, "=cmd|' /C calc'!A0", "web"], size),
            "comment": rng.choice(
                ["=cmd|' /C calc'!A0", "<script>alert(3)</script> slow answer", "slow {{7*7}}"], size
            ),
        }
    )
    frame.loc[frame["opened"] >= "2025-10", "contacts"] = 2  # so that there is a gap to explain
    (home / "data").mkdir()
    frame.to_csv(home / "data" / "tickets.csv", index=False)
    params = home / "params"
    params.mkdir()
    departments = [{"code": code, "name": name} for code, name in NAMES.items()]
    source = {
        "name": "tickets", "shape": "cases", "read": "data/tickets.csv", "types": {"contacts": "integer"},
        "columns": {
            "case_id": "number", "department": "team", "opened_at": "opened", "resolved_at": "closed",
            "contacts": "contacts", "comment": "comment",
        },
        "dimensions": ["channel"],
    }  # fmt: skip
    kpi = {
        "code": "fcr", "title": "First <b>contact</b> resolution", "source": "tickets", "kind": "proportion",
        "numerator": "contacts = 1", "direction": "increase", "unit": "%",
        "targets": [{"value": 0.7, "from": "2024-02-01", "agreed_by": "<i>board</i>"}],
    }  # fmt: skip
    files = {
        "organisation": {"name": "A & B <Services>"},
        "departments": departments,
        "sources": [source],
        "kpis": [kpi],
    }
    for stem, content in files.items():  # JSON is YAML
        (params / f"{stem}.yaml").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, "-m", "svclib.cli", "run", "--params", str(params), "--out", str(home / "reports")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home / "reports"


def test_every_department_has_its_pages_inside_the_folder(reports):
    period = next(reports.glob("20*"))
    assert {p.name for p in period.iterdir() if p.is_dir()} == set(NAMES)
    assert not (reports.parent / "x").exists()


def test_names_and_values_are_text_on_every_page(reports):
    pages = list(reports.rglob("*.html"))
    assert len(pages) > 16
    for path in pages:
        tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        for element in tree.iter():
            if not isinstance(element.tag, str):
                continue
            assert not any(name.lower().startswith("on") for name in element.attrib), path
            assert element.tag not in ("i", "svg", "iframe", "object"), (path, element.tag)
            assert (element.tag, element.text) != ("b", "contact"), path
            if element.tag == "img":
                assert element.get("src", "").startswith("data:image/"), path


def test_names_are_shown_as_they_are(reports):
    period = next(reports.glob("20*"))
    for code, name in NAMES.items():
        tree = html5lib.parse(
            (period / code / "kpi_analysis.html").read_text(encoding="utf-8"), namespaceHTMLElements=False
        )
        assert name.strip() in " ".join("".join(tree.itertext()).split())


def test_no_table_holds_a_formula(reports):
    for path in reports.rglob("*.csv"):
        assert "\n=cmd" not in "\n" + path.read_text(encoding="utf-8-sig").replace(",", "\n"), path
