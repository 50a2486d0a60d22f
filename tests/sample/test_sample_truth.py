"""What `truth.json` says is in the data, as plain statistics see it, and what it does not say is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.root_cause.planted import months_off
from benchmarks.sample import as_told, facts, measure, plans
from svclib.measure.autoregression import fit_ar1

WORSE_HIGH = {"response_time", "resolution_time", "escalation_rate", "handoffs", "incidents", "complaints", "absence"}


def months_of(fact: dict, columns: pd.Index) -> np.ndarray:
    return (columns >= fact["full_from"]) & (columns <= (fact["to"] or "9999"))


def test_truth_speaks_of_what_params_declare(sample):
    truth, catalogue = sample.truth, sample.catalogue
    codes = {d.code for d in catalogue.departments}
    kpis = {k.code for k in catalogue.kpis}
    events = {e.title: e for e in catalogue.events}
    actions = {a.id: a for a in catalogue.actions}
    for fact in truth["facts"]:
        assert fact["department"] in codes | {"all"}
        assert {fact["kpi"], *fact["also_moves"]} <= kpis
        if fact["event"]:
            # Decoys apart, an event stands near its fact, though people seldom note the very day.
            event = events[fact["event"]]
            assert abs((pd.Period(event.date, "M") - pd.Period(fact["from"], "M")).n) <= 1
    assert {plan["id"] for plan in truth["plans"]} == set(actions)
    for plan in truth["plans"]:
        action = actions[plan["id"]]
        assert (action.department, action.kpi) == (plan["department"], plan["kpi"])
        assert action.full_effect.strftime("%Y-%m") == plan["full_effect"]
    assert {(p["department"], p["kpi"]) for p in truth["nothing"]} <= {(d, k) for d in codes for k in kpis}
    assert {p["department"] for p in truth["nothing"]} == codes


def test_every_kind_of_fact_and_of_plan_is_there(sample):
    assert {fact["kind"] for fact in sample.truth["facts"]} == {
        "special_cause", "local_cause", "mix_shift", "general_shock", "common_improvement", "chance_run", "plan_effect",
    }  # fmt: skip
    verdicts = [plan["verdict"] for plan in sample.truth["plans"]]
    assert sorted(set(verdicts)) == [
        "improved_target_missed", "met_attributable", "met_not_attributable", "not_met", "too_early", "worsened",
    ]  # fmt: skip
    assert {plan["rival"] for plan in sample.truth["plans"]} == {None, "regression_to_the_mean", "common_trend"}
    statuses = {action.id: action.status for action in sample.catalogue.actions}
    assert statuses["A-2026-01"] == "blocked"


def test_planted_changes_stand_out_of_their_history(sample):
    for fact in sample.truth["facts"]:
        if fact["kind"] in ("plan_effect", "chance_run") or fact["department"] == "all":
            continue
        values = sample.kpis[fact["kpi"]].loc[fact["department"]]
        on = months_of(fact, values.index)
        before = (values.index < fact["from"]) & (values.index >= "2025-02")
        z = (values[on].mean() - values[before].mean()) / values[before].std(ddof=1)
        worse = z if fact["kpi"] in WORSE_HIGH else -z
        assert (worse if fact["direction"] == "worse" else -worse) > 2.5, fact["id"]


def test_changes_of_all_departments_show_in_nearly_each(sample):
    for fact in sample.truth["facts"]:
        if fact["department"] != "all":
            continue
        values = sample.kpis[fact["kpi"]]
        on = months_of(fact, values.columns) & (values.columns < "2026-08")
        difference = values.loc[:, on].mean(axis=1) - values.loc[:, values.columns < fact["from"]].mean(axis=1)
        better = -difference if fact["kpi"] in WORSE_HIGH else difference
        assert (better > 0).all(), fact["id"]


def test_common_variation_elsewhere_looks_like_common_variation(sample):
    """XmR limits over all months: about 1 point in 100 of the untouched charts lies outside."""
    outside = points = 0
    for pair in sample.truth["nothing"]:
        values = sample.kpis[pair["kpi"]].loc[pair["department"]]
        centre, half = values.mean(), 2.66 * values.diff().abs().mean()
        outside += ((values - centre).abs() > half).sum()
        points += len(values)
    assert points > 2000
    # Outage minutes and rare counts are skewed; the rest stays below half of this.
    assert outside / points < 0.025


def odds(rate: float) -> float:
    return rate / (1 - rate)


def test_the_local_cause_is_in_its_segment_and_nowhere_else(sample):
    fact = next(f for f in sample.truth["facts"] if f["kind"] == "local_cause")
    cases = sample.tickets[sample.tickets["department"] == fact["department"]]
    inside = np.logical_and.reduce([cases[name] == value for name, value in fact["segment"].items()])
    now = cases["month"].between(fact["from"], sample.truth["last"])
    before = cases["month"] < fact["from"]
    rate = {(i, n): cases["escalated"][(inside == i) & (now if n else before)].mean() for i in (0, 1) for n in (0, 1)}
    assert np.log(odds(rate[1, 1]) / odds(rate[1, 0])) == pytest.approx(fact["size"], abs=0.5)
    assert abs(np.log(odds(rate[0, 1]) / odds(rate[0, 0]))) < 0.25


def test_the_mix_shift_moves_shares_and_the_total_but_no_rate(sample):
    fact = next(f for f in sample.truth["facts"] if f["kind"] == "mix_shift")
    cases = sample.tickets[sample.tickets["department"] == fact["department"]]
    ((dimension, value),) = fact["segment"].items()
    now, before = cases["month"] == fact["from"], cases["month"] < fact["from"]
    share = (cases[dimension] == value).groupby(now & ~before).mean()
    assert share[True] - share[False] == pytest.approx(fact["size"], abs=0.05)
    rates = cases.assign(now=now)[now | before].pivot_table("escalated", dimension, "now")
    shares = cases[dimension][now].value_counts(normalize=True)
    at_old_rates = (rates[False] * shares).sum()
    total_now, total_before = cases["escalated"][now].mean(), cases["escalated"][before].mean()
    explained = (at_old_rates - total_before) / (total_now - total_before)
    assert 0.7 < explained < 1.3
    n = cases[dimension][now].value_counts()
    z = (rates[True] - rates[False]) / np.sqrt(rates[False] * (1 - rates[False]) / n)
    assert (z.abs() < 3).all()


def test_the_general_shock_is_in_every_segment(sample):
    fact = next(f for f in sample.truth["facts"] if f["kind"] == "general_shock")
    cases = sample.tickets[sample.tickets["department"] == fact["department"]]
    now, before = cases["month"].between(fact["from"], sample.truth["last"]), cases["month"] < fact["from"]
    for dimension in ("channel", "category", "priority", "customer_type"):
        ratio = (
            cases[now].groupby(dimension)["response_time"].median()
            / cases[before].groupby(dimension)["response_time"].median()
        )
        ratio = ratio[cases[now][dimension].value_counts().reindex(ratio.index) > 40]
        assert (ratio > 1.3).all()


def test_themes_follow_the_planted_causes(sample):
    surveys = sample.surveys[sample.surveys["comment"] != ""]
    spoken = {
        theme.code: surveys["comment"].str.lower().str.contains("|".join(rf"\b{word.lower()}" for word in theme.words))
        for theme in sample.catalogue.themes
    }
    for department, theme, since in (
        ("D06", "waiting", "2026-09"),
        ("D03", "price", "2026-05"),
        ("D01", "chat", "2026-09"),
    ):
        own = surveys["department"] == department
        if theme == "chat":
            own &= (surveys["channel"] == "Chat") & (surveys["category"] == "Login and access")
        shares = spoken[theme][own].groupby(surveys["month"][own] >= since).mean()
        assert shares[True] > shares[False] + 0.2, theme


GOOD = {"csat": 1, "first_contact_resolution": 1, "resolution_time": -1, "escalation_rate": -1, "handoffs": -1}


def effect_against_peers(sample, action) -> tuple[float, float]:
    """Step at full effect of the department minus its peers, in standard errors, good counted up; and its last level."""
    values = sample.kpis[action.kpi].copy()
    if action.kpi in ("resolution_time", "handoffs"):
        values = np.log(values)
    size = (
        (sample.surveys[sample.surveys["score"].notna()] if action.kpi == "csat" else sample.tickets)
        .groupby("department")
        .size()
    )
    peers = [code for code in values.index if code not in (action.department, *action.exclude_peers)]
    gap = values.loc[action.department] - np.average(values.loc[peers], axis=0, weights=size[peers])
    starts = pd.to_datetime(gap.index + "-01").date
    after = starts >= action.full_effect
    keep = after | (starts < action.announced.replace(day=1))
    design = np.column_stack([np.ones(keep.sum()), after[keep]])
    step = fit_ar1(gap[keep], design, np.flatnonzero(keep)).contrast([0, 1])
    return GOOD[action.kpi] * step.mean / step.sd, float(sample.kpis[action.kpi].loc[action.department][after].mean())


def test_plans_did_what_truth_says(sample):
    actions = {action.id: action for action in sample.catalogue.actions}
    for plan in sample.truth["plans"]:
        action = actions[plan["id"]]
        if plan["verdict"] == "too_early":
            continue
        z, level = effect_against_peers(sample, action)
        baseline = sample.kpis[action.kpi].loc[action.department]
        baseline = baseline[str(action.baseline_from)[:7] : str(action.baseline_to)[:7]].mean()
        target = {"level": 0, "change": baseline, "relative": baseline}[action.target_type] + (
            action.target_value * (baseline if action.target_type == "relative" else 1)
        )
        met = GOOD[action.kpi] * (level - target) > 0
        expected = {
            "met_attributable": (True, z > 4), "met_not_attributable": (True, abs(z) < 1.9),
            "improved_target_missed": (False, z > 4), "not_met": (False, abs(z) < 1.9), "worsened": (False, z < -4),
        }[plan["verdict"]]  # fmt: skip
        assert (met, True) == expected, (plan["id"], z, level, target)


@pytest.mark.parametrize("seed", range(1, 11))
def test_facts_and_plans_are_as_told_for_every_seed(sample, seed):
    kpis, sizes = measure(seed)
    found = [*facts(kpis), *plans(kpis, sizes, sample.catalogue.actions)]
    assert len(found) == 17
    assert [(name, z) for name, z in found if not as_told(name, z)] == []


def test_reports_date_a_lasting_change_to_its_month(sample):
    off = dict(months_off(sample.root))
    assert len(off) >= 6
    assert max(map(abs, off.values())) <= 1
    assert sum(months == 0 for months in off.values()) >= len(off) - 1
