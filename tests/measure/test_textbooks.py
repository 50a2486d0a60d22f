"""Limits equal to the printed digits of textbooks and published charts."""

import json

import numpy as np
import pandas as pd
import pytest

from svclib.measure.spc.charts import (
    c_limits,
    i_prime_limits,
    p_limits,
    p_prime_limits,
    u_limits,
    u_prime_limits,
    xmr_limits,
)
from svclib.measure.spc.rules import anhoej, beyond, sides


@pytest.fixture(scope="module")
def spc(shared_data):
    return shared_data / "spc"


def _plain(path, *names):
    return pd.read_csv(path, header=None, names=list(names))


def test_montgomery_mortgage_loan_cost(spc):
    """Tables 6.6 and 6.7: limits of the first twenty, two of the next twenty beyond them."""
    table = _plain(spc / "montgomery_measurements.csv", "id", "sample", "at", "value")
    loans = table[table["sample"].between(127, 166)]
    y, first = loans["value"].to_numpy(), np.arange(len(loans)) < 20
    lines = xmr_limits(y, first)
    assert [round(float(line[0]), 2) for line in (lines.centre, lines.lower, lines.upper)] == [300.5, 279.78, 321.22]
    assert loans["sample"][beyond(y, lines) != 0].tolist() == [165, 166]
    ranges = np.abs(np.diff(y[:20]))
    assert (round(ranges.mean(), 2), round(3.267 * ranges.mean(), 2)) == (7.79, 25.45)


def test_montgomery_orange_juice_cans(spc):
    """Table 7.1: thirty samples of fifty cans."""
    cans = _plain(spc / "montgomery_whole_unit_conformance_inspections.csv", "id", "sample", "at", "good")
    bad = (~cans["good"]).groupby(cans["sample"]).sum()
    r, n = bad.to_numpy(dtype=float), np.full(len(bad), 50.0)
    lines = p_limits(r, n, np.full(len(r), True))
    assert [round(float(line[0]), 4) for line in (lines.centre, lines.lower, lines.upper)] == [0.2313, 0.0524, 0.4102]
    assert bad.index[beyond(r / n, lines) != 0].tolist() == [85, 93]
    # np chart; the book goes on from the rounded share.
    assert [50 * float(x[0]) for x in (lines.centre, lines.lower, lines.upper)] == pytest.approx(
        [11.565, 2.620, 20.510], abs=0.005
    )


def test_montgomery_printed_circuit_boards(spc):
    """Table 7.8: nonconformities in 26 samples."""
    boards = _plain(spc / "montgomery_per_unit_non_conformities_inspections.csv", "id", "sample", "at", "count")
    counts = boards["count"].to_numpy(dtype=float)
    lines = c_limits(counts, np.full(26, True))
    # The book goes on from the rounded centre line, so its last digit is one off: 33.22 for 33.211.
    assert [float(x[0]) for x in (lines.centre, lines.lower, lines.upper)] == pytest.approx(
        [19.85, 6.48, 33.22], abs=0.01
    )
    assert boards["sample"][beyond(counts, lines) != 0].tolist() == [106, 120]


@pytest.mark.parametrize(
    ("data", "expected"), [("data_tbl_07.03.csv", "ex_7.1_5"), ("data_tbl_07.04.csv", "tbl_7.4_1")]
)
def test_p_charts_with_phases(spc, data, expected):
    table, wanted = pd.read_csv(spc / data), pd.read_csv(spc / f"expected_{expected}.csv")
    for part, rows in wanted.groupby("part"):
        mine = table.iloc[rows.index]
        r, n = mine["count"].to_numpy(dtype=float), mine["size"].to_numpy(dtype=float)
        lines = p_limits(r, n, rows["baseline"].astype(bool).to_numpy() & rows["include"].astype(bool).to_numpy())
        clipped = lines.clipped((0, 1))
        for column, line in (("cl", clipped.centre), ("lcl", clipped.lower), ("ucl", clipped.upper)):
            np.testing.assert_allclose(line, rows[column], rtol=1e-12, err_msg=f"part {part}")
        included = rows["include"].astype(bool).to_numpy()
        runs = anhoej(sides(r / n, lines.centre)[included])
        got = [runs.useful, runs.longest, runs.longest_max, runs.crossings, runs.crossings_min]
        names = ["n.useful", "longest.run", "longest.run.max", "n.crossings", "n.crossings.min"]
        assert got == rows[names].iloc[0].tolist()


def test_hospital_infections(spc):
    table = pd.read_csv(spc / "data_hospital_infections.csv")
    together = table.groupby("month")[["n", "days"]].sum()
    parts = {"1.0": together} | {i: g.groupby("month")[["n", "days"]].sum() for i, g in table.groupby("infection")}
    wanted = pd.concat(pd.read_csv(spc / f"expected_hai_{k}.csv", dtype={"facet1": str}) for k in (1, 2)).set_index(
        "facet1"
    )
    for name, rows in parts.items():
        r, n = rows["n"].to_numpy(dtype=float), rows["days"].to_numpy(dtype=float)
        lines, row = u_limits(r, n, np.full(len(r), True)), wanted.loc[name]
        assert lines.centre[0] == pytest.approx(row["CL"], rel=1e-12)
        runs = anhoej(sides(r / n, lines.centre))
        assert [runs.longest, runs.crossings] == row[["longest.run", "n.crossings"]].tolist()
        assert [runs.longest_max, runs.crossings_min] == row[["longest.run.max", "n.crossings.min"]].tolist()
        assert bool((beyond(r / n, lines) != 0).any()) == bool(row["sigma.signal"])


def test_nhs_accidents_vary_ten_times_more_than_chance(spc):
    """Laney's correction on attendances within four hours: sigma_z 10.64; 16 of 20 weeks outside plain p limits."""
    table = pd.read_csv(spc / "data_nhs_accidents.csv")
    r, n, every = table["r"].to_numpy(float), table["n"].to_numpy(float), np.full(len(table), True)
    assert round(p_prime_limits(r, n, every).sigma_z, 2) == 10.64
    assert int((beyond(r / n, p_limits(r, n, every)) != 0).sum()) == 16
    assert int((beyond(r / n, p_prime_limits(r, n, every)) != 0).sum()) == 0


def test_anhoej_limits_from_10_to_100_points(spc):
    rows = json.loads((spc / "anhoej_limits_10_100.json").read_text())
    assert len(rows) == 91
    for row in rows:
        found = anhoej(np.resize([1.0, -1.0], row["n"]))
        assert (found.longest_max, found.crossings_min) == (row["longest_run_max"], row["crossings_min"])


def test_prime_charts_fall_back_to_chance_when_spread_is_less_than_chance():
    r, n = np.array([5.0, 5, 5, 5, 5, 5]), np.full(6, 10.0)
    every = np.full(6, True)
    assert p_prime_limits(r, n, every).upper.tolist() == p_limits(r, n, every).upper.tolist()
    assert p_prime_limits(r, n, every, floor=0).upper.tolist() == [0.5] * 6
    assert u_prime_limits(r, n, every).sigma_z == 1


def test_i_prime_equals_xmr_when_sizes_are_equal():
    """sqrt(pi/2) / sqrt(2) = 1 / 1.128: Taylor's chart is the individuals chart of equal groups."""
    y = np.array([3.0, 5, 4, 6, 2, 4, 5, 3])
    every = np.full(8, True)
    mine, usual = i_prime_limits(y, np.full(8, 25.0), every), xmr_limits(y, every)
    np.testing.assert_allclose(mine.upper, usual.upper, rtol=1e-3)
