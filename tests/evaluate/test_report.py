"""The report of an outcome evaluation: sentences from the numbers alone, in both languages; figures; the empty plan."""

import datetime as dt
import json
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pytest

from svclib.catalogue.models import Department, Event, Step
from svclib.evaluate.analysis import evaluate_plan
from svclib.report import words
from svclib.report.views.outcome import OutcomeReport, _step_signs
from svclib.report.words import checks as check_words
from svclib.report.words import outcome as outcome_words
from svclib.report.words import progress as progress_words

from .plans import CODES, KPI, a_plan, an_action, noise

LANGUAGES = ("en", "it")


def a_report(values, *actions, out=None, **more):
    plan = a_plan(values, *actions, **more)
    study = SimpleNamespace(
        department=Department(code="D0", name="<b>Zero</b>"), period=plan.period, as_of=plan.as_of, out=out, kpis=[KPI]
    )
    return OutcomeReport(study, plan, evaluate_plan(plan, "D0"))


def situations():
    """One plan for every verdict and every rival."""
    base = noise()
    up, down, shared, spell = base.copy(), base.copy(), base.copy(), base.copy()
    up[0, 24:] += 2
    down[0, 24:] -= 2
    shared[:, 24:] += 2
    spell[0, 21:24] -= 3
    fading = base.copy()
    fading[0, 24:] += np.linspace(4, 0, 6)
    late = Step(title="Train", owner="Bo", end=dt.date(2026, 6, 28))
    later = an_action(id="A2", department="D1", start=dt.date(2026, 4, 1), due=dt.date(2026, 12, 31))
    gone = up.copy()
    gone[0, :24] = np.nan
    event = Event(date=dt.date(2026, 1, 10), title="Move", departments=["D0"])
    return {
        "met_attributable": a_report(up, an_action()),
        "improved_target_missed": a_report(up, an_action(target_value=56.0)),
        "common_trend": a_report(shared, an_action()),
        "regression_to_the_mean": a_report(spell, an_action(target_value=49.0)),
        "event": a_report(up, an_action(), events=[event]),
        "other_action": a_report(up, an_action(), an_action(id="A2")),
        "no_comparison": a_report(up[:3], an_action()),
        "worsened": a_report(down, an_action()),
        "met_despite": a_report(down, an_action(target_value=40.0)),
        "not_met": a_report(base, an_action(target_value=55.0)),
        "too_early": a_report(up[:, :25], an_action()),
        "too_early_never": a_report(base[:, :25], an_action(target_value=50.02)),
        "on_track": a_report(up, an_action(due=dt.date(2027, 1, 1), target_value=56.0)),
        "off_track": a_report(down, an_action(due=dt.date(2027, 1, 1))),
        "not_evaluable": a_report(gone, an_action()),
        "cancelled": a_report(up, an_action(status="cancelled")),
        "fading": a_report(fading, an_action()),
        "late": a_report(up, an_action(due=dt.date(2026, 12, 31), steps=[late])),
        "blocked": a_report(up, an_action(due=dt.date(2026, 12, 31), status="blocked", steps=[late])),
        "staggered": a_report(up, an_action(), later),
        "segment": a_report(up, an_action(segment={"channel": "phone"})),
        "no_target": a_report(up, an_action(target_value=None), kpi=KPI.model_copy(update={"targets": []})),
    }


@pytest.fixture(scope="module")
def reports():
    return situations()


def test_every_situation_is_what_it_is_called(reports):
    for name, report in reports.items():
        verdict = report.outcomes[0].verdict
        more = {"too_early_never", "no_target", "fading", "late", "blocked", "staggered", "segment"}
        known = {verdict.code, verdict.rival, verdict.outlook} | more
        assert name in known, f"{name}: {verdict}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_situation_has_its_words(reports, language):
    with words.use_language(language):
        for name, report in reports.items():
            text = outcome_words.sentence(report.outcomes[0])
            assert text.endswith("."), name
            assert not re.search(r"[{}]|None|nan|outcome\.", text), f"{name}: {text}"
            for block in (report.overview(), report.explain(), report.progress(), report.planning(), report.method()):
                assert not re.search(r"\{|\bNone\b(?! can)|\bnan\b|outcome\.", block.plain), f"{name}: {block.plain}"


def test_a_grade_says_how_many_checks_were_not_possible(reports):
    counted = {}
    for report in reports.values():
        outcome = report.outcomes[0]
        missing = sum(check.passed is None for check in outcome.assessment.checks)
        counted[missing] = report.explain().plain
        said = (
            f"{missing} of the {len(outcome.assessment.checks)} checks {'was' if missing == 1 else 'were'} not possible"
        )
        assert (said in check_words.grade_words(outcome)) == (missing > 0)
    assert max(counted) > 0
    assert "not possible and speak" in counted[max(counted)]


@pytest.mark.parametrize("name", ["common_trend", "regression_to_the_mean"])
def test_a_grade_names_the_failed_check_that_decides(reports, name):
    outcome = reports[name].outcomes[0]
    text = check_words.grade_words(outcome)
    check = {
        "common_trend": "The others did not move the same way",
        "regression_to_the_mean": "Not set off by a bad spell",
    }
    assert outcome.verdict.grade == "B"
    assert f"the check “{check[name]}” failed, which leaves the figure as it is, but says what else explains it" in text
    assert "no critical check failed" not in text


def test_open_steps_of_an_action_that_is_to_be_stopped_are_not_chased():
    down = noise()
    down[0, 24:] -= 2
    step = Step(title="Train", owner="Bo", start=dt.date(2026, 5, 1), end=dt.date(2026, 6, 28))
    report = a_report(down, an_action(status="in progress", steps=[step], due=dt.date(2026, 6, 30)))
    assert report.outcomes[0].verdict.code == "worsened"
    said = report.progress().plain
    assert "one step is open. Things became worse with this action: decide first whether it goes on" in said
    assert "should know of" not in said
    assert "What owners have to do" not in said


def test_the_paragraph_says_the_numbers_of_the_result(reports):
    report = reports["met_attributable"]
    record = report.to_json()["actions"][0]
    effect, goal = record["effect"], record["goal"]
    for number in (effect["estimate"], *effect["interval"], goal["target"], goal["level"]):
        assert words.number(abs(number), None).rstrip("0") in record["sentence"].replace("+", "")
    assert "may be laid to the plan" in record["sentence"]
    assert "8 comparable departments" in record["sentence"]


@pytest.mark.parametrize(
    "name", ["common_trend", "regression_to_the_mean", "event", "other_action", "no_comparison", "not_met", "worsened"]
)
def test_nothing_but_an_attributable_effect_is_laid_to_the_plan(reports, name):
    text = outcome_words.sentence(reports[name].outcomes[0])
    assert "laid to the plan" not in text
    assert "sustain it" not in text


def test_a_fading_effect_is_not_praised(reports):
    text = outcome_words.sentence(reports["fading"].outcomes[0])
    assert "The effect fades" in text
    assert "so far the plan works" not in text
    assert "sustain it" not in text


def test_who_is_told_is_named(reports):
    assert "A1: the owner of the step (Bo) should know" in reports["late"].progress().plain


def test_a_blocked_action_is_not_said_to_be_in_time(reports):
    text = reports["blocked"].progress().plain
    assert "A1 is blocked; when it ends cannot be told before that is solved." in text
    assert "in time" not in text
    assert "the head of the department should decide" in text


def test_for_a_blocked_action_nobody_is_told_to_wait():
    changed, others = noise(), an_action(due=dt.date(2026, 12, 31), status="blocked")
    outcome = a_report(changed[:, :25], others).outcomes[0]
    assert (outcome.verdict.code, outcome.verdict.next_step) == ("too_early", "unblock")
    said = outcome_words.sentence(outcome)
    assert "Next: it is blocked, so decide first" in said
    assert "if it came into full effect as planned" in said
    waiting = a_report(changed[:, :25], an_action(due=dt.date(2026, 12, 31))).outcomes[0]
    assert waiting.verdict.next_step == "wait"


def test_a_roll_out_is_pooled_and_its_departments_are_told_apart(reports):
    text = reports["staggered"].explain().plain
    assert "The same action in 2 departments together" in text
    assert "Not compared with D1 (own action on this KPI at the time)" in text


def test_the_part_of_the_cases_stands_beside_the_kpi(reports):
    assert "Kept promises (channel phone)" in reports["segment"].overview().plain


def test_an_empty_plan_says_so_and_how_to_begin():
    report = a_report(noise())
    page = report.overview()
    assert "nothing is claimed" in page.plain
    assert "To begin" in page.plain
    assert report.explain().html == report.progress().html == ""
    assert "Kept promises" in report.planning().plain
    assert list(report.frame.columns)[:2] == ["id", "kpi"]
    assert "<b>Zero</b>" not in page.html


def test_before_a_plan_too_few_cases_are_not_called_a_short_history():
    short, small = a_report(noise()[:, :8]), a_report(noise())
    assert "history too short" in short.planning().plain
    rows = small.plan.measures(KPI)
    rows.loc[(rows["department"] == "D0") & (rows.groupby("department").cumcount() > 3), "status"] = "withheld"
    said = small.planning().plain
    assert "too few cases in most periods" in said
    assert "history too short" not in said


def test_a_mix_that_cannot_be_worked_out_says_the_true_reason():
    changed = noise()
    changed[0, 24:] += 2

    def reason(**more):
        outcome = a_report(changed, an_action(), **more).outcomes[0]
        mix = next(check for check in outcome.assessment.checks if check.name == "mix")
        return check_words.check_detail(mix, outcome)

    assert reason() == "no dimension with two values or more is declared for these cases"
    timed = KPI.model_copy(update={"kind": "time_to_event", "event": "done"})
    assert reason(kpi=timed, dimensions={"k": ["channel"]}).startswith("only a share, a rate or a mean")


def test_a_bad_spell_lies_above_or_below_and_has_no_sign(reports):
    outcome = reports["regression_to_the_mean"].outcomes[0]
    check = next(check for check in outcome.assessment.checks if check.name == "trigger")
    said = check_words.check_detail(check, outcome)
    assert re.fullmatch(r"the last three periods before the plan lay [\d.]+\u202fpoints below those before them", said)


def test_a_size_has_no_sign():
    assert outcome_words.size_of(KPI, -0.5612) == "0.56\u202fpoints"
    assert outcome_words.change_interval(KPI, -0.0535, 1.2) == "−0.05 to +1.20\u202fpoints"


def test_figures_are_svg_with_real_text_and_alternative_text(reports):
    dated = an_action(
        steps=[
            Step(title="Train <everyone>", start=dt.date(2026, 1, 1), end=dt.date(2026, 2, 1), done_on=dt.date(2026, 2, 9)),
            Step(title="Buy $5$", end=dt.date(2026, 3, 1)),
        ],
        full_effect=dt.date(2026, 3, 1),
        status="in progress",
    )  # fmt: skip
    values = noise()
    values[0, 26:] += 2
    report = a_report(values, dated)
    assert [chart.name for chart in report.charts] == ["action-1-a1", "effects", "steps"]
    for chart in report.charts:
        root = ET.fromstring(chart.svg)
        texts = " ".join("".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text"))
        assert texts.strip()
        assert len(chart.svg) < 17_000
        assert chart.alt
        assert chart.data is not None
    steps = report.charts[2]
    assert "Buy $5$" in steps.svg
    assert "Train &lt;everyone&gt;" in steps.svg
    assert "ramp" in report.chart("A1").svg
    assert "A1" in report.progress().plain


def test_what_is_saved(tmp_path, reports):
    values = noise()
    values[0, 24:] += 2
    report = a_report(values, an_action(), out=tmp_path)
    report.save()
    content = json.loads((tmp_path / "outcome_evaluation.json").read_text(encoding="utf-8"))
    assert content["actions"][0]["verdict"] == "met_attributable"
    names = {path.name for path in (tmp_path / "data").iterdir()}
    assert names == {"actions.csv", "action-1-a1.csv", "effects.csv"}
    assert not list(tmp_path.glob(".*"))
    reports["met_attributable"].save()


def test_hostile_names_stay_text():
    evil = "<img src=x onerror=alert(1)>"
    values = noise()
    report = a_report(
        values, an_action(objective=evil, gap=evil, responsible=evil, steps=[Step(title=evil, owner=evil)])
    )
    for block in (report.overview(), report.explain(), report.progress(), report.method()):
        assert "<img src=x" not in block.html


def test_withheld_values_are_not_shown():
    """A month with too few people behind it enters the estimate and no figure, table or file."""
    from svclib.catalogue.models import Kpi

    from .plans import measures

    kpi = Kpi(code="k", title="Share", source="s", kind="proportion", numerator="ok", direction="increase", unit="%")
    rng = np.random.default_rng(1)
    counts = rng.binomial(40, 0.7, size=(9, 30)).astype(float)
    table = measures(counts / 40, kpi=kpi).assign(numerator=counts.ravel(), denominator=40.0)
    hidden = (table["department"] == "D0") & (table["period"] == "2024-05")
    table.loc[hidden, ["status", "numerator", "denominator", "value"]] = ["withheld", 1.0, 3.0, 1 / 3]
    report = a_report(counts, an_action(target_value=0.8), kpi=kpi, table=table)
    frame = report.outcomes[0].frame()
    assert np.isnan(frame.loc[frame["period"] == "2024-05", "value"]).all()
    assert report.outcomes[0].assessment.n_before == 24


def test_department_codes_are_the_peers(reports):
    assert set(reports["met_attributable"].outcomes[0].assessment.effect.comparison.weights) == set(CODES[1:])


def test_a_plan_that_will_only_be_late_is_not_called_late():
    from types import SimpleNamespace

    from svclib.report.words.progress import progress_words

    def text(*states):
        steps = [SimpleNamespace(state=state) for state in states]
        progress = SimpleNamespace(code="late", steps=steps, done=1, total=len(steps))
        return progress_words(SimpleNamespace(progress=progress))

    assert text("done_late", "planned") == "likely late, 1 of 2 steps"
    assert text("done", "late") == "late, 1 of 2 steps"


def test_the_time_line_s_shapes_are_explained():
    assert _step_signs(["late", "done", "due", "blocked", "planned"]) == "◆ done, ■ late, × blocked, ○ due or planned"
    assert _step_signs(["undated"]) == ""


def reasons(report):
    return {check.detail["reason"] for check in report.outcomes[0].assessment.checks if "reason" in check.detail}


def test_with_too_few_periods_nobody_says_that_there_is_no_change():
    base = noise()
    short = base.copy()
    short[0, :16] = np.nan
    report = a_report(short, an_action())
    assert "few_before" in reasons(report)
    assert "no_step" not in reasons(report)
    told = report.explain().plain
    assert "whether there is a change cannot be judged: too few periods before the action" in told
    assert "there is no change to explain" not in told
    assert "few_after" in reasons(a_report(base[:, :26], an_action()))
    assert "no_step" in reasons(a_report(base, an_action()))


def test_steps_that_are_only_described_are_told_from_none():
    base = noise()
    assert "No step is entered in the plan." in a_report(base, an_action()).progress().plain
    described = an_action(action_steps="Train the new staff")
    told = a_report(base, described).progress().plain
    assert "A1: steps are described under “Action Steps”, but none is entered with its dates" in told
    assert "No step is entered" not in told
    step = Step(title="Train", owner="Bo", end=dt.date(2026, 6, 28))
    told = a_report(base, described, an_action(id="A2", steps=[step], action_steps="Train")).progress().plain
    assert "A1: steps are described" in told
    assert "A2: steps are described" not in told


def test_where_no_step_is_done_there_is_no_pace():
    steps = [Step(title="Train", owner="Bo", end=dt.date(2026, 12, 20))]
    outcome = a_report(noise(), an_action(due=dt.date(2026, 12, 31), status="planned", steps=steps)).outcomes[0]
    (said, *_) = progress_words.delays(outcome)
    assert said == "A1: no step is done yet, so there is no pace to go by; the plan ends on 20 December 2026, in time."


def test_late_steps_of_a_cancelled_action_are_not_denied():
    late = [Step(title="Train", owner="Bo", end=dt.date(2026, 1, 15))]
    text = a_report(noise(), an_action(status="cancelled", steps=late)).progress().plain
    assert "Nothing is late" not in text
    assert "Nothing is to be chased: the steps that are late or due belong to actions that are done, cancelled" in text


def test_a_probability_is_called_one(reports):
    text = reports["met_attributable"].overview().plain
    assert "Probability that the target is met" in text
    assert "Target reached?" not in text
