"""Each kind of KPI on rows that can be counted by hand."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from svclib.catalogue.models import Department, Kpi, Source
from svclib.measure.declaration import Coverage, Declaration, coverage_of
from svclib.measure.engine import connect
from svclib.measure.kpi import measure_kpis

AS_OF = dt.datetime(2026, 3, 15)
COVERAGE = Coverage(dt.date(2026, 1, 1), dt.date(2026, 3, 15))
SHAPES = {
    "cases": {"case_id": "id", "department": "d", "opened_at": "o", "resolved_at": "r"},
    "responses": {"department": "d", "responded_at": "r", "score": "s"},
    "outages": {"department": "d", "started_at": "s", "ended_at": "e"},
    "observations": {"department": "d", "observed_at": "o", "passed": "p"},
    "counts": {"department": "d", "period": "p", "kpi": "k", "numerator": "a", "denominator": "b"},
}


def measure(
    rows: pd.DataFrame, shape: str, coverage: Coverage = COVERAGE, departments=("A",), **declared
) -> pd.DataFrame:
    source = Source(name="s", shape=shape, read="s.csv", columns=SHAPES[shape] | {c: c for c in rows.columns})
    kpi = Kpi(code="k", title="K", source="s", direction="increase", minimum_n=1, **declared)
    backend = connect()
    backend.con.register("s", pa.Table.from_pandas(rows, preserve_index=False))
    booleans = frozenset(c for c in rows if rows[c].dtype in ("bool", "boolean"))
    declaration = Declaration(kpi, source, coverage, tuple(departments), booleans)
    codes = [Department(code=code, name=code) for code in departments]
    return measure_kpis(backend, [declaration], codes, as_of=AS_OF, disclosure_minimum=1).set_index(
        ["department", "period"]
    )


def cases(opened, resolved=None, **columns) -> pd.DataFrame:
    frame = pd.DataFrame({"department": "A", "opened_at": pd.to_datetime(opened), **columns})
    frame["resolved_at"] = pd.to_datetime(resolved) if resolved is not None else pd.NaT
    return frame.assign(case_id=[str(i) for i in range(len(frame))])


def test_a_proportion_leaves_out_rows_whose_parts_are_unknown():
    rows = cases(
        ["2026-01-05"] * 5, contacts=pd.array([1, 1, 2, None, 1], "Int64"), reopened=[False, True, False, False, False]
    )
    point = measure(rows, "cases", kind="proportion", numerator="contacts = 1 and not reopened").loc[("A", "2026-01")]
    # The row without a number of contacts is no failure: it is not counted at all.
    assert (point["numerator"], point["denominator"], point["value"]) == (2, 4, 0.5)
    assert point["lower"] == pytest.approx(0.1500, abs=1e-4)
    assert point["upper"] == pytest.approx(0.8500, abs=1e-4)


def test_a_month_without_rows_is_missing_not_zero():
    rows = cases(["2026-01-05", "2026-03-02"], contacts=[1, 1])
    found = measure(rows, "cases", kind="proportion", numerator="contacts = 1")
    assert list(found.index.get_level_values("period")) == ["2026-01", "2026-02", "2026-03"]
    assert found.loc[("A", "2026-02"), "status"] == "missing"
    assert pd.isna(found.loc[("A", "2026-02"), "value"])


def test_a_count_of_an_empty_month_is_zero_only_where_declared():
    rows = cases(["2026-01-05", "2026-03-02"])
    assert pd.isna(measure(rows, "cases", kind="count").loc[("A", "2026-02"), "value"])
    point = measure(rows, "cases", kind="count", empty_period="zero").loc[("A", "2026-02")]
    assert (point["value"], point["lower"]) == (0, 0) or pd.isna(point["lower"])
    assert point["status"] == "ok"


def test_the_month_that_is_still_running_is_provisional():
    found = measure(cases(["2026-01-05", "2026-03-02"]), "cases", kind="count")
    assert found.loc[("A", "2026-03"), "status"] == "provisional"
    assert not found.loc[("A", "2026-03"), "mature"]


def test_maturity_keeps_young_months_provisional():
    rows = cases(["2026-01-05", "2026-02-05"])
    found = measure(rows, "cases", kind="count", maturity="20d")
    assert found["mature"].tolist() == [True, False, False]


def test_open_cases_are_censored_not_dropped():
    opened = ["2026-01-01"] * 4
    rows = cases(opened, ["2026-01-03", "2026-01-05", None, None])
    point = measure(rows, "cases", kind="time_to_event", event="resolved_at", unit="d").loc[("A", "2026-01")]
    # Among closed cases the median would be 3 days; half of all cases are done after 4.
    assert point["value"] == 4
    assert (point["n"], point["open"]) == (4, 2)


def test_share_within_and_restricted_mean_count_open_cases():
    rows = cases(["2026-01-01"] * 4, ["2026-01-03", "2026-01-05", None, None])
    within = measure(
        rows, "cases", kind="time_to_event", event="resolved_at", statistic="within", within="3d", unit="d"
    )
    assert within.loc[("A", "2026-01"), "value"] == 0.25
    mean = measure(rows, "cases", kind="time_to_event", event="resolved_at", statistic="mean", horizon="10d", unit="d")
    assert mean.loc[("A", "2026-01"), "value"] == pytest.approx((2 + 4 + 10 + 10) / 4)


def test_a_rate_is_per_unit_of_its_denominator_with_an_exact_interval():
    rows = pd.DataFrame(
        {
            "department": "A",
            "period": pd.to_datetime(["2026-01-01"]),
            "kpi": "k",
            "numerator": [10.0],
            "denominator": [2000.0],
        }
    )
    point = measure(rows, "counts", kind="rate", numerator="numerator", denominator="denominator", per=1000).loc[
        ("A", "2026-01")
    ]
    assert point["value"] == pytest.approx(5.0)
    assert (point["lower"], point["upper"]) == (pytest.approx(2.398, abs=1e-3), pytest.approx(9.195, abs=1e-3))


def test_totals_of_another_kpi_do_not_count():
    rows = pd.DataFrame(
        {
            "department": "A",
            "period": pd.to_datetime(["2026-01-01"] * 2),
            "kpi": ["k", "other"],
            "numerator": [9.0, 1.0],
            "denominator": [10.0, 10.0],
        }
    )
    assert measure(rows, "counts", kind="proportion", numerator="numerator").loc[("A", "2026-01"), "value"] == 0.9


@pytest.mark.parametrize(
    ("scale", "value"),
    [({"measure": "csat"}, 0.5), ({"measure": "mean"}, 3.25), ({"measure": "nps", "low": 0, "high": 10}, -100.0)],
)
def test_scores(scale, value):
    rows = pd.DataFrame({"department": "A", "responded_at": pd.to_datetime(["2026-01-10"] * 4), "score": [5, 4, 3, 1]})
    assert measure(rows, "responses", kind="score", value="score", scale=scale).loc[("A", "2026-01"), "value"] == value


def test_overlapping_outages_count_once_and_are_split_at_the_month():
    rows = pd.DataFrame(
        {
            "department": "A",
            "started_at": pd.to_datetime(["2026-01-31 23:00", "2026-01-31 23:30", "2026-02-10 00:00"]),
            "ended_at": pd.to_datetime(["2026-02-01 01:00", "2026-02-01 00:30", "2026-02-10 00:00"]),
        }
    )
    found = measure(rows, "outages", kind="availability", departments=("A", "B"))
    january, february = found.loc[("A", "2026-01")], found.loc[("A", "2026-02")]
    assert january["denominator"] - january["numerator"] == 60
    assert february["denominator"] - february["numerator"] == 60
    assert (january["n"], february["n"]) == (2, 2)  # an outage of no length is none
    # A department without an outage was available, not missing.
    assert found.loc[("B", "2026-01"), "value"] == 1.0


def test_an_outage_that_goes_on_is_cut_at_the_cutoff():
    rows = pd.DataFrame(
        {"department": ["A"], "started_at": pd.to_datetime(["2026-03-14 00:00"]), "ended_at": pd.to_datetime([None])}
    )
    point = measure(rows, "outages", kind="availability").loc[("A", "2026-03")]
    assert point["denominator"] - point["numerator"] == 24 * 60
    assert point["denominator"] == 14 * 24 * 60


def test_weighted_means_of_totals():
    rows = pd.DataFrame(
        {
            "department": "A",
            "period": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "seconds": [10.0, 40.0],
            "calls": [300.0, 100.0],
        }
    )
    source = {"department": "d", "period": "p"}
    found = measure(
        rows.assign(kpi="k", **dict.fromkeys(("numerator",), 0.0)),
        "counts",
        kind="mean",
        value="seconds",
        denominator="calls",
    )
    assert found.loc[("A", "2026-01"), "value"] == pytest.approx(17.5)
    assert source  # the mapping is the shape's


def test_a_quantile_has_its_order_statistics_interval():
    rows = cases(["2026-01-05"] * 20, size=list(range(1, 21)))
    point = measure(rows, "cases", kind="quantile", value="size").loc[("A", "2026-01")]
    assert (point["value"], point["lower"], point["upper"]) == (10.5, 6, 15)


def test_small_groups_are_too_few_or_withheld():
    rows = cases(["2026-01-05"] * 3, contacts=[1, 1, 2])
    source = Source(name="s", shape="cases", read="s.csv", columns=SHAPES["cases"] | {"contacts": "contacts"})
    backend = connect()
    backend.con.register("s", pa.Table.from_pandas(rows, preserve_index=False))
    for minimum, status in ((5, "withheld"), (2, "too_few")):
        kpi = Kpi(
            code="k",
            title="K",
            source="s",
            kind="proportion",
            numerator="contacts = 1",
            direction="increase",
            minimum_n=10,
        )
        found = measure_kpis(
            backend,
            [Declaration(kpi, source, COVERAGE, ("A",))],
            [Department(code="A", name="A")],
            as_of=AS_OF,
            disclosure_minimum=minimum,
        )
        assert found["status"][0] == status


def test_a_first_month_that_begins_late_is_not_complete():
    days = [dt.date(2026, 1, 14) + dt.timedelta(days=i) for i in range(60)]
    source = Source(name="s", shape="cases", read="s.csv", columns=SHAPES["cases"])
    assert coverage_of(days, source, AS_OF) == Coverage(
        dt.date(2026, 1, 14), dt.date(2026, 3, 15), dt.date(2026, 3, 15)
    )


def test_an_export_of_one_year_matures_when_it_tells_of_later_closings():
    days = [dt.date(2025, 12, 1) + dt.timedelta(days=i) for i in range(31)]
    source = Source(name="s", shape="cases", read="s.csv", columns=SHAPES["cases"])
    assert coverage_of(days, source, AS_OF).followed == dt.date(2026, 1, 1)
    followed = coverage_of(days, source, AS_OF, dt.date(2026, 2, 28))
    assert followed == Coverage(dt.date(2025, 12, 1), dt.date(2026, 1, 1), dt.date(2026, 3, 1))
    rows = cases(["2025-12-30", "2025-12-30"], ["2026-02-28", None])
    for coverage, mature, open_days in ((coverage_of(days, source, AS_OF), False, 2), (followed, True, 61)):
        found = measure(rows, "cases", coverage, kind="time_to_event", event="resolved_at", unit="d", maturity="30d")
        assert found.loc[("A", "2025-12"), "mature"] == mature
        assert coverage.cutoff(AS_OF) - dt.timedelta(days=open_days) == dt.datetime(2025, 12, 30)
