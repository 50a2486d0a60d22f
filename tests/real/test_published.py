"""Real public data give the figures that were published of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from svclib.prepared import Prepared, prepare

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """Prepare one of the ready params folders, in a temporary place so that no old snapshot is taken."""
    made: dict[str, Prepared] = {}

    def open_real(name: str) -> Prepared:
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "params"
            folder.mkdir()
            for path in (HERE / name / "params").iterdir():
                text = path.read_text(encoding="utf-8").replace("../../../../shared/data", str(shared_data))
                (folder / path.name).write_text(text, encoding="utf-8")
            made[name] = prepare(folder)
        return made[name]

    return open_real


def national(measures: pd.DataFrame, kpi: str, period: str) -> float:
    rows = measures[(measures["kpi"] == kpi) & (measures["period"] == period)]
    return 100 * rows["numerator"].sum() / rows["denominator"].sum()


@pytest.mark.parametrize(
    ("kpi", "period", "published"),
    [
        ("four_hours", "2019-03", 86.60),
        ("four_hours_type_1", "2019-03", 79.49),
        ("four_hours_type_1", "2016-04", 84.98),
    ],
)
def test_nhs_four_hour_performance(real, kpi, period, published):
    assert round(national(real("nhs").measures, kpi, period), 2) == published


def test_nhs_months_that_are_missing_stay_missing(real):
    measures = real("nhs").measures
    type_1 = measures[measures["kpi"] == "four_hours_type_1"]
    complete = type_1[type_1["status"] == "ok"].groupby("department").size()
    assert (len(complete), (complete == 36).sum()) == (140, 130)
    missing = type_1[type_1["status"] == "missing"]
    assert missing["value"].isna().all()
    assert len(missing)


def test_contact_centre_abandoned_share_by_year(real):
    measures = real("vancouver_contact_centre").measures
    abandoned = measures[measures["kpi"] == "abandoned"]
    year = abandoned["period"].str[:4]
    sums = abandoned.groupby(year)[["numerator", "denominator"]].sum()
    shares = (100 * sums["numerator"] / sums["denominator"]).round(1)
    published = {"2009": 17.9, "2012": 4.1, "2015": 10.1, "2018": 9.0, "2019": 10.8, "2023": 4.9}
    assert {year: shares[year] for year in published} == published
    # The first month begins on the 15th: it is no complete month.
    assert abandoned["status"].iloc[0] == "provisional"


def test_contact_centre_service_level_is_weighted_by_volume(real, shared_data):
    days = pd.read_csv(
        shared_data / "vancouver_contact_centre.csv", sep=";", encoding="utf-8-sig", parse_dates=["Date"]
    )
    month = days[days["Date"].dt.strftime("%Y-%m") == "2024-08"]
    weighted = (month["ServiceLevel"] * month["CallsOffered"]).sum() / month["CallsOffered"].sum()
    handled = (month["ServiceLevel"] * month["CallsHandled"]).sum() / month["CallsHandled"].sum()
    measures = real("vancouver_contact_centre").measures
    found = measures.loc[(measures["kpi"] == "service_level") & (measures["period"] == "2024-08"), "value"].item()
    assert found == pytest.approx(weighted) or found == pytest.approx(handled)
    assert found != pytest.approx(month["ServiceLevel"].mean(), abs=1e-6)


def test_requests_that_are_open_are_counted_as_open(real):
    prepared = real("vancouver_requests")
    time = prepared.measures[prepared.measures["kpi"] == "time_to_close"]
    assert time["open"].sum() == 530
    source = prepared.catalogue.kpi("time_to_close").source
    rows = prepared.snapshot.rows(source)
    assert len(rows) == 11740
    assert rows["resolved_at"].isna().sum() == 530
    assert (rows["resolved_at"].dropna() >= rows.loc[rows["resolved_at"].notna(), "opened_at"]).all()


def test_github_serious_incidents_by_year(real):
    prepared = real("github_status")
    rows = prepared.snapshot.rows(prepared.catalogue.kpi("serious_incidents").source)
    serious = rows[rows["severity"].isin(["major", "critical"])].drop_duplicates("outage_id")
    assert serious["started_at"].dt.year.value_counts().sort_index().tolist() == [17, 23, 26, 37, 63]


def test_github_availability_is_a_union_of_minutes(real):
    prepared = real("github_status")
    down = prepared.measures[prepared.measures["kpi"] == "availability"]
    assert down["value"].between(0, 1).all()
    assert len(prepared.snapshot.rows("incidents").drop_duplicates("outage_id")) == 819
    # Maintenance of days' length in March 2022 must not count.
    assert down["value"].min() > 0.9
    # The data begin on 25 March 2022: the first whole month is April; the running month is provisional.
    assert down["period"].min() == "2022-04"
    assert down.groupby("department")["status"].last().eq("provisional").all()
