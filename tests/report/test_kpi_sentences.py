"""Every state of a KPI has its sentence, in every language, with the numbers in it; figures say what the table says."""

import datetime as dt
import html
import re
from dataclasses import replace

import numpy as np
import pytest

from svclib.catalogue.models import Action, Band, Event, Kpi
from svclib.measure.change.happened import Happening, around, plan_events
from svclib.measure.change.step import usual_periods
from svclib.measure.periods import Period
from svclib.report.figures.kpi import control_chart_figure, funnel_figure, multiples_figure
from svclib.report.figures.labels import boxes_overlap
from svclib.report.figures.svg import svg_of
from svclib.report.views.kpi_context import _time
from svclib.report.words import kpi as kpi_words
from svclib.report.words import kpi_remarks, messages, say, use_language
from svclib.report.words.headline import count_words, doubt, group, headline, moved, outlook, together
from tests.report.findings import QUIET, a_finding


def sentence(finding):
    return kpi_words.sentence(finding)


CASES = {
    "stable_met": (lambda: a_finding(QUIET, target=5.0), "will keep meeting the target"),
    "stable_missed": (lambda: a_finding(QUIET, target=20.0), "will keep missing the target until it is changed"),
    "hit_and_miss": (lambda: a_finding(QUIET, target=10.0), "misses it in others, by chance"),
    "no_target": (lambda: a_finding(QUIET), "December 2025 shows only the usual variation."),
    "improvement": (
        lambda: a_finding([*QUIET, 20.0], target=10.0),
        "Waiting rose from 10.0 to 20.0\u202fh in January 2026, meeting the target of 10.0\u202fh; next: find",
    ),
    "concern": (
        lambda: a_finding([*QUIET, 20.0], target=15.0, direction="decrease"),
        "Waiting rose from 10.0 to 20.0\u202fh in January 2026, missing the target of 15.0\u202fh; next: see the root-cause analysis for where it comes from",
    ),
    "neutral": (
        lambda: a_finding([*QUIET, 20.0], direction="neutral"),
        "Waiting rose from 10.0 to 20.0\u202fh in January 2026; next: find out",
    ),
    "band": (lambda: a_finding(QUIET, direction=Band(between=[5.0, 15.0])), "within the wanted range"),
    "provisional": (lambda: a_finding([*QUIET, 2.0], status="provisional", mature=False), "Too early to tell"),
    "few_cases": (lambda: a_finding([*QUIET, 2.0], status="too_few"), "too few to say anything"),
    "few_periods": (lambda: a_finding(QUIET[:4], target=5.0), "too few for limits"),
    "few_for_mdc": (lambda: a_finding(QUIET[:9], rules="mdc2023"), "judges from thirteen on"),
    "withheld": (lambda: a_finding([*QUIET, 2.0], status="withheld"), "is withheld"),
    "missing": (lambda: a_finding([*QUIET, np.nan], status="missing"), "that is not a zero"),
    "impossible": (lambda: a_finding([*QUIET, 99.0], possible=[0.0, 50.0]), "outside what is possible"),
    "trial": (lambda: a_finding(QUIET[:9], target=5.0), "drawn on trial"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_state_has_its_words(name):
    make, wanted = CASES[name]
    finding = make()
    text = sentence(finding)
    assert wanted in text
    assert text.startswith("Waiting") or "Waiting" in text
    assert "{" not in text
    assert "nan" not in text.lower()
    assert sentence(make()) == text


@pytest.mark.parametrize("name", CASES)
def test_each_state_has_its_words_in_italian(name):
    finding = CASES[name][0]()
    with use_language("it"):
        text = " ".join([sentence(finding), *kpi_remarks.remarks(finding), kpi_remarks.suggestion_text(finding)])
    assert not re.search(r"\b(the|is|was|target|limits)\b", text)


def test_both_languages_say_the_same_things():
    keys = {code: {k for k in messages(code) if k.startswith("kpi.")} for code in ("en", "it")}
    assert keys["en"] == keys["it"]


def test_a_withheld_value_is_in_no_sentence_and_no_figure():
    finding = a_finding([*QUIET, 7.31], status="withheld", n=3.0, decimals=2)
    said = " ".join([sentence(finding), *kpi_remarks.remarks(finding), kpi_remarks.suggestion_text(finding)])
    assert "7.31" not in said
    assert "7.31" not in svg_of(control_chart_figure(finding))


def test_the_probability_is_not_told_while_the_process_changes():
    finding = CASES["improvement"][0]()
    assert finding.verdict.p_meets_target_next is None
    assert "probability" not in sentence(finding)


def test_an_improvement_is_not_played_down_by_what_came_before():
    values = [*QUIET, *(x + 8 for x in QUIET[:6])]
    said = sentence(a_finding(values, target=30.0))
    assert "Until then it kept missing the target" in said
    assert "Even without this change" not in said
    worse = sentence(a_finding(values, target=5.0, direction="decrease"))
    assert "Even without this change it would keep missing the target." in worse


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"p": 0.3}, "Hand-offs fell in 2 departments, first in May 2026, and in 1 more where it may be chance; next:"),
        (
            {"rebase_suggestion": {"sustained": False}},
            "in 2 departments, first in May 2026, and in 1 more where it has not",
        ),
        (
            {"chart": {"rules": "nhs"}, "season": {"kind": "months", "p": 0.001}},
            "in 2 departments, first in May 2026, and in 1 more where it may be the season",
        ),
    ],
)
def test_of_a_move_in_many_departments_what_is_in_doubt_is_counted_apart(other, told):
    one = {
        "title": "Hand-offs",
        "state": "improvement",
        "p": 0.0001,
        "unit": "",
        "decimals": 1,
        "rebase_suggestion": None,
    }
    one["moved"] = {"since": "2026-05", "before": 0.7, "after": 0.5}
    doubtful = {**one, **other, "moved": {**one["moved"], "since": "2026-02"}}
    assert told in together([one, one, doubtful])
    assert together([doubtful, doubtful]).endswith("next: wait for another period before acting.")
    assert moved(doubtful, "2026-10").startswith("0.7 → 0.5 since February 2026, ")
    assert "," not in moved(one, "2026-10")


def test_rules_that_know_no_season_do_not_send_anyone_to_look_for_a_cause():
    winters = [10 + 4 * np.cos(np.pi * month / 6) ** 5 + QUIET[month % 24] / 6 for month in range(37)]
    said = sentence(a_finding(winters, rules="nhs", direction="decrease"))
    assert "next: compare with the same months of earlier years before acting, since a yearly pattern (p" in said
    assert "yearly pattern" not in headline(kpi_words.entry_of(a_finding([*QUIET, 30.0], rules="nhs")), "2026-01")


def test_a_hostile_title_stays_text():
    finding = a_finding(QUIET, title="<img src=x onerror=alert(1)> $x_1$", target=5.0)
    svg = svg_of(control_chart_figure(finding))
    assert "<img" not in svg
    assert "<img" in sentence(finding)  # escaped by the page, once
    assert "<img" in html.unescape(svg_of(multiples_figure([finding, finding])))


UGLY = {
    "constant": [5.0] * 24,
    "one_period": [5.0],
    "nothing_known": [np.nan] * 12,
    "gap": [*QUIET[:10], np.nan, np.nan, *QUIET[12:]],
    "far_outlier": [*QUIET[:20], 4000.0, *QUIET[21:]],
    "tiny": [x * 1e-9 for x in QUIET],
    "huge": [x * 1e12 for x in QUIET],
    "negative": [-x for x in QUIET],
    "short": QUIET[:7],
}


@pytest.mark.parametrize("name", UGLY)
def test_figures_of_ugly_series_are_small_and_legible(name):
    finding = a_finding(UGLY[name], target=5.0, status="missing" if name == "nothing_known" else "ok")
    figure = control_chart_figure(finding)
    svg = svg_of(figure)
    assert len(svg.encode()) < 17_000
    assert "nan" not in svg.lower().replace("finance", "")
    axes = figure.axes[0]
    beside = [t for t in axes.texts if t.get_text()]
    assert boxes_overlap(beside) == []


def test_events_and_rebases_are_named_in_the_figure():
    events = [Event(date=dt.date(2024, 6, 10), title="Storm"), Event(date=dt.date(2025, 1, 1), title="New system")]
    rebase = [{"date": "2025-01-01", "reason": "New system", "approved_by": "Head"}]
    rebase = [{**rebase[0], "date": dt.date(2025, 1, 1)}]
    finding = a_finding(QUIET, events=events, rebase=rebase)
    texts = [t.get_text() for t in control_chart_figure(finding).axes[0].texts]
    assert any("Storm" in t for t in texts)
    # The event that is the rebase's reason is named once.
    assert sum("New system" in t for t in texts) == 1


def test_provisional_points_are_hollow():
    figure = control_chart_figure(CASES["provisional"][0]())
    markers = [line for line in figure.axes[0].lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    assert any(line.get_markerfacecolor() in ("#ffffff", "white") for line in markers)


def test_target_and_limits_differ_without_colour():
    from svclib.report.figures.style import LINES

    assert LINES["target"]["linestyle"] != LINES["limit"]["linestyle"] != LINES["centre"]["linestyle"]


def test_ticks_never_round_away_what_they_mean():
    finding = a_finding([0.70 + x / 200 for x in QUIET], unit="%", target=0.7, decimals=None)
    figure = control_chart_figure(finding)
    figure.draw_without_rendering()
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    values = [float(t.strip("%")) / 100 for t in labels if t]
    assert values == pytest.approx(list(figure.axes[0].get_yticks()), abs=1e-9)


def test_a_funnel_names_the_department_and_those_outside():
    import pandas as pd

    from svclib.measure.peers import funnel

    table = pd.DataFrame(
        {"department": ["A", "B", "C", "D"], "numerator": [80, 82, 78, 30.0], "denominator": [100.0] * 4}
    )
    found = funnel(table.assign(stable=[True, True, True, True]), "p")
    figure = funnel_figure(found, "A", a_finding(QUIET), {"A": "Alpha", "D": "Delta"})
    texts = {t.get_text() for t in figure.axes[0].texts}
    assert "Alpha" in texts
    assert len(svg_of(figure).encode()) < 17_000


def test_a_signal_of_the_year_before_is_told_of():
    values = [*QUIET[:20], 25.0, *QUIET[21:]]
    finding = a_finding(values, target=5.0)
    assert finding.verdict.state == "common_cause"
    assert any("September 2025: above the upper limit" in text for text in kpi_remarks.remarks(finding))


@pytest.mark.parametrize("rules", ["nhs", "mdc2023", "strict"])
@pytest.mark.parametrize("chart", ["xmr", "run", "i_prime", "g", "t"])
def test_every_declared_chart_can_be_drawn_and_said(chart, rules):
    for values in (QUIET, [5.0] * 15, QUIET[:3]):
        finding = a_finding(values, chart=chart, rules=rules, target=10.0)
        assert finding.chart.kind == chart
        assert len(svg_of(control_chart_figure(finding))) > 1000
        assert sentence(finding)


@pytest.mark.parametrize("unit", ["%", "h", "", "per 1,000"])
def test_every_unit_is_written(unit):
    with use_language("it"):
        assert sentence(a_finding(QUIET, unit=unit, target=5.0))


@pytest.mark.parametrize(("step", "way"), [(6.0, "rose"), (-6.0, "fell")])
def test_a_signal_is_dated_and_has_its_levels(step, way):
    """The level before and since are those of the periods, and the first one of the new level is named."""
    values = [*QUIET, *(np.array(QUIET[:5]) + step)]
    finding = a_finding(values, direction="neutral")
    moved = finding.change
    assert moved.period == "2026-01"
    assert moved.before == pytest.approx(np.mean(QUIET), abs=0.3)
    assert moved.after == pytest.approx(np.mean(QUIET[:5]) + step)
    assert f"Waiting {way} from" in sentence(finding)
    assert "since January 2026" in sentence(finding)


def test_no_move_is_claimed_without_a_signal():
    assert a_finding(QUIET).change is None
    assert a_finding([*QUIET, 20.0], status="provisional", mature=False).change is None


@pytest.mark.parametrize(
    ("language", "one", "many"), [("en", "incident", "incidents"), ("it", "incidente", "incidenti")]
)
def test_a_counted_noun_has_the_form_of_its_number(language, one, many):
    from svclib.report import words

    assert words.value(1, "incidents", 0, language=language).endswith(f"\u202f{one}")
    assert words.value(2, "incidents", 0, language=language).endswith(f"\u202f{many}")
    assert words.value(1.0, "incidents", 1, language=language).endswith(f"\u202f{many}")
    assert words.change(-1, "incidents", 0, language=language).endswith(f"\u202f{one}")
    assert words.value(1, "breakdown|breakdowns", 0, language=language).endswith("\u202fbreakdown")
    assert words.value(3, "breakdown|breakdowns", 0, language=language).endswith("\u202fbreakdowns")


@pytest.mark.parametrize(
    ("status", "due", "told"),
    [
        ("planned", "2027-03-31", "planned"),
        ("in progress", "2025-01-31", "in progress"),  # overdue, and still there
        ("done", "2025-11-30", "done"),
        ("done", "2025-08-31", None),  # over for more than a year
        ("cancelled", "2027-03-31", None),
    ],
)
def test_the_plan_s_actions_stand_beside_their_kpi(status, due, told):
    action = Action(
        id="A-1",
        department="D01",
        kpi="csat",
        gap="-",
        objective="Raise it.",
        status=status,
        start="2025-01-01",
        due=due,
    )
    found = kpi_remarks.plan_remarks([action], "csat", Period.parse("2026-10"))
    assert len(found) == (told is not None)
    assert all(f"A-1, “Raise it” ({told}, 1 Jan 2025 to" in text for text in found)
    assert kpi_remarks.plan_remarks([action], "other", Period.parse("2026-10")) == []
    with use_language("it"):
        assert len(kpi_remarks.plan_remarks([action], "csat", Period.parse("2026-10"))) == len(found)


@pytest.mark.parametrize(
    ("start", "full", "status", "told"),
    [
        ("2026-04-20", None, "done", "action A-1 (from 20 Apr 2026)"),
        ("2025-12-01", "2026-07-01", "in progress", "action A-1 (from 1 Dec 2025)"),
        ("2025-12-01", "2026-03-31", "done", None),
        ("2026-05-01", None, "cancelled", None),
    ],
)
def test_an_action_that_began_with_a_new_level_is_named_beside_it(start, full, status, told):
    action = Action(
        id="A-1", department="D01", kpi="csat", gap="-", objective="Raise it.", status=status, start=start,
        full_effect=full, due="2027-01-31",
    )  # fmt: skip
    found = around(plan_events([action]), "2026-05", "2026-05")
    assert kpi_remarks.named_of(h for h in found if h.near) == ([told] if told else [])


def test_the_change_behind_a_signal_names_what_happened_then_and_since():
    values = [*QUIET, *(np.array(QUIET[:5]) + 6.0)]
    one = {"title": "New system", "date": "2025-11-20", "to": "2026-01-31"}
    other = {"title": "Strike", "date": "2026-04-03"}
    old = {"title": "Fair", "date": "2024-03-01"}
    finding = a_finding(values, direction="decrease", events=[Event(**e) for e in (other, one, old)])
    near, later = kpi_remarks.happened_texts(finding)
    assert "“New system” (20 Nov 2025)" in near
    assert "“Strike” (3 Apr 2026)" in later
    assert "Fair" not in near + later
    assert "next: see the root-cause analysis for where it comes from, before acting" in sentence(finding)
    assert kpi_remarks.happened_texts(a_finding(values)) == [say("kpi.happened.none")]
    assert kpi_remarks.happened_texts(a_finding(QUIET, events=[Event(**other)])) == []


def test_the_kpi_report_gives_no_next_step_that_another_report_would_contradict():
    """The action plan and the causes are worked out elsewhere: it says where, and what is declared stands beside it."""
    higher = [*QUIET, *(np.array(QUIET[:5]) + 6.0)]
    plan = plan_events([Action(id="A1", department="D01", kpi="k", gap="Slow", objective="Faster", start=dt.date(2026, 1, 5), due=dt.date(2026, 12, 31))])  # fmt: skip
    said = {}
    for direction in ("increase", "decrease"):
        plain = a_finding(higher, direction=direction)
        said[direction] = sentence(plain), sentence(replace(plain, happened=tuple(plan)))
    assert "next: find out what brought it, and keep it." in said["increase"][0]
    assert "next: see the outcome evaluation for action A1, and keep what brought it." in said["increase"][1]
    assert "and the outcome evaluation for action A1." in said["decrease"][1]


def test_a_target_missed_by_less_than_is_shown_is_said_so():
    """The comparison is made on unrounded values; beside two equal figures it needs a word."""
    finding = a_finding([*QUIET, 9.97], target=10.0)
    assert "10.0" in sentence(finding)
    assert "misses the target of 10.0\u202fh by less than is shown." in sentence(finding)
    assert "by less than is shown" in headline(kpi_words.entry_of(finding), "2026-01")
    assert "less than is shown" not in sentence(a_finding([*QUIET, 10.03], target=10.0))


def test_a_young_period_tells_what_the_one_before_signals():
    step = [*QUIET, *(np.array(QUIET[:5]) + 6.0), 2.0]
    finding = a_finding(step, direction="decrease", target=12.0, status="provisional", mature=False)
    said = sentence(finding)
    assert "Too early to tell" in said
    assert "The latest period that counts, May 2026: Waiting rose from" in said
    assert "missing the target of 12.0" in said
    quiet = a_finding([*QUIET, 2.0], status="provisional", mature=False)
    assert "The latest period that counts is December 2025: no special cause." in sentence(quiet)


def test_an_action_that_answers_a_change_is_no_candidate_for_it():
    """An event may take effect at any time of the interval; a remedy that began after the first month came later."""
    action = Action(
        id="A-1", department="D01", kpi="k", gap="-", objective="Mend it.", start="2026-02-05", due="2027-01-31"
    )
    storms = Happening("Storms", dt.date(2026, 2, 5))
    found = around([*plan_events([action]), storms], "2026-01", "2026-02", "2026-01")
    assert [(h.near, h.later) for h in found] == [(False, True), (True, False)]


def test_a_change_that_set_the_limits_itself_is_told_beside_the_usual_variation():
    """In a young phase the months since the change widen the limits that they are held against."""
    finding = a_finding([*QUIET[:12], *(np.array(QUIET[:4]) - 4.0)])
    assert finding.verdict.state == "common_cause"
    assert finding.silent_change.period == "2025-01"
    assert "But its level changed in January 2025 (10.1\u202fh before, 6.1\u202fh since; p" in sentence(finding)
    assert a_finding(QUIET).silent_change is None


def test_a_clear_change_is_no_usual_variation_because_the_latest_month_lies_where_the_level_was():
    finding = a_finding([*QUIET, *(np.array(QUIET[:9]) - 3.0), 10.2], rules="nhs")
    assert finding.verdict.state == "common_cause"
    assert finding.silent_change.period == "2026-01"
    assert finding.verdict.p_meets_target_next is None
    told = sentence(finding)
    assert (
        "by itself gives no signal, but the process is not what it was. Its level changed in January 2026 (10.0" in told
    )
    assert "usual variation" not in told
    front = headline(kpi_words.entry_of(finding), "2026-10")
    assert front.endswith("no signal in this period alone, but its level changed in January 2026 (10.0 → 7.4\u202fh).")


def test_a_season_is_suspected_before_it_can_be_known():
    """Two winters alike: no limits can follow them yet, and the reader should not take the third for a change."""
    winters = np.tile([14.0, 13, 10, 10, 9, 10, 9, 9, 10, 9, 10, 13], 3)[:28] + 0.3 * (np.resize(QUIET, 28) - 10.0)
    finding = a_finding(winters, direction="decrease")
    assert finding.chart.season.kind == "suspected"
    assert "Its periods resemble those a year before (p" in " ".join([sentence(finding), *kpi_remarks.remarks(finding)])
    assert doubt({"state": "concern", "season": {"kind": "suspected", "p": 0.001}}) == "season"
    assert a_finding(QUIET).chart.season.kind == "too_short"


def test_what_moved_without_a_signal_is_counted_and_not_called_usual():
    moved_on = {"state": "common_cause", "direction": "decrease", "silent_change": {"before": 2.0, "after": 3.0}}
    drifting = {
        "state": "common_cause",
        "direction": "decrease",
        "trend": {"clear": True, "slope": -0.1, "periods": 30},
    }
    assert [group(moved_on), group(drifting), group({"state": "common_cause"})] == [
        "moving",
        "moving_better",
        "common_cause",
    ]
    assert count_words([moved_on, drifting, {"state": "common_cause"}]) == (
        "Of 3 KPIs, 2 changed without a signal in this period."
    )
    told = headline({**moved_on, "title": "Waiting", "silent_change": {**moved_on["silent_change"], "since": "2026-04"},
                     "value": 3.0}, "2026-06", advice="look at Line 3")  # fmt: skip
    assert told.endswith("but its level changed in April 2026 (2 → 3); next: look at Line 3.")


def test_the_signal_of_the_month_before_is_not_forgotten():
    finding = a_finding([*QUIET, 30.0, 10.3])
    assert finding.verdict.state == "common_cause"
    front = headline(kpi_words.entry_of(finding), "2026-02")
    assert "no signal in this period alone, but January 2026 gave one" in front
    assert "gave one" not in headline(kpi_words.entry_of(a_finding([*QUIET, 30.0, 10.3, 9.8])), "2026-03")


def test_a_slow_drift_is_no_usual_variation():
    """Two and a half years of a little less each month look like neighbours that lean on each other; they are no chance."""
    wobble = 0.35 * (np.resize(QUIET, 30) - 10.0)
    finding = a_finding(20.0 - 0.08 * np.arange(30) + wobble)
    assert finding.chart.autocorrelation.drift_explains
    assert finding.verdict.state == "concern"
    assert (finding.change.method, finding.suggestion, finding.steps) == ("drift", None, ())
    told = sentence(finding)
    assert "fell bit by bit from 19.7 to 17.6" in told
    assert "at the end of a slow drift downwards" in told
    assert kpi_remarks.happened_texts(finding) == []
    weak = a_finding(20.0 - 0.019 * np.arange(30) + wobble)
    assert weak.verdict.state == "common_cause"
    assert weak.trend.clear
    assert "but the process is not what it was. Over 30 periods it has drifted down" in sentence(weak)
    assert weak.verdict.p_meets_target_next is None
    assert weak.forecast is None
    assert "it has drifted down over 30 periods" in headline(kpi_words.entry_of(weak), "2026-06")
    assert not a_finding(np.repeat([20.0, 18.0], 15) + wobble).trend.clear


def test_a_further_change_is_held_against_the_level_that_it_left():
    """Not against the months before an earlier change, which has causes of its own."""
    raised = [*QUIET, *(np.array(QUIET[:10]) + 6.0)]
    finding = a_finding([*raised, 26.0], target=8.0)
    change = finding.change
    assert (change.period, change.earlier.period, change.earlier.lasted) == ("2026-11", "2026-01", True)
    assert (change.earlier.before, change.before, change.after) == pytest.approx((10.0, 16.1, 26.0), abs=0.05)
    assert "16.1 to 26.0\u202fh in November 2026, a further change after that of January 2026 (10.0 →" in sentence(
        finding
    )
    usual = usual_periods(finding.points, "2026-11", change.period, finding.steps)
    assert (usual[0], usual[-1]) == ("2026-01", "2026-10")
    assert finding.suggestion.period == "2026-01"
    still = a_finding([*raised, 17.0], target=8.0).change
    assert (still.period, still.earlier) == ("2026-01", None)


def test_the_last_thing_declared_before_a_change_is_told_where_nothing_is_near():
    routing = Event(date=dt.date(2025, 11, 1), title="Routing", departments="all", kpis="all")
    late = a_finding([*QUIET, *QUIET[:3], *(np.array(QUIET[:6]) + 6.0)], events=[routing])
    assert (late.change.earliest, late.change.period) == ("2026-04", "2026-04")
    assert kpi_remarks.happened_texts(late)[0].endswith("The last thing declared before it: “Routing” (1 Nov 2025).")
    near = a_finding(
        [*QUIET, *(np.array(QUIET[:6]) + 6.0)], events=[routing.model_copy(update={"date": dt.date(2026, 1, 2)})]
    )
    assert "last thing" not in " ".join(kpi_remarks.happened_texts(near))


def test_limits_stop_before_a_clear_change_so_that_it_cannot_hide_itself():
    """With full limits from the months before, the month signals, is dated, and the report says what the limits rest on."""
    moved = [*QUIET[:15], *(np.array(QUIET[:4]) - 4.0)]
    finding = a_finding(moved)
    assert finding.verdict.state != "common_cause"
    assert finding.change.period == "2025-04"
    assert (finding.chart.calm_until, finding.chart.baseline_points) == (dt.date(2025, 4, 1), 15)
    assert finding.silent_change is None
    told = " ".join(kpi_remarks.remarks(finding))
    assert "The limits were set with the 15 periods before April 2025, when its level changed (p" in told
    assert a_finding(QUIET).chart.calm_until is None
    assert a_finding(moved, rules="nhs").chart.calm_until is None


def test_a_new_level_that_has_lasted_has_an_outlook_of_its_own():
    """Five periods are too few to tell; eight on one side of the target are not, and a further move takes it back."""
    step = [*QUIET, *(np.array(QUIET[:8]) + 6.0)]
    lasted, young = a_finding(step, target=8.0), a_finding(step[:-3], target=8.0)
    moving = a_finding([*step[:-1], 4.0], target=8.0)
    low = [
        *QUIET,
        *(np.array(QUIET[:8]) - 6.0),
    ]  # a level that never meets the target, and a further move from or to it
    away, back = (a_finding([*low, last], target=20.0) for last in (-6.0, 8.0))
    codes = [outlook(kpi_words.entry_of(finding)) for finding in (lasted, young, moving, away, back)]
    assert codes == ["new_pass", "changing", "changing", "new_fail", "changing"]
    assert "The new level has lasted; on it the target will be met each time." in sentence(lasted)
    assert outlook(kpi_words.entry_of(a_finding(step, target=30.0))) == "new_fail"


@pytest.mark.parametrize(
    ("unit", "told"), [("w", "2.0 w"), ("hours", "2.0 hours"), ("min", "2.0 min"), ("", "2.0 d"), ("%", "2.0 d")]
)
def test_times_are_told_in_the_unit_that_they_are_measured_in(unit, told):
    statistic = {"statistic": "within", "within": "10d"} if unit == "%" else {}
    kpi = Kpi(code="k", title="K", source="s", kind="time_to_event", event="resolved_at", direction="decrease",
              unit=unit, **statistic)  # fmt: skip
    assert _time(kpi, 2.0).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == told


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"state": "withheld", "cause": "small"}, "So few people stand behind the number"),
        ({"state": "too_few", "cause": "few_cases"}, "Too few cases in this period"),
        ({"state": "too_few", "cause": "few_periods"}, "Too few periods so far"),
        (
            {"state": "too_few", "cause": "few_periods", "points": [{"status": "withheld"}, {"status": "ok"}]},
            "Too few periods with enough cases",
        ),
    ],
)
def test_what_cannot_be_judged_says_what_is_lacking(entry, said):
    kpi = {"title": "Satisfaction", "unit": "%", "assurance": "hit_or_miss", **entry}
    assert said in headline(kpi, "2026-10")


def test_nothing_is_expected_of_a_target_whose_values_are_withheld():
    assert outlook({"state": "withheld", "variation": "none", "assurance": "hit_or_miss"}) == "none"
    assert outlook({"state": "common_cause", "variation": "common_cause", "assurance": "hit_or_miss"}) == "hit_or_miss"


def test_a_forecast_says_its_unit_once_with_the_digits_of_its_kind():
    plain = a_finding(QUIET, unit="breakdown|breakdowns", decimals=None)
    ahead = replace(plain.forecast, lower=(2.15, *plain.forecast.lower[1:]), upper=(27.9, *plain.forecast.upper[1:]))
    counted = replace(plain, kpi=plain.kpi.model_copy(update={"kind": "count"}), forecast=ahead)
    assert "between 2 and 28\u202fbreakdowns." in " ".join(kpi_remarks.remarks(counted))
    assert "between 2.2 and 27.9\u202fbreakdowns." in " ".join(kpi_remarks.remarks(replace(plain, forecast=ahead)))


def test_what_a_value_rests_on_has_its_own_name():
    plain = a_finding(QUIET)
    scored = replace(plain, kpi=plain.kpi.model_copy(update={"kind": "score"}))
    assert "100 cases" in sentence(plain)
    assert "100 answers" in sentence(scored)
    assert [kpi_words.base_of(plain.kpi.model_copy(update={"kind": kind})) for kind in ("mean", "score", "rate")] == [
        "Cases",
        "Answers",
        "Counted on",
    ]
