"""Does the outcome evaluation hold its error rates, and what does it find? Simulated plans with known truth.

Run ``python -m benchmarks.outcome`` (about ten minutes) or with ``--quick`` (under a minute).

Series are in units of their standard deviation without season. A panel is half common, half of the department
itself, both AR(1) with the same autocorrelation, plus a common season of amplitude 1. "Regression to the mean" keeps
the runs in which the three months before the plan were at least 1 SD below the level; "shock" lets every department
improve (or worsen) by 1.5 SD at the plan's date.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from svclib.evaluate.assess import Question, assess, conclude
from svclib.evaluate.effect import Panel, Series, estimate_effect
from svclib.evaluate.window import Window

FloatArray = NDArray[np.float64]
RHOS = (0.0, 0.3, 0.6)
PEERS, BEFORE, AFTER = 8, 24, 6


@dataclass(frozen=True)
class Rate:
    """A simulated share with its Monte Carlo error and the bounds asked for."""

    name: str
    hits: int
    trials: int
    low: float = 0.0
    high: float = 1.0

    @property
    def share(self) -> float:
        return self.hits / self.trials

    @property
    def error(self) -> float:
        return float(np.sqrt(max(self.share * (1 - self.share), 1 / self.trials) / self.trials))

    @property
    def asked(self) -> str:
        bounds = [f">= {self.low:.2f}"] * (self.low > 0) + [f"<= {self.high:.3f}"] * (self.high < 1)
        return " and ".join(bounds)

    @property
    def held(self) -> bool:
        """Whether the bounds are kept, give or take two simulation errors."""
        return self.low - 2 * self.error <= self.share <= self.high + 2 * self.error

    def __str__(self) -> str:
        mark = (
            ""
            if not self.asked
            else "held"
            if self.low <= self.share <= self.high
            else "within error"
            if self.held
            else "MISSED"
        )
        return f"{self.name:<72} {self.share:7.1%} +- {self.error:.1%}  n={self.trials:<5} {self.asked:<20} {mark}"


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], coefficients: tuple[float, ...]) -> FloatArray:
    """Stationary series along the last axis with marginal variance 1 (that of a long run for AR(2))."""
    noise = rng.standard_normal((*shape[:-1], shape[-1] + 200))
    series = lfilter([1.0], [1.0, *(-c for c in coefficients)], noise, axis=-1)[..., 200:]
    long = lfilter([1.0], [1.0, *(-c for c in coefficients)], np.eye(1, 2000)[0])
    return series / np.sqrt((long**2).sum())


def season(rng: np.random.Generator, reps: int, periods: int) -> FloatArray:
    return np.sin(2 * np.pi * np.arange(periods) / 12 + rng.uniform(0, 2 * np.pi, (reps, 1)))


def panels(
    rng: np.random.Generator, reps: int, *, peers: int = PEERS, before: int = BEFORE, after: int = AFTER,
    coefficients: tuple[float, ...] = (0.3,), shock: float = 0.0, loading: float = 0.0, walk: float = 0.0,
) -> FloatArray:  # fmt: skip
    """(reps, 1 + peers, periods) of a plan that does nothing; department 0 is the treated one."""
    shape = (reps, 1 + peers, before + after)
    common = np.sqrt(0.5) * autoregressive(rng, (reps, before + after), coefficients)
    common[:, before:] += shock
    loadings = rng.uniform(1 - loading, 1 + loading, (reps, 1 + peers, 1))
    own = np.sqrt(0.5) * autoregressive(rng, shape, coefficients)
    if walk:
        own = walk * rng.standard_normal(shape).cumsum(axis=2)
    return loadings * (common + season(rng, reps, before + after))[:, None, :] + own


def triggered(make: Callable[[np.random.Generator, int], FloatArray], reps: int, before: int, seed: int) -> FloatArray:
    """Panels whose treated department had a quarter of at least 1 SD below its level before the plan."""
    rng, kept, count = np.random.default_rng(seed), [], 0
    while count < reps:
        drawn = make(rng, 2 * reps)
        quarter = drawn[:, 0, before - 3 : before].mean(axis=1) - drawn[:, 0, : before - 3].mean(axis=1)
        kept.append(drawn[quarter < -1.0])
        count += len(kept[-1])
    return np.concatenate(kept)[:reps]


def window(before: int, after: int, ramp: int = 0) -> Window:
    position = np.arange(before + ramp + after)
    return Window(position < before, (position >= before) & (position < before + ramp), position >= before + ramp)


def panel_of(drawn: FloatArray, kind: str = "mean") -> Panel:
    return Panel(Series(drawn[0]), {f"P{j}": Series(y) for j, y in enumerate(drawn[1:])}, kind)


def rejections(drawn: FloatArray, split: Window, effect: float | FloatArray = 0.0) -> tuple[int, int]:
    """How often the step differs from 0 (5 %), and how often the interval holds the mean effect."""
    found = covered = 0
    for run in drawn:
        treated = run.copy()
        treated[0] += np.where(split.before, 0.0, effect)
        result = estimate_effect(panel_of(treated), split)
        true = float(np.mean(np.broadcast_to(effect, split.after.shape)[split.after]))
        found += result.p < 0.05
        covered += result.lower <= true <= result.upper
    return found, covered


def single_series(reps: int) -> Iterator[Rate]:
    total = 0
    for before in (12, 24, 36):
        for rho in RHOS:
            rng = np.random.default_rng([1, before, int(10 * rho)])
            split = window(before, AFTER)
            drawn = autoregressive(rng, (reps, before + AFTER), (rho,)) + season(rng, reps, before + AFTER)
            found, covered = rejections(drawn[:, None, :], split)
            total += found
            name = f"single series, {before} before, autocorrelation {rho}"
            yield Rate(f"{name}: false positives", found, reps, high=0.07)
            yield Rate(f"{name}: coverage", covered, reps, low=0.93, high=0.98)
    yield Rate("single series: false positives, mean of the nine cells", total, 9 * reps, high=0.055)


def with_peers(reps: int) -> Iterator[Rate]:
    split = window(BEFORE, AFTER)
    found_at_one = 0
    for rho in RHOS:
        one = (rho,)
        rng = np.random.default_rng([2, int(10 * rho)])
        drawn = panels(rng, reps, coefficients=one)
        name = f"8 peers, 24 + 6, autocorrelation {rho}"
        yield Rate(f"{name}: false positives", rejections(drawn, split)[0], reps, high=0.07)
        bad = triggered(lambda g, n, c=one: panels(g, n, coefficients=c), reps, BEFORE, 3)
        yield Rate(f"{name}: false positives, regression to the mean", rejections(bad, split)[0], reps, high=0.07)
        shocked = panels(rng, reps, coefficients=one, shock=-1.5)
        yield Rate(f"{name}: false positives, common shock", rejections(shocked, split)[0], reps, high=0.07)
        found = rejections(drawn, split, 1.0)[0]
        found_at_one += found
        yield Rate(f"{name}: power at 1 SD", found, reps)
        found, covered = rejections(drawn, split, 2.0)
        yield Rate(f"{name}: power at 2 SD", found, reps, low=0.95)
        yield Rate(f"{name}: coverage at 2 SD", covered, reps, low=0.93, high=0.99)
    yield Rate("8 peers, 24 + 6: power at 1 SD, mean of the three", found_at_one, 3 * reps, low=0.55)


def stress(reps: int) -> Iterator[Rate]:
    split = window(BEFORE, AFTER)

    def false_positives(name: str, drawn: FloatArray, asked: float = 0.08) -> Rate:
        return Rate(f"{name}: false positives", rejections(drawn, split)[0], reps, high=asked)

    for peers in (3, 5):
        rng = np.random.default_rng([4, peers])
        drawn = panels(rng, reps, peers=peers)
        yield false_positives(f"{peers} peers", drawn)
        yield Rate(f"{peers} peers: power at 2 SD", rejections(drawn, split, 2.0)[0], reps)
        drawn[:, 1, BEFORE:] += 2.0
        yield false_positives(f"{peers} peers, one contaminated by 2 SD", drawn)
        yield false_positives(f"{peers} peers, AR(2)", panels(rng, reps, peers=peers, coefficients=(0.5, 0.3)))
    rng = np.random.default_rng(5)
    drawn = panels(rng, reps)
    drawn[:, 1, BEFORE:] += 2.0
    yield false_positives("8 peers, one contaminated by 2 SD", drawn)
    yield false_positives("8 peers, AR(2) .5 .3", panels(rng, reps, coefficients=(0.5, 0.3)))
    yield false_positives("8 peers, random walks", panels(rng, reps, walk=0.3))
    yield false_positives("8 peers, unequal loadings .5-1.5", panels(rng, reps, loading=0.5))
    yield false_positives("8 peers, unequal loadings .5-1.5, common shock", panels(rng, reps, loading=0.5, shock=-1.5))
    yield from unlike_departments(reps)
    ramp = np.clip((np.arange(BEFORE + 9) - BEFORE + 1) / 4, 0, 1) * 2.0
    drawn = panels(rng, reps, after=9)
    found, covered = rejections(drawn, window(BEFORE, AFTER, 3), ramp)
    yield Rate("8 peers, effect of 2 SD ramped over 3 declared periods: power", found, reps)
    yield Rate("8 peers, effect of 2 SD ramped over 3 declared periods: coverage", covered, reps)
    found, covered = rejections(drawn[:, :, : BEFORE + AFTER], split, ramp[: BEFORE + AFTER])
    yield Rate("8 peers, the same ramp not declared: power", found, reps)


def unlike_departments(reps: int) -> Iterator[Rate]:
    """False positives where departments are not of one kind: the comparison takes them as if they were."""
    rng, split, shape = np.random.default_rng(10), window(BEFORE, AFTER), (reps, 1 + PEERS, BEFORE + AFTER)
    drawn, times = panels(rng, reps), np.arange(BEFORE + AFTER) / 12
    own = np.sqrt(0.5) * autoregressive(rng, shape, (0.3,))
    each = (reps, 1 + PEERS, 1)
    added = {
        "variance of its own, up to four times another's": rng.uniform(0, 1.7, each) * own,
        "heavy tails (t with 3 degrees of freedom)": rng.standard_t(3, shape) / np.sqrt(3),
        "a season of its own, amplitude 1": np.sin(2 * np.pi * (times + rng.uniform(0, 1, each))),
        "a trend of its own, sd 0.5 a year": 0.5 * rng.standard_normal(each) * times,
    }
    for name, more in added.items():
        yield Rate(f"8 peers, {name}: false positives", rejections(drawn + more, split)[0], reps)


def binomial_panel(rng: np.random.Generator, cases: int, share: float, step: float, peers: int) -> Panel:
    """Proportions of 70-130 % of so many cases a month; half of the drift is common, all of it sd .3 in log odds."""
    periods = BEFORE + AFTER
    drift = 0.3 * np.sqrt(0.5) * autoregressive(rng, (2 + peers, periods), (0.4,))
    predictor = np.log(share / (1 - share)) + drift[1:] + drift[0]
    predictor[0, BEFORE:] += step
    n = rng.integers(round(0.7 * cases), round(1.3 * cases) + 1, predictor.shape).astype(float)
    y = rng.binomial(n.astype(int), expit(predictor)).astype(float)
    series = [Series(k / m, k, m) for k, m in zip(y, n, strict=True)]
    return Panel(series[0], {f"P{j}": s for j, s in enumerate(series[1:])}, "proportion")


def small_numbers(reps: int) -> Iterator[Rate]:
    split = window(BEFORE, AFTER)
    for peers in (0, PEERS):
        for cases in (20, 60):
            for share in (0.5, 0.9):
                rng = np.random.default_rng([6, peers, cases, int(10 * share)])
                null = [estimate_effect(binomial_panel(rng, cases, share, 0.0, peers), split) for _ in range(reps)]
                found = sum(effect.p < 0.05 for effect in null)
                name = f"{cases} cases a month, share {share}, {peers or 'no'} peers"
                yield Rate(f"{name}: false positives", found, reps, high=0.08)


def said(drawn: FloatArray, split: Window, effect: float, target: float) -> int:
    """How often the verdict is "Met & attributable"."""
    count = 0
    for run in drawn:
        treated = run.copy()
        treated[0, split.after] += effect
        question = Question("increase", "level", target)
        [(verdict, _)] = conclude([assess(panel_of(treated), split, question)])
        count += verdict.code == "met_attributable"
    return count


def verdicts(reps: int) -> Iterator[Rate]:
    for before, after in ((24, 6), (12, 6), (12, 3)):
        rng = np.random.default_rng([7, before, after])
        split, one = window(before, after), (0.4,)
        name = f"Met & attributable, 8 peers, {before} + {after}, target 1 SD"
        null = panels(rng, reps, before=before, after=after, coefficients=one)
        yield Rate(f"{name}: nothing worked", said(null, split, 0.0, 1.0), reps, high=0.05)
        bad = triggered(
            lambda g, n, b=before, a=after, c=one: panels(g, n, before=b, after=a, coefficients=c), reps, before, 8
        )
        yield Rate(f"{name}: nothing worked, regression to the mean", said(bad, split, 0.0, 1.0), reps, high=0.05)
        shocked = panels(rng, reps, before=before, after=after, coefficients=one, shock=1.5)
        yield Rate(f"{name}: nothing worked, common improvement", said(shocked, split, 0.0, 1.0), reps, high=0.05)
        # The bound lies near the figure, so it takes more runs to tell on which side.
        asked, runs = (0.92, 3 * reps) if (before, after) == (24, 6) else (0.0, reps)
        worked = panels(rng, runs, before=before, after=after, coefficients=one)
        yield Rate(f"{name}: true effect 2.5 SD", said(worked, split, 2.5, 1.0), runs, low=asked)


def sample_verdicts(seed: int, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Action, planted verdict and verdict said, for every action of one sample organisation."""
    from svclib.evaluate.analysis import evaluate_plan
    from svclib.evaluate.of_study import plan_of
    from svclib.prepared import prepare
    from svclib.sample import write_sample
    from svclib.study import Study

    write_sample(folder, seed=seed)
    truth = {plan["id"]: plan["verdict"] for plan in json.loads((folder / "truth.json").read_text("utf-8"))["plans"]}
    prepared = prepare(folder / "params")
    period = prepared.latest_complete()
    for department in prepared.catalogue.departments:
        for outcome in evaluate_plan(plan_of(Study(prepared, department, period)), department.code).outcomes:
            yield outcome.action.id, truth[outcome.action.id], outcome.verdict.code


def sample(reps: int) -> Iterator[Rate]:
    """Seeds 1 to 10 (1 and 10 when quick)."""
    seeds = range(1, 11) if reps > 100 else (1, 10)
    found = []
    for seed in seeds:
        with TemporaryDirectory() as folder:
            found += list(sample_verdicts(seed, Path(folder)))
    right = sum(true == code for _, true, code in found)
    wrong = sum(code == "met_attributable" != true for _, true, code in found)
    yield Rate("planted outcomes of the sample with their true verdict", right, len(found), low=0.9)
    yield Rate("planted outcomes said to be met & attributable that were not", wrong, len(found), high=0.0)


def seconds() -> None:
    drawn = panel_of(panels(np.random.default_rng(9), 1)[0])
    split = window(BEFORE, AFTER)
    for name, call in (
        ("one fit against 8 peers", lambda: estimate_effect(drawn, split)),
        (
            "one action: effect, goal, checks, second methods",
            lambda: assess(drawn, split, Question("increase", "level", 1.0)),
        ),
    ):
        call()
        start = time.perf_counter()
        for _ in range(10):
            call()
        print(f"{name:<72} {(time.perf_counter() - start) / 10:.3f} s")


SUITES = {
    "single": single_series,
    "peers": with_peers,
    "stress": stress,
    "small": small_numbers,
    "verdicts": verdicts,
    "sample": sample,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 repetitions a cell instead of 800")
    parser.add_argument("--only", choices=SUITES, help="one part")
    chosen = parser.parse_args()
    reps = 50 if chosen.quick else 800
    missed = 0
    for name in [chosen.only] if chosen.only else SUITES:
        for rate in SUITES[name](reps):
            print(rate, flush=True)
            missed += not rate.held
    seconds()
    print(f"{missed} figure(s) missed by more than two simulation errors")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
