"""Mix and rate add up exactly, whatever the segments do."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svclib.explain.decompose import decompose_count, decompose_level, mix_change_p
from svclib.explain.pareto import pareto_of_excess

_cells = st.lists(
    st.tuples(st.integers(0, 500), st.floats(0, 1), st.integers(0, 500), st.floats(0, 1)), min_size=1, max_size=8
)


def _tables(cells):
    frame = pd.DataFrame(cells, columns=["n0", "r0", "n1", "r1"]).assign(team=lambda t: t.index.astype(str))
    sides = []
    for i in "01":
        side = frame.assign(den=frame[f"n{i}"].astype(float), num=frame[f"n{i}"] * frame[f"r{i}"])
        sides.append(side[side["den"] > 0][["team", "num", "den"]])
    return sides


@given(_cells)
@settings(max_examples=30, deadline=None)
def test_parts_add_up_exactly(cells):
    before, after = _tables(cells)
    if before.empty or after.empty:
        with pytest.raises(ValueError, match="needs cases"):
            decompose_level(before, after, "team")
        return
    level = decompose_level(before, after, "team")
    assert level.rate + level.mix == pytest.approx(level.delta, abs=1e-9)
    assert level.segments["total"].sum() == pytest.approx(level.delta, abs=1e-9)
    assert level.rate_before + level.mix_before + level.interaction == pytest.approx(level.delta, abs=1e-9)
    count = decompose_count(before, after, "team")
    assert count.rate + count.mix + count.volume == pytest.approx(count.delta, abs=1e-9 * max(1, abs(count.after)))
    assert count.segments["total"].sum() == pytest.approx(count.delta, abs=1e-6)


def test_published_simpson_example(shared_data):
    table = pd.read_csv(shared_data / "root_cause" / "simpson_two_segments.csv")
    expected = json.loads((shared_data / "root_cause" / "expected.json").read_text("utf-8"))
    before = table.rename(columns={"n0": "den", "bad0": "num"})
    after = table.rename(columns={"n1": "den", "bad1": "num"})
    split = decompose_level(before[["segment", "num", "den"]], after[["segment", "num", "den"]], "segment")
    assert split.delta == pytest.approx(expected["delta"], abs=1e-9)
    assert split.rate == pytest.approx(expected["kitagawa_rate"], abs=1e-9)
    assert split.mix == pytest.approx(expected["kitagawa_mix"], abs=1e-9)
    three = {"rate": split.rate_before, "mix": split.mix_before, "interaction": split.interaction}
    assert three == pytest.approx(expected["threefold"], abs=1e-9)
    by_value = split.segments.set_index("value")
    assert by_value["rate"].to_dict() == pytest.approx(expected["rate_per_segment"], abs=1e-9)
    assert by_value["mix"].to_dict() == pytest.approx(expected["mix_centred_per_segment"], abs=1e-9)
    assert split.simpson


def test_missing_value_is_a_value_of_its_own():
    before = pd.DataFrame({"team": ["a", None], "num": [1.0, 2.0], "den": [10.0, 10.0]})
    after = pd.DataFrame({"team": ["a", None], "num": [1.0, 8.0], "den": [10.0, 10.0]})
    split = decompose_level(before, after, "team")
    assert split.segments["value"].tolist() == ["", "a"]
    assert split.segments["rate"].iloc[0] == pytest.approx(0.3)


def test_segment_that_is_new_counts_as_mix():
    before = pd.DataFrame({"team": ["a"], "num": [10.0], "den": [100.0]})
    after = pd.DataFrame({"team": ["a", "b"], "num": [10.0, 50.0], "den": [100.0, 100.0]})
    split = decompose_level(before, after, "team")
    assert split.rate == pytest.approx(0)
    assert split.mix == pytest.approx(split.delta)
    assert not split.simpson


def test_pareto_runs_over_the_excess_only():
    before = pd.DataFrame({"team": list("abc"), "num": [10.0, 10, 10], "den": [100.0] * 3})
    after = pd.DataFrame({"team": list("abc"), "num": [30.0, 15, 5], "den": [100.0] * 3})
    table = pareto_of_excess(decompose_level(before, after, "team"), 1, 300)
    assert table["value"].tolist() == ["a", "b", "c"]
    assert table["cumulative"].tolist()[:2] == pytest.approx([0.8, 1.0])
    assert np.isnan(table["cumulative"].iloc[2])
    # What is cumulated is what stands beside it: one denominator, and none for what got better.
    assert table["share"].cumsum().tolist()[:2] == pytest.approx(table["cumulative"].tolist()[:2])
    assert np.isnan(table["share"].iloc[2])


def test_parts_that_stand_still_are_no_paradox():
    rows = pd.DataFrame({"asked": ["yes"] * 4 + ["no"] * 6, "num": [1.0] * 4 + [0.0] * 6, "den": 1.0})
    split = decompose_level(rows, pd.concat([rows, rows[:3]]), "asked")
    assert split.delta > 0
    assert not split.simpson


@pytest.mark.parametrize("swing", [0.0, 0.15])
def test_a_mix_that_only_swings_as_usual_is_no_change(swing):
    """1,000 departments whose shares stay, or swing about 15 % from month to month.

    5 % is asked and 7.1 % is three errors from it; that the scatter is drawn towards chance may add another two.
    """
    rng, hits = np.random.default_rng(3), 0
    periods = [f"{i:02d}" for i in range(13)]
    for _ in range(1000):
        share = np.array([0.5, 0.3, 0.2]) * np.exp(swing * rng.standard_normal((13, 3)))
        counts = np.array([rng.multinomial(200, row / row.sum()) for row in share])
        cases = pd.DataFrame({"period": np.repeat(periods, 3), "kind": list("abc") * 13, "den": counts.ravel()})
        hits += mix_change_p(cases, "kind", "12") < 0.05
    assert hits <= 91


def test_a_mix_that_changed_is_seen_whether_rows_are_cases_or_totals():
    rng = np.random.default_rng(4)
    share = np.array([0.1] * 12 + [0.5])
    rows = pd.DataFrame({"period": np.repeat([f"{i:02d}" for i in range(13)], 300), "den": 1.0})
    rows["kind"] = np.where(rng.random(len(rows)) < np.repeat(share, 300), "hard", None)
    totals = rows.fillna({"kind": ""}).groupby(["period", "kind"], as_index=False)["den"].sum()
    assert mix_change_p(rows, "kind", "12") < 1e-6
    assert mix_change_p(totals, "kind", "12") == pytest.approx(mix_change_p(rows, "kind", "12"))
    assert mix_change_p(rows.assign(kind="one"), "kind", "12") == 1.0
    assert mix_change_p(rows[rows["period"] > "10"], "kind", "12") < 0.001
