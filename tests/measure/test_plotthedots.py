"""The nhs rule set gives the numbers of NHSRplotthedots: its own pinned values, and the deviations we document."""

import json

import numpy as np
import pytest

from svclib.measure.spc import rules
from svclib.measure.spc.charts import from_sigma, xmr_limits
from svclib.measure.spc.control import control_chart
from svclib.measure.spc.verdict import assurance_of, verdict

from .series import a_kpi, a_series, month

TYPES = {
    "beyond_high": "Above UCL",
    "beyond_low": "Below LCL",
    "trend_high": "7 Point Trend (Increasing)",
    "trend_low": "7 Point Trend (Decreasing)",
    "two_of_three_high": "2 in 3 Above CL",
    "two_of_three_low": "2 in 3 Below CL",
    "shift_high": "7 Points Above CL",
    "shift_low": "7 Points Below CL",
}
VARIATION = {
    "improvement": "special_cause_improvement",
    "concern": "special_cause_concern",
    "common_cause": "common_cause",
}
ASSURANCE = {"pass": "consistent_pass", "fail": "consistent_fail", "hit_or_miss": "inconsistent", "none": None}


@pytest.fixture(scope="module")
def known(shared_data):
    return json.loads((shared_data / "spc" / "plotthedots_cases.json").read_text())


def _chart(case):
    args = case["args"]
    direction = {1: "increase", -1: "decrease", 0: "neutral"}[args["direction"]]
    more = {"rebase": [{"date": month(i), "reason": "r", "approved_by": "a"} for i in args["rebase"]]}
    if args["target"] is not None:
        more["targets"] = [{"value": args["target"], "from": "2022-01-01"}]
    kpi = a_kpi(direction=direction, **more)
    if not args["screen"]:
        return None, kpi
    return control_chart(a_series(case["y"]), kpi, freeze=args["fix"]), kpi


def test_every_pinned_series_has_the_same_lines_types_and_icons(known):
    compared = 0
    for case in known["cases"]:
        chart, kpi = _chart(case)
        if chart is None:
            y = np.array(case["y"])
            lines = xmr_limits(y, np.isfinite(y), screen=False, across_gaps=True)
            assert lines.lower[0] == pytest.approx(case["expected"]["points"][0]["lpl"], abs=1e-12)
            assert lines.upper[0] == pytest.approx(case["expected"]["points"][0]["upl"], abs=1e-12)
            continue
        wanted = case["expected"]
        for column, key in (("centre", "mean"), ("lower", "lpl"), ("upper", "upl")):
            np.testing.assert_allclose(chart.points[column], [p[key] for p in wanted["points"]], atol=1e-12)
        found = [TYPES[codes[0]] if codes else "Common Cause" for codes in chart.points["signals"]]
        assert found == [p["type"] for p in wanted["points"]], case["name"]
        result = verdict(chart, kpi)
        assert VARIATION[result.variation] == wanted["variation"], case["name"]
        assert ASSURANCE[result.assurance] == wanted["assurance"], case["name"]
        compared += 1
    assert compared == len(known["cases"]) - 1


def test_single_rules(known):
    for side, wanted in known["rules"]["seven_one_side"]:
        assert np.abs(rules.shift(np.array(side, dtype=float))).tolist() == wanted
    for values, wanted in known["rules"]["seven_trend"]:
        assert rules.trend(np.array(values, dtype=float)).tolist() == wanted
    for ends, wanted in known["rules"]["part_of_seven"]:
        assert rules.part_of(np.array(ends)).tolist() == wanted
    for case in known["rules"]["two_in_three_window"]:
        found = rules.two_of_three(np.array(case["close"]), np.array(case["side"]))
        assert found.tolist() == case["expected"]


@pytest.mark.parametrize("index", range(8))
def test_assurance_at_the_borders(known, index):
    case = known["rules"]["assurance"][index]
    middle = (case["lpl"] + case["upl"]) / 2
    y = np.array([middle, middle + (case["upl"] - middle) / 2.66] * 7)
    kpi = a_kpi(direction=case["direction"])
    chart = control_chart(a_series(y), kpi)
    chart.points["lower"], chart.points["upper"] = float(case["lpl"]), float(case["upl"])
    assert ASSURANCE[assurance_of(chart, case["target"], case["direction"])] == case["expected"]


def test_two_of_three_differs_since_2023(known):
    case = known["divergence"]["mdc_2023_two_of_three"]
    z = np.array(case["z"])
    lines = from_sigma(np.zeros(3), np.ones(3))
    codes = {name: rules.signals(z, lines, name)[-1] for name in ("nhs", "mdc2023")}
    assert ("two_of_three_high" in codes["nhs"]) is case["nhsr_flag_last"]
    assert ("two_of_three_high" in codes["mdc2023"]) is case["mdc2023_flag_last"]


def test_deviation_a_constant_series_has_limits_and_is_compared_directly(known):
    y = [1.0] * 15
    kpi = a_kpi("proportion", targets=[{"value": 0.95, "from": "2022-01-01"}])
    chart = control_chart(a_series(y), kpi)
    assert chart.points["upper"].tolist() == y
    result = verdict(chart, kpi)
    assert (result.assurance, result.state, result.p_meets_target_next) == ("pass", "common_cause", 1.0)


def test_deviation_screening_never_leaves_limits_without_width():
    y = [1.0] * 14 + [0.9] + [1.0] * 5
    chart = control_chart(a_series(y), a_kpi("proportion"))
    beyond = ["beyond_high" in codes or "beyond_low" in codes for codes in chart.points["signals"]]
    assert np.flatnonzero(beyond).tolist() == [14]
    assert chart.points["upper"].iloc[0] > chart.points["centre"].iloc[0]


def test_deviation_a_missing_month_breaks_runs_and_flags_nothing():
    y = [1.0, 2.0] * 6 + [3, 3.1, 3.2, np.nan, 3.3, 3.2, 3.1, 3.3]
    chart = control_chart(a_series(y), a_kpi())
    assert not any("shift_high" in codes for codes in chart.points["signals"])
    assert chart.points["signals"].iloc[15] == ()
