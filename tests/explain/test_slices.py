"""What is counted and what is split, by kind of KPI: in the KPI's own unit, and worse is worse."""

import numpy as np
import pandas as pd
import pytest

from svclib.catalogue.models import Kpi
from svclib.explain.decompose import decompose_level
from svclib.explain.localise import localise
from svclib.explain.segments import list_segments
from svclib.explain.slices import leaf_cases, slice_cases, tabulate

PERIODS = ["2026-01", "2026-02", "2026-03"]
CURRENT = "2026-04"


def times(slow, *, cut=None, seed=1):
    """500 cases a month in two channels; this month those by phone take `slow` times as long. Days; open after `cut`."""
    rng = np.random.default_rng(seed)
    frames = []
    for period in [*PERIODS, CURRENT]:
        channel = rng.choice(["phone", "web"], 500)
        days = rng.exponential(4.0, 500) * np.where((channel == "phone") & (period == CURRENT), slow, 1.0)
        seen = days <= (cut or np.inf)
        duration = np.minimum(days, cut or np.inf)
        frames.append(pd.DataFrame({"period": period, "channel": channel, "duration": duration, "observed": seen}))
    return pd.concat(frames, ignore_index=True)


def a_share_within(unit="%", **more):
    return Kpi(code="k", title="K", source="s", kind="time_to_event", event="resolved_at", statistic="within",
               within="5d", unit=unit, direction="increase", **more)  # fmt: skip


# The measures give durations in the KPI's unit, and in days where the values are shares.
@pytest.mark.parametrize("unit", ["%", "d", ""])
def test_a_share_within_a_time_is_split_as_a_share_and_a_fall_is_found(unit):
    rows = times(3.0)
    piece = slice_cases(rows, a_share_within(unit), ["channel"], PERIODS)
    frame = piece.rows
    before, after = frame[frame["period"] != CURRENT], frame[frame["period"] == CURRENT]
    split = decompose_level(before, after, "channel")
    ended = (rows["duration"] <= 5).groupby(rows["period"] == CURRENT).mean()
    assert split.delta == pytest.approx(ended[True] - ended[False], abs=1e-12)
    assert split.rate + split.mix == pytest.approx(split.delta, abs=1e-12)
    assert piece.level == "kpi"
    table = tabulate(piece, PERIODS, CURRENT)
    found = localise(table, piece.family, bad=piece.bad, cases=leaf_cases(piece, table, CURRENT))
    assert [segment.where for segment in found.segments] == [(("channel", "phone"),)]


def test_a_share_within_a_time_that_rose_is_nobodys_cause():
    rows = times(0.3)
    piece = slice_cases(rows, a_share_within(), ["channel"], PERIODS)
    table = tabulate(piece, PERIODS, CURRENT)
    assert not localise(table, piece.family, bad=piece.bad, cases=leaf_cases(piece, table, CURRENT)).segments


def test_open_cases_count_with_the_chance_that_they_still_make_it():
    """Cut at two days: the mean is the Kaplan-Meier share, which cannot be known beyond the cut."""
    rows = times(1.0, cut=6.0)
    piece = slice_cases(rows, a_share_within(), ["channel"], PERIODS)
    known = (rows["duration"] <= 5) & rows["observed"]
    assert piece.rows["num"].mean() == pytest.approx(known.mean(), abs=1e-12)
    early = rows.assign(observed=rows["observed"] & (rows["duration"] <= 3), duration=rows["duration"].clip(upper=3))
    cut = slice_cases(early, a_share_within(), ["channel"], PERIODS).rows
    assert cut["num"].mean() == pytest.approx(((rows["duration"] <= 3) & rows["observed"]).mean(), abs=1e-12)


def test_a_median_is_split_by_its_mean_and_a_quantile_by_the_cases_beyond_it():
    median = a_share_within().model_copy(update={"statistic": "median", "direction": "decrease"})
    assert slice_cases(times(1.0), median, ["channel"], PERIODS).level == "mean_time"
    quantile = Kpi(code="q", title="Q", source="s", kind="quantile", value="v", quantile=0.9, direction="decrease")
    rows = times(1.0).rename(columns={"duration": "value"}).assign(den=1.0)
    piece = slice_cases(rows, quantile, ["channel"], PERIODS)
    assert (piece.level, piece.measure) == ("share_beyond", "share")


def test_where_hardly_a_case_lies_outside_a_part_it_is_no_part():
    rows = times(1.0)
    rows.loc[rows.index[rows["period"] == CURRENT][:497], "channel"] = "phone"
    rows.loc[rows.index[rows["period"] == CURRENT][497:], "channel"] = "web"
    piece = slice_cases(rows, a_share_within(), ["channel"], PERIODS)
    table = tabulate(piece, PERIODS, CURRENT)
    found = list_segments(table, minimum=20, cases=leaf_cases(piece, table, CURRENT))
    assert found.where == ((),)
