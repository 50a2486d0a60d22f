"""The sample once for all its tests, and its tables read back as an analyst would read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.load import load_catalogue
from svclib.sample import write_sample

STAMPS = ["opened_at", "first_response_at", "resolved_at", "reopened_at"]


@dataclass(frozen=True)
class Sample:
    """A written sample; its data are read with plain pandas, not by the generator's own code."""

    root: Path

    @cached_property
    def truth(self) -> dict[str, Any]:
        return json.loads((self.root / "truth.json").read_text(encoding="utf-8"))

    @cached_property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.root / "params")

    @cached_property
    def departments(self) -> dict[str, str]:
        """Every name by which a source calls a department, to its code."""
        return {
            name: department.code
            for department in self.catalogue.departments
            for name in (department.code, department.name, *department.aliases)
        }

    @cached_property
    def export(self) -> pd.DataFrame:
        """All rows of the ticket export as they stand in the files."""
        paths = sorted((self.root / "data" / "tickets").glob("*.csv"))
        parts = [pd.read_csv(path, sep=";", encoding="cp1252", dtype=str, keep_default_na=False) for path in paths]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def tickets(self) -> pd.DataFrame:
        """The good cases, each in its last state, with department code, month and the KPIs' pieces."""
        rows = self.export[(self.export["number"] != "") & ~self.export["number"].str.startswith("INC9")]
        rows = rows.assign(sys_mod_count=rows["sys_mod_count"].astype(int)).sort_values("sys_mod_count", kind="stable")
        rows = rows.drop_duplicates("number", keep="last").sort_values("number", ignore_index=True)
        for name in STAMPS:
            rows[name] = pd.to_datetime(rows[name].where(rows[name] != ""), format="%d/%m/%Y %H:%M:%S")
        for name in ("contacts", "handoffs"):
            rows[name] = rows[name].astype(int)
        for name in ("reopened", "escalated"):
            rows[name] = rows[name] == "true"
        rows["department"] = rows["assignment_group"].map(self.departments)
        rows["month"] = rows["opened_at"].dt.strftime("%Y-%m")
        hours = {name: (rows[name] - rows["opened_at"]).dt.total_seconds() / 3600 for name in STAMPS[1:3]}
        rows["first_contact_resolution"] = (rows["contacts"] == 1) & ~rows["reopened"]
        rows["response_time"] = hours["first_response_at"].fillna(72).clip(upper=72)
        rows["resolution_time"] = hours["resolved_at"].fillna(10_000)
        return rows

    @cached_property
    def surveys(self) -> pd.DataFrame:
        rows = pd.read_csv(
            self.root / "data" / "surveys.csv", keep_default_na=False, na_values={"score": "", "nps": ""}
        )
        for name in ("invited_at", "responded_at"):
            rows[name] = pd.to_datetime(rows[name].where(rows[name] != ""))
        rows["department"] = rows["department"].map(self.departments)
        rows["month"] = rows["responded_at"].dt.strftime("%Y-%m")
        return rows

    @cached_property
    def outages(self) -> pd.DataFrame:
        rows = pd.read_json(self.root / "data" / "outages.jsonl", lines=True)
        for name in ("started_at", "ended_at"):
            rows[name] = pd.to_datetime(rows[name])
        return rows

    @cached_property
    def observations(self) -> pd.DataFrame:
        rows = pd.read_excel(self.root / "data" / "observations.xlsx", sheet_name="Observations")
        return rows.assign(department=rows["Department"].map(self.departments), month=rows["Date"].dt.strftime("%Y-%m"))

    @cached_property
    def staffing(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "data" / "staffing.csv")

    @cached_property
    def kpis(self) -> dict[str, pd.DataFrame]:
        """KPI to its values, departments x complete months, computed in the plainest way."""
        months = [str(month) for month in pd.period_range(self.truth["first"], self.truth["last"], freq="M")]
        cases = self.tickets.groupby(["department", "month"])
        answers = self.surveys[self.surveys["score"].notna()]
        outages = self.outages[self.outages["severity"] != "maintenance"]
        minutes = (outages["ended_at"] - outages["started_at"]).dt.total_seconds() / 60
        place = [outages["department"], outages["started_at"].dt.strftime("%Y-%m")]
        passed = self.observations.groupby(["Kind", "department", "month"])["Passed"].mean()
        totals = self.staffing.assign(month=self.staffing["period"].str[:7]).set_index(["kpi", "department", "month"])
        rates = totals["numerator"] / totals["denominator"]
        measured = {
            "response_time": cases["response_time"].mean(),
            "resolution_time": cases["resolution_time"].median(),
            "resolved_within_sla": cases["resolution_time"].agg(lambda hours: (hours <= 168).mean()),
            "first_contact_resolution": cases["first_contact_resolution"].mean(),
            "escalation_rate": cases["escalated"].mean(),
            "handoffs": cases["handoffs"].mean(),
            "csat": (answers["score"] >= 4).groupby([answers["department"], answers["month"]]).mean(),
            "nps": answers.groupby(["department", "month"])["nps"].agg(
                lambda answer: 100 * ((answer >= 9).mean() - (answer <= 6).mean())
            ),
            "incidents": minutes.groupby(place).size(),
            "uptime": 1 - minutes.groupby(place).sum() / 43_800,
            "audit_passed": passed["audit"],
            "training_completed": passed["training"],
            "complaints": 1000 * rates["complaints"],
            "absence": 100 * rates["absence"],
        }
        filled = {"incidents": 0, "uptime": 1}
        return {
            kpi: values.unstack().reindex(columns=months).fillna(filled.get(kpi, float("nan")))  # noqa: PD010
            for kpi, values in measured.items()
        }


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample as it comes: 36 months, seed 1."""
    root = tmp_path_factory.mktemp("sample")
    write_sample(root)
    return Sample(root)
