"""A department's plan evaluated: what worked, what did not, and every kind of bad input."""

import datetime as dt
import json

import numpy as np
import pytest

from svclib.catalogue.models import Department, Event, Kpi
from svclib.evaluate.analysis import evaluate_plan
from svclib.evaluate.record import evaluation_record
from svclib.report.words.checks import smart_reason
from svclib.report.words.outcome import sentence

from .plans import CODES, KPI, a_plan, an_action, measures, noise


def judged(values, *actions, department="D0", **more):
    return evaluate_plan(a_plan(values, *(actions or (an_action(),)), **more), department).outcomes[0]


@pytest.fixture
def worked():
    values = noise()
    values[0, 24:] += 2.0
    return values


def test_an_effect_against_peers_is_found_and_attributed(worked):
    outcome = judged(worked)
    effect = outcome.assessment.effect
    assert (outcome.verdict.code, outcome.verdict.grade, outcome.verdict.rival) == ("met_attributable", "A", None)
    assert effect.lower < 2.0 < effect.upper
    assert effect.method == "peers_ar1"
    assert outcome.verdict.next_step == "sustain"
    assert outcome.share_of_target == pytest.approx(effect.estimate / outcome.assessment.needed)
    assert outcome.persistence.holds
    assert outcome.too_early_until is None


def test_an_effect_that_fades_is_to_be_mended():
    values = noise()
    values[0, 24:] += np.linspace(4.0, 0.0, 6)
    outcome = judged(values)
    assert not outcome.persistence.holds
    assert (outcome.verdict.effect_state, outcome.verdict.next_step) == ("attributable", "adjust")


def test_where_the_effect_is_seen_only_the_due_date_is_waited_for(worked):
    outcome = judged(worked, an_action(due=dt.date(2026, 12, 31), target_value=54.0))
    assert (outcome.verdict.code, outcome.verdict.outlook) == ("too_early", "on_track")
    assert outcome.too_early_until == dt.date(2026, 12, 31)
    alone = judged(worked[:1], an_action(due=dt.date(2026, 12, 31), target_value=54.0))
    assert (alone.verdict.rival, alone.too_early_until) == ("no_comparison", dt.date(2026, 12, 31))


def test_everybody_improved_is_no_effect():
    values = noise()
    values[:, 24:] += 2.0
    outcome = judged(values)
    assert (outcome.verdict.code, outcome.verdict.rival) == ("met_not_attributable", "common_trend")
    assert outcome.assessment.before_after > 1.0


def test_a_return_to_normal_is_named():
    values = noise()
    values[0, 21:24] -= 3.0
    outcome = judged(values, an_action(target_value=49.0))
    assert (outcome.verdict.code, outcome.verdict.rival) == ("met_not_attributable", "regression_to_the_mean")


def test_what_happened_later_is_not_laid_to_the_plan(worked):
    """The step must be there before an event that came too late to make it."""
    event = Event(date=dt.date(2026, 4, 10), title="New tool", departments=["D0"])

    def found(outcome):
        return next(check for check in outcome.assessment.checks if check.name == "before_later")

    outcome = judged(worked, events=[event])
    assert found(outcome).passed
    assert outcome.verdict.code == "met_attributable"
    late = noise()
    late[0, 27:] += 4.0
    outcome = judged(late, events=[event])
    assert found(outcome).passed is False
    verdict = outcome.verdict
    assert (verdict.effect_state, verdict.rival, verdict.grade) == ("not_attributable", "later_event", "C")
    assert "Most of the change came later, with: New tool (10 April 2026)" in sentence(outcome)
    assert "before_later" not in {check.name for check in judged(worked).assessment.checks}


def test_harm_is_said_as_such():
    values = noise()
    values[0, 24:] -= 2.0
    outcome = judged(values)
    assert (outcome.verdict.code, outcome.verdict.next_step) == ("worsened", "stop")


def test_before_the_effect_nothing_is_judged(worked):
    outcome = judged(worked[:, :26])
    assert (outcome.verdict.code, outcome.verdict.grade) == ("too_early", "D")
    assert outcome.too_early_until == dt.date(2026, 4, 1)
    assert outcome.progress.total == 0


def test_an_action_that_answers_a_bad_spell_says_so_before_anything_can_be_judged():
    """Nobody knows yet what would have been without it: the mean of the time before is no such line."""
    values = noise()
    values[0, 21:24] -= 3.0
    outcome, calm = judged(values[:, :24]), judged(noise()[:, :24])
    assert (outcome.verdict.code, calm.verdict.code) == ("too_early", "too_early")
    assert "It answers a bad spell: the last three periods before it lay" in sentence(outcome)
    assert "bad spell" not in sentence(calm)
    assert [check.name for check in outcome.assessment.checks] == ["trigger"]
    assert np.isnan(outcome.expected).all()


def test_no_data_before_is_not_evaluable(worked):
    outcome = judged(worked[:, 20:], table=measures(worked[:, 20:], first="2025-09"))
    assert (outcome.verdict.code, outcome.verdict.rival) == ("not_evaluable", "too_few_periods")
    worked[0, :24] = np.nan
    outcome = judged(worked)
    assert outcome.verdict.code == "not_evaluable"
    assert outcome.assessment.effect is None


def test_a_department_without_a_single_figure(worked):
    departments = [Department(code=c, name=c) for c in [*CODES, "X"]]
    outcome = judged(worked[1:], an_action(department="X"), department="X", departments=departments)
    assert outcome.verdict.code == "not_evaluable"


def test_a_kpi_without_any_rows(worked):
    other = KPI.model_copy(update={"code": "other"})
    plan = a_plan(worked, an_action(kpi="other"))
    plan.kpis["other"] = other
    [outcome] = evaluate_plan(plan, "D0").outcomes
    assert outcome.verdict.code == "not_evaluable"
    assert outcome.frame().empty


def test_overlapping_actions_are_one_joint_estimate(worked):
    other = an_action(id="A2", start=dt.date(2026, 2, 1), full_effect=dt.date(2026, 3, 1))
    first, second = evaluate_plan(a_plan(worked, an_action(), other), "D0").outcomes
    assert first.assessment.effect.estimate == second.assessment.effect.estimate
    for outcome, name in ((first, "A2"), (second, "A1")):
        window = outcome.surroundings.window
        assert (window.n_before, int(window.ramp.sum()), window.n_after) == (24, 2, 4)
        assert outcome.verdict.code == "met_not_attributable"
        assert (outcome.verdict.rival, outcome.verdict.grade) == ("other_action", "C")
        assert [joint for joint, _ in outcome.surroundings.joint] == [name]


def test_a_later_action_ends_the_time_after_and_an_earlier_one_limits_the_time_before():
    values = noise(periods=48)
    early, late = an_action(id="E", start=dt.date(2024, 9, 1)), an_action(id="L", start=dt.date(2027, 1, 1))
    plan = a_plan(values, early, an_action(), late)
    middle = evaluate_plan(plan, "D0").outcome("A1").surroundings
    labels = plan.measures(KPI)["period"].unique()
    assert not middle.joint
    assert [labels[i] for i in np.flatnonzero(middle.window.before)[[0, -1]]] == ["2024-09", "2025-12"]
    assert [labels[i] for i in np.flatnonzero(middle.window.after)[[0, -1]]] == ["2026-01", "2026-12"]


def test_the_declared_baseline_is_what_the_plan_is_compared_with():
    """The level had stepped a year and a half before; what is needed and what is found both start from the baseline."""
    values = noise(periods=36)
    values[0, :12] -= 3.0
    action = an_action(
        start="2026-04-01", due="2026-12-31", baseline_from="2025-03-01", baseline_to="2026-02-28", target_value=52.0
    )
    (found,) = evaluate_plan(a_plan(values, action), "D0").outcomes
    before = values[0, 14:26].mean()
    assert found.assessment.n_before == 12
    assert found.assessment.goal.baseline == pytest.approx(before)
    assert found.assessment.needed == pytest.approx(52.0 - before)
    (measurable,) = (check for check in found.smart if check.criterion == "measurable")
    assert (measurable.reason, measurable.detail["periods"]) == ("baseline", 12)
    short = action.model_copy(update={"baseline_from": dt.date(2025, 12, 1)})
    (found,) = evaluate_plan(a_plan(values, short), "D0").outcomes
    (measurable,) = (check for check in found.smart if check.criterion == "measurable")
    assert (measurable.reason, measurable.detail["declared"], found.assessment.n_before) == ("baseline_short", 3, 27)
    assert "only 3 periods: all 27 periods before" in smart_reason(measurable, found)


def test_actions_on_other_segments_do_not_overlap(worked):
    mine, other = an_action(segment={"channel": "phone"}), an_action(id="A2", segment={"channel": "mail"})
    outcome = evaluate_plan(a_plan(worked, mine, other), "D0").outcomes[0]
    assert not outcome.surroundings.joint


def test_a_kpi_redefined_in_between(worked):
    kpi = KPI.model_copy(update={"changes": [{"date": dt.date(2026, 2, 1), "note": "New form"}]})
    kpi = Kpi(**{**KPI.model_dump(by_alias=True), "changes": [{"date": dt.date(2026, 2, 1), "note": "New form"}]})
    outcome = judged(worked, kpi=kpi)
    assert (outcome.verdict.code, outcome.verdict.rival) == ("met_not_attributable", "definition_change")
    assert outcome.verdict.grade == "C"


def test_a_change_of_definition_long_before_only_shortens_the_past(worked):
    kpi = Kpi(**{**KPI.model_dump(by_alias=True), "changes": [{"date": dt.date(2024, 6, 1), "note": "New form"}]})
    outcome = judged(worked, kpi=kpi)
    assert outcome.verdict.code == "met_attributable"
    assert (outcome.assessment.n_before, outcome.verdict.grade) == (19, "B")


def test_an_event_of_the_department_is_a_rival_and_one_of_all_is_not(worked):
    event = Event(date=dt.date(2026, 1, 10), title="Move", departments=["D0"])
    assert judged(worked, events=[event]).verdict.rival == "event"
    common = Event(date=dt.date(2026, 1, 10), title="Strike")
    outcome = judged(worked, events=[common])
    assert outcome.verdict.code == "met_attributable"
    assert outcome.surroundings.common_events == ("Strike",)
    other = Event(date=dt.date(2026, 1, 10), title="Elsewhere", departments=["D3"])
    assert judged(worked, events=[other]).verdict.code == "met_attributable"


def test_a_department_that_closed(worked):
    worked[0, 25:] = np.nan
    departments = [Department(code=c, name=c, closed=dt.date(2026, 2, 1) if c == "D0" else None) for c in CODES]
    outcome = judged(worked, departments=departments)
    assert (outcome.verdict.code, outcome.verdict.rival) == ("not_evaluable", "department_closed")


def test_every_peer_treated_too(worked):
    actions = [an_action(), *(an_action(id=f"B{c}", department=c) for c in CODES[1:])]
    outcome = judged(worked, *actions)
    assert outcome.assessment.effect.method == "series_ar1"
    assert set(outcome.peers_left_out.values()) == {"treated"}
    assert outcome.verdict.code in ("met_not_attributable", "inconclusive")
    assert outcome.verdict.grade == "C"
    assert outcome.pooled.count == 9


def test_a_staggered_roll_out_compares_with_those_whose_turn_has_not_come(worked):
    """D1 begins in April, D2 and D3 after the last period, D4 was done two years before; D5 began four months before."""
    worked[1, 27:] += 2.0
    starts = {"D1": (2026, 4), "D2": (2026, 7), "D3": (2026, 9), "D4": (2024, 2), "D5": (2025, 9)}
    others = [
        an_action(id=c, department=c, start=dt.date(*day, 1), due=dt.date(2027, 6, 30)) for c, day in starts.items()
    ]
    plan = a_plan(worked, an_action(), *others)
    first = evaluate_plan(plan, "D0").outcomes[0]
    assert first.peers_left_out == {"D1": "treated", "D5": "treated"}
    assert set(first.assessment.effect.comparison.weights) == {"D2", "D3", "D4", "D6", "D7", "D8"}
    assert first.verdict.code == "met_attributable"
    second = evaluate_plan(plan, "D1").outcomes[0]
    assert "D0" not in second.assessment.effect.comparison.weights
    pooled = first.pooled
    assert pooled.count >= 2
    assert pooled.lower < 2.0 < pooled.upper or pooled.between_sd > 0


def test_an_action_of_a_peer_on_other_cases_does_not_cost_the_peer(worked):
    other = an_action(id="B", department="D1", segment={"channel": "mail"})
    outcome = judged(worked, an_action(segment={"channel": "phone"}), other)
    assert not outcome.peers_left_out


def test_declared_spillover_is_left_out(worked):
    outcome = judged(worked, an_action(exclude_peers=["D1", "D2"]))
    assert outcome.peers_left_out == {"D1": "declared", "D2": "declared"}
    assert set(outcome.assessment.effect.comparison.weights) == set(CODES[3:])


def test_a_contaminated_peer_is_found_and_left_out(worked):
    worked[4, 24:] += 4.0
    outcome = judged(worked)
    assert outcome.peers_left_out == {"D4": "contaminated"}
    assert outcome.verdict.code == "met_attributable"


def test_a_cancelled_action_is_not_judged(worked):
    outcome = judged(worked, an_action(status="cancelled"))
    assert (outcome.verdict.code, outcome.verdict.rival) == ("not_evaluable", "cancelled")


def test_an_empty_plan_has_no_outcomes(worked):
    evaluation = evaluate_plan(a_plan(worked), "D0")
    assert evaluation.outcomes == ()
    assert evaluation_record(evaluation, str)["actions"] == []


def test_the_json_is_as_designed(worked):
    evaluation = evaluate_plan(
        a_plan(worked, an_action(), an_action(id="A2", start=dt.date(2026, 9, 1), due=dt.date(2027, 3, 1))), "D0"
    )
    content = evaluation_record(evaluation, lambda outcome: "words")
    text = json.dumps(content, allow_nan=False)
    first, second = json.loads(text)["actions"]
    assert {
        "id",
        "progress",
        "goal",
        "effect",
        "checks",
        "verdict",
        "grade",
        "rival",
        "too_early_until",
        "sentence",
    } <= set(first)
    assert {"estimate", "interval", "p", "method", "unit", "mde80"} <= set(first["effect"])
    assert all({"name", "passed", "detail"} <= set(check) for check in first["checks"])
    assert second["effect"] is None
    assert second["verdict"] == "too_early"


def test_false_discovery_control_over_the_plan():
    values = noise(seed=3)
    values[0, 24:] += 0.62
    alone = judged(values)
    kpis = {f"k{i}": Kpi(**{**KPI.model_dump(by_alias=True), "code": f"k{i}"}) for i in range(9)}
    import pandas as pd

    tables = [measures(values), *(measures(noise(seed=20 + i), kpi=k) for i, k in enumerate(kpis.values()))]
    plan = a_plan(values, an_action(), *(an_action(id=c, kpi=c) for c in kpis), table=pd.concat(tables))
    plan.kpis.update(kpis)
    among = evaluate_plan(plan, "D0").outcome("A1")
    assert among.assessment.effect.p == pytest.approx(alone.assessment.effect.p)
    assert among.p_adjusted > alone.p_adjusted


def test_a_band_is_reached_from_either_side():
    band = Kpi(**{**KPI.model_dump(by_alias=True), "direction": {"between": [49.0, 51.0]}, "targets": []})
    values = noise()
    values[0] += 4.0
    values[0, 24:] -= 4.0
    outcome = judged(values, an_action(target_value=None), kpi=band)
    assert (outcome.assessment.better, outcome.verdict.code) == ("decrease", "met_attributable")
    values = noise()
    values[0, 24:] += 4.0
    outcome = judged(values, an_action(target_value=None), kpi=band)
    assert outcome.verdict.code == "not_met"


def test_a_kpi_without_a_good_side_takes_that_of_its_target(worked):
    neutral = Kpi(**{**KPI.model_dump(by_alias=True), "direction": "neutral", "targets": []})
    assert judged(worked, kpi=neutral).verdict.code == "met_attributable"
    undecided = judged(worked, an_action(target_value=None), kpi=neutral)
    assert (undecided.verdict.code, undecided.verdict.rival) == ("inconclusive", None)


@pytest.mark.parametrize("departments", [8, 1])
def test_what_is_drawn_is_what_is_told(departments):
    """Also where the department follows its peers less than they move, or has a trend and a season of its own."""
    months = np.arange(30)
    values = noise()[:departments]
    values[1:, 24:] += 3.0
    values[0] += 0.05 * months + np.sin(2 * np.pi * months / 12)
    outcome = judged(values)
    effect, after = outcome.assessment.effect, outcome.surroundings.window.after
    drawn = np.nanmean((outcome.values - outcome.expected)[after])
    assert abs(drawn - effect.estimate) < 0.2 * effect.sd
    assert abs(np.nanmean((outcome.values - outcome.expected)[outcome.surroundings.window.before])) < 0.2 * effect.sd
