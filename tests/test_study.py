"""A study opens one department's period, or says at once why not."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import svclib
from svclib.errors import InputRefused
from svclib.prepared import prepare
from svclib.report.views.data_quality import _until, quality_records
from svclib.study import open_study


@pytest.fixture
def folder(write_params, tmp_path: Path, texts) -> Path:
    """300 tickets of two departments from January to October 2026; each takes five days, the last are open."""
    rng = np.random.default_rng(3)
    opened = pd.Timestamp("2026-01-02") + pd.to_timedelta(np.sort(rng.uniform(0, 300 * 24, 300)), unit="h")
    closed = opened + pd.Timedelta(days=5)
    frame = pd.DataFrame(
        {
            "number": [f"T{i:03d}" for i in range(300)],
            "team": np.where(np.arange(300) % 3 == 0, "D02", "D01"),
            "opened": opened.strftime("%Y-%m-%d %H:%M"),
            "closed": closed.strftime("%Y-%m-%d %H:%M").where(closed < pd.Timestamp("2026-10-30"), ""),
            "contacts": rng.integers(1, 3, 300),
            "channel": rng.choice(["phone", "web"], 300),
        }
    )
    (tmp_path / "data").mkdir()
    frame.to_csv(tmp_path / "data" / "tickets.csv", index=False)
    time = (
        '- code: "days"\n  title: Days to close\n  source: tickets\n  kind: time_to_event\n  event: resolved_at\n'
        "  unit: d\n  direction: decrease\n"
    )
    return write_params(kpis=texts["kpis.yaml"].replace("2026-01-01", "2026-02-01") + time)


def refused(**arguments) -> str:
    with pytest.raises(InputRefused) as caught:
        open_study(**arguments)
    return str(caught.value)


def test_the_first_department_and_the_latest_complete_period_are_the_default(folder):
    study = open_study(folder)
    assert (study.department.code, study.period.label) == ("D01", "2026-09")
    assert [kpi.code for kpi in study.kpis] == ["fcr", "days"]
    assert study.series("fcr")["period"].iloc[[0, -1]].tolist() == ["2026-01", "2026-09"]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("2030-01", "lies in the future. Cure: choose a period from 2026-01 to 2026-09"),
        ("2020-01", "lies before the data"),
        ("2026-13", "is no period"),
        ("octember", "is no period"),
        ("2026-W54", "is no period"),
        ("2021-W53", "has no week 53"),
    ],
)
def test_periods_without_data_are_refused(folder, period, expected):
    assert expected in refused(params=folder, period=period)


def test_a_period_after_the_data_is_not_called_the_future(folder):
    assert "lies after the data, which end on 2026-05-31" in refused(
        params=folder, as_of="2026-05-31", period="2026-07"
    )


def test_a_study_and_its_reports_say_what_they_are_in_a_line_and_print_as_text(folder):
    study = open_study(folder)
    assert repr(study) == "<Study of D01, 2026-09>"
    assert "svclib.analyse_kpis(study)" in str(study)
    assert "fcr" in study._repr_mimebundle_()["text/html"]
    for call in (svclib.analyse_kpis, svclib.explain_gaps, svclib.evaluate_plan):
        report = call(study)
        assert repr(report) == f"<{type(report).__name__} of D01, 2026-09>"
        assert str(report) == report.overview().plain
        assert len(repr(report.explain)) < 100, "a forgotten pair of brackets shows no table"


def test_one_kpi_or_action_can_be_explained_alone_and_a_wrong_name_is_told_the_nearest(folder):
    study = open_study(folder)
    kpis, plan = svclib.analyse_kpis(study), svclib.evaluate_plan(study)
    assert kpis.explain("days").plain.startswith("Days to close")
    assert "First" not in kpis.explain("days").plain
    for ask in (kpis.explain, svclib.explain_gaps(study).explain, plan.explain, plan.planning):
        with pytest.raises(InputRefused, match="dais"):
            ask("dais")


def test_a_period_that_is_a_number_and_an_unknown_language_are_refused(folder):
    assert "period 202610: '202610' is no period. Cure: write 2026-10" in refused(params=folder, period=202610)
    for language in ("fr", 1):
        message = refused(params=folder, language=language)
        assert message == f"language: no reports can be written in the language {language!r}. Cure: known: en, it"


@pytest.mark.parametrize("name", ["analyse_kpis", "explain_gaps", "evaluate_plan"])
def test_an_analysis_of_something_else_than_a_study_is_refused(name):
    import svclib

    with pytest.raises(
        InputRefused, match=f"{name}: needs a study, and this is a str. Cure: study = svclib.open_study"
    ):
        getattr(svclib, name)("params")


def test_an_expression_that_fails_over_the_data_is_refused_with_every_other(folder):
    text = (folder / "kpis.yaml").read_text()
    kind = "- code: {code}\n  title: M\n  source: tickets\n  kind: mean\n  value: {value}\n  direction: increase\n"
    lines = text.count("\n")
    text += kind.format(code="a", value="channel || ''") + kind.format(code="b", value="cast(channel as int)")
    (folder / "kpis.yaml").write_text(text)
    with pytest.raises(InputRefused) as caught:
        prepare(folder)
    assert [problem.where for problem in caught.value.problems] == [
        f"params/kpis.yaml:{lines + 5}", f"params/kpis.yaml:{lines + 11}",
    ]  # fmt: skip
    assert all("does not give a number for every row" in problem.what for problem in caught.value.problems)


def test_numbers_with_a_comma_are_told_from_words(folder, tmp_path):
    path = tmp_path / "data" / "tickets.csv"
    lines = path.read_text().splitlines()
    rows = [f'{line},"{n},5"' for n, line in enumerate(lines[1:])]
    path.write_text("\n".join([f"{lines[0]},hours", *rows]) + "\n")
    sources = (folder / "sources.yaml").read_text().replace("contacts: contacts}", "contacts: contacts, hours: hours}")
    (folder / "sources.yaml").write_text(sources)
    kind = "- code: a\n  title: M\n  source: tickets\n  kind: mean\n  value: hours\n  direction: increase\n"
    (folder / "kpis.yaml").write_text(kind)
    assert refused(params=folder).endswith(
        "Cure: declare options: {decimal: \",\"} for source 'tickets': the values of hours have a comma"
    )
    (folder / "sources.yaml").write_text(sources + '  options: {decimal: ","}\n')
    assert prepare(folder).measures["value"].notna().any()


def test_a_department_s_name_is_answered_with_its_code(folder):
    assert refused(params=folder, department="support") == "department support: is not declared. Cure: write 'D01'"
    assert refused(params=folder, department="Feld").endswith("Cure: write 'D02'")


def test_a_cut_off_before_the_data(folder):
    assert refused(params=folder, as_of="2020-01-01").startswith(
        "--as-of: 2020-01-01 lies before the data. Cure: name a day from 2026-"
    )


@pytest.mark.parametrize(
    "kind",
    [
        "proportion\n  numerator: contacts = 1",
        "rate\n  numerator: contacts\n  denominator: '1'",
        "mean\n  value: contacts",
        "quantile\n  value: contacts\n  quantile: 0.9",
        "count\n  numerator: contacts",
        "time_to_event\n  event: resolved_at\n  unit: d",
        "score\n  value: contacts\n  scale: {low: 1, high: 5}",
    ],
)
def test_a_condition_that_lets_no_row_through_is_no_end_of_the_run(folder, kind):
    path = folder / "kpis.yaml"
    none = f"- code: none\n  title: None\n  source: tickets\n  kind: {kind}\n  where: channel = 'letter'\n"
    path.write_text(path.read_text() + none + "  direction: increase\n")
    assert [doubt.cure for doubt in prepare(folder).doubts()] == ["rows hold 'phone', 'web'"]
    study = open_study(folder)
    assert study.series("none").empty
    assert [finding.kpi.code for finding in svclib.analyse_kpis(study).analysis.findings] == ["fcr", "days"]


def test_rows_that_come_twice_stand_in_quarantine_and_in_the_column_of_copies(folder, tmp_path):
    path = tmp_path / "data" / "tickets.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*rows, *rows[-3:]]))
    (record,) = quality_records(open_study(folder))
    assert (record["kept"], record["bad"], record["copies"]) == (300, {"duplicate": 3}, 3)


def test_periods_without_a_row_are_named_and_are_zero_where_the_kpis_say_so(folder, tmp_path):
    path, kpis = tmp_path / "data" / "tickets.csv", folder / "kpis.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not ("D02" in line and ",2026-03" in line)))
    (record,) = quality_records(open_study(folder))
    assert "One period of a department holds no row: Field (1)." in record["sentence"]
    kpis.write_text(
        "- {code: n, title: Cases, source: tickets, kind: count, direction: decrease, empty_period: zero}\n"
    )
    (record,) = quality_records(open_study(folder))
    assert "One period of a department holds no row and counts as zero: Field (1)." in record["sentence"]


def test_an_unknown_department_is_refused(folder):
    assert "department D3: is not declared. Cure: known: D01, D02" in refused(params=folder, department="D3")


def test_a_target_before_its_data_is_refused(folder):
    path = folder / "kpis.yaml"
    path.write_text(path.read_text().replace("2026-02-01", "2025-06-01"))
    message = refused(params=folder)
    assert message.startswith("params/kpis.yaml:7: the target of 'fcr' begins on 2025-06-01, before its first data on")
    assert message.endswith("write 'from: 2026-01-01' or later; the day of an older agreement can stand in agreed_by")


def test_a_rolling_export_takes_no_target_back(folder, tmp_path):
    """Its first rows move forward every month; the date of an agreement does not."""
    path, data = folder / "kpis.yaml", tmp_path / "data" / "tickets.csv"
    path.write_text(path.read_text().replace("2026-02-01", "2026-01-01"))
    prepare(folder)
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([lines[0], *(line for line in lines[1:] if line.split(",")[2] >= "2026-03")]))
    taken = prepare(folder, accept_shrunk=["tickets"])
    assert taken.declarations["fcr"].coverage.start == dt.date(2026, 3, 1)
    finding = svclib.analyse_kpis(open_study(folder)).analysis.findings[0]
    assert finding.points["target"].tolist() == [0.7] * len(finding.points)


def test_a_target_far_after_all_data_is_doubted_and_stops_nothing(folder):
    path = folder / "kpis.yaml"
    path.write_text(path.read_text().replace("2026-02-01", "2206-02-01"))
    (doubt,) = prepare(folder).doubts()
    assert doubt.where == "params/kpis.yaml:7"
    assert doubt.what == "a target of 'fcr', whose data run from 2026-01-01 to 2026-10-28, begins on 2206-02-01"


def test_a_text_that_no_row_holds_is_doubted_with_the_nearest_that_rows_hold(folder):
    path = folder / "kpis.yaml"
    told = "contacts = 1 and channel in ('phone', 'Wéb') or channel = 'letter' or contacts = 7"
    path.write_text(path.read_text().replace("contacts = 1", f'"{told}"'))
    near, far = prepare(folder).doubts()
    assert near.where == "params/kpis.yaml:5"
    assert near.what == "numerator: no row of source 'tickets' holds 'Wéb' in channel"
    assert near.cure == "write 'web' as the rows do, or leave it if the value is still to come"
    assert (far.what[-25:], far.cure) == ("holds 'letter' in channel", "rows hold 'phone', 'web'")


def test_what_happened_after_the_cutoff_is_not_seen(folder):
    study = open_study(folder, as_of="2026-06-10")
    assert study.period.label == "2026-05"
    assert study.measures["start"].max() == dt.date(2026, 5, 1)
    rows = study.rows("days")
    # Cases of the last days of May were still open on 10 June? No: five days are over. Of June they would be.
    assert rows["observed"].all()
    june = open_study(folder, as_of="2026-06-10", period="2026-06").rows("days")
    assert (~june["observed"]).any()
    assert june["opened_at"].max() < pd.Timestamp("2026-06-11")


def test_measures_are_kept_and_told_apart_by_declaration(folder, tmp_path):
    first = prepare(folder)
    kept = list((tmp_path / "snapshots" / "measures").glob("*.parquet"))
    pd.testing.assert_frame_equal(prepare(folder).measures, first.measures)
    assert list((tmp_path / "snapshots" / "measures").glob("*.parquet")) == kept
    path = folder / "kpis.yaml"
    path.write_text(path.read_text().replace("contacts = 1", "contacts = 2"))
    changed = prepare(folder).measures
    assert len(list((tmp_path / "snapshots" / "measures").glob("*.parquet"))) == 2
    assert not np.allclose(changed["value"], first.measures["value"], equal_nan=True)


@pytest.mark.parametrize(("period", "before"), [("2026-W40", "2026-W39"), ("2026-Q3", "2026-Q2")])
def test_weeks_and_quarters(folder, period, before):
    study = open_study(folder, period=period)
    assert study.series("fcr")["period"].tolist()[-2:] == [before, period]


def test_rows_carry_what_each_contributes(folder):
    rows = open_study(folder).rows("fcr", periods=3)
    assert rows["period"].unique().tolist() == ["2026-07", "2026-08", "2026-09"]
    assert set(rows["department"]) == {"D01"}
    assert rows["num"].isin([0.0, 1.0]).all()
    assert rows["num"].groupby(rows["period"]).mean()["2026-09"] == open_study(folder).series("fcr")["value"].iloc[-1]


def test_the_snapshot_before_is_the_one_that_had_been_read(folder):
    """A look back that is taken later is nobody's last report: a report made again must tell of the same predecessor."""
    first = prepare(folder, as_of="2026-09-05")
    assert first.earlier is None
    now = prepare(folder)
    assert now.earlier is not None
    assert now.earlier.snapshot.digest == first.snapshot.digest
    prepare(folder, as_of="2026-10-05")  # nearer, but taken later
    again = prepare(folder, snapshot=now.snapshot.path)
    assert again.earlier is not None
    assert again.earlier.snapshot.digest == first.snapshot.digest


def test_unknown_names_are_answered_with_the_nearest(folder):
    import svclib

    study = open_study(folder)
    report = svclib.analyse_kpis(study)
    for ask in (report.chart, report.funnel):
        with pytest.raises(InputRefused, match=r"KPI fcrr: has no figures in this report\. Cure: write 'fcr'"):
            ask("fcrr")
    with pytest.raises(InputRefused, match=r"action A9: has no chart in this report\. Cure: none is declared"):
        svclib.evaluate_plan(study).chart("A9")


def test_a_misspelt_name_of_the_package_is_told_the_nearest():
    with pytest.raises(AttributeError, match="svclib has no 'open_stdy': write 'open_study'"):
        _ = svclib.open_stdy


def test_in_a_running_month_nothing_yet_is_no_fault(tmp_path):
    """What no case of the month can tell yet is too early to tell; the limits of the months before stay on the chart."""
    params = svclib.write_sample(tmp_path, months=24, seed=3)
    study = open_study(params, department="D01", period="2026-11")
    report = svclib.analyse_kpis(study)
    findings = {f.kpi.code: f for f in report.analysis.findings}
    empty = {code: f for code, f in findings.items() if math.isnan(f.row["value"])}
    assert {"complaints", "resolved_within_sla"} <= empty.keys()
    assert {f.verdict.state for f in empty.values()} == {"provisional"}
    said = str(report.explain("complaints"))
    assert "has no value yet for November 2026; it counts for good from" in said
    assert "centre line" in report.chart("complaints").alt


@pytest.mark.parametrize(
    ("frequency", "until"),
    [("none", dt.date(2026, 10, 1)), ("month", dt.date(2026, 10, 31)), ("quarter", dt.date(2026, 12, 31))],
)
def test_a_row_that_holds_the_figure_of_a_period_covers_it(frequency, until):
    assert _until(SimpleNamespace(last=dt.date(2026, 10, 1), frequency=frequency)) == until


def test_a_period_shows_the_plan_as_it_was_known_then(folder):
    """A page made later does not know of an action announced since, nor of what was begun or done since."""
    columns = ["id", "department", "kpi", "gap", "objective", "status", "announced", "start", "due"]
    rows = [
        ["A1", "D01", "fcr", "Low", "More", "done", "2026-02-10", "2026-03-01", "2026-05-31"],
        ["A2", "D01", "fcr", "Low", "Again", "in progress", "2026-06-10", "2026-07-01", "2026-09-30"],
    ]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "action_plan.csv", index=False)
    seen = {
        period: {action.id: action.status for action in open_study(folder, period=period).actions}
        for period in ("2026-02", "2026-04", "2026-06", "2026-07")
    }
    assert seen["2026-02"] == {"A1": "planned"}
    assert seen["2026-04"] == {"A1": "done"}  # no step tells since when
    assert seen["2026-06"] == {"A1": "done", "A2": "planned"}
    assert seen["2026-07"] == {"A1": "done", "A2": "in progress"}
    evaluated = svclib.evaluate_plan(open_study(folder, period="2026-04")).to_json()["actions"]
    assert [(action["id"], action["status"]) for action in evaluated] == [("A1", "done")]
