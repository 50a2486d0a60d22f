"""What `write_sample` writes: the same bytes each time, realistic warts, nothing that readers cannot explain."""

from __future__ import annotations

import json
import re
import zipfile
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from svclib.catalogue.load import load_catalogue
from svclib.measure.periods import Period
from svclib.sample import ensure_sample, write, write_sample
from svclib.sample.comments import TRAPS
from svclib.sample.span import Span
from svclib.sample.write import LAST_MONTH, MONTHS, write_params

ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_data(tmp_path):
    write_sample(tmp_path / "a", months=6, seed=3)
    write_sample(tmp_path / "b", months=6, seed=3)
    write_sample(tmp_path / "c", months=6, seed=4)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    same = {name for name in first if first[name] == other[name]}
    assert same == {name for name in first if name.startswith("params")}


def test_writing_over_a_longer_sample_leaves_nothing_of_it(tmp_path):
    write_sample(tmp_path, months=12, seed=3)
    write_sample(tmp_path, months=6, seed=3)
    write_sample(tmp_path / "fresh", months=6, seed=3)
    fresh = contents(tmp_path / "fresh")
    assert {name: data for name, data in contents(tmp_path).items() if not name.startswith("fresh")} == fresh


def test_workbooks_carry_no_clock(sample):
    for path in (sample.root / "data" / "observations.xlsx", sample.root / "params" / "action_plan.xlsx"):
        with zipfile.ZipFile(path) as book:
            assert {part.date_time for part in book.infolist()} == {(2026, 11, 6, 6, 0, 0)}
            stamps = re.findall(rb"<dcterms:\w+[^>]*>([^<]+)<", book.read("docProps/core.xml"))
        assert set(stamps) == {b"2026-11-06T06:00:00Z"}


def test_the_committed_params_are_those_that_the_generator_writes(tmp_path):
    write_params(tmp_path, Span(MONTHS, Period.parse(LAST_MONTH)))
    assert contents(tmp_path) == contents(ROOT / "params")


def test_about_150_000_cases_in_eight_departments_over_36_months(sample):
    cases = sample.tickets
    assert 145_000 < len(cases) < 156_000
    assert len(cases) == sample.truth["data"]["tickets"]["cases"]
    assert cases["department"].nunique() == 8
    assert cases["month"].nunique() == 37
    assert [cases[name].nunique() for name in ("channel", "priority", "customer_type")] == [4, 4, 3]
    assert set(cases.groupby("department")["category"].nunique()) == {6}
    assert cases["month"].max() == "2026-11"
    assert cases["opened_at"].max() < pd.Timestamp("2026-11-06")


def test_the_export_has_the_warts_that_truth_tells_of(sample):
    told = sample.truth["data"]["tickets"]
    export = sample.export
    bad = (export["number"] == "") | export["number"].str.startswith("INC9")
    assert bad.sum() == told["bad_rows"]
    assert 0.0008 < bad.mean() < 0.0012
    repeated = export[~bad].duplicated()
    assert repeated.sum() == told["repeated_rows"] > 50
    again = export[~bad & ~export.duplicated()].duplicated("number", keep=False)
    assert again.sum() == 2 * told["earlier_states"] > 500
    assert (
        len(export) == told["rows"] == told["cases"] + told["bad_rows"] + told["repeated_rows"] + told["earlier_states"]
    )


def test_bad_rows_are_of_five_kinds(sample):
    export = sample.export
    bad = export[(export["number"] == "") | export["number"].str.startswith("INC9")]
    opened = pd.to_datetime(bad["opened_at"], format="%d/%m/%Y %H:%M:%S", errors="coerce")
    resolved = pd.to_datetime(bad["resolved_at"].where(bad["resolved_at"] != ""), format="%d/%m/%Y %H:%M:%S")
    kinds = {
        "no number": bad["number"] == "",
        "no such day": opened.isna(),
        "unknown department": ~bad["assignment_group"].isin(sample.departments),
        "opened in the future": opened > pd.Timestamp("2030-01-01"),
        "resolved before it was opened": resolved < opened,
    }
    assert all(kind.sum() >= 10 for kind in kinds.values())
    assert (pd.DataFrame(kinds).any(axis=1)).all()


def test_stamps_are_in_order_seen_before_the_cut_and_exist_once(sample):
    cases = sample.tickets
    cut = pd.Timestamp(sample.truth["as_of"]) + pd.Timedelta(days=1)
    order = ["opened_at", "first_response_at", "resolved_at", "reopened_at"]
    for first, second in pairwise(order):
        both = cases[[first, second]].dropna()
        assert (both[first] <= both[second]).all()
    assert (cases[order].max() < cut).all()
    assert cases["reopened"].equals(cases["reopened_at"].notna())
    for name in order:  # neither NonExistentTimeError nor AmbiguousTimeError
        cases[name].dropna().dt.tz_localize("Europe/London", ambiguous="raise", nonexistent="raise")
    assert 250 < cases["resolved_at"].isna().sum() < 2000


def test_invitations_without_answer_are_there_and_answers_are_in_range(sample):
    surveys = sample.surveys
    answered = surveys["responded_at"].notna()
    assert 0.25 < answered.mean() < 0.35
    assert surveys["score"].notna().equals(answered)
    assert surveys.loc[answered, "score"].between(1, 5).all()
    assert surveys.loc[answered, "nps"].between(0, 10).all()
    assert (surveys.loc[answered, "invited_at"] <= surveys.loc[answered, "responded_at"]).all()
    assert surveys["ticket"].isin(sample.tickets["number"]).all()


def test_comments_vary_speak_of_themes_and_carry_traps(sample):
    comments = sample.surveys["comment"]
    comments = comments[comments != ""]
    assert comments.nunique() > 0.5 * len(comments) > 3000
    lower = comments.str.lower()
    spoken = pd.Series(False, index=comments.index)
    for theme in sample.catalogue.themes:
        hit = lower.str.contains("|".join(r"\b" + re.escape(word.lower()) for word in theme.words))
        assert 0.03 < hit.mean() < 0.5, theme.code
        spoken |= hit
    assert 0.85 < spoken.mean() < 1
    assert set(TRAPS) <= set(comments)
    assert comments.str.startswith("=cmd|").sum() == 1
    assert comments.str.contains("<script>", regex=False).sum() == 1
    assert comments.str.contains(r"[\w.]+@example\.(?:org|com)").sum() > 20
    assert comments.str.contains(r"\+44 20 7946 0\d{3}").sum() > 10


def test_outages_overlap_and_maintenance_is_marked(sample):
    outages = sample.outages
    assert (outages["severity"] == "maintenance").sum() == sample.truth["data"]["outages"]["maintenance"] > 250
    real = outages[outages["severity"] != "maintenance"].sort_values("started_at")
    overlaps = sum(
        (one["started_at"].iloc[1:].reset_index(drop=True) < one["ended_at"].iloc[:-1].reset_index(drop=True)).sum()
        for _, one in real.groupby("department")
    )
    assert overlaps > 30
    assert (outages["started_at"] < outages["ended_at"]).all()


@pytest.mark.parametrize("months", [6, 12, 60])
def test_other_lengths_keep_to_what_their_months_can_tell(tmp_path, months):
    folder = write_sample(tmp_path, months=months)
    catalogue = load_catalogue(folder)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    first = (pd.Period("2026-10", "M") - months + 1).strftime("%Y-%m")
    assert truth["first"] == first
    assert all(fact["from"] >= first for fact in truth["facts"])
    assert catalogue.source("tickets").final_from == pd.Timestamp(first).date()
    verdicts = {plan["id"]: plan["verdict"] for plan in truth["plans"]}
    assert (verdicts["A-2025-04"] == "met_attributable") == (months == 60)
    assert verdicts["A-2026-02"] == "too_early"


def test_another_last_month_moves_everything_along(tmp_path):
    folder = write_sample(tmp_path, months=6, end="2025-02")
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert (truth["first"], truth["last"], truth["as_of"]) == ("2024-09", "2025-02", "2025-03-05")
    assert load_catalogue(folder).actions[-1].start.isoformat() == "2025-02-05"


def test_too_few_months_are_refused(tmp_path):
    with pytest.raises(ValueError, match="6 months or more"):
        write_sample(tmp_path, months=5)


def test_data_are_made_once_beside_the_samples_params_and_never_for_others(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "MONTHS", 6)  # quicker; else the same
    folder = tmp_path / "params"
    write_params(folder, Span(MONTHS, Period.parse(LAST_MONTH)))
    organisation = folder / "organisation.yaml"
    text = organisation.read_text(encoding="utf-8")
    organisation.write_text(text.replace("Harbour Services (sample)", "Ours"), encoding="utf-8")
    assert not ensure_sample(folder)
    assert not (tmp_path / "data").exists()

    organisation.write_text(text, encoding="utf-8")
    assert ensure_sample(folder)
    assert not ensure_sample(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "params"]
    assert json.loads((tmp_path / "data" / "truth.json").read_text(encoding="utf-8"))["last"] == LAST_MONTH

    (tmp_path / "data" / ".sample").write_text("made by an older version", encoding="utf-8")
    (tmp_path / "data" / "staffing.csv").unlink()
    assert ensure_sample(folder)
    assert (tmp_path / "data" / "staffing.csv").exists()


def test_data_of_somebody_else_are_left_alone(tmp_path):
    write_params(tmp_path / "params", Span(MONTHS, Period.parse(LAST_MONTH)))
    (tmp_path / "data").mkdir()
    assert not ensure_sample(tmp_path / "params")
    assert list((tmp_path / "data").iterdir()) == []
