"""How often do the control charts cry wolf, and what do they find? Simulated series with known truth.

Run ``python -m benchmarks.control_charts`` (about five minutes) or with ``--quick`` (about twenty seconds).
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.measure.change.level import chart_kpi
from svclib.measure.periods import Period
from svclib.measure.spc.baseline import next_point_p, prediction_factor
from svclib.measure.spc.charts import XMR
from svclib.measure.spc.control import ControlChart


@dataclass(frozen=True)
class Rate:
    """A simulated share with its Monte Carlo error."""

    name: str
    hits: int
    trials: int
    asked: str = ""

    @property
    def share(self) -> float:
        return self.hits / self.trials

    @property
    def error(self) -> float:
        return float(np.sqrt(max(self.share * (1 - self.share), 1 / self.trials) / self.trials))

    def __str__(self) -> str:
        return f"{self.name:<72} {self.share:8.3%}  +- {self.error:.3%}  n={self.trials:<7} {self.asked}"


def a_kpi(kind: str, rules: str, **more: object) -> Kpi:
    """A KPI as the simulation needs it."""
    parts = {"mean": {"value": "v"}, "proportion": {"numerator": "a"}, "count": {}}[kind]
    return Kpi(code="k", title="K", source="s", kind=kind, direction="increase", rules=rules, **{**parts, **more})


def a_series(
    values: np.ndarray, numerator: np.ndarray | None = None, denominator: np.ndarray | None = None
) -> pd.DataFrame:
    """Rows of a measures table, monthly from January 2022."""
    periods = [Period.containing(dt.date(2022, 1, 1), "month")]
    while len(periods) < len(values):
        periods.append(periods[-1].next())
    blank = np.full(len(values), np.nan)
    return pd.DataFrame(
        {
            "department": "D",
            "period": [p.label for p in periods],
            "start": [p.start for p in periods],
            "end": [p.end for p in periods],
            "value": values,
            "numerator": blank if numerator is None else numerator,
            "denominator": blank if denominator is None else denominator,
            "n": blank if denominator is None else denominator,
            "mature": True,
            "status": "ok",
        }
    )


def flagged(chart: ControlChart) -> np.ndarray:
    """Which points signal."""
    return np.array([bool(codes) for codes in chart.points["signals"]])


def many(make: Callable[[np.random.Generator], pd.DataFrame], kpi: Kpi, runs: int, seed: int) -> Iterator[ControlChart]:
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        yield chart_kpi(make(rng), kpi, 36)[0]


def white(n: int) -> Callable[[np.random.Generator], pd.DataFrame]:
    return lambda rng: a_series(rng.standard_normal(n))


def dependent(n: int, phi: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        noise = rng.standard_normal(n + 50)
        for i in range(1, noise.size):
            noise[i] += phi * noise[i - 1]
        return a_series(noise[50:])

    return make


def wave(n: int, amplitude: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        turn = 2 * np.pi * (np.arange(n) / 12 + rng.random())
        return a_series(rng.standard_normal(n) + amplitude * np.sin(turn))

    return make


def few_cases(n: int, share: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        size = rng.integers(6, 41, n)
        good = rng.binomial(size, share)
        return a_series(good / size, good.astype(float), size.astype(float))

    return make


def step(quiet: int, length: int, size: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    def make(rng: np.random.Generator) -> pd.DataFrame:
        return a_series(rng.standard_normal(quiet + length) + np.repeat([0.0, size], [quiet, length]))

    return make


def judged_false(rules: str, n: int, runs: int, seed: int = 1) -> Rate:
    hits = sum(bool(flagged(chart)[-1]) for chart in many(white(n), a_kpi("mean", rules), runs, seed))
    asked = "asked <= 1 %" if rules == "strict" else "1.6 % for the nhs icon"
    asked = asked if n == 24 else "limits frozen after 24"
    return Rate(f"{rules}: latest point flagged, white noise, {n} periods", hits, runs, asked)


def any_flag(
    name: str, make: Callable, rules: str, runs: int, asked: str = "", seed: int = 2, kind: str = "mean"
) -> Rate:
    hits = sum(bool(flagged(chart).any()) for chart in many(make, a_kpi(kind, rules), runs, seed))
    return Rate(f"{rules}: any flag, {name}", hits, runs, asked)


def per_point(name: str, make: Callable, rules: str, runs: int, asked: str = "", seed: int = 3, **more: object) -> Rate:
    hits = trials = 0
    for chart in many(make, a_kpi("proportion", rules, **more), runs, seed):
        marks = flagged(chart)[chart.points["judged"].to_numpy()]
        hits, trials = hits + int(marks.sum()), trials + marks.size
    return Rate(f"{rules}: flags per point, {name}", hits, trials, asked)


def found_step(rules: str, runs: int, size: float, asked: str = "", seed: int = 4) -> Rate:
    """Is a step in the last six of 24 months flagged in the report of the last of them?"""
    hits = sum(bool(flagged(chart)[-6:].any()) for chart in many(step(18, 6, size), a_kpi("mean", rules), runs, seed))
    what = f"step of {size:g} SD for 6 months found" if size else "6 quiet months flagged"
    return Rate(f"{rules}: {what} (24 months, last report)", hits, runs, asked)


def sliding(n: int, total: float) -> Callable[[np.random.Generator], pd.DataFrame]:
    return lambda rng: a_series(rng.standard_normal(n) - np.linspace(0, total, n))


def found_drift(name: str, make: Callable, runs: int, asked: str = "", seed: int = 7) -> Rate:
    """Is the latest of the months told as one of a slow drift?"""
    hits = sum(chart.drift is not None for chart in many(make, a_kpi("mean", "strict"), runs, seed))
    return Rate(f"strict: drift told, {name}", hits, runs, asked)


def factors(runs: int, seed: int = 5) -> list[tuple[int, float, float]]:
    """Sigma factors of the next point at 0.27 %: simulated and used, for baselines of n points."""
    rng, rows = np.random.default_rng(seed), []
    for n in (8, 10, 12, 13, 18, 24, 36):
        z = np.concatenate([_next_z(rng, n, runs // 4) for _ in range(4)])
        rows.append((n, float(np.quantile(z, 1 - 0.0027)), float(prediction_factor(n))))
    return rows


def _next_z(rng: np.random.Generator, n: int, runs: int) -> np.ndarray:
    y = rng.standard_normal((runs, n + 1))
    sigma = np.abs(np.diff(y[:, :n], axis=1)).mean(axis=1) * XMR / 3
    return np.abs(y[:, n] - y[:, :n].mean(axis=1)) / sigma


def calibration(n: int, runs: int, seed: int = 6) -> Rate:
    p = next_point_p(_next_z(np.random.default_rng(seed), n, runs), n)
    return Rate(f"p-value of the next point below 0.05, {n} points", int((p < 0.05).sum()), runs, "5 %")


def table(quick: bool) -> Iterator[Rate]:
    """Every rate in turn, so that a long run shows how far it is."""
    runs = 400 if quick else 2000
    for rules in ("nhs", "mdc2023", "strict"):
        for n in (24, 36):
            yield judged_false(rules, n, runs)
    for rules, dependence, season in (("nhs", "58 %", "67 %"), ("strict", "asked <= 15 %", "asked <= 10 %")):
        yield any_flag("white noise, 24 months", white(24), rules, runs)
        yield any_flag("autocorrelation .4, 24 months", dependent(24, 0.4), rules, runs, dependence)
        yield any_flag("yearly wave of 1 SD, 36 months", wave(36, 1.0), rules, runs, season)
    yield any_flag("autocorrelation .6, 24 months", dependent(24, 0.6), "strict", runs)
    yield per_point("true 95 %, 6-40 cases", few_cases(24, 0.95), "nhs", runs, "3.2 %")
    yield per_point("true 95 %, 6-40 cases", few_cases(24, 0.95), "strict", runs, "asked <= 0.3 %")
    for rules in ("nhs", "strict"):
        yield found_step(rules, runs, 0.0)
        yield found_step(rules, runs, 2.0, "asked >= 34 %" if rules == "strict" else "")
    for phi in (0.0, 0.4, 0.8):
        yield found_drift(f"autocorrelation {phi:g}, 36 months", dependent(36, phi), runs, "promised <= 0.27 %")
    yield found_drift("24 months that fall by 3 SD", sliding(24, 3.0), runs)
    yield found_drift("30 months that fall by 4 SD", sliding(30, 4.0), runs)
    for n in (12, 24):
        yield calibration(n, 20 * runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for rate in table(quick):
        print(rate, flush=True)
    print("\nsigma factor of the next point at 0.27 %: n, simulated, used")
    for n, simulated, used in factors(40_000 if quick else 400_000):
        print(f"{n:4d} {simulated:6.2f} {used:6.2f}")


if __name__ == "__main__":
    main()
