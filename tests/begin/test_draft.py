"""From a file to `params/` that a run accepts: quality in words, KPIs, the first chart, the files."""

from __future__ import annotations

import datetime as dt

import pytest
import yaml

import svclib
from svclib.catalogue.load import load_catalogue
from svclib.errors import InputRefused
from svclib.prepared import prepare

FIRST = dt.date(2025, 1, 1)


@pytest.fixture
def export(tmp_path):
    """Fourteen months of cases; every tenth names no team, one is closed before it was opened, one stands twice."""
    lines = ["Ticket;Created;Closed;Team;Channel"]
    for i in range(840):
        opened = dt.datetime.combine(FIRST, dt.time(9)) + dt.timedelta(hours=12 * i)
        closed = opened + dt.timedelta(hours=10 + 37 * (i % 5))
        team = "" if i % 10 == 0 else ("North", "South/East", "north ")[i % 3]
        lines.append(f"{i};{opened:%d.%m.%Y %H:%M};{closed:%d.%m.%Y %H:%M};{team};{('Web', 'Phone')[i % 2]}")
    lines += ["9001;05.03.2025 09:00;04.03.2025 09:00;North;Web", lines[2]]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def look(export):
    return svclib.look_into(export)


@pytest.fixture
def draft(look):
    return svclib.draft_source(look, department_missing="none", time_zone="Europe/Rome", organisation="Harbour")


def test_rows_without_a_department_are_told_and_a_run_would_refuse_them(look):
    quality = svclib.draft_source(look).check()
    counts = dict(zip(quality.frame["reason"], quality.frame["rows"], strict=True))
    assert counts == {"department_missing": 84, "order:opened_at>resolved_at": 1, "duplicate": 1}
    assert not quality.runs
    assert quality.bad_share == pytest.approx(85 / 842)
    plain = quality.explain().plain
    assert "756 of 842 rows can be used; 86 are in quarantine (10.2%)" in plain
    assert "max_bad_share=0.11" in plain
    assert 'department_missing="none"' in plain
    assert "department = , case_id = 0, opened_at = " in plain, "an empty value does not tell which row it is"


def test_the_quarantine_says_where_each_row_stands(draft):
    quality = draft.check()
    assert quality.runs
    bad = quality.quarantine.set_index("reasons")
    assert bad.loc["order:opened_at>resolved_at", "row"] == "842"
    assert bad.loc["order:opened_at>resolved_at", "case_id"] == "9001"
    assert len(bad) == 2


def test_departments_are_the_values_of_their_column(draft):
    assert [(d["code"], d["name"]) for d in draft.departments] == [
        ("North", "North"), ("south_east", "South/East"), ("none", "No Team"),
    ]  # fmt: skip


def test_the_first_chart_needs_nothing_but_the_draft(draft):
    made = svclib.draft_kpi(draft)
    shown = made.chart()
    assert "Closed within 5 days" in shown.plain
    assert 'class="svc-chart"' in shown.html
    assert "no target" in shown.plain
    value = made.prepared.measures.query("department == 'North' and period == '2025-06'")["value"].iloc[0]
    assert 0.5 < value < 1


@pytest.mark.parametrize(
    ("given", "title", "maturity"),
    [
        ({"within": "10d"}, "Closed within 10 days", "10d"),
        ({"within": "1d"}, "Closed within one day", "1d"),
        ({"within": "1.5d", "maturity": "4d"}, "Closed within 36 hours", "4d"),
        ({"within": "2w", "title": "In time"}, "In time", "2w"),
    ],
)
def test_title_and_maturity_follow_the_time_that_is_given(draft, given, title, maturity):
    kpi = svclib.draft_kpi(draft, "closed_in_time", **given).kpis[-1]
    assert (kpi["title"], kpi["within"], kpi["maturity"]) == (title, given["within"], maturity)


def test_what_the_title_of_a_proposal_cannot_follow_needs_a_title(draft):
    with pytest.raises(InputRefused, match=r"is not what the title 'Time to close' says.*give title="):
        svclib.draft_kpi(draft, "time_to_close", statistic="within", within="3d")
    made = svclib.draft_kpi(draft, "time_to_close", statistic="mean", title="Mean time to close")
    assert made.kpis[-1]["title"] == "Mean time to close"


def test_a_maturity_shorter_than_the_time_is_refused(draft):
    with pytest.raises(InputRefused, match=r"draft_kpi, maturity: .* shorter than within.*'maturity: 10d' or longer"):
        svclib.draft_kpi(draft, "closed_in_time", within="10d", maturity="5d")


def test_a_target_in_per_cent_is_a_share(draft):
    with pytest.raises(InputRefused, match=r"draft_kpi, targets: .*write 0.8 for 80 %"):
        svclib.draft_kpi(draft, "closed_in_time", target=80)


def test_titles_speak_of_the_columns_that_are_given(tmp_path):
    path = tmp_path / "calls.csv"
    lines = [f"2025-{1 + i // 28:02d}-{1 + i % 28:02d},{100 + i % 7},{90 + i % 5},{10 + i % 3}" for i in range(84)]
    path.write_text("Day,Offered,Answered,Lost\n" + "\n".join(lines) + "\n")
    draft = svclib.draft_source(svclib.look_into(path))
    assert svclib.draft_kpi(draft, "answered_share").kpis[-1]["title"] == "Answered per Offered"
    assert svclib.draft_kpi(draft, "lost_share", denominator="answered").kpis[-1]["title"] == "Lost per Answered"


def test_a_kpi_of_the_same_code_is_replaced(draft):
    made = svclib.draft_kpi(svclib.draft_kpi(draft), within="2d", target=0.6)
    assert len(made.kpis) == 1
    kpi = made.catalogue.kpis[0]
    assert kpi.within == dt.timedelta(days=2)
    assert (kpi.targets[0].value, kpi.targets[0].source, kpi.targets[0].from_) == (0.6, "placeholder", FIRST)
    both = svclib.draft_kpi(made, "time_to_close")
    assert [kpi["code"] for kpi in both.kpis] == ["closed_in_time", "time_to_close"]


def test_every_proposal_can_be_measured(draft):
    for proposal in draft.proposals:
        draft = svclib.draft_kpi(draft, proposal["code"])
    measured = draft.prepared.measures
    assert set(measured.loc[measured["value"].notna(), "kpi"]) == {"closed_in_time", "time_to_close", "cases"}


def test_written_params_are_what_a_run_accepts(draft, tmp_path):
    folder = tmp_path / "mine" / "params"
    made = svclib.draft_kpi(svclib.draft_kpi(draft, target=0.7), "cases")
    told = made.write_params(folder).plain
    assert "svclib run --params" in told
    catalogue = load_catalogue(folder)
    assert catalogue.sources[0].read == "../export.csv"
    assert [kpi.code for kpi in catalogue.kpis] == ["closed_in_time", "cases"]
    again = prepare(folder)
    columns = ["kpi", "department", "period", "value", "n"]
    assert again.measures[columns].equals(made.prepared.measures[columns])
    assert "# " in (folder / "kpis.yaml").read_text()
    with pytest.raises(InputRefused, match="overwrite=True"):
        made.write_params(folder)
    made.write_params(folder, overwrite=True)


def test_nothing_is_written_without_a_folder_or_with_bad_data(look, draft, tmp_path):
    assert "Nothing is written yet" in svclib.draft_kpi(draft).write_params().plain
    bad = svclib.draft_kpi(svclib.draft_source(look))
    with pytest.raises(InputRefused, match=r"max_bad_share=0\.11"):
        bad.write_params(tmp_path / "params")
    with pytest.raises(InputRefused, match="declares no KPI"):
        draft.write_params(tmp_path / "params")
    assert not (tmp_path / "params").exists()


def test_a_code_that_yaml_would_read_as_something_else_survives(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "Opened,Unit\n" + "".join(f"2026-01-{d:02d},{('010', 'No', '3:20')[d % 3]}\n" for d in range(1, 29))
    )
    draft = svclib.draft_kpi(svclib.draft_source(svclib.look_into(path)), "cases")
    draft.write_params(tmp_path / "params")
    assert [d.name for d in load_catalogue(tmp_path / "params").departments] == ["010", "No", "3:20"]
    assert yaml.safe_load((tmp_path / "params" / "departments.yaml").read_text())[0]["code"] == "010"


@pytest.mark.parametrize(
    ("call", "where", "cure"),
    [
        (lambda d: svclib.draft_source(d.look, time_zon="UTC"), "draft_source, time_zon", "time_zone"),
        (lambda d: svclib.draft_source(d.look, time_zone="Europe/Roma"), "draft_source, time_zone", "Europe/Rome"),
        (lambda d: svclib.draft_source(d.look, columns={"opened_at": "Creatd", "case_id": "#row"}), "export.csv", "Created"),
        (lambda d: svclib.draft_source(d.look, columns={"opened_at": "Created"}), "draft_source, columns", "case_id"),
        (lambda d: svclib.draft_source(d.look, columns={"case_id": "#row", "opened_at": "Created", "department": "Ticket"}), "draft_source", "another column"),
        (lambda d: svclib.draft_kpi(d, "closed_in"), "draft_kpi, idea", "closed_in_time"),
        (lambda d: svclib.draft_kpi(d, directon="increase"), "draft_kpi, directon", "direction"),
        (lambda d: svclib.draft_kpi(d, direction="incrase"), "draft_kpi, direction", "increase"),
        (lambda d: svclib.draft_kpi(d, code="w", title="W", kind="proportion", numerator="chanel = 'Web'", direction="neutral"), "draft_kpi, numerator", "channel"),
        (lambda d: svclib.draft_kpi(d).chart("closed"), "KPI closed", "closed_in_time"),
        (lambda d: svclib.draft_kpi(d).chart(department="Nort"), "department Nort", "North"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_where_they_were_made(draft, call, where, cure):
    with pytest.raises(InputRefused) as refused:
        call(draft)
    problem = refused.value.problems[0]
    assert problem.where == where
    assert cure in problem.cure


def test_italian(export):
    from svclib.report.words import use_language

    with use_language("en"):
        look = svclib.look_into(export, language="it")
        draft = svclib.draft_kpi(svclib.draft_source(look, department_missing="none"))
        assert "righe" in look.explain().plain
        assert "quarantena" in draft.check().explain().plain
        assert draft.catalogue.organisation.language == "it"
        assert draft.catalogue.kpis[0].title == "Chiusi entro 5 giorni"


def test_ipython_shows_what_to_do_and_no_traceback(capsys, tmp_path):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()  # it is ended with Python, as IPython has it
    shell.run_cell(f"import svclib; svclib.look_into({str(tmp_path / 'nothing.csv')!r})")
    out = capsys.readouterr().out
    assert "there is no file 'nothing.csv'" in out
    assert "To mend it" in out
    assert "Traceback" not in out
    assert "svclib/begin" not in out
