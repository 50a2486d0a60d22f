"""What a run says where the data are older than the calendar."""

import datetime as dt
import json
from types import SimpleNamespace

import pytest
from toys import Organisation

from svclib.measure.periods import Period
from svclib.prepared import prepare
from svclib.run.fresh import calendar_notes


def notes(label, *, covered, today="2026-11-05", asked=False, as_of=None, final_to=None, tmp_path="nowhere"):
    from pathlib import Path

    days = {name: dt.date.fromisoformat(day) + dt.timedelta(days=1) for name, day in covered.items()}
    catalogue = SimpleNamespace(
        folder=Path(tmp_path) / "params",
        organisation=SimpleNamespace(today=lambda: dt.date.fromisoformat(today)),
        sources=[SimpleNamespace(name=name, final_to=final_to if name == "a" else None) for name in covered],
    )
    prepared = SimpleNamespace(catalogue=catalogue, covered_until=lambda: days)
    return calendar_notes(prepared, Period.parse(label), asked=asked, as_of=as_of)


def test_data_as_new_as_the_calendar_need_no_word():
    assert notes("2026-10", covered={"a": "2026-11-04", "b": "2026-10-31"}) == []
    assert notes("2026-08", covered={"a": "2026-11-04"}, asked=True) == []
    assert notes("2026-08", covered={"a": "2026-08-31"}, as_of="2026-09-05") == []
    assert notes("2026-W44", covered={"a": "2026-11-04"}) == []


def test_an_export_that_stopped_is_told():
    (said,) = notes("2026-08", covered={"a": "2026-08-31", "b": "2026-08-30"})
    assert said == (
        "the data end on 2026-08-31 before 2026-10 ended, so these are the reports of 2026-08. "
        "Cure: see whether the export has stopped"
    )
    (said,) = notes("2026-08", covered={"a": "2026-08-31"}, final_to=dt.date(2026, 8, 31))
    assert said.endswith("has stopped, or 'final_to' in sources.yaml is out of date")
    assert notes("2026-10", covered={"a": "2026-08-31", "b": "2026-11-02"}, final_to=dt.date(2026, 8, 31)) == []
    (said,) = notes("2026-10", covered={"a": "2026-08-31", "b": "2026-11-02"})
    assert said.startswith("the source 'a' (2026-08-31) ends before 2026-10 ended. Cure: ")
    (said,) = notes("2026-10", covered={"a": "2026-10-12"}, asked=True)
    assert said.startswith("the data end on 2026-10-12 before 2026-10 ended. Cure: ")


def test_a_month_that_ends_on_a_weekend_can_be_called_complete():
    (said,) = notes("2026-09", covered={"a": "2026-10-30"}, today="2026-11-01")
    assert said.endswith("if it is complete, say so with --as-of 2026-10-31")
    (said,) = notes("2026-09", covered={"a": "2026-10-30"})
    assert "these are the reports of 2026-09" in said
    assert "--as-of" not in notes("2026-09", covered={"a": "2026-10-28"}, as_of="2026-10-31")[0]


def test_a_period_that_still_runs_carries_no_final_figure():
    (said,) = notes("2026-11", covered={"a": "2026-11-04"}, asked=True)
    assert said == "2026-11 is still running until 2026-11-30; its reports carry no final figure"


def test_a_latest_period_without_any_figure_is_told():
    (said,) = notes("2026-09", covered={"a": "2026-11-04"})
    assert said == "there is no figure of 2026-10 yet, so these are the reports of 2026-09"


def test_made_data_are_as_old_as_they_were_made(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".sample").touch()
    assert notes("2026-08", covered={"a": "2026-08-31"}, tmp_path=tmp_path) == []
    assert "still running" in notes("2026-11", covered={"a": "2026-11-04"}, tmp_path=tmp_path, asked=True)[0]


@pytest.mark.parametrize("log", ["text", "json"])
def test_the_run_says_it_and_is_as_good_as_ever(tmp_path, monkeypatch, capsys, log):
    monkeypatch.setattr("svclib.run.plan.digest_source", lambda: "this source")
    toys = Organisation(tmp_path)
    toys.write("first")
    found = toys.prepare()
    found.catalogue.organisation.today = lambda: dt.date(2027, 3, 1)
    found.catalogue.sources[0].final_to = None
    result = toys.run(prepare=lambda *_, **__: found, plan_only=True, log=log)
    assert result.exit_status == 0
    said = capsys.readouterr().err
    text = json.loads(said.splitlines()[0])["message"] if log == "json" else said.splitlines()[0]
    assert text.startswith("note: the data end on 2026-10-31 before 2027-02 ended, so these are the reports of 2026-10")


def test_what_each_source_covers(write_params, tmp_path):
    (tmp_path / "data").mkdir()
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(100)]
    rows = [f"T{n},D01,{day},,1,web" for n, day in enumerate(days)]
    (tmp_path / "data" / "tickets.csv").write_text("number,team,opened,closed,contacts,channel\n" + "\n".join(rows))
    prepared = prepare(write_params(), as_of="2026-10-31")
    assert prepared.covered_until() == {"tickets": dt.date(2026, 4, 11)}
