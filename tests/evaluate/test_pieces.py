"""The pieces of an evaluation, each by a small vector by hand."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from svclib.catalogue.models import Action, Step
from svclib.evaluate.checks import Check, check_placebo_in_peers, check_second_method, check_trigger
from svclib.evaluate.effect import Mapped, Panel, Series, estimate_effect, fit_series, small_number_family
from svclib.evaluate.goal import judge_goal, level_after, probability_beyond, target_level
from svclib.evaluate.mix import standardise
from svclib.evaluate.peers import compare_with_peers, weighted_mean
from svclib.evaluate.planning import plan_ahead
from svclib.evaluate.progress import measure_progress
from svclib.evaluate.second_method import structural_step, synthetic_control
from svclib.evaluate.verdict import adjusted_p, judge
from svclib.evaluate.window import Window, split_periods, step_design
from svclib.measure.autoregression import Mixture

from .plans import KPI, a_plan, noise


def window(before, after, ramp=0):
    position = np.arange(before + ramp + after)
    return Window(position < before, (position >= before) & (position < before + ramp), position >= before + ramp)


def normal(mean, sd):
    return Mixture(np.array([mean]), np.array([sd]), np.array([1.0]), 1e6)


# Window


def test_periods_that_touch_the_ramp_are_in_no_estimate():
    starts = [dt.date(2026, m, 1) for m in range(1, 12)]
    ends = [dt.date(2026, m, 1) for m in range(2, 13)]
    found = split_periods(
        starts, ends, announced=dt.date(2026, 3, 31), start=dt.date(2026, 4, 10), full_effect=dt.date(2026, 6, 1),
        not_before=dt.date(2026, 2, 1), until=dt.date(2026, 9, 15),
    )  # fmt: skip
    sides = [np.flatnonzero(mask).tolist() for mask in (found.before, found.ramp, found.after)]
    assert sides == [[1], [2, 3, 4], [5, 6, 7, 8]]
    x, times = step_design(found, trend=True, slope=True)
    assert times.tolist() == [1, 5, 6, 7, 8]
    assert x[:, 1].tolist() == [0, 1, 1, 1, 1]
    assert x[:, 2].tolist() == [0, 0, 1, 2, 3]
    assert x[0, 3] == pytest.approx(-4 / 12)


# Effect


def test_noise_free_series_give_the_step_itself():
    rng = np.random.default_rng(0)
    common = rng.normal(size=30)
    peers = {f"P{i}": Series(common + i) for i in range(4)}
    effect = estimate_effect(Panel(Series(common + 7 + 3.0 * (np.arange(30) >= 24)), peers, "score"), window(24, 6))
    assert effect.estimate == pytest.approx(3.0, abs=1e-3)
    assert effect.comparison.counterfactual == pytest.approx(common + 7, abs=1e-6)


def test_ratio_kinds_scale_their_peers():
    """Every department doubles: for durations that is a common shock, whatever their level."""
    up = np.where(np.arange(30) >= 24, 2.0, 1.0)
    wiggle = 1 + 0.02 * np.random.default_rng(1).normal(size=(5, 30))
    peers = {f"P{i}": Series(level * up * wiggle[i]) for i, level in enumerate((1.0, 2.0, 3.0, 4.0))}
    treated = Series(20.0 * up * wiggle[4])
    ratio = estimate_effect(Panel(treated, peers, "time_to_event"), window(24, 6))
    level = estimate_effect(Panel(treated, peers, "score"), window(24, 6))
    assert ratio.lower < 0 < ratio.upper
    assert level.estimate > 5


def test_small_numbers_get_their_own_likelihood():
    n = np.full(30, 40.0)
    few = Series(np.full(30, 0.9), 0.9 * n, n)
    assert small_number_family("proportion", few, window(24, 6)) == "binomial"
    assert small_number_family("proportion", Series(few.value, 50 * few.numerator, 50 * n), window(24, 6)) is None
    assert small_number_family("count", Series(np.full(30, 3.0), np.full(30, 3.0)), window(24, 6)) == "poisson"
    assert small_number_family("count", Series(np.full(30, 300.0), np.full(30, 300.0)), window(24, 6)) is None
    assert small_number_family("mean", few, window(24, 6)) is None


@pytest.mark.parametrize("peers", [0, 4])
def test_a_binomial_effect_is_in_the_kpis_units(peers):
    rng = np.random.default_rng(3)
    n = np.full(30, 50.0)

    def series(share):
        y = rng.binomial(50, share, size=30).astype(float)
        return Series(y / n, y, n)

    treated = series(np.where(np.arange(30) >= 24, 0.95, 0.80))
    effect = estimate_effect(Panel(treated, {f"P{i}": series(0.8) for i in range(peers)}, "proportion"), window(24, 6))
    assert effect.method == ("peers_binomial" if peers else "series_binomial")
    assert effect.lower < 0.15 < effect.upper
    assert effect.upper < 0.25
    assert effect.p < 0.05


def test_a_rate_is_per_its_own_unit():
    rng = np.random.default_rng(5)
    exposure = np.full(30, 2000.0)
    y = rng.poisson(exposure * np.where(np.arange(30) >= 24, 0.002, 0.006)).astype(float)
    series = Series(1000 * y / exposure, y, exposure)
    effect = estimate_effect(Panel(series, {}, "rate", per=1000), window(24, 6))
    assert effect.method == "series_poisson"
    assert effect.lower < -4 < effect.upper < 0


def test_a_mapped_posterior_turns_back_and_forth():
    mapped = Mapped(normal(0.5, 0.2), lambda d: float(np.exp(d)))
    assert mapped.quantile(0.5) == pytest.approx(np.exp(0.5))
    assert mapped.cdf(np.exp(0.5)) == pytest.approx(0.5)
    assert (mapped.cdf(0.0001), mapped.cdf(1e9)) == (0.0, 1.0)


# Peers


def test_a_peer_with_gaps_is_left_out_and_a_missing_month_bridged():
    values = noise(5)
    values[1, ::3] = np.nan
    values[2, 3] = np.nan
    found = compare_with_peers(values[0], values[1:].T, ["a", "b", "c", "d"], window(24, 6))
    assert found.left_out == {"a": "incomplete"}
    assert not np.isnan(found.gap).any()
    assert compare_with_peers(values[0], values[1:3].T, ["a", "b"], window(24, 6)) is None


def test_weighted_mean_over_those_present():
    panel = np.array([[1.0, 3.0], [np.nan, 5.0], [np.nan, np.nan]])
    assert weighted_mean(panel, np.array([0.25, 0.75])).tolist()[:2] == [2.5, 5.0]
    assert np.isnan(weighted_mean(panel, np.array([0.25, 0.75]))[2])


def test_fitted_weights_only_where_they_predict_better():
    rng = np.random.default_rng(8)
    shared, others = rng.normal(size=30), rng.normal(size=(6, 30))
    alike = compare_with_peers(
        3 * shared + 0.3 * rng.normal(size=30),
        np.vstack([3 * shared + 0.3 * rng.normal(size=30), others]).T, list("abcdefg"), window(24, 6),
    )  # fmt: skip
    assert alike.method == "simplex"
    assert max(alike.weights, key=alike.weights.get) == "a"
    values = noise(8)
    assert compare_with_peers(values[0], values[1:].T, list("abcdefg"), window(24, 6)).method == "equal"


# Goal


def test_targets_as_levels():
    assert target_level("level", 0.9, 0.5, "increase") == 0.9
    assert target_level("change", 0.1, 0.5, "increase") == pytest.approx(0.6)
    assert target_level("relative", -0.4, 30.0, "decrease") == pytest.approx(18.0)
    assert target_level("relative", 0.4, 30.0, "decrease") == pytest.approx(18.0)


def test_probability_beyond_the_target_on_the_good_side():
    level = normal(10.0, 1.0)
    assert probability_beyond(level, 10.0, "increase") == pytest.approx(0.5)
    assert probability_beyond(level, 11.0, "decrease") == pytest.approx(0.8413, abs=1e-3)
    assert probability_beyond(level, np.nan, (9.0, 11.0)) == pytest.approx(0.6827, abs=1e-3)
    assert probability_beyond(level, 11.0, "neutral") is None


@pytest.mark.parametrize(
    ("target", "due", "verdict"),
    [(8.0, True, "met"), (12.0, True, "not_met"), (10.0, True, "inconclusive"), (12.0, False, "open"),
     (8.0, False, "met"), (None, True, "no_target")],
)  # fmt: skip
def test_goal_verdicts(target, due, verdict):
    goal = judge_goal(normal(10.0, 1.0), target=target, baseline=9.0, direction="increase", due_passed=due)
    assert goal.verdict == verdict


def test_half_a_year_of_weeks_shows_no_season():
    values = np.random.default_rng(0).normal(size=120)
    assert fit_series(values[:36], window(30, 6), 52.18).coefficients.shape[1] == 3
    assert fit_series(values, window(110, 10), 52.18).coefficients.shape[1] == 5
    assert fit_series(values[:36], window(30, 6), 12.0).coefficients.shape[1] == 5


def test_the_level_leaves_the_season_out():
    """Six summer months on a flat process with a strong season: the level is that of the year."""
    season = 3 * np.sin(2 * np.pi * np.arange(42) / 12)
    values = 50 + season + 0.1 * np.random.default_rng(2).normal(size=42)
    level = level_after(Panel(Series(values), {}, "mean"), window(36, 6))
    assert level.quantile(0.5) == pytest.approx(50, abs=0.2)
    assert abs(values[36:].mean() - 50) > 1.5


# Verdict


def an_effect(mean, peers=5, before=24, after=6):
    from svclib.evaluate.effect import Effect
    from svclib.evaluate.peers import Comparison

    posterior = normal(mean, 0.5)
    low, high = posterior.interval()
    weights = {f"P{i}": 1 / peers for i in range(peers)}
    comparison = Comparison(np.zeros(1), np.zeros(1), np.zeros(1), weights, "equal") if peers else None
    return Effect(posterior, mean, low, high, posterior.p, 0.5, 1.4, "peers_ar1", before, after, None, comparison)


def a_goal(verdict, probability=0.5):
    from svclib.evaluate.goal import Goal

    return Goal(verdict, probability, 1.0, 0.5, 1.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("goal", "mean", "code"),
    [
        ("met", 2.0, "met_attributable"), ("met", 0.2, "met_not_attributable"), ("met", -2.0, "met_despite"),
        ("not_met", 2.0, "improved_target_missed"), ("not_met", 0.2, "not_met"), ("not_met", -2.0, "worsened"),
        ("open", 2.0, "too_early"), ("open", 0.2, "too_early"), ("open", -2.0, "too_early"),
        ("inconclusive", 0.2, "inconclusive"), ("no_target", 2.0, "inconclusive"),
    ],
)  # fmt: skip
def test_the_table_of_verdicts(goal, mean, code):
    found = judge(a_goal(goal), an_effect(mean), [], direction="increase", p_adjusted=None)
    assert found.code == code
    mirrored = judge(a_goal(goal), an_effect(-mean), [], direction="decrease", p_adjusted=None)
    assert mirrored.code == code


def test_outlooks_of_what_is_not_due():
    assert judge(a_goal("open"), an_effect(2.0), [], direction="increase", p_adjusted=None).outlook == "on_track"
    assert judge(a_goal("open"), an_effect(-2.0), [], direction="increase", p_adjusted=None).outlook == "off_track"
    assert judge(a_goal("open"), an_effect(0.1), [], direction="increase", p_adjusted=None).outlook is None


@pytest.mark.parametrize(
    ("change", "grade", "code"),
    [
        ({}, "A", "met_attributable"), ({"peers": 4}, "B", "met_attributable"), ({"after": 5}, "B", "met_attributable"),
        ({"before": 23}, "B", "met_attributable"), ({"peers": 2}, "C", "met_not_attributable"),
        ({"peers": 0}, "C", "met_not_attributable"), ({"before": 11}, "D", "not_evaluable"),
        ({"after": 2}, "D", "too_early"),
    ],
)  # fmt: skip
def test_grades(change, grade, code):
    found = judge(a_goal("met"), an_effect(2.0, **change), [], direction="increase", p_adjusted=None)
    assert (found.grade, found.code) == (grade, code)


def test_a_failed_check_costs_the_grade_and_a_critical_one_the_attribution():
    minor, critical = Check("trigger", False, False, {"shift": 1.0}), Check("pre_trend", False, True)
    found = judge(a_goal("met"), an_effect(2.0), [minor], direction="increase", p_adjusted=None)
    assert (found.grade, found.code) == ("B", "met_attributable")
    found = judge(a_goal("met"), an_effect(2.0), [critical], direction="increase", p_adjusted=None)
    assert (found.grade, found.code, found.rival) == ("C", "met_not_attributable", "earlier_trend")


def test_a_change_that_is_not_laid_to_the_plan_has_its_rival_named_though_the_target_is_missed():
    drifted = Check("pre_trend", False, True, {})
    found = judge(a_goal("not_met"), an_effect(2.0), [drifted], direction="increase", p_adjusted=None)
    assert (found.code, found.rival) == ("not_met", "earlier_trend")
    assert judge(a_goal("not_met"), an_effect(0.2), [drifted], direction="increase", p_adjusted=None).rival is None


def test_what_false_discovery_control_takes_back_is_not_attributed():
    found = judge(a_goal("met"), an_effect(1.1), [], direction="increase", p_adjusted=0.2)
    assert (found.code, found.rival) == ("met_not_attributable", "chance")


def test_adjusted_p_by_hand():
    assert adjusted_p([0.01, 0.02, None, 0.5]) == pytest.approx([0.03, 0.03, None, 0.5])
    assert adjusted_p([None]) == [None]


# Checks and second methods


def test_trigger_by_hand():
    values = np.array([1.0, -1.0] * 6 + [-4.0, -4.0, -4.0] + [0.0] * 3)
    found = check_trigger(values, window(15, 3), better=1.0)
    assert (found.passed, found.detail["shift"]) == (False, -4.0)
    assert check_trigger(values, window(15, 3), better=-1.0).passed
    assert check_trigger(values[-9:], window(6, 3), better=1.0).passed is None


def test_a_level_that_has_lasted_is_no_bad_spell():
    """The action answers it, and its last months are as those before them."""
    lasting = np.concatenate([np.tile([1.0, -1.0], 8), np.tile([-5.0, -7.0], 5), np.zeros(3)])
    found = check_trigger(lasting, window(26, 3), better=1.0)
    assert (found.passed, abs(found.detail["shift"]) < 1.0) == (True, True)
    worse = lasting.copy()
    worse[23:26] -= 4.0
    assert check_trigger(worse, window(26, 3), better=1.0).passed is False


def test_a_rank_among_few_departments_proves_nothing_and_still_disproves():
    """With four others, chance alone gives the first place in one of five."""
    few = noise(5)
    few[0, 24:] += 3.0
    few[0, 23] += 1.0
    panel = Panel(Series(few[0]), {str(j): Series(few[j]) for j in range(1, 5)}, "mean")
    effect = estimate_effect(panel, window(24, 6))
    found = check_placebo_in_peers(effect)
    assert (found.passed, found.detail["reason"], found.detail["attainable_p"]) == (None, "too_few_to_rank", 0.2)
    first, *others = effect.comparison.placebo
    larger = (replace(first, estimate=9.0, sd=0.2), *others)
    assert (
        check_placebo_in_peers(replace(effect, comparison=replace(effect.comparison, placebo=larger))).passed is False
    )
    doubtful = check_second_method("synthetic_control", effect, effect.estimate, None, p=0.6, attainable_p=0.2)
    assert (doubtful.passed, doubtful.detail["reason"]) == (None, "others_as_large")
    assert check_second_method("synthetic_control", effect, effect.estimate, None, p=0.2, attainable_p=0.2).passed


def test_second_methods_find_a_plain_step():
    values = noise(6)
    values[0, 24:] += 3.0
    step = structural_step(values[0], values[1:].mean(axis=0) - 50, window(24, 6))
    assert abs(step.estimate - 3.0) < 2.5 * step.sd
    control = synthetic_control(values[0], values[1:].T, window(24, 6))
    assert control.estimate == pytest.approx(3.0, abs=0.7)
    assert (control.rank_p, control.attainable_p) == (pytest.approx(1 / 6), pytest.approx(1 / 6))
    assert synthetic_control(values[0], values[1:3].T, window(24, 6)) is None


# Mix


def test_a_change_of_mix_alone_disappears_when_standardised():
    """Easy cases pass in 90 %, hard ones in 50 %; only their shares change from 1:1 to 3:1."""
    rows = []
    for period, easy in (("1", 50), ("2", 50), ("3", 75), ("4", 75)):
        for level, count, share in (("easy", easy, 0.9), ("hard", 100 - easy, 0.5)):
            rows.append({"period": period, "kind": level, "num": count * share, "den": float(count)})
    rows = pd.DataFrame(rows)
    found = standardise(rows, "kind", ["1", "2", "3", "4"], window(2, 2))
    assert found == pytest.approx([0.7, 0.7, 0.7, 0.7])
    assert standardise(rows.assign(kind="one"), "kind", ["1", "2", "3", "4"], window(2, 2)) is None
    assert standardise(rows, "none", ["1", "2", "3", "4"], window(2, 2)) is None
    assert np.isnan(standardise(rows, "kind", ["0", "1", "2", "3", "4"], window(3, 2))[0])


# Progress


def steps(*parts):
    return Action(
        id="1", department="D", kpi="k", gap="g", objective="o", start=dt.date(2026, 1, 1), due=dt.date(2026, 6, 30),
        status="in progress", steps=[Step(title=str(i), **part) for i, part in enumerate(parts)],
    )  # fmt: skip


def test_states_of_steps():
    day = dt.date
    action = steps(
        {"end": day(2026, 2, 1), "done_on": day(2026, 2, 1)},
        {"end": day(2026, 2, 1), "done_on": day(2026, 2, 11)},
        {"end": day(2026, 3, 1)},
        {"end": day(2026, 5, 1), "note": "Blocked: supplier"},
        {"end": day(2026, 4, 20)},
        {"start": day(2026, 3, 1), "end": day(2026, 6, 25)},
        {"start": day(2026, 6, 1), "end": day(2026, 6, 25)},
        {"note": "some day"},
        {"end": day(2026, 2, 1), "done_on": day(2026, 5, 1)},
    )
    found = measure_progress(action, day(2026, 4, 1))
    assert [s.state for s in found.steps] == [
        "done", "done_late", "late", "blocked", "due", "running", "planned", "undated", "late",
    ]  # fmt: skip
    assert [s.delay for s in found.steps][:3] == [0, 10, 31]
    assert (found.code, found.escalate, found.expected) == ("blocked", "head", 4)
    assert [s.step.title for s in found.due] == ["8", "2", "4", "3"]
    # The two done steps were 0 and 10 days late, so the last open one is expected 5 days after its planned end.
    assert found.forecast_end == day(2026, 6, 30)
    assert found.days_beyond_due == 0


@pytest.mark.parametrize(("days", "whom"), [(0, None), (5, "owner"), (14, "responsible"), (30, "head")])
def test_delays_are_escalated_with_their_size(days, whom):
    action = steps({"end": dt.date(2026, 3, 1)})
    assert measure_progress(action, dt.date(2026, 3, 1) + dt.timedelta(days=days)).escalate == whom


def test_no_pace_tells_when_steps_end_that_are_all_overdue():
    found = measure_progress(steps({"end": dt.date(2026, 6, 20)}), dt.date(2026, 7, 10))
    assert (found.code, found.forecast_end, found.days_beyond_due) == ("late", None, 10)
    both = measure_progress(steps({"end": dt.date(2026, 6, 20)}, {"end": dt.date(2026, 7, 20)}), dt.date(2026, 7, 10))
    assert both.forecast_end == dt.date(2026, 7, 20)


def test_an_action_past_its_due_date_without_steps_is_late():
    assert measure_progress(steps(), dt.date(2026, 7, 10)).days_beyond_due == 10
    done = steps().model_copy(update={"status": "done"})
    assert (
        measure_progress(done, dt.date(2026, 7, 10)).code,
        measure_progress(done, dt.date(2026, 7, 10)).escalate,
    ) == (
        "done",
        None,
    )


# Planning


def test_planning_says_what_could_be_seen_by_when():
    plan = a_plan(noise())
    found = plan_ahead(plan, "D0", KPI, change=2.0)
    assert found.power.enough == 3
    assert found.power.mde80 == sorted(found.power.mde80, reverse=True)
    assert plan_ahead(plan, "D0", KPI, change=0.05).power.enough is None
    assert plan_ahead(a_plan(noise(periods=8)), "D0", KPI).power is None


def test_planning_starts_from_the_present_level():
    """Twelve months across a step would tell of a level that nobody has any more."""
    values = noise(periods=30)
    values[0, -8:] -= 4.0
    assert plan_ahead(a_plan(values), "D0", KPI).level == pytest.approx(values[0, -8:].mean())
    assert plan_ahead(a_plan(noise(periods=30)), "D0", KPI).level == pytest.approx(noise(periods=30)[0, -12:].mean())


def test_the_planned_power_is_the_power():
    """Panels like those planned on, with an effect of the detectable size: about 80 % are found (within 4 errors)."""
    changes = [plan_ahead(a_plan(noise(seed=s, periods=24)), "D0", KPI).power.mde80[2] for s in range(12)]
    size, found, runs = float(np.median(changes)), 0, 120
    for seed in range(100, 100 + runs):
        values = noise(seed=seed)
        values[0, 24:] += size
        panel = Panel(Series(values[0]), {f"P{i}": Series(v) for i, v in enumerate(values[1:])}, "score")
        found += estimate_effect(panel, window(24, 6)).p < 0.05
    assert found / runs == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / runs))
