"""The portal says what the results say, openly, and the same bytes each time."""

import html
import json
import re
from dataclasses import replace

import html5lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svclib.report import words
from svclib.report.brief import kpi_brief, outlook_text, told_badge
from svclib.report.department import answer, attention, causes, department_page, improved, tile, unknown
from svclib.report.portal import (
    _cell,
    lede,
    period_page,
    portal_page,
    signals_of,
    strongest,
    tally,
    write_period_pages,
    write_portal,
)
from svclib.report.results import neighbours, period_labels, read_month
from tests.report.reports_folder import KPIS, NASTY, text_of, write_reports
from tests.report.reports_folder import with_content as _with


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = write_reports(tmp_path_factory.mktemp("reports"), pages=False)
    for period in ("2026-09", "2026-10"):
        write_period_pages(folder, period)
    write_portal(folder)
    return folder


@pytest.fixture(scope="module")
def month(out):
    return read_month(out, "2026-10")


def test_periods_come_in_order_and_other_folders_are_left_alone(tmp_path):
    for name in ("2026-10", "2025-12", "2026-W41", "notes", ".svclib"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    assert period_labels(tmp_path) == ["2025-12", "2026-10", "2026-W41"]
    assert neighbours(tmp_path, "2026-10") == ("2025-12", None)


def test_every_department_and_kpi_is_on_the_periods_page(out, month):
    page = (out / "2026-10" / "index.html").read_text()
    text = text_of(page)
    whole = " ".join(html.unescape(title) for title in re.findall(r'<td [^>]*title="([^"]*)"', page))
    for department in month.departments:
        assert department.name in text
        for kpi in department.kpis:
            assert kpi.title in text
            if kpi.value is not None:
                said = words.value(kpi.value, kpi.unit, kpi.decimals)
                assert f"{kpi.title}: {said}" in whole
                assert words.say(f"state.{kpi.standing}") in text


def test_failed_and_late_reports_are_said_openly(out):
    text = text_of((out / "2026-10" / "index.html").read_text())
    assert "2 reports are missing" in text
    assert "Billing: Root-cause analysis (failed). A step of the analysis ended with an error." in text
    assert "IT service desk: Outcome evaluation (late). This report has not been made yet." in text


def test_a_result_that_cannot_be_read_is_said_openly(tmp_path):
    write_reports(tmp_path, pages=False, failed=False)
    (tmp_path / "2026-10" / "D01" / "kpi_analysis.json").write_text('{"kpis": [')
    write_period_pages(tmp_path, "2026-10")
    assert "Its result cannot be read." in text_of((tmp_path / "2026-10" / "index.html").read_text())
    assert "There are no KPIs to report" in text_of((tmp_path / "2026-10" / "D01" / "index.html").read_text())


def test_a_run_that_never_ended_gives_a_page_that_says_so(tmp_path):
    (tmp_path / "2026-10").mkdir()
    (tmp_path / "2026-10" / "manifest.json").write_text("not json")
    write_period_pages(tmp_path, "2026-10")
    assert "The run of this period has not ended" in (tmp_path / "2026-10" / "index.html").read_text()
    assert "October 2026" in text_of(write_portal(tmp_path).read_text())


def test_departments_without_any_report_are_named_once(tmp_path):
    write_reports(tmp_path, pages=False, periods=("2026-10",), failed=False)
    path = tmp_path / "2026-10" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["reports"] = [entry for entry in manifest["reports"] if entry["department"] == "D01"]
    path.write_text(json.dumps(manifest))
    month = read_month(tmp_path, "2026-10")
    assert [department.code for department in month.departments] == ["D01"]
    assert "Nothing has been made yet for 4 departments" in text_of(period_page(month))


def test_withheld_values_are_nowhere(out, month):
    for department in month.departments:
        for kpi in department.kpis:
            if kpi.state == "withheld":
                page = (out / "2026-10" / department.folder / "index.html").read_text()
                assert kpi.value is None
                assert not re.search(r"\b(7\.8%|7\.77%|0\.0777)", page)


def test_chance_signals_are_counted_over_the_whole_period(month):
    judged = [kpi for department in month.departments for kpi in department.kpis if kpi.p is not None]
    found = signals_of(month)
    assert found.charts == len(judged)
    assert found.expected == pytest.approx(0.016 * len(judged))
    assert found.found == sum(kpi.signals for kpi in judged)
    assert found.after_fdr <= found.found


def test_frozen_limits_give_more_chance_signals(month):
    def gone_on(department):
        report = department.reports["kpi_analysis"]
        kpis = [{**kpi.raw, "chart": {**kpi.raw["chart"], "frozen": True}} for kpi in department.kpis]
        longer = replace(report, content={**report.content, "kpis": kpis})
        return replace(department, reports={**department.reports, "kpi_analysis": longer})

    plain, later = (
        signals_of(month),
        signals_of(replace(month, declared=[gone_on(department) for department in month.declared])),
    )
    assert later.expected == pytest.approx(0.038 * plain.charts)
    assert (later.found, later.after_fdr) == (plain.found, plain.after_fdr)


def test_the_strongest_evidence_comes_first(out, month):
    page = (out / "2026-10" / "index.html").read_text()
    listed = re.findall(r'<ol class="lines ranked">.*?</ol>', page, re.S)[0]
    first = min(
        (kpi.p, department.name, kpi.title)
        for department in month.departments
        for kpi in department.kpis
        if kpi.signals and kpi.p is not None
    )
    assert listed.index(f"{first[1]}: {first[2]}") < 400


def test_what_changed_since_the_period_before(out):
    text = text_of((out / "2026-10" / "index.html").read_text())
    assert "What changed since September 2026" in text
    assert "became" in text


def test_the_answer_counts_what_the_cards_show(month):
    for department in month.departments:
        said = answer(department, "2026-10")
        cards = (attention(department, "2026-10"), improved(department, "2026-10"))
        shown = [item.badge.text for card in cards for item in card]
        for state, told in (
            ("concern", "shows? a concern"),
            ("cannot_meet", "cannot meet (its target|their targets)"),
            ("improvement", "shows? an improvement"),
        ):
            count = shown.count(words.say(f"state.{state}"))
            assert bool(count) == bool(re.search(rf"\b{count} {told}", said))
        states = [kpi.state for kpi in department.kpis]
        assert len(unknown(department, "2026-10")) >= states.count("provisional") + states.count("too_few")


def test_every_page_counts_the_same_states_in_the_same_words(out, month):
    counts = tally(month)
    assert sum(counts.values()) == sum(len(department.kpis) for department in month.departments)
    for page in ("index.html", "2026-10/index.html"):
        text = text_of((out / page).read_text())
        assert lede(month) in text
        assert f"{counts['concern', False]} show a concern" in text
    tallied = re.search(r'<ul class="tally">(.*?)</ul>', (out / "2026-10" / "index.html").read_text(), re.S)[1]
    for (state, perhaps), count in counts.items():
        assert f"<b>{count}</b>" in tallied
        assert told_badge(state, perhaps=perhaps).text in tallied


def test_a_page_counts_as_many_signals_as_it_lists(month):
    listed = [part for signal in strongest(month) for part in signal.parts or [signal]]
    counts = tally(month)
    assert sum(counts[state, False] for state in ("concern", "improvement", "neutral")) == len(listed)
    for department in month.departments:
        found = [item.badge.state for item in attention(department, "2026-10") if "kpi_analysis" in str(item.href)]
        assert found.count("concern") == sum(kpi.group == "concern" for kpi in department.kpis)


def test_overdue_actions_need_attention(month):
    items = attention(month.department("D01"), "2026-10")
    assert [(item.name, item.text) for item in items if item.badge.text == "overdue"] == [
        ("Call-back within the hour", "Overdue since 31 Aug 2026; responsible: Service manager.")
    ]


def test_too_early_verdicts_are_not_known_yet(month):
    assert "Call-back within the hour" in [item.name for item in unknown(month.department("D01"), "2026-10")]


def test_neighbouring_periods_lead_to_each_other(out):
    assert 'rel="prev" href="../../2026-09/D01/index.html"' in (out / "2026-10" / "D01" / "index.html").read_text()
    assert 'rel="next" href="../../2026-10/D01/index.html"' in (out / "2026-09" / "D01" / "index.html").read_text()


def test_all_links_lead_somewhere(tmp_path):
    write_reports(tmp_path, names={"D01": "Support", "D02": "Field"}, failed=False, pages=("D01",))
    for period in ("2026-09", "2026-10"):
        write_period_pages(tmp_path, period)
    write_portal(tmp_path)
    dead = []
    for path in tmp_path.rglob("*.html"):
        page = path.read_text()
        for href in re.findall(r'<a [^>]*href="([^"]*)"', page):
            file, _, anchor = href.partition("#")
            target = (path.parent / file).resolve() if file else path
            if "D02" in str(target) and target.stem != "index":
                continue  # this department's reports are results only
            if not target.is_file() or (anchor and f'id="{anchor}"' not in target.read_text()):
                dead.append((path.name, href))
    assert dead == []


def test_the_same_files_give_the_same_bytes(out):
    before = {path: path.read_bytes() for path in out.rglob("index.html")}
    for period in ("2026-10", "2026-09"):
        write_period_pages(out, period)
    write_portal(out)
    assert {path: path.read_bytes() for path in out.rglob("index.html")} == before


def test_pages_are_valid_html(out):
    for path in [*out.rglob("index.html"), *out.glob("glossary-*.html")]:
        html5lib.HTMLParser(strict=True).parse(path.read_text())


@pytest.mark.parametrize("language", [code for code in words.languages() if code != "en"])
def test_no_english_is_left_in_another_language(tmp_path, language):
    write_reports(tmp_path, language=language, pages=False)
    for period in ("2026-09", "2026-10"):
        write_period_pages(tmp_path, period)
    write_portal(tmp_path)
    english = {
        form
        for key, message in words.messages("en").items()
        for form in ([message] if isinstance(message, str) else message.values())
        if len(form) > 12 and "{" not in form and form != words.messages(language).get(key)
    }
    english -= {title for title, *_ in KPIS.values()}  # data stay as they are
    for path in tmp_path.rglob("*.html"):
        page = path.read_text()
        assert f'<html lang="{language}">' in page
        text = text_of(page)
        assert [form for form in english if f" {form} " in f" {text} "] == []


LIVE = st.sampled_from(
    ["<script>alert(1)</script>", NASTY, '"><svg onload=alert(1)>', "javascript:alert(1)", "{% raw %}{{7*7}}", "</style>", "'\"`"]
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30), live=LIVE)
def test_data_are_never_markup(month, text, live):
    from dataclasses import replace

    department = month.department("D01")
    kpis = department.reports["kpi_analysis"]
    said = f"{text}{live}"
    content = json.loads(json.dumps(kpis.content))
    for kpi in content["kpis"]:
        kpi["sentence"] = kpi["title"] = kpi["unit"] = said
    content["data_quality"] = [said, {"sentence": said}]
    changed = replace(kpis, content=content)
    spoilt = replace(department, name=said, reports={**department.reports, "kpi_analysis": changed})
    spoilt_month = replace(month, declared=[spoilt], manifest={**month.manifest, "organisation": said})
    for page in (department_page(spoilt_month, spoilt), period_page(spoilt_month), portal_page([spoilt_month])):
        document = html5lib.parse(page, namespaceHTMLElements=False)
        for element in document.iter():
            assert element.tag not in ("svg", "object", "iframe") or not isinstance(element.tag, str)
            assert not [name for name in element.attrib if str(name).startswith("on")]
            assert not str(element.get("href", "")).startswith("javascript")
        assert len(list(document.iter("script"))) <= 1
        assert "49" not in page.split("{{7*7}}")[0][-2:]


def test_what_is_only_young_is_no_change():
    """Young KPIs become provisional and then settle every period: neither is news; a concern that cannot be judged is none."""
    from dataclasses import replace
    from types import SimpleNamespace

    from svclib.report.changes import Change, _kind, _news

    def news(before, after):
        before, after = SimpleNamespace(reading=before), SimpleNamespace(reading=after)
        kind = _kind(before, after)
        return kind != "same" and _news(replace(Change("D", "k", kind, None, None), before=before, after=after))

    assert not news("common_cause", "provisional")
    assert not news("provisional", "common_cause")
    assert not news("concern", "provisional")
    assert news("provisional", "concern")
    assert news("common_cause", "improvement")
    assert news("concern", "common_cause")
    assert news("common_cause", "fault")


def _reported(department, code, **more):
    """The department with one of its KPIs reported otherwise."""
    kpis = department.reports["kpi_analysis"]
    changed = [k.raw | more if k.code == code else k.raw for k in department.kpis]
    content = {**kpis.content, "kpis": changed}
    return replace(department, reports={**department.reports, "kpi_analysis": replace(kpis, content=content)})


SLOW = {
    "title": "Closed in time", "unit": "h", "decimals": 1, "state": "provisional", "variation": "concern", "p": 0.0001,
    "cause": "immature", "value": 9.0, "final_on": "2026-12-01", "target": 6.0, "met": None, "side": "high",
    "latest": {"period": "2026-09", "value": 8.8, "target": 6.0, "met": False},
    "moved": {"since": "2026-07", "before": 5.0, "after": 8.5},
}  # fmt: skip


def test_a_kpi_that_is_always_young_still_reaches_the_front_pages(month):
    """Its month is provisional whenever it is reported; what the last month that counts shows is not left out."""
    department = _reported(month.department("D03"), "response_time", **SLOW)
    slow = replace(month, declared=[department])
    said = next(item for item in attention(department, "2026-10") if item.name == "Closed in time")
    assert said.badge.text == "Concern, September 2026"
    assert said.text.startswith(
        "Closed in time: 9.0 h in October 2026 can still change; it counts from 1 December 2026. ".replace(
            " h ", "\u202fh "
        )
    )
    assert (
        "The latest period that counts, September 2026: Closed in time rose from 5.0 to 8.5\u202fh since July 2026"
        in said.text
    )
    assert "(8.8\u202fh in September 2026, missing the target of 6.0\u202fh); next: " in said.text
    assert "Closed in time" in [signal.title for signal in strongest(slow)]
    assert "One of these changes is that of an earlier period, the latest that counts." in lede(slow)
    assert tally(slow)["concern", False] == len([k for k in department.kpis if k.group == "concern"])
    assert signals_of(slow).found == signals_of(replace(month, declared=[month.department("D03")])).found + (
        not month.department("D03").kpi("response_time").signals
    )
    page = text_of(period_page(slow))
    assert "Concern, September 2026" in page
    cell = _cell(department, department.kpi("response_time"))
    assert (cell.badge.text, cell.before.text) == ("Provisional", "Concern, September 2026")
    assert [mark.text for mark in tile(department, department.kpi("response_time")).badges] == [
        "Provisional",
        "Concern, September 2026",
    ]
    assert "without news" not in page


def test_what_may_be_chance_is_not_among_the_strongest(month):
    department = _reported(month.department("D03"), "response_time", **{**SLOW, "state": "concern", "p": 0.2})
    slow = replace(month, declared=[department])
    assert "Closed in time" not in [signal.title for signal in strongest(slow)]
    assert "Closed in time" not in [item.name for item in attention(department, "2026-10")]
    assert "Closed in time" in [item.name for item in unknown(department, "2026-10")]
    assert re.search(
        r"One change may be chance, and is not ranked; wait for another period: \S.*: Closed in time \(p = 0.20\)",
        text_of(period_page(slow)),
    )


def test_weak_evidence_comes_with_its_signal():
    from svclib.report.words.headline import headline

    def told(**more):
        entry = {"title": "Waiting", "unit": "h", "decimals": 1, "state": "concern", "value": 4.0, "p": 0.024}
        moved = {"since": "2026-10", "before": 3.0, "after": 4.0}
        return headline({**entry, "moved": moved, **more}, "2026-10", advice="ask the team")

    what = "Waiting rose from 3.0 to 4.0\u202fh in October 2026; next: "
    assert told() == f"{what}wait for another period before acting, since it may be chance (p = 0.024)."
    assert told(p=0.001) == told(p=None) == f"{what}ask the team."


def test_the_first_sentence_says_what_since_when_and_what_next(month):
    """A signal whose gap is located sends the reader there; nothing of rules or intervals stands in front of that."""
    department = month.department("D01")
    for kpi in department.kpis:
        if kpi.signals:
            said = kpi_brief(department, kpi, "2026-10")
            assert re.match(rf"{re.escape(kpi.title)} (rose|fell) from .* to .* since May 2026.*; next: .*\.$", said)
            assert not re.search("interval|limit|chance alone|false", said)
    located = {**department.reports["root_cause_analysis"].content["gaps"][0], "kpi": "csat"}
    causes = replace(department.reports["root_cause_analysis"], content={"gaps": [located]})
    other = replace(department, reports={**department.reports, "root_cause_analysis": causes})
    kpi = next(kpi for kpi in month.department("D02").kpis if kpi.state == "concern")
    raw = {**kpi.raw, "code": "csat", "p": 0.0001}
    assert "; next: look at contact channel phone (evidence B)." in kpi_brief(other, replace(kpi, raw=raw), "2026-10")


def test_a_kpi_that_moves_in_many_departments_is_told_once(month):
    def alike(department):
        kpis = department.reports["kpi_analysis"]
        moved = {"since": "2026-08", "before": 5.0, "after": 4.0}
        said = {"state": "improvement", "variation": "improvement", "moved": moved, "p": 0.0001}
        changed = [k.raw | said if k.code == "response_time" else k.raw for k in department.kpis]
        return replace(
            department,
            reports={**department.reports, "kpi_analysis": replace(kpis, content={**kpis.content, "kpis": changed})},
        )

    told = [s for s in strongest(replace(month, declared=[alike(d) for d in month.declared])) if s.parts]
    assert [s.title for s in told] == ["Average response time"]
    assert [part.name for part in told[0].parts] == [d.name for d in sorted(month.departments, key=lambda d: d.name)]
    assert told[0].department == ""
    assert told[0].sentence.startswith(f"Average response time fell in {len(month.departments)} departments, first in")


def test_tiles_and_report_say_the_same_of_the_target(month):
    """While a KPI is changing nobody can tell: neither the tile nor the report's table may say that it always meets it."""
    for department in month.departments:
        for kpi in department.kpis:
            said = tile(department, kpi).why
            assert said == outlook_text(kpi)
            if kpi.signals and kpi.target is not None and kpi.raw["assurance"] != "none":
                assert said == words.say("assurance.changing")


def test_a_department_speaks_its_reports_language_and_the_shared_pages_theirs(tmp_path):
    write_reports(tmp_path, pages=False, failed=False)
    path = tmp_path / "2026-10" / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["reports"]:
        entry["language"] = "it" if entry["department"] == "D01" else "en"
    path.write_text(json.dumps(manifest))
    write_period_pages(tmp_path, "2026-10")
    write_portal(tmp_path)
    pages = {p: (tmp_path / p).read_text() for p in ("index.html", "2026-10/index.html", "2026-10/D02/index.html")}
    assert all('<html lang="en">' in page for page in pages.values())
    own = (tmp_path / "2026-10" / "D01" / "index.html").read_text()
    assert '<html lang="it">' in own
    assert words.say("department.attention", "it") in own
    assert 'href="../../glossary-it.html"' in own
    assert (tmp_path / "glossary-it.html").is_file()
    assert (tmp_path / "glossary-en.html").is_file()


@pytest.mark.parametrize(
    ("state", "verdict", "told"),
    [
        ("improvement", "met_attributable", "next: keep what action A-7 brought."),
        ("improvement", "improved_target_missed", "next: extend action A-7"),
        ("improvement", "met_not_attributable", "next: find out what brought it"),
        ("concern", "worsened", "next: stop or change action A-7"),
        ("concern", "met_attributable", "next: find out where it comes from"),
    ],
)
def test_the_next_step_agrees_with_the_verdict_of_the_plan(month, state, verdict, told):
    plain = next(d for d in month.departments if any(k.signals for k in d.kpis))
    first = next(k for k in plain.kpis if k.signals)
    kpi = replace(first, raw={**first.raw, "state": state, "p": 0.0001})
    action = {"id": "A-7", "kpi": kpi.code, "verdict": verdict, "segment": None}
    department = _with(_with(plain, "outcome_evaluation", actions=[action]), "root_cause_analysis", gaps=[])
    assert told in kpi_brief(department, kpi, "2026-10")
    part = _with(department, "outcome_evaluation", actions=[{**action, "segment": {"channel": "Chat"}}])
    assert "A-7" not in kpi_brief(part, kpi, "2026-10")


def test_a_weak_signal_is_counted_as_such_and_never_denied(month):
    plain = next(d for d in month.departments if sum(k.signals for k in d.kpis) >= 1)
    raws = [{**k.raw, "p": 0.2 if k.signals else k.raw.get("p")} for k in plain.kpis]
    code = next(k.code for k in plain.kpis if k.signals)
    gap = {"kpi": code, "explain": False, "answer": "no_special_cause", "why_not": "weak_signal"}
    department = _with(_with(plain, "kpi_analysis", kpis=raws), "root_cause_analysis", gaps=[gap])
    count = sum(k.signals for k in department.kpis)
    assert f"({count} of these changed, but that may be chance)" in answer(department, "2026-10")
    (item,) = causes(department)
    assert item.badge.text == words.say("root_cause.answer.weak_signal")


def test_a_gap_has_one_answer_on_the_department_page_and_in_its_report():
    from svclib.report.brief import gap_brief

    gap = {"kpi": "k", "explain": True, "answer": "unlocated", "why_not": None, "candidates": None}
    assert gap_brief(gap) == f"{words.say('root_cause.answer.unsearched')}."
    assert gap_brief({**gap, "candidates": 7}) == f"{words.say('root_cause.answer.unlocated')}."
    assert "too small" in gap_brief({**gap, "answer": "general", "candidates": 0})


@pytest.mark.parametrize(("chance", "told"), [(0.01, "mostly_fail"), (0.98, "mostly_pass"), (0.5, "hit_or_miss")])
def test_a_target_that_is_nearly_never_met_is_no_hit_and_miss(month, chance, told):
    kpi = next(k for d in month.departments for k in d.kpis if k.state == "common_cause" and k.target is not None)
    said = outlook_text(replace(kpi, raw={**kpi.raw, "assurance": "hit_or_miss", "p_meets_target_next": chance}))
    assert said == words.say(f"assurance.{told}")
