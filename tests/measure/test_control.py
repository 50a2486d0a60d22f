"""Charts built from the measures table: baselines, gaps, small counts, constants, choice, states."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svclib.catalogue.models import Band
from svclib.errors import InputRefused
from svclib.measure.spc.baseline import prediction_factor
from svclib.measure.spc.control import control_chart
from svclib.measure.spc.verdict import verdict

from .series import a_kpi, a_series, a_share, month

RNG = np.random.default_rng(7)
QUIET = np.array(
    [10.0, 11, 9, 10.5, 9.5, 10, 11.5, 9, 10, 10.5, 9.5, 11, 10, 9, 10.5, 10, 9.5, 11, 10, 9.5, 10.5, 10, 9, 11]
)


def _state(series, kpi):
    result = verdict(control_chart(series, kpi), kpi)
    return result.state, result.cause


@pytest.mark.parametrize(("points", "standing"), [(5, "none"), (6, "trial"), (12, "trial"), (13, "full")])
def test_how_many_months_carry_limits(points, standing):
    chart = control_chart(a_series(QUIET[:points]), a_kpi())
    assert chart.standing == standing
    assert chart.points["upper"].notna().all() == (standing != "none")


def test_strict_spares_the_judged_month():
    calm, wild = QUIET[:14], np.append(QUIET[:13], 30.0)
    lines = [
        control_chart(a_series(y), a_kpi(rules="strict", chart="xmr")).points["upper"].iloc[-1] for y in (calm, wild)
    ]
    assert lines[0] == lines[1]


def test_limits_are_frozen_after_24_months():
    later = np.concatenate([QUIET, QUIET[:12] + 3])
    for rules in ("nhs", "strict"):
        kpi = a_kpi(rules=rules, chart="xmr")
        before = control_chart(a_series(np.append(QUIET, QUIET[0])), kpi).points["upper"].iloc[0]
        assert control_chart(a_series(later), kpi).points["upper"].iloc[0] == before


def test_a_provisional_month_sets_no_limit_and_signals_nothing():
    y = np.append(QUIET, 0.5)
    series = a_series(y, mature=np.append(np.full(24, True), False), status=["ok"] * 24 + ["provisional"])
    for rules in ("nhs", "mdc2023", "strict"):
        kpi = a_kpi(rules=rules)
        chart = control_chart(series, kpi)
        assert chart.points["signals"].iloc[-1] == ()
        assert not chart.points["baseline"].iloc[-1]
        assert _state(series, kpi) == ("provisional", "immature")


def test_a_partial_month_is_never_flagged_as_a_fall():
    """Day 10 of 30 of a volume: a third of the count, flagged by every tool that does not know maturity."""
    flagged = 0
    for _ in range(50):
        counts = RNG.poisson(300, 25).astype(float)
        counts[-1] /= 3
        series = a_series(counts, mature=np.append(np.full(24, True), False))
        flagged += bool(control_chart(series, a_kpi("count", "strict")).points["signals"].iloc[-1])
    assert flagged == 0


@pytest.mark.parametrize("rules", ["nhs", "mdc2023", "strict"])
@pytest.mark.parametrize("target", [0.95, 1.0])
def test_full_marks_every_month_pass(rules, target):
    n = np.array([12, 30, 8, 25, 40, 6, 18, 22, 9, 31, 14, 16, 27, 11, 35.0])
    kpi = a_kpi("proportion", rules, targets=[{"value": target, "from": "2022-01-01"}])
    result = verdict(control_chart(a_share(n, n), kpi), kpi)
    assert result.state == "common_cause"
    if rules == "strict":
        # Fifteen months of 311 good cases do not prove that a bad one cannot come.
        assert result.assurance == ("hit_or_miss" if target == 1 else result.assurance)
        assert result.p_meets_target_next > 0.95
    else:
        assert (result.assurance, result.p_meets_target_next) == ("pass", 1.0)


def test_full_marks_of_many_cases_pass_in_strict_too():
    n = np.full(20, 400.0)
    kpi = a_kpi("proportion", "strict", targets=[{"value": 0.95, "from": "2022-01-01"}])
    assert verdict(control_chart(a_share(n, n), kpi), kpi).assurance == "pass"


def test_a_gap_is_seen_and_is_not_zero():
    y = QUIET.copy()
    y[10] = np.nan
    chart = control_chart(a_series(y), a_kpi(rules="strict", chart="xmr"))
    assert len(chart.points) == 24
    assert not chart.points["baseline"].iloc[10]
    assert chart.points["centre"].iloc[0] == pytest.approx(np.nanmean(y[:23]))
    assert _state(a_series(np.append(y, np.nan)), a_kpi()) == ("fault", "missing")


def test_zero_denominators_have_no_value_and_no_lines():
    n = np.append(np.full(14, 20.0), 0.0)
    r = np.append(np.full(14, 15.0), 0.0)
    for rules in ("nhs", "strict"):
        chart = control_chart(a_share(r, n), a_kpi("proportion", rules))
        assert not chart.points["judged"].iloc[-1]
    assert np.isnan(control_chart(a_share(r, n), a_kpi("proportion", "strict", chart="p")).points["upper"].iloc[-1])


def test_infinite_values_are_faults():
    y = np.append(QUIET, np.inf)
    chart = control_chart(a_series(y), a_kpi())
    assert np.isfinite(chart.points["centre"]).all()


def test_ties_never_make_a_trend_or_a_shift():
    chart = control_chart(a_series([5.0] * 20), a_kpi())
    assert not chart.points["signals"].map(bool).any()


def test_small_periods_do_not_set_the_width_of_an_individuals_chart():
    y = QUIET.copy()
    y[5] = 60.0
    status = np.where(np.arange(24) == 5, "too_few", "ok")
    chart = control_chart(a_series(y, status=status), a_kpi())
    assert chart.points["upper"].iloc[0] < 20
    assert chart.points["signals"].iloc[5] == ()
    assert _state(a_series(QUIET, status=["ok"] * 23 + ["too_few"]), a_kpi()) == ("too_few", "few_cases")
    assert _state(a_series(QUIET, status=["ok"] * 23 + ["withheld"]), a_kpi()) == ("withheld", "small")


def test_rebase_splits_the_chart_and_no_rule_looks_across():
    y = np.concatenate([QUIET[:14], QUIET[:14] + 6])
    rebase = [{"date": month(14), "reason": "new system", "approved_by": "head"}]
    for rules in ("nhs", "strict"):
        chart = control_chart(a_series(y), a_kpi(rules=rules, chart="xmr", rebase=rebase))
        assert chart.points["phase"].tolist() == [0] * 14 + [1] * 14
        assert not chart.points["signals"].map(bool).any()
        assert chart.points["centre"].iloc[-1] - chart.points["centre"].iloc[0] == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize("where", [0, 27])
def test_rebase_at_the_first_or_last_month(where):
    rebase = [{"date": month(where), "reason": "r", "approved_by": "a"}]
    chart = control_chart(a_series(np.append(QUIET, QUIET[:4])), a_kpi(rebase=rebase))
    assert chart.points["phase"].nunique() == (1 if where == 0 else 2)
    assert chart.standing == ("full" if where == 0 else "none")


def test_a_rebase_that_matches_no_month_is_an_error():
    with pytest.raises(InputRefused, match="no period begins on this date"):
        control_chart(
            a_series(QUIET), a_kpi(rebase=[{"date": dt.date(2022, 5, 15), "reason": "r", "approved_by": "a"}])
        )


def test_target_that_changes_within_a_phase():
    targets = [{"value": 9.0, "from": "2022-01-01"}, {"value": 12.0, "from": "2023-07-01"}]
    chart = control_chart(a_series(QUIET), a_kpi(targets=targets))
    assert chart.points["target"].tolist() == [9.0] * 18 + [12.0] * 6


def test_a_step_is_not_taken_for_dependence():
    y = np.concatenate([QUIET[:12], QUIET[:12] + 3])
    chart = control_chart(a_series(y), a_kpi(rules="strict", chart="xmr"))
    assert chart.autocorrelation.step_explains
    assert chart.autocorrelation.inflate == 1
    assert chart.points["signals"].map(bool).any()


def test_dependence_widens_the_limits_and_mutes_the_runs():
    y = 10 + np.sin(np.arange(24) / 2.5) + 0.1 * QUIET
    chart = control_chart(a_series(y), a_kpi(rules="strict", chart="xmr"))
    assert chart.autocorrelation.fired
    plain = control_chart(a_series(y), a_kpi(rules="nhs"))
    assert np.ptp(chart.points[["lower", "upper"]].iloc[0]) > 1.3 * np.ptp(plain.points[["lower", "upper"]].iloc[0])
    assert not any(c.startswith(("run", "level")) for codes in chart.points["signals"] for c in codes)


def test_season_moves_the_limits():
    y = 10 + 3 * np.cos(2 * np.pi * np.arange(48) / 12) + 0.7 * np.random.default_rng(3).standard_normal(48)
    chart = control_chart(a_series(y), a_kpi(rules="strict", chart="xmr"))
    assert chart.season.kind == "harmonic"
    assert chart.season.amplitude == pytest.approx(3, abs=0.3)
    assert np.ptp(chart.points["centre"]) == pytest.approx(6, abs=0.6)
    assert not chart.points["signals"].map(bool).any()


def test_a_dip_each_august_needs_month_effects():
    month_of = np.arange(48) % 12
    y = np.tile(QUIET, 2) / 2 - 4 * (month_of == 7)
    assert control_chart(a_series(y), a_kpi(rules="strict", chart="xmr")).season.kind == "months"


@pytest.mark.parametrize(
    ("make", "kind", "reason"),
    [
        (lambda: (a_share(np.full(14, 19.0), np.full(14, 20.0)), a_kpi("proportion", "strict")), "p", "small_counts"),
        (
            lambda: (a_share(250 + 10 * (QUIET - 10), np.full(24, 500.0)), a_kpi("proportion", "strict")),
            "p_prime",
            "large_counts",
        ),
        (
            lambda: (a_share(np.tile([100.0, 300], 10), np.full(20, 500.0)), a_kpi("proportion", "strict")),
            "p_prime",
            "overdispersed",
        ),
        (lambda: (a_series(np.tile([1.0, 0, 2, 0], 6)), a_kpi("count", "strict")), "c", "rare"),
        (lambda: (a_series(np.tile([300.0, 500], 8)), a_kpi("count", "strict")), "xmr", "overdispersed"),
        (lambda: (a_share(np.tile([1.0, 0, 2], 6), np.full(18, 10.0)), a_kpi("rate", "strict")), "u", "rare"),
        (lambda: (a_series(QUIET), a_kpi("mean", "strict")), "i_prime", "unequal_sizes"),
        (lambda: (a_series(QUIET, n=np.nan), a_kpi("mean", "strict")), "xmr", "fallback"),
        (lambda: (a_series(np.exp(QUIET)), a_kpi("time_to_event", "strict")), "xmr", "skewed"),
        (lambda: (a_series(1 - QUIET / 1000), a_kpi("availability", "strict")), "xmr", "near_full"),
        (lambda: (a_series(QUIET), a_kpi("mean", "nhs")), "xmr", "rule_set"),
        (lambda: (a_series(QUIET), a_kpi("mean", "nhs", chart="run")), "run", "declared"),
    ],
)
def test_the_chart_is_chosen_by_kind(make, kind, reason):
    series, kpi = make()
    chart = control_chart(series, kpi)
    assert (chart.kind, chart.reason) == (kind, reason)
    assert chart.points["centre"].notna().all()


def test_a_declared_chart_without_its_counts_is_an_error():
    with pytest.raises(InputRefused, match="needs a numerator"):
        control_chart(a_series(QUIET), a_kpi("mean", chart="p"))


def test_rates_are_shown_per_their_number():
    r, n = np.array([40.0, 60, 50, 45, 55, 50, 48, 52]), np.full(8, 10_000.0)
    chart = control_chart(a_series(r / n * 1000, r, n), a_kpi("rate", "strict", per=1000, chart="u"))
    assert chart.points["centre"].iloc[0] == pytest.approx(r[:7].sum() / 7 / 10)
    low, high = chart.next.interval()
    assert low < 5 < high


def test_variation_in_a_band():
    y = np.append(QUIET, 20.0)
    assert _state(a_series(y), a_kpi(direction=Band(between=[8.0, 12.0])))[0] == "concern"
    assert _state(a_series(y), a_kpi(direction=Band(between=[18.0, 22.0])))[0] == "improvement"
    assert _state(a_series(y), a_kpi(direction="neutral"))[0] == "neutral"


def test_impossible_values_are_faults():
    series = a_series(np.append(QUIET[:13] / 20, 1.2))
    assert _state(series, a_kpi("proportion")) == ("fault", "impossible")


finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
series_of = st.lists(st.one_of(finite, st.just(float("nan"))), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(values=series_of, rules=st.sampled_from(["nhs", "mdc2023", "strict"]))
def test_any_series_gets_an_honest_answer(values, rules):
    kpi = a_kpi("mean", rules, targets=[{"value": 0.0, "from": "2022-01-01"}])
    chart = control_chart(a_series(values), kpi)
    result = verdict(chart, kpi)
    table = chart.points
    assert len(table) == len(values)
    lines = table[["lower", "centre", "upper"]].dropna()
    slack = 1e-6 * max(1.0, float(np.nanmax(np.abs(np.append(values, 0.0)))))
    assert (lines["lower"] <= lines["centre"] + slack).all()
    assert (lines["centre"] <= lines["upper"] + slack).all()
    assert (result.state == "fault") == bool(np.isnan(values[-1]))
    assert result.p_meets_target_next is None or 0 <= result.p_meets_target_next <= 1
    assert not table.loc[table["value"].isna(), "signals"].map(bool).any()


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(finite, min_size=14, max_size=30),
    scale=st.sampled_from([0.25, 2.0, 1024.0]),
)
def test_signals_do_not_depend_on_the_unit(values, scale):
    y = np.array(values)
    kpi = a_kpi(rules="nhs")
    one, other = control_chart(a_series(y), kpi), control_chart(a_series(y * scale), kpi)
    assert one.points["signals"].tolist() == other.points["signals"].tolist()


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=30))
def test_shares_stay_shares(pairs):
    n = np.array([max(a, b) for a, b in pairs], dtype=float)
    r = np.array([min(a, b) for a, b in pairs], dtype=float)
    kpi = a_kpi("proportion", "strict", targets=[{"value": 0.5, "from": "2022-01-01"}])
    chart = control_chart(a_share(r, n), kpi)
    lines = chart.reading[["lower", "upper"]].dropna().to_numpy()
    assert ((lines >= 0) & (lines <= 1)).all()
    verdict(chart, kpi)


def test_the_factor_of_a_short_baseline_is_the_simulated_one():
    """Simulated with 400,000 runs: benchmarks/control_charts.py."""
    simulated = {8: 5.29, 10: 4.72, 12: 4.32, 13: 4.22, 18: 3.80, 24: 3.60, 36: 3.40}
    for n, factor in simulated.items():
        assert prediction_factor(n) == pytest.approx(factor, abs=0.06)


def test_one_month_far_out_makes_no_level_of_six():
    rng = np.random.default_rng(3)
    usual = 10 + rng.normal(0, 1, 30)
    latest = np.array([10.4, 10.3, 25.0, 10.6, 10.4, 10.5])
    chart = control_chart(a_series(np.concatenate([usual, latest])), a_kpi(rules="strict"))
    assert [codes for codes in chart.points["signals"].tail(6) if codes] == [("beyond_high",)]
    risen = control_chart(
        a_series(np.concatenate([usual, latest + np.where(latest > 20, 0, 2.5)])), a_kpi(rules="strict")
    )
    assert all("level_high" in codes for codes in risen.points["signals"].tail(6))
