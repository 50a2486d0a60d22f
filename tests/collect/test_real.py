"""Real public data: the published counts, two time zones without a negative duration, overlapping outages."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from svclib.catalogue.load import load_catalogue
from svclib.collect import Snapshot, collect

PARAMS = Path(__file__).parent.parent / "real"


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    made: dict[str, Snapshot] = {}

    def make(name: str) -> Snapshot:
        if name not in made:
            catalogue = load_catalogue(PARAMS / name / "params")
            made[name] = collect(catalogue, root=tmp_path_factory.mktemp(name))
        return made[name]

    return make


def test_nhs(real):
    snapshot = real("nhs")
    frame = snapshot.rows("attendances")
    assert len(frame) == 12_765
    assert frame["department"].nunique() == 274
    assert frame["period"].nunique() == 36
    assert snapshot.frequency("attendances") == "month"
    assert snapshot.as_of == dt.date(2019, 3, 31)
    assert snapshot.report("attendances")["bad"] == {}

    def performance(rows) -> float:
        return round(100 * (1 - rows["breaches"].sum() / rows["attendances"].sum()), 2)

    march, first = frame[frame["period"] == "2019-03-01"], frame[frame["period"] == "2016-04-01"]
    assert performance(march) == 86.60
    assert performance(march[march["type"] == "1"]) == 79.49
    assert performance(first[first["type"] == "1"]) == 84.98
    months = frame[frame["type"] == "1"].groupby("department")["period"].nunique()
    assert (len(months), (months == 36).sum()) == (140, 130)


def test_nhs_missing_months_are_gaps_and_no_zeros(real):
    quality = real("nhs").quality[0]
    assert quality.gaps["missing"] == 10
    assert {"department": "RYY", "period": "2017-11-01"} in quality.gaps["shown"]


def test_vancouver_contact_centre(real):
    snapshot = real("vancouver_contact_centre")
    frame = snapshot.rows("calls")
    assert len(frame) == 5_555
    assert (snapshot.quality[0].first, snapshot.quality[0].last) == (dt.date(2009, 6, 15), dt.date(2024, 8, 31))
    assert snapshot.quality[0].gaps["days"] == ["2010-03-07", "2013-03-08"]
    years = frame.groupby(frame["period"].dt.year)[["abandoned", "offered"]].sum()
    share = (100 * years["abandoned"] / years["offered"]).round(1)
    published = {2009: 17.9, 2012: 4.1, 2015: 10.1, 2018: 9.0, 2019: 10.8, 2023: 4.9}
    assert share[list(published)].to_dict() == published


def test_vancouver_requests(real):
    snapshot = real("vancouver_requests")
    frame = snapshot.rows("requests")
    assert len(frame) == 11_740
    assert frame["resolved_at"].isna().sum() == 530
    duration = frame["resolved_at"] - frame["opened_at"]
    assert (duration.dropna().dt.total_seconds() < 0).sum() == 0
    assert snapshot.report("requests")["bad"] == {}
    assert (frame["department"] == "none").mean() == pytest.approx(0.1785, abs=1e-4)
    # The first case of 2023: opened 08:50 at +03:00 on the 26th is 21:50 on the 25th in Vancouver, closed that day.
    first = frame[frame["case_id"] == "vancouver_requests_2023:1"].iloc[0]
    assert str(first["opened_at"]) == "2023-01-25 21:50:13"
    assert first["resolved_at"].date() == dt.date(2023, 1, 25)


def test_github_status(real):
    snapshot = real("github_status")
    frame = snapshot.rows("incidents")
    report = snapshot.report("incidents")
    assert report["read"] == 819
    assert (frame["department"] == "Unattributed").sum() == 158
    assert frame["department"].nunique() == 13
    assert frame["outage_id"].nunique() == 819
    assert report["bad"] == {}


def test_github_status_all_incidents(shared_data, tmp_path):
    """Counted over all components together, the incidents that name none included."""
    catalogue = load_catalogue(PARAMS / "github_status" / "params")
    whole = catalogue.sources[0].model_copy(
        update={
            "explode": None,
            "department": catalogue.departments[0].code,
            "columns": {own: c for own, c in catalogue.sources[0].columns.items() if own != "department"},
        }
    )
    snapshot = collect(type(catalogue)(**{**catalogue.__dict__, "sources": [whole]}), root=tmp_path)
    frame = snapshot.rows("incidents")
    assert len(frame) == 819
    serious = frame[frame["severity"].isin(["major", "critical"])]
    years = serious.groupby(serious["started_at"].dt.year).size()
    assert years.to_dict() == {2022: 17, 2023: 23, 2024: 26, 2025: 37, 2026: 63}
    assert frame["severity"].value_counts()[["maintenance", "none"]].tolist() == [18, 31]
    assert (frame["ended_at"] == frame["started_at"]).sum() == 22
