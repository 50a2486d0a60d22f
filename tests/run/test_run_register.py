"""The action plan with what the evaluations found."""

import json

from openpyxl import load_workbook

from svclib.run.manifest import Manifest
from svclib.run.register import write_period_register

PLAN = (
    "id,department,kpi,gap,objective,start,due,target_type,target_value\n"
    "A1,D01,csat,=cmd|x,Raise it,2026-01-01,2026-06-30,level,0.8\n"
    "A2,D02,csat,Low,Raise it,2026-01-01,2026-06-30,level,0.8\n"
)
FOUND = {
    "as_of": "2026-10-31",
    "actions": [
        {
            "id": "A1",
            "progress": {"state": "late", "done": 2, "total": 3},
            "verdict": "met_attributable",
            "grade": "A",
            "goal": {"met": 0.97, "verdict": "met"},
            "effect": {"estimate": 0.1, "interval": [0.05, 0.15]},
            "too_early_until": None,
            "sentence": "It worked.",
        }
    ],
}


def test_verdicts_stand_beside_the_managers_own_cells(tmp_path):
    plan = tmp_path / "action_plan.csv"
    plan.write_text(PLAN)
    folder = tmp_path / "reports" / "2026-10" / "D01"
    folder.mkdir(parents=True)
    (folder / "outcome_evaluation.json").write_text(json.dumps(FOUND))
    manifest = Manifest("2026-10")
    assert write_period_register(tmp_path / "reports", manifest, plan, "en") is None
    manifest.add({"department": "D01", "notebook": "outcome_evaluation", "folder": "D01", "status": "ok"})
    manifest.add({"department": "D02", "notebook": "outcome_evaluation", "folder": "D02", "status": "failed"})
    sheet = load_workbook(write_period_register(tmp_path / "reports", manifest, plan, "en")).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    heads = rows[0]
    told = dict(zip(heads, rows[1], strict=True))
    assert "Met, and the plan did it" in rows[1]
    assert told["svclib: effect"] == 0.1
    assert any(value == "late, 2 of 3 steps" for value in rows[1])
    assert "Met, and the plan did it" not in rows[2]
    assert plan.read_text() == PLAN
