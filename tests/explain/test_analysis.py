"""A gap from its question to its answer, on small data made to measure; odd input gets an answer, too."""

import dataclasses
import datetime as dt
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from svclib.catalogue.models import Action
from svclib.explain.analysis import RootCause, _with_mood, explain_gap
from svclib.explain.question import find_questions
from svclib.explain.record import analysis_record
from svclib.explain.whys import Rung
from svclib.measure.change.happened import Happening, around
from svclib.measure.change.step import BASELINE
from svclib.measure.periods import Period
from svclib.report.brief import gap_advice, gap_brief
from svclib.report.department import _unexplained
from svclib.report.figures.root_cause import heat_figure, heat_table, mix_figure, onset_figure
from svclib.report.show import Block, show
from svclib.report.views.root_cause import RootCauseReport
from svclib.report.views.root_cause_steps import how_blocks, segment_table, themes_blocks
from svclib.report.words import use_language
from svclib.report.words.root_cause import (
    events_text,
    excess,
    limit_text,
    onset_text,
    rung_text,
    season_text,
    sentence,
    share_cell,
    stood_out_text,
)
from tests.explain.gaps import PERIOD, SOURCE
from tests.explain.gaps import a_kpi as _kpi
from tests.explain.gaps import question_of as _question
from tests.explain.gaps import some_rows as _rows
from tests.report.findings import QUIET, a_finding


def test_local_cause_is_named_dated_and_graded(local_gap):
    assert local_gap.answer == "local"
    assert local_gap.localisation.segments[0].where == (("channel", "Chat"),)
    assert local_gap.question.onset.period == "2026-09"
    assert "2026-09" not in local_gap.question.baseline
    assert len(local_gap.question.baseline) == BASELINE
    assert local_gap.replicated is True
    assert local_gap.evidence.grade == "A"


def test_comments_of_the_segment_tell_it_apart(local_gap):
    assert {"bot", "waiting"} <= {found.word for found in local_gap.themes.words}
    assert local_gap.themes.themes[0].share > local_gap.themes.themes[0].share_outside


def test_what_comes_up_more_often_is_said_and_not_denied(local_gap):
    themes = local_gap.themes
    told = themes_blocks(local_gap, lambda name, gap, **shown: Block("", ""))[0].plain
    assert themes.leading
    assert themes.leading[0].title in told
    assert "Nothing comes up" not in told
    said = []
    draw = lambda name, gap, **shown: said.append(shown["alt"]) or Block("", "")  # noqa: E731
    alike = dataclasses.replace(themes, words=(), themes=tuple(dataclasses.replace(t, p=0.5) for t in themes.themes))
    quiet = themes_blocks(dataclasses.replace(local_gap, themes=alike), draw)
    assert said[0].startswith("No theme tells the comments apart beyond chance.")
    assert "Nothing comes up more often" in quiet[0].plain


@pytest.mark.parametrize("figure", ["value", "num"])
@pytest.mark.parametrize(("direction", "content"), [("increase", [False, True]), ("decrease", [True, False])])
def test_who_was_not_content_is_known_from_the_figure(figure, direction, content):
    rows = pd.DataFrame({figure: [1, 5], "comment": ["bad", "good"]})
    assert _with_mood(rows, _kpi(direction=direction))["content"].tolist() == content
    assert "content" not in _with_mood(rows[["comment"]], _kpi())


@pytest.mark.parametrize("language", ["en", "it"])
def test_words_never_claim_a_cause(local_gap, language):
    with use_language(language):
        text = sentence(local_gap, PERIOD)
    assert ("associated with" if language == "en" else "associato a") in text
    assert "caused by" not in text
    assert "causato da" not in text


def test_json_holds_the_keys_of_the_design(local_gap):
    result = analysis_record(
        RootCause("D01", PERIOD, dt.datetime(2026, 11, 5), (local_gap,), 1), lambda gap: sentence(gap, PERIOD)
    )
    text = json.dumps(result, allow_nan=False)
    gap = json.loads(text)["gaps"][0]
    assert {
        "kpi", "explain", "onset", "mix_rate", "segments", "general_shift", "process", "pareto", "themes", "grade",
        "draft_action", "sentence",
    } <= set(gap)  # fmt: skip
    segment = gap["segments"][0]
    assert {"where", "excess", "share", "odds_ratio", "p_adjusted", "stability"} <= set(segment)
    assert segment["where"] == {"channel": "Chat"}


@pytest.mark.parametrize("language", ["en", "it"])
def test_report_of_a_gap_draws_everything(local_gap, language):
    class Department:
        name = "<img src=x onerror=alert(1)>"

    class Study:
        department = Department()
        out = None
        period = PERIOD

    with use_language(language):
        analysis = RootCause("D01", PERIOD, dt.datetime(2026, 11, 5), (local_gap,), 1)
        report = RootCauseReport(Study(), analysis)
        blocks = [report.overview(), report.explain(), report.method()]
    assert all(isinstance(block, Block) for block in blocks)
    assert "<img src=x" not in "".join(block.html for block in blocks)
    assert {name.removeprefix("cause-bad-") for name in report._drawn} == {
        "onset", "mix", "segments", "hours", "drivers", "pareto", "ishikawa", "themes",
    }  # fmt: skip
    assert all(chart.alt and len(chart.svg) < 17_000 for chart in report._drawn.values())


def test_the_numbers_of_mix_and_rate_stand_before_their_bars(local_gap):
    axes = mix_figure(local_gap).axes[0]
    axes.figure.canvas.draw()
    right = max(text.get_window_extent().x1 for text in axes.texts)
    drawn = [bar.get_window_extent() for bar in axes.patches]
    assert len(axes.texts) == len(drawn) == 4
    assert right < min(box.x0 for box in drawn)
    assert right < axes.figure.bbox.width / 2  # what a phone shows of a wide figure first


def test_load_out_of_the_usual_is_drawn(local_gap):
    drawn = []

    def draw(name, gap, **shown):
        drawn.append(name)
        return show(shown.pop("figure")(), name=name, **shown)

    how_blocks(local_gap, PERIOD, draw)
    assert "flow" not in drawn
    changed = dataclasses.replace(local_gap, load=dataclasses.replace(local_gap.load, answer="more_arrivals"))
    text = "".join(block.html for block in how_blocks(changed, PERIOD, draw))
    assert "flow" in drawn
    assert f"<td>{int(local_gap.load.periods['arrivals'].iloc[-1])}</td>" in text


@pytest.mark.parametrize(
    ("share", "interval", "words", "cell"),
    [
        (0.62, (0.4, 0.8), "62% of the gap, 95% interval 40% to 80%", "62%"),
        (0.9, (-0.2, 1.3), "90% of the gap, 95% interval under 0% to over 100%", "90%"),
        (
            1.3,
            (0.9, 2.0),
            "more than the whole gap, since other cases improved",
            "more than the whole: others improved",
        ),
        (-4.16, None, "no part of the gap: better than usual", "none: better than usual"),
        (None, None, "share of the gap unknown", "–"),
    ],
)
def test_a_share_beyond_none_or_all_is_said_in_words(local_gap, share, interval, words, cell):
    best = dataclasses.replace(local_gap.localisation.segments[0], share=share, share_interval=interval)
    assert f"({words})" in excess(local_gap, best)
    assert share_cell(share) == cell


@pytest.mark.parametrize(
    ("language", "words"), [("en", "start of action A7: Faster"), ("it", "inizio dell'azione A7: Faster")]
)
def test_start_of_a_plan_beside_the_onset_is_said_and_drawn_but_proves_nothing(local_gap, language, words):
    def action(**changes):
        said = {"id": "A7", "department": "D01", "kpi": "bad", "gap": "Slow", "objective": "Faster"}
        return Action(**(said | {"start": dt.date(2026, 9, 7), "due": dt.date(2027, 3, 1)} | changes))

    elsewhere = [
        action(id="A8", kpi="other"),
        action(id="A9", status="cancelled"),
        action(id="A10", start=dt.date(2026, 11, 2)),  # after the period: not known yet
        action(id="A11", start=dt.date(2025, 11, 3), full_effect=dt.date(2026, 2, 1)),
    ]
    rows = _rows("channel == 'Chat'")
    gap = explain_gap(_question(rows, actions=[action(), *elsewhere]), rows, ["channel", "team"], PERIOD, source=SOURCE)
    near = {event.title: event.near for event in gap.question.events}
    assert near == {"A7: Faster": True, "A11: Faster": False}
    assert {event.kind for event in gap.question.events} == {"action_start", "action_full_effect"}
    with use_language(language):
        assert words in events_text(gap)

        drawn = [text.get_text() for text in onset_figure(gap).axes[0].texts]
    assert words in drawn
    assert "event_near" in gap.evidence.against


def test_what_happened_since_the_onset_is_told_apart_from_what_fell_together_with_it(local_gap):
    onset = replace(local_gap.question.onset, earliest="2026-08", latest="2026-09")
    found = [Happening("New phones", dt.date(2026, 9, 3)), Happening("Strike", dt.date(2026, 10, 20))]
    question = replace(local_gap.question, onset=onset, events=around(found, onset.earliest, onset.latest))
    text = events_text(replace(local_gap, question=question))
    assert "Around then: New phones (3 Sep 2026)." in text
    assert "Since then: “Strike” (20 Oct 2026)." in text


def test_common_variation_is_an_answer():
    rows = _rows()
    question = _question(rows, kpi=_kpi().model_copy(update={"targets": []}), chosen=["bad"])
    gap = explain_gap(question, rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert (gap.answer, gap.question.explain, gap.localisation) == ("no_special_cause", False, None)
    assert "no special cause" in sentence(gap, PERIOD)
    assert gap.splits


def test_general_shift_names_no_segment():
    rows = _rows("den == 1", effect=0.12, cases=1500)
    gap = explain_gap(_question(rows), rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert (gap.answer, gap.localisation.segments) == ("general", ())


@pytest.mark.parametrize(
    ("language", "lead"), [("en", "a lead to check, not a finding"), ("it", "una pista da verificare")]
)
@pytest.mark.parametrize(("doubt", "stability"), [("rivalled", None), ("unstable", 0.55)])
def test_a_lead_is_shown_as_a_lead_on_every_page(local_gap, language, lead, doubt, stability):
    best = dataclasses.replace(local_gap.localisation.segments[0], doubt=doubt, stability=stability)
    local = dataclasses.replace(local_gap.localisation, segments=(), leads=(best,))
    gap = dataclasses.replace(local_gap, answer="unsure", localisation=local)
    with use_language(language):
        told = sentence(gap, PERIOD)
        blocks = segment_table(gap)
        record = analysis_record(
            RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1), lambda g: sentence(g, PERIOD)
        )["gaps"][0]
        short, advice = gap_brief(record), gap_advice(record)
    assert lead in told
    assert ("55" in told) == (doubt == "unstable")
    assert "  " not in told
    assert lead in blocks[1].plain
    assert record["segments"] == []
    assert [(found["where"], found["doubt"]) for found in record["leads"]] == [({"channel": "Chat"}, doubt)]
    assert "Chat" in short
    assert "Chat" in advice
    assert heat_table(gap)["found"].sum() == 0
    assert gap.place is best
    assert dataclasses.replace(gap, answer="mix").place is None


def test_what_came_before_is_told_and_does_not_count_as_usual():
    rows = _rows("channel == 'Chat'")
    rows = _again(rows, "2026-04")
    gap = explain_gap(_question(rows), rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert (("channel", "Chat"),) in [where for where, _ in gap.localisation.stood_out]
    assert gap.localisation.segments[0].where == (("channel", "Chat"),)
    record = analysis_record(RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1), lambda g: sentence(g, PERIOD))
    assert {"where": {"channel": "Chat"}, "period": "2026-04"} in record["gaps"][0]["stood_out"]
    for language, told in (("en", "channel Chat (April 2026)"), ("it", "channel Chat (aprile 2026)")):
        with use_language(language):
            assert told in stood_out_text(gap.localisation)
    many = [((("team", f"T{n}"),), "2026-04") for n in range(6)]
    baseline = dataclasses.replace(gap.localisation.field.baseline, stood_out=tuple(many))
    field = dataclasses.replace(gap.localisation.field, baseline=baseline)
    text = stood_out_text(dataclasses.replace(gap.localisation, field=field))
    assert "team T2 (April 2026) and 3 more parts." in text
    assert limit_text("new_segment", (("customer_type", ""),)).startswith("customer type (not stated) is new")


def _again(rows, month):
    """The rows with the cause in an earlier month, too."""
    then = rows[rows["period"] == month].copy()
    risk = 0.12 + 0.35 * (then["channel"] == "Chat")
    then["num"] = (np.random.default_rng(9).random(len(then)) < risk).astype(float)
    return pd.concat([rows[rows["period"] != month], then], ignore_index=True)


@pytest.mark.parametrize(("month", "season"), [("2025-10", True), ("2025-11", False)])
def test_what_came_a_year_before_may_be_the_season(month, season):
    rows = _again(_rows("channel == 'Chat'"), month)
    gap = explain_gap(_question(rows), rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert month in {period for _, period in gap.localisation.stood_out}
    assert ("October 2025 as well, a year before" in season_text(gap, PERIOD)) == season
    report = RootCauseReport(None, RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1))
    shown = "\n".join(block.plain for block in report._where(gap))
    assert "Left out of what counts as usual" in shown
    assert ("think of the season" in shown) == season
    nothing = dataclasses.replace(gap, localisation=dataclasses.replace(gap.localisation, segments=()))
    assert season_text(nothing, PERIOD) == ""


def test_what_cannot_be_judged_yet_is_not_called_usual(local_gap):
    def headline(*answers):
        question = dataclasses.replace(local_gap.question, explain=False, why_not="common_cause")
        gaps = tuple(dataclasses.replace(local_gap, question=question, answer=answer) for answer in answers)
        study = SimpleNamespace(period=PERIOD)
        return RootCauseReport(study, RootCause("D01", PERIOD, dt.date(2026, 11, 5), gaps, 1))._headline().plain

    assert "usual variation" in headline("no_special_cause")
    assert "cannot be judged" not in headline("no_special_cause")
    assert "no special cause" not in headline("not_evaluable", "not_evaluable")
    assert "2 KPIs cannot be judged yet" in headline("not_evaluable", "not_evaluable")
    both = headline("no_special_cause", "not_evaluable")
    assert "One KPI is off target" in both
    assert "One KPI cannot be judged yet" in both


def test_mix_shift_is_told_from_worse_work():
    rows = _rows(cases=1200)
    worse = rows["channel"] == "Phone"
    rows["num"] = np.where(
        worse, (np.arange(len(rows)) % 4 == 0).astype(float), (np.arange(len(rows)) % 50 == 0).astype(float)
    )
    last = rows["period"] == PERIOD.label
    fewer = rows[last & ~worse].sample(frac=0.25, random_state=1)
    rows = pd.concat([rows[~last], rows[last & worse], fewer], ignore_index=True)
    gap = explain_gap(_question(rows), rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert (gap.answer, gap.localisation.segments) == ("mix", ())
    record = analysis_record(RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1), lambda g: "")["gaps"][0]
    assert gap_advice(record).startswith("look at why channel Phone is now ")
    near = gap_advice(record, "“Move”")
    assert near.startswith("check whether channel Phone is now ")
    assert near.endswith("because of “Move”; their mix changed, not the work")
    assert len(near.split()) < 30
    assert "which cases come in" in gap_advice({**record, "mix_rate": []})
    assert "other cases than before" in sentence(gap, PERIOD)


def test_no_dimensions_is_said_and_the_rest_is_done():
    rows = _rows("channel == 'Chat'")
    gap = explain_gap(_question(rows), rows, [], PERIOD, source=SOURCE)
    assert ("no_dimensions", "") in gap.limits
    assert (gap.answer, gap.localisation) == ("unlocated", None)
    assert gap.question.onset.period == "2026-09"
    assert gap.action is not None


def test_totals_without_cases_say_what_they_cannot():
    gap = explain_gap(_question(_rows("channel == 'Chat'")), None, [], PERIOD)
    assert gap.limits == (("totals_only", ""),)
    assert "totals without single cases" in sentence(gap, PERIOD)
    assert gap.question.onset is not None


def test_two_months_of_history_cannot_tell_a_cause_from_the_swing():
    rows = _rows("channel == 'Chat'")
    question = dataclasses.replace(_question(rows), baseline=("2026-07", "2026-08"))
    gap = explain_gap(question, rows, ["channel", "team"], PERIOD, source=SOURCE)
    assert ("short_history", "2") in gap.limits
    assert (gap.answer, gap.evidence.grade) == ("local", "C")
    assert "history" in gap.evidence.against


def test_three_cases_are_too_few():
    rows = _rows("channel == 'Chat'")
    few = pd.concat([rows[rows["period"] != PERIOD.label], rows[rows["period"] == PERIOD.label].head(3)])
    gap = explain_gap(_question(few, chosen=["bad"]), few, ["channel", "team"], PERIOD, source=SOURCE)
    assert (gap.question.explain, gap.localisation) == (False, None)
    assert gap.answer == "not_evaluable"
    assert "withheld" in sentence(gap, PERIOD)
    record = analysis_record(RootCause("D01", PERIOD, dt.datetime(2026, 11, 5), (gap,), 1), lambda gap: "")["gaps"][0]
    assert (record["value"], record["n"], record["mix_rate"], record["pareto"]) == (None, None, [], {})


def test_small_cells_are_not_in_the_record(local_gap):
    small = local_gap.splits[0].segments.assign(n1=3.0)
    split = dataclasses.replace(local_gap.splits[0], segments=small)
    gap = dataclasses.replace(local_gap, splits=(split,))
    record = analysis_record(RootCause("D01", PERIOD, dt.datetime(2026, 11, 5), (gap,), 1), lambda gap: "")["gaps"][0]
    assert {cell["n1"] for cell in record["mix_rate"][0]["segments"]} == {None}


def test_small_cells_are_not_in_the_pareto(local_gap):
    split = next(split for split in local_gap.splits if split.dimension == "channel")
    cases = split.segments["n1"].where(split.segments["value"] != "Chat", 3.0)
    splits = tuple(
        dataclasses.replace(split, segments=split.segments.assign(n1=cases)) if s is split else s
        for s in local_gap.splits
    )
    gap = dataclasses.replace(local_gap, splits=splits)
    hidden = {"Chat", "Mail"}  # Mail, the next smallest: else Chat were the total without the others
    record = analysis_record(RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1), lambda gap: "")["gaps"][0]
    by_value = {cell["value"]: cell for cell in record["pareto"]["channel"]}
    for value, cell in by_value.items():
        figures = {cell[name] for name in ("excess", "rate", "mix", "volume", "share")}
        assert (figures == {None}) == (value in hidden)
    assert {cell["cumulative"] for cell in by_value.values()} == {None}
    assert {cell["value"] for cell in record["mix_rate"][0]["segments"] if cell["n1"] is None} <= hidden


def test_small_cells_of_the_heat_map_are_withheld(local_gap):
    full = heat_table(local_gap)
    assert full["z"].notna().all()
    counts = local_gap.piece.rows.query("period == @PERIOD.label").groupby(["channel", "team"]).size()
    minimum = int(counts.min()) + 1
    cells = heat_table(dataclasses.replace(local_gap, disclosure_minimum=minimum))
    names = cells[["row", "column"]].apply(lambda pair: tuple(sorted(pair)), axis=1)
    small = {tuple(sorted(pair)) for pair, count in counts.items() if count < minimum}
    assert set(names[cells["z"].isna()]) == small
    assert len(small) < len(cells)
    drawn = heat_figure(local_gap, cells).axes[0]
    assert len(drawn.texts) == len(cells) - len(small)


def test_a_plan_with_its_full_effect_is_named_once(local_gap):
    title = "A1: Answer within a day"
    events = [
        Happening(title, dt.date(2026, 9, 1), near=True, kind=kind) for kind in ("action_start", "action_full_effect")
    ]
    assert rung_text(Rung("since", {"period": "2026-09", "events": events})).count(title) == 1
    told = events_text(dataclasses.replace(local_gap, question=dataclasses.replace(local_gap.question, events=events)))
    assert told.count(title) == 1
    assert "its full effect" in told


@pytest.mark.parametrize(("looked_at", "words"), [(0, "large enough"), (1, "One part"), (15, "15 parts")])
def test_how_many_parts_were_looked_at_is_said_as_it_is(local_gap, looked_at, words):
    local = dataclasses.replace(local_gap.localisation, segments=(), candidates=looked_at)
    gap = dataclasses.replace(local_gap, answer="general", localisation=local)
    assert words in segment_table(gap)[0].plain
    stands_out = "stands out" in sentence(gap, PERIOD)
    assert stands_out == (looked_at > 0)


def test_what_improved_and_is_still_off_target_is_not_called_usual(local_gap):
    finding = a_finding([*QUIET, *(np.array(QUIET[:8]) - 4.0)], direction="decrease", target=2.0)
    (question,) = find_questions([finding], Period.parse("2026-08"))
    assert (question.explain, question.why_not, question.untold.period) == (False, "improved", "2026-01")
    gap = dataclasses.replace(local_gap, question=question, answer="no_special_cause", localisation=None)
    said = sentence(gap, Period.parse("2026-08")).replace("\u202f", " ")
    assert "it improved from 10.0 to 6.1 h since January 2026" in said.replace(" h to", " to")
    assert said.endswith("It is still short of the target of 2.0 h: keep what brought it, and add to it.")
    record = {"explain": False, "answer": "no_special_cause", "why_not": "improved", "kpi": "k", "title": "Waiting"}
    assert (_unexplained(record).state, _unexplained(record).text) == ("improvement", "Better, nothing got worse")
    weak = a_finding([*QUIET, *(np.array(QUIET[:8]) - 0.3)], direction="decrease", target=2.0)
    assert find_questions([weak], Period.parse("2026-08"))[0].why_not == "common_cause"


def test_a_slow_change_for_the_worse_is_no_usual_variation_and_no_culprit_is_looked_for(local_gap):
    """Neither a level that changed before nor a drift shows in the month alone; both have something behind them."""
    wobble = 0.35 * (np.resize(QUIET, 30) - 10.0)
    back = a_finding([*QUIET, *(np.array(QUIET[:9]) - 3.0), 10.2], target=12.0, rules="nhs")
    slow = a_finding(20.0 - 0.019 * np.arange(30) + wobble, target=25.0)
    for finding, why_not, told in (
        (back, "changed_before", "10.0 h before, 7.4 h since"),
        (slow, "drifting", "over 30"),
    ):
        period = Period.parse(str(finding.row["period"]))
        (question,) = find_questions([finding], period)
        assert (question.explain, question.why_not) == (False, why_not)
        gap = dataclasses.replace(local_gap, question=question, answer="no_special_cause", localisation=None)
        said = sentence(gap, period).replace("\u202f", " ")
        assert told in said
        assert "culprit" not in said
        record = {"explain": False, "answer": "no_special_cause", "why_not": why_not, "kpi": "k", "title": "Waiting"}
        assert _unexplained(record).text != "No special cause"
    better = a_finding(20.0 + 0.019 * np.arange(30) + wobble, target=25.0)
    assert find_questions([better], period)[0].why_not == "common_cause"


def test_a_lasting_change_that_the_month_does_not_signal_is_explained(local_gap):
    """The months since take part in the limits, or are too few; what they have in common is there to be found."""
    finding = a_finding([*QUIET[:12], *(np.array(QUIET[:4]) - 4.0)], target=5.0)
    assert finding.verdict.state == "common_cause"
    (question,) = find_questions([finding], Period.parse("2025-04"))
    assert (question.explain, question.silent, question.reasons) == (True, True, ("changed",))
    assert (question.onset.period, max(question.baseline)) == ("2025-01", "2024-12")
    told = sentence(dataclasses.replace(local_gap, question=question), question.period)
    assert told.startswith("April 2025 by itself gives no signal, but the level has changed since January 2025 (p")
    better = a_finding([*QUIET[:12], *(np.array(QUIET[:4]) - 4.0)], target=15.0, direction="decrease")
    assert find_questions([better], Period.parse("2025-04")) == []


def test_a_drift_has_no_date_to_ask_for(local_gap):
    finding = a_finding(20.0 - 0.08 * np.arange(30) + 0.35 * (np.resize(QUIET, 30) - 10.0), target=25.0)
    (question,) = find_questions([finding], PERIOD)
    assert (question.explain, question.onset.method, question.onset.dated) == (True, "drift", False)
    assert len(question.baseline) >= 6
    assert max(question.baseline) < question.onset.period
    gap = dataclasses.replace(local_gap, question=question)
    assert "bit by bit" in onset_text(gap)
    assert events_text(gap) == ""


def test_of_a_provisional_period_the_latest_that_counts_is_explained(local_gap):
    """A KPI that takes long to count is provisional whenever it is first reported, and would never be explained."""
    values = [*QUIET, 16.0, 16.2, 15.8, 11.0]
    young = {"direction": "decrease", "status": "provisional", "mature": False}
    finding = a_finding(values, target=12.0, **young)
    assert finding.verdict.state == "provisional"
    (question,) = find_questions([finding], Period.parse("2026-04"))
    assert (question.explain, question.period.label, question.too_early.label) == (True, "2026-03", "2026-04")
    assert (question.value, question.reasons) == (15.8, ("off_target", "concern"))
    told = sentence(dataclasses.replace(local_gap, question=question), question.period)
    assert told.startswith("April 2026 cannot be judged yet; the latest period that counts is March 2026. ")
    gap = [*values[:26], np.nan, values[-1]]  # a month that should have counted and holds nothing
    (unjudged,) = find_questions([a_finding(gap, target=10.9, **young)], Period.parse("2026-04"))
    assert (unjudged.period.label, unjudged.why_not) == ("2026-04", "provisional")
