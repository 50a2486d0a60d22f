"""Suspicions held against a gap, the grade of its evidence, and the draft that the action plan could take from it."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from svclib.catalogue.models import Action, Hypothesis
from svclib.explain.analysis import RootCause
from svclib.explain.grade import draft_action, grade_evidence
from svclib.explain.hypotheses import _level_without, root_of
from svclib.explain.hypotheses import test_hypotheses as judge_hypotheses
from svclib.explain.record import analysis_record
from svclib.explain.scan import fit_shifts
from svclib.measure.change.happened import Happening
from svclib.report.views.root_cause_steps import action_block
from tests.explain.gaps import PERIOD


def test_hypotheses_are_held_against_the_cases(local_gap):
    status = {bone.code: (bone.status, bone.why) for bone in local_gap.bones}
    assert status == {
        "H1": ("supported", "cases"),
        "H2": ("not_supported", "cases"),
        "H3": ("untested", "no_test"),
        "H4": ("supported", "event"),
        "H5": ("not_supported", "cases"),
    }
    # A share of the gap laid to what is not supported would put a figure on chance.
    assert {bone.code for bone in local_gap.bones if bone.share is not None} == {"H1"}


@pytest.mark.parametrize(
    ("said", "event", "expected"),
    [
        ("The new bot displeases phone callers", {"event": "New bot"}, ("not_supported", "other_part")),
        ("The new bot fails in chats", {"event": "New bot"}, ("supported", "event")),
        ("The new bot", {"event": "New bot", "test": {"channel": "Phone"}}, ("not_supported", "cases")),
        ("The new bot", {"event": "New bot", "test": {"channel": "Chat"}}, ("supported", "cases")),
        ("The old bot", {"event": "Old bot", "test": {"channel": "Chat"}}, ("not_supported", "event")),
    ],
)
def test_a_date_supports_no_suspicion_about_another_part_than_the_one_found(local_gap, said, event, expected):
    events = [
        Happening("New bot", dt.date(2026, 9, 3), near=True),
        Happening("Old bot", dt.date(2026, 4, 3), near=False),
    ]
    hypothesis = Hypothesis(code="H9", category="Policy", cause=said, **event)
    (bone,) = judge_hypotheses(
        [hypothesis], "bad", local_gap.localisation, None, PERIOD.label, local_gap.question.onset, events, explain=True,
        mixed=False,
    )  # fmt: skip
    assert (bone.status, bone.why) == expected


def test_a_date_supports_no_suspicion_of_the_work_where_only_the_mix_changed(local_gap):
    hypothesis = Hypothesis(code="H9", category="Policy", cause="Fewer people", event="New bot")
    (bone,) = judge_hypotheses(
        [hypothesis], "bad", None, None, PERIOD.label, local_gap.question.onset,
        [Happening("New bot", dt.date(2026, 9, 3), near=True)], explain=True, mixed=True,
    )  # fmt: skip
    assert (bone.status, bone.why) == ("untested", "mix")


def test_a_lead_is_not_blamed_on_the_cases_that_overlap_with_it(local_gap):
    """What a suspicion speaks of has to be worse than the part that the figures point to already, sure or not."""
    local = local_gap.localisation
    (segment,) = local.segments
    place = local.field.segments.where.index(segment.where)
    held = np.where(local.field.segments.member[place], 0.0, 1.0)
    held[np.flatnonzero(local.field.segments.member[place])[0]] = 1.0
    lead = dataclasses.replace(
        local, segments=(), leads=(segment,), fit=fit_shifts(local.field, local.table.observed[-1], ())
    )
    unseen = dataclasses.replace(lead, leads=())
    roots = [
        root_of(local.field, local.table.observed[-1], held, _level_without(one, held))[0]
        for one in (local, lead, unseen)
    ]
    assert roots[1] == pytest.approx(roots[0], abs=0.5)
    assert roots[2] > roots[1] + 1.0


def test_an_unsure_answer_is_no_better_than_grade_c(local_gap):
    evidence = grade_evidence(
        "unsure", local_gap.question, None, general_p=0.001, replicated=True, process=True, short=False
    )
    assert evidence.grade == "C"


@pytest.mark.parametrize(("interval", "stability", "grade"), [((-0.1, 1.2), 0.6, "C"), ((0.1, 1.2), 0.9, "A")])
def test_a_part_whose_share_of_the_gap_is_open_is_no_better_than_grade_c(local_gap, interval, stability, grade):
    best = dataclasses.replace(local_gap.localisation.segments[0], share_interval=interval, stability=stability)
    evidence = grade_evidence("local", local_gap.question, best, general_p=1.0, replicated=True, process=True)
    assert evidence.grade == grade
    assert ("share_open" in evidence.against, "stable" in evidence.against) == (grade == "C", grade == "C")
    told = action_block(dataclasses.replace(local_gap, evidence=evidence), PERIOD)[0].plain
    assert ("anything from none of it to all of it" in told) == (grade == "C")


def test_draft_action_leaves_people_their_part(local_gap):
    action = local_gap.action
    # Back to the usual level, which was better than the target of 15 %.
    assert (action.target, action.target_source) == (pytest.approx(0.12, abs=0.01), "usual")
    assert action.due == dt.date(2027, 5, 1)
    assert (
        "the level before the change, which was better than the target of 15.0%"
        in action_block(local_gap, PERIOD)[-1].plain
    )
    assert action.segment == (("channel", "Chat"),)
    assert action.gain == pytest.approx(0.12, abs=0.03)


@pytest.mark.parametrize(
    ("value", "usual", "target", "asked"),
    [
        (0.145, 0.13, 0.12, (0.12, "agreed")),  # off target: to the target
        (0.145, 0.104, 0.12, (0.104, "usual")),  # off target after a change: undone, not just to the target
        (0.11, 0.08, 0.12, (0.08, "usual")),  # on target and worse than before: never towards a worse figure
        (0.11, 0.13, 0.12, (0.12, "agreed")),  # on target and no worse than before: stay
        (0.11, 0.08, None, (0.08, "usual")),
    ],
)
def test_a_draft_never_asks_for_a_worse_level(local_gap, value, usual, target, asked):
    question = dataclasses.replace(local_gap.question, value=value, usual=usual, target=target)
    action = draft_action(question, PERIOD, (), None)
    assert (action.target, action.target_source) == asked
    words = action_block(dataclasses.replace(local_gap, question=question, action=action), PERIOD)[-1].plain
    assert ("stay at" in words) == (value <= action.target)


@pytest.mark.parametrize(("gain", "short"), [(0.15, True), (0.10, False)])
def test_a_draft_says_where_its_part_alone_falls_short_of_the_objective(local_gap, gain, short):
    action = dataclasses.replace(local_gap.action, target=0.12, gain=gain)
    text = action_block(dataclasses.replace(local_gap, action=action), PERIOD)[-1].plain
    assert ("which alone falls short of the objective" in text) == short


@pytest.mark.parametrize(
    ("changes", "running"),
    [
        ({}, True),
        ({"segment": {"channel": "Chat", "team": "North"}}, True),
        ({"segment": {"channel": "Phone"}}, False),
        ({"status": "done"}, False),
        ({"kpi": "other"}, False),
        ({"start": dt.date(2026, 11, 2)}, False),
    ],
)
def test_a_draft_names_the_action_that_already_works_on_its_part(local_gap, changes, running):
    plan = Action(
        id="A-7", department="D01", kpi="bad", gap="g", objective="o", start=dt.date(2026, 10, 5),
        due=dt.date(2027, 4, 1), status="in progress",
    ).model_copy(update=changes)  # fmt: skip
    action = draft_action(local_gap.question, PERIOD, (("channel", "Chat"),), None, [plan])
    assert action.running == (("A-7",) if running else ())
    gap = dataclasses.replace(local_gap, action=action)
    assert (
        "action A-7 is already running on these cases: review it first" in action_block(gap, PERIOD)[-1].plain
    ) == running
    record = analysis_record(RootCause("D01", PERIOD, dt.date(2026, 11, 5), (gap,), 1), lambda gap: "")["gaps"][0]
    assert record["draft_action"]["running"] == list(action.running)
