"""A department's analysis from the measures table to JSON: peers, chance, years, revisions, small numbers."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svclib.catalogue.models import Event
from svclib.errors import InputRefused
from svclib.measure.analysis import analyse_kpis
from svclib.measure.change.happened import Happening
from svclib.measure.change.rebase import suggest_rebase
from svclib.measure.change.step import find_steps
from svclib.measure.disclosure import suppressed
from svclib.measure.peers import funnel
from svclib.measure.periods import Period
from svclib.measure.record import analysis_record
from svclib.measure.revision import revisions
from svclib.measure.spc.control import control_chart
from svclib.measure.spc.forecast import forecast
from svclib.measure.spc.multiplicity import count_signals
from svclib.measure.spc.trend import trend
from svclib.measure.survey import response_rate
from svclib.measure.workload import measure_durations, measure_workload
from svclib.measure.years import year_over_year, year_to_date

from .series import a_kpi, a_series, a_share
from .test_control import QUIET

KPI_KEYS = {
    "code", "value", "numerator", "denominator", "interval", "target", "state", "variation", "assurance",
    "p_meets_target_next", "chart", "points", "trend", "season", "autocorrelation", "peers", "forecast",
}  # fmt: skip
POINT_KEYS = {"period", "value", "n", "centre", "lower", "upper", "signal", "mature", "phase"}


def a_measures_table(departments, kpi="k", **columns):
    parts = []
    for code, (r, n) in departments.items():
        part = a_share(r, n, department=code, kpi=kpi, lower=0.1, upper=0.9, sd=np.nan, open=0.0, **columns)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def analysis():
    rng = np.random.default_rng(5)
    n = np.full(26, 400.0)
    shares = {"D01": 0.80, "D02": 0.81, "D03": 0.79, "D04": 0.80, "D05": 0.55}
    table = a_measures_table({code: (rng.binomial(400, p, 26).astype(float), n) for code, p in shares.items()})
    small = (table["department"] == "D04") & (table["period"] == "2024-02")
    table.loc[small, ["n", "denominator", "numerator", "value"]] = [3.0, 3.0, 2.0, 2 / 3]
    table.loc[small, "status"] = "withheld"
    targets = [{"value": 0.75, "from": "2022-01-01"}]
    kpi = a_kpi("proportion", "strict", targets=targets)
    event = Event(date=dt.date(2024, 1, 10), title="New tool")

    def run(department):
        return analyse_kpis(
            table, [kpi], department, Period.parse("2024-02"), as_of=dt.datetime(2024, 3, 31), events=[event]
        )

    return run


def test_the_result_is_json_as_designed(analysis):
    result = analysis_record(analysis("D01"), lambda f: "Words.")
    text = json.dumps(result, allow_nan=False)
    assert set(result) == {
        "department", "period", "as_of", "kpis", "signals_expected_by_chance", "signals_found", "signals_after_fdr",
        "data_quality",
    }  # fmt: skip
    kpi = result["kpis"][0]
    assert kpi.keys() >= KPI_KEYS
    assert kpi["points"][0].keys() >= POINT_KEYS
    assert kpi["chart"].keys() >= {"kind", "reason", "rules"}
    assert (kpi["sentence"], kpi["state"], kpi["assurance"]) == ("Words.", "common_cause", kpi["assurance"])
    assert "NaN" not in text
    assert json.loads(text)["as_of"] == "2024-03-31T00:00:00"


def test_what_is_withheld_is_not_in_the_result(analysis):
    finding = analysis("D04").findings[0]
    record = analysis_record(analysis("D04"), lambda f: "")["kpis"][0]
    assert (record["state"], record["value"], record["n"], record["interval"]) == ("withheld", None, None, None)
    assert record["points"][-1]["value"] is None
    assert not finding.shown


def test_peers_leave_out_what_could_be_subtracted(analysis):
    shown = set(analysis("D01").findings[0].funnel.table["department"])
    assert "D04" not in shown
    assert "D01" in shown
    # D04 alone would follow from the total, so another one goes with it.
    assert len(shown) == 3


def test_a_department_far_from_the_others_lies_outside_the_funnel():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {"department": [f"D{i}" for i in range(30)], "denominator": rng.integers(50, 900, 30).astype(float)}
    )
    table["numerator"] = rng.binomial(table["denominator"].astype(int), 0.8).astype(float)
    table.loc[0, ["numerator", "denominator"]] = [300.0, 500.0]
    found = funnel(table, "p")
    bands = found.table.set_index("department")["band"]
    assert bands["D0"] == "beyond_998_low"
    assert (bands.drop("D0").str.startswith("beyond_998")).sum() == 0
    # Its own estimate is drawn towards the level, not past it.
    mine = found.table.iloc[0]
    assert mine["value"] <= mine["shrunken"] <= found.level


def test_overdispersion_widens_the_funnel_and_is_reported():
    rng = np.random.default_rng(3)
    n = np.full(400, 2000.0)
    level = rng.normal(0.8, 0.03, 400)
    table = pd.DataFrame(
        {"department": [str(i) for i in range(400)], "denominator": n, "numerator": np.round(level * n)}
    )
    found = funnel(table, "p")
    assert found.phi > 5
    # The spread that was put in, on the arcsine scale; winsorising a tenth at each end takes a fifth to a quarter of it.
    put_in = np.std(np.arcsin(np.sqrt(table["numerator"] / n)))
    assert 0.7 * put_in < np.sqrt(found.tau2) < put_in
    assert found.table["band"].str.startswith("beyond_998").mean() < 0.02


def test_funnel_limits_are_exact_at_the_quantiles():
    found = funnel(
        pd.DataFrame({"department": list("abcd"), "numerator": [8, 9, 7, 8.0], "denominator": [10.0] * 4}), "p"
    )
    assert found.tau2 == 0
    lines = found.limits(np.array([10.0, 1000.0]))
    assert (lines["lower998"] < lines["lower95"]).all()
    # With a thousand cases the exact limits are those of the normal curve.
    half = 1.959964 * np.sqrt(0.8 * 0.2 / 1000)
    assert lines["lower95"].iloc[1] == pytest.approx(0.8 - half, abs=0.002)
    assert lines["upper95"].iloc[0] <= 1


@pytest.mark.parametrize(("numerator", "departments"), [([0, 0, 0, 0.0], 4), ([5, 5.0], 2), ([10, 10, 10, 10.0], 4)])
def test_no_funnel_where_there_is_nothing_to_compare(numerator, departments):
    table = pd.DataFrame({"department": list("abcd")[:departments], "numerator": numerator, "denominator": 10.0})
    assert funnel(table, "p") is None
    with pytest.raises(InputRefused):
        funnel(table, "mean")


def test_a_stable_difference_is_compared_and_an_unstable_department_is_not(analysis):
    bands = analysis("D05").findings[0].funnel.table.set_index("department")["band"]
    assert bands["D05"].startswith(("beyond", "inside", "unstable"))
    assert set(bands) <= {"inside", "unstable"} | {f"beyond_{r}_{s}" for r in ("95", "998") for s in ("high", "low")}


def test_of_many_quiet_charts_few_remain_after_false_discovery_control():
    rng = np.random.default_rng(1)
    p = np.append(rng.uniform(size=116), [1e-6] * 4)
    found = count_signals(p, p < 0.02, ["nhs"] * 120)
    assert found.expected_by_chance == pytest.approx(1.92)
    assert found.after_fdr == 4 <= found.found
    assert count_signals(np.array([np.nan]), np.array([True]), ["nhs"]).charts == 0


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 20))
def test_withheld_cells_cannot_be_found_by_subtraction(cells, minimum):
    n = np.array(cells, dtype=float)
    hidden = suppressed(n, minimum)
    assert not np.any((n > 0) & (n < minimum) & ~hidden)
    if hidden.any() and (~hidden & (n > 0)).any():
        assert hidden.sum() >= 2
        assert n[hidden].sum() >= minimum


def test_trend_of_a_drift_and_of_a_season():
    months = np.arange(48)
    noise = np.tile(QUIET - 10, 2)
    drift = trend(0.1 * months + noise, 12)
    assert drift.p < 0.001
    assert drift.lower < 0.1 < drift.upper
    assert trend(3 * np.sin(2 * np.pi * months / 12) + noise, 12).p > 0.05
    assert trend(np.arange(11.0), 12) is None
    assert trend(np.full(24, 5.0), 12).p == 1


def test_forecast_only_of_stable_series():
    calm = control_chart(a_series(QUIET), a_kpi(rules="strict", chart="xmr"))
    found = forecast(calm)
    assert len(found.centre) == 3
    assert all(low < 10 < high for low, high in zip(found.lower, found.upper, strict=True))
    shaken = control_chart(a_series(np.append(QUIET, 30.0)), a_kpi(rules="strict", chart="xmr"))
    assert forecast(shaken) is None
    assert forecast(control_chart(a_series(QUIET[:8]), a_kpi())) is None


def test_forecast_interval_covers_what_comes():
    """Nominal 95 %; 250 series, simulation error 1.4 points."""
    rng, inside, tried = np.random.default_rng(11), 0, 0
    kpi = a_kpi(rules="strict", chart="xmr")
    for _ in range(250):
        y = rng.normal(size=25)
        found = forecast(control_chart(a_series(y[:24]), kpi), 1)
        if found is not None:
            inside, tried = inside + (found.lower[0] <= y[24] <= found.upper[0]), tried + 1
    assert tried > 200
    assert inside / tried == pytest.approx(0.95, abs=0.04)


def test_nothing_is_foretold_that_cannot_be():
    kpi = a_kpi(rules="strict", chart="xmr").model_copy(update={"possible": (0.0, 11.0)})
    found = forecast(control_chart(a_series(QUIET), kpi))
    free = forecast(control_chart(a_series(QUIET), a_kpi(rules="strict", chart="xmr")))
    assert max(free.upper) > 11.0 >= max(found.upper)
    assert found.lower == free.lower


def test_no_case_at_all_lies_not_outside_the_funnel_by_itself():
    """Rates that differ more than chance: a department with none where one was to be expected is nothing special."""
    table = pd.DataFrame({"department": list("ABCDEFGH"), "numerator": [0.0, 9, 2, 14, 0, 1, 11, 3],
                          "denominator": [300.0, 1200, 900, 1500, 400, 1000, 1100, 1300]})  # fmt: skip
    found = funnel(table, "u", 1000)
    none = found.table[found.table["value"] == 0]
    assert found.tau2 > 0
    assert (none["band"] == "inside").all()
    assert (none["p"] > 0.05).all()
    assert (found.table["lower998"] >= 0).all()


def test_the_rebase_assistant_suggests_the_right_month_and_its_event():
    y = np.concatenate([QUIET[:14], QUIET[:12] + 4])
    happened = [Happening("New system", dt.date(2023, 3, 20)), Happening("Fair", dt.date(2022, 5, 1))]
    points = control_chart(a_series(y), a_kpi()).points
    found = suggest_rebase(points, find_steps(points)[0], "increase", happened)
    assert (found.period, found.sustained, found.wanted) == ("2023-03", True, True)
    assert [h.title for h in found.cause] == ["New system"]
    assert found.expected_to_last is None
    quiet = control_chart(a_series(QUIET), a_kpi()).points
    assert suggest_rebase(quiet, find_steps(quiet)[0], "increase") is None


def test_year_over_year_and_to_date(analysis):
    finding = analysis("D01").findings[0]
    year, total = finding.last_year, finding.year_to_date
    assert year.period == "2023-02"
    assert year.lower < year.change < year.upper
    assert year.comparable
    points = finding.points.tail(2)
    assert total.value == pytest.approx(points["numerator"].sum() / points["denominator"].sum())


def test_years_do_not_give_a_withheld_period_away():
    """The value of March 2024 and its change would leave March 2023; a total and its other months likewise."""
    points = control_chart(a_share([40.0] * 27, [100.0] * 27), a_kpi("proportion")).points
    assert year_over_year(points, a_kpi("proportion")) is not None
    assert year_to_date(points, a_kpi("proportion")).last_year == pytest.approx(0.4)
    for hidden in ("2023-03", "2023-02", "2024-03", "2024-01"):
        some = points.assign(status=np.where(points["period"] == hidden, "withheld", "ok"))
        over, total = year_over_year(some, a_kpi("proportion")), year_to_date(some, a_kpi("proportion"))
        assert (over is None) == hidden.endswith("-03")
        if hidden.startswith("2024"):
            assert total is None
        else:
            assert total.value == pytest.approx(0.4)
            assert np.isnan(total.last_year)


def test_revisions_tell_what_was_said():
    then = a_measures_table({"D01": ([5.0, 6.0], [10.0, 10.0])})
    now = then.copy()
    now.loc[1, ["value", "numerator", "denominator", "n"]] = [0.5, 6.0, 12.0, 12.0]
    found = revisions(then, now, "D01")
    assert found[["period", "then", "now", "then_n", "now_n"]].values.tolist() == [["2022-02", 0.6, 0.5, 10.0, 12.0]]
    assert revisions(then, then, "D01").empty


def test_open_cases_count_as_longer_than_so_far():
    """Lognormal times of median 5 days, reported at the end of the month: closed cases alone say 3.5 days."""
    rng, closed, honest = np.random.default_rng(4), [], []
    for _ in range(40):
        opened, took = rng.uniform(0, 30, 2000), rng.lognormal(np.log(5), 1.2, 2000)
        until = 30 - opened
        closed.append(np.median(took[took <= until]))
        honest.append(measure_durations(np.minimum(took, until), took <= until).quantiles[0.5])
    assert np.mean(closed) < 3.9
    assert np.mean(honest) == pytest.approx(5, rel=0.02)


def test_workload_counts_what_was_open():
    cases = pd.DataFrame(
        {
            "opened_at": pd.to_datetime(
                ["2025-12-30 10:00", "2026-01-10 09:00", "2026-01-31 23:00", "2026-02-05 08:00"]
            ),
            "resolved_at": pd.to_datetime(["2026-01-02 10:00", None, "2026-02-01 01:00", "2026-02-20 08:00"]),
        }
    )
    load = measure_workload(cases, [Period.parse("2026-01"), Period.parse("2026-02")], dt.datetime(2026, 2, 10))
    assert load.flow["arrived"].tolist() == [2, 1]
    assert load.flow["completed"].tolist() == [1, 1]
    # Resolved after the cut-off: still open, as far as anyone could know then.
    assert load.flow["backlog"].tolist() == [2, 2]
    assert load.flow["complete"].tolist() == [True, False]
    assert load.ages["cases"].sum() == 2


def test_who_answers_is_told_where_it_differs():
    rows = pd.DataFrame({"channel": ["mail"] * 200 + ["phone"] * 200, "responded_at": pd.NaT})
    rows.loc[:99, "responded_at"] = pd.Timestamp("2026-01-02")
    rows.loc[200:219, "responded_at"] = pd.Timestamp("2026-01-02")
    found = response_rate(rows, ["channel"])
    assert (found.dimension, found.low, found.high) == ("channel", "phone", "mail")
    assert found.rate == pytest.approx(0.3)
    assert response_rate(rows.sample(frac=1, random_state=1).assign(channel="x"), ["channel"]).dimension == ""
