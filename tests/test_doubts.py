"""What is no fault and seldom meant: told where nothing is refused, of the declarations and of the latest month."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from svclib.doubts import late_doubts
from svclib.prepared import prepare
from svclib.report.views.kpi import analyse_kpis
from svclib.study import open_study

MONTHS = [period.strftime("%Y-%m") for period in pd.period_range("2023-11", "2026-10", freq="M")]
KPIS = [
    {
        "code": "solved", "title": "Solved at once", "source": "answers", "kind": "proportion", "numerator": "solved = 'ja'",
        "direction": "increase", "unit": "%", "rules": "strict", "targets": [{"value": 0.7, "from": "2025-01-01"}],
    },
    {
        "code": "wait", "title": "Waiting", "source": "answers", "kind": "mean", "value": "minutes", "unit": "min",
        "direction": "decrease", "targets": [{"value": 5, "from": "2025-01-01"}],
    },
]  # fmt: skip


def rows(per_month=60):
    rng = np.random.default_rng(2)
    parts = [
        pd.DataFrame(
            {
                "id": [f"{unit}-{month}-{i}" for i in range(per_month)],
                "unit": unit,
                "opened": [f"{month}-{1 + i % pd.Period(month).days_in_month:02d} 09:00" for i in range(per_month)],
                "closed": [f"{month}-{1 + i % pd.Period(month).days_in_month:02d} 10:00" for i in range(per_month)],
                "channel": rng.choice(["phone", "mail"], per_month),
                "solved": rng.choice(["ja", "nein"], per_month, p=[0.75, 0.25]),
                "minutes": rng.uniform(3, 9, per_month).round(1),
            }
        )
        for unit in ("North", "South")
        for month in MONTHS
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def write(tmp_path):
    """An organisation of two units over these rows; keyword arguments change what is declared."""

    def make(table, kpis=KPIS, hypotheses=(), **source):
        table.to_csv(tmp_path / "answers.csv", index=False)
        columns = {"case_id": "id", "department": "unit", "opened_at": "opened", "resolved_at": "closed"}
        declared = {
            "name": "answers", "shape": "cases", "read": "answers.csv", "columns": columns | {"solved": "solved", "minutes": "minutes"},
            "dimensions": ["channel"], "types": {"solved": "text", "minutes": "number"},
        }  # fmt: skip
        documents = {
            "organisation": {"name": "Test", "time_zone": "Europe/Berlin"},
            "departments": [{"code": "N", "name": "North"}, {"code": "S", "name": "South"}],
            "sources": [declared | source],
            "kpis": kpis,
            "hypotheses": list(hypotheses),
        }
        (tmp_path / "params").mkdir(exist_ok=True)
        for stem, content in documents.items():
            (tmp_path / "params" / f"{stem}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        return tmp_path / "params"

    return make


def test_sound_data_raise_no_doubt(write):
    assert prepare(write(rows())).doubts() == []


def test_rows_that_contradict_each_other_are_told_and_copies_are_not(write):
    table = rows()
    copies, others = table.iloc[:4], table.iloc[10:13].assign(minutes=99.0)
    assert prepare(write(pd.concat([table, copies]))).doubts() == []
    (doubt,) = prepare(write(pd.concat([table, copies, others]))).doubts()
    assert "3 rows have the key of an earlier one and other values (case_id); the first of them counts" in doubt.what
    assert "keep: last by" in doubt.cure


def test_a_month_lost_to_a_new_name_is_told_however_long_the_history(write):
    """60 of 4,320 rows are few, and they are the whole month of a unit."""
    table = rows()
    lost = (table["unit"] == "South") & table["opened"].str.startswith("2026-10")
    params = write(table.assign(unit=table["unit"].mask(lost, "Süd")))
    (doubt,) = late_doubts(prepare(params))
    assert "of the rows of 2026-10 in 'answers', 60 of 120 are bad (department_unknown 60)" in doubt.what
    assert "aliases in departments.yaml" in doubt.cure
    quality = analyse_kpis(open_study(params, "N", "2026-10")).to_json()["data_quality"][0]
    assert "Of the rows of October 2026, 50.0% are bad" in quality["sentence"]


def test_a_value_that_is_written_in_another_way_is_no_figure_to_act_on(write):
    table = rows()
    late = (table["unit"] == "South") & table["opened"].str.startswith("2026-10")
    table["solved"] = table["solved"].mask(late & (table["solved"] == "ja"), "j")
    params = write(table)
    (doubt,) = late_doubts(prepare(params))
    assert doubt.what.startswith("S: no row of 2026-10 holds 'ja' in solved, where about 4")
    assert doubt.what.endswith("would have before; new there: 'j'")
    record = analyse_kpis(open_study(params, "S", "2026-10")).to_json()["kpis"][0]
    assert (record["value"], record["recoded"]) == (0.0, {"column": "solved", "text": "ja", "new": ["j"]})
    assert (
        "may be a fault of the data: no row holds “ja” in solved any more, and “j” is new there" in record["sentence"]
    )
    north = analyse_kpis(open_study(params, "N", "2026-10")).to_json()["kpis"][0]
    assert north["recoded"] is None


def test_a_target_in_another_unit_is_told(write):
    far = [KPIS[0], KPIS[1] | {"targets": [{"value": 300, "from": "2025-01-01"}]}]
    (doubt,) = prepare(write(rows(), far)).doubts()
    assert "a target of 'wait' is 300, and its figures run from 5." in doubt.what
    assert doubt.cure.startswith("see whether the two have the same unit")


def test_a_suspicion_about_cases_that_no_row_holds_is_told(write):
    suspicion = {
        "code": "H1",
        "category": "People",
        "cause": "New staff on the phone",
        "test": {"channel": "Telephone"},
    }
    (doubt,) = prepare(write(rows(), hypotheses=[suspicion])).doubts()
    assert "no row holds 'Telephone' in channel" in doubt.what
    assert prepare(write(rows(), hypotheses=[suspicion | {"test": {"channel": "phone"}}])).doubts() == []


def test_an_action_on_cases_that_no_row_holds_is_told(write):
    params = write(rows())
    head = "id,department,kpi,segment,gap,objective,action_steps,responsible,timeline,status,outcome,target_type,target_value,start,due\n"
    row = "A1,N,solved,channel={},Slow,Faster,Steps,Ann,,in progress,,level,0.8,2026-01-01,2026-12-31\n"
    (params / "action_plan.csv").write_text(head + row.format("fax"), "utf-8")
    (doubt,) = prepare(params).doubts()
    assert (doubt.where, doubt.cure) == ("action_plan.csv, action A1, segment", "known: mail, phone")
    (params / "action_plan.csv").write_text(head + row.format("mail"), "utf-8")
    assert prepare(params).doubts() == []


def test_a_source_that_ends_before_the_period_says_so_on_the_page(write):
    table = rows()
    params = write(table[~(table["opened"] >= "2026-10-12")])
    study = open_study(params, "N", "2026-10", as_of="2026-10-31")
    quality = analyse_kpis(study).to_json()["data_quality"][0]
    assert "It ends on 11 October 2026, before October 2026 did" in quality["sentence"]
    assert json.dumps(quality)


def test_of_cases_without_an_end_no_backlog_is_claimed(write):
    """All of them would look open, the oldest since the first day."""
    columns = {"case_id": "id", "department": "unit", "opened_at": "opened", "solved": "solved", "minutes": "minutes"}
    study = open_study(write(rows(), columns=columns), "N", "2026-10")
    told = analyse_kpis(study).workload().plain
    assert "Cases that came in in October 2026: 60. The source does not say when cases end" in told
    assert "open" not in told.replace("opened", "")
