"""One phase of a control chart: its lines, signals, evidence and outlook."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svclib.catalogue.models import Kpi
from svclib.measure.spc import charts, exact, rules
from svclib.measure.spc.baseline import next_point_p, prediction_factor, standing
from svclib.measure.spc.charts import Limits
from svclib.measure.spc.choice import Choice, has_counts, ratio_kind
from svclib.measure.spc.evidence import LEVEL_PERIODS, level_p
from svclib.measure.spc.exact import ALPHA
from svclib.measure.spc.gates import Autocorrelation, autocorrelation, dispersion
from svclib.measure.spc.predictive import Predictive
from svclib.measure.spc.scale import backward, forward, lines_backward
from svclib.measure.spc.trend import RECENT, Trend, drifting

# How many recent periods say how many cases the next one will have.
_RECENT = 6


@dataclass(frozen=True)
class PhaseData:
    """The points of one phase, in order; NaN where unknown.

    Attributes
    ----------
    usable, judged, base
        Points that may set limits, that may signal, and that do set the limits.
    effect
        What the season adds on the judging scale; zeros where none is taken out.
    next_effect
        The same for the period after the last.
    """

    values: np.ndarray
    numerator: np.ndarray
    denominator: np.ndarray
    sizes: np.ndarray
    usable: np.ndarray
    judged: np.ndarray
    base: np.ndarray
    effect: np.ndarray
    next_effect: float = 0.0


@dataclass(frozen=True)
class PhaseChart:
    """What a phase's chart says; lines are on the measured scale and unclipped."""

    choice: Choice
    points: int
    lines: Limits
    z: np.ndarray
    p: np.ndarray
    signals: list[tuple[str, ...]]
    runs: rules.Runs
    autocorrelation: Autocorrelation
    level_p: float
    drift: Trend | None
    next: Predictive | None


def chart_phase(data: PhaseData, choice: Choice, kpi: Kpi) -> PhaseChart:
    """Limits, signals and evidence of one phase."""
    strict = kpi.rules == "strict"
    points, size = int(data.base.sum()), data.values.size
    if np.any(data.effect != 0) and choice.exact:
        kind = {"p": "p_prime", "u": "u_prime"}.get(choice.kind, "xmr")
        choice = replace(choice, kind=kind, exact=False, reason="season")
    level = np.where(data.usable, forward(data.values, choice.scale) - data.effect, np.nan)
    gate = autocorrelation(np.where(data.base, level, np.nan))
    nan = np.full(size, np.nan)
    if standing(points) == "none":
        blank = rules.anhoej(nan)
        return PhaseChart(
            choice, points, charts.no_limits(size), nan, nan, [()] * size, blank, gate, np.nan, None, None
        )
    inflate = gate.inflate if strict else 1.0
    lines = _limits(data, level, choice, kpi, prediction_factor(points) if strict else 3.0, inflate)
    z, p = _evidence(data, level, lines, points, choice, kpi)
    # A new level shows in a process whose periods lean on each other, too: the test reckons with it.
    step = level_p(z, data.judged, floor=1.0 if choice.exact else 0.0, r1=gate.r1 if gate.fired else 0.0)
    shown = lines_backward(lines.shifted(data.effect), choice.scale)
    judged = np.where(data.judged, data.values, np.nan)
    middle, weights = _sides(data, level, judged, choice, kpi)
    marks = rules.signals(judged, shown, kpi.rules, mute_runs=strict and gate.fired, middle=middle, weights=weights)
    line = drifting(np.where(data.judged, level, np.nan)) if strict else None
    if strict:
        marks = _with_level(marks, step, judged, shown.centre)
        marks = _with_drift(marks, line, judged)
    runs = rules.anhoej(rules.sides(judged, middle))
    law = _next(data, level, lines, points, choice, kpi, gate)
    return PhaseChart(choice, points, shown, z, p, marks, runs, gate, step, line, law)


def _limits(data: PhaseData, level: np.ndarray, choice: Choice, kpi: Kpi, factor: float, inflate: float) -> Limits:
    """Lines on the judging scale, without the season."""
    base, nhs = data.base, kpi.rules != "strict"
    n = np.ones(level.size) if choice.kind == "c" else data.denominator
    if choice.kind == "xmr":
        screen = kpi.rules == "nhs"
        return charts.xmr_limits(level, base, factor=factor, screen=screen, across_gaps=nhs, inflate=inflate)
    if choice.kind == "run":
        return charts.run_limits(level, base)
    if choice.kind == "i_prime":
        return charts.i_prime_limits(level, data.sizes, base, factor=factor, inflate=inflate)
    if choice.kind == "g":
        return charts.g_limits(level, base, factor=factor)
    if choice.kind == "t":
        return charts.t_limits(level, base, factor=factor, inflate=inflate)
    if choice.exact:
        make = exact.p_exact_limits if choice.kind == "p" else exact.u_exact_limits
        return _times(make(data.numerator, n, base), kpi.per)
    # The season is taken out of the shares; their denominators stay.
    events = np.maximum(data.numerator - data.effect / kpi.per * n, 0)
    if choice.kind in ("p_prime", "u_prime"):
        make_prime = charts.p_prime_limits if choice.kind == "p_prime" else charts.u_prime_limits
        return _times(make_prime(events, n, base, factor=factor, screen=nhs, inflate=inflate), kpi.per)
    make_plain = charts.p_limits if choice.kind == "p" else charts.u_limits
    return _times(make_plain(events, n, base, factor=factor), kpi.per)


def _sides(
    data: PhaseData, level: np.ndarray, judged: np.ndarray, choice: Choice, kpi: Kpi
) -> tuple[np.ndarray, np.ndarray | None]:
    """The line whose sides Anhøj's rule counts, and what each point adds to a run.

    It is the median of the whole phase: a frozen mean that came out a little low would make every later point "high".
    On charts of small counts it is the predictive median of each period's size.
    """
    if not choice.exact:
        known = level[data.judged & np.isfinite(level)]
        median = np.median(known) if known.size else np.nan
        return backward(median + data.effect, choice.scale), None
    n, *_ = _totals(data, choice.kind)
    every = data.judged & np.isfinite(n) & np.isfinite(data.numerator)
    middle = exact.middle(choice.kind, data.numerator, n, every)
    events, cases = float(data.numerator[every].sum()), float(n[every].sum())
    return middle * kpi.per, exact.run_weights(choice.kind, judged / kpi.per, n, middle, events, cases)


def _counted_law(data: PhaseData, choice: Choice, kpi: Kpi) -> str | None:
    """Individuals charts of counts that vary no more than chance: their outlook is that of the counts."""
    kind = ratio_kind(kpi)
    if choice.kind != "xmr" or kind is None or choice.reason == "season":
        return None
    r, n = data.numerator[data.base], (np.ones(int(data.base.sum())) if kind == "c" else data.denominator[data.base])
    if not has_counts(data.values[data.base], r, n, kpi) or r.sum() == 0 or (kind == "p" and r.sum() == n.sum()):
        return None
    whole = np.allclose(r, np.round(r)) and (kind != "p" or np.allclose(n, np.round(n)))
    return kind if whole and not dispersion(r, n, binomial=kind == "p").fired else None


def _totals(data: PhaseData, kind: str) -> tuple[np.ndarray, float, float]:
    """Denominators, and the baseline's events and cases."""
    n = np.ones(data.values.size) if kind == "c" else data.denominator
    used = data.base & np.isfinite(n) & np.isfinite(data.numerator)
    return n, float(data.numerator[used].sum()), float(n[used].sum())


def _times(lines: Limits, per: float) -> Limits:
    if per == 1:
        return lines
    names = ("centre", "lower", "upper", "sigma", "near_lower", "near_upper")
    return replace(lines, **{name: getattr(lines, name) * per for name in names})


def _evidence(
    data: PhaseData, level: np.ndarray, lines: Limits, points: int, choice: Choice, kpi: Kpi
) -> tuple[np.ndarray, np.ndarray]:
    """z-scores and two-sided predictive p-values; for counts exact."""
    if choice.kind == "t":
        level = np.power(level, 1 / 3.6)
        lines = charts.xmr_limits(level, data.base)
    if not choice.exact:
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (level - lines.centre) / lines.sigma
        z = np.where(lines.sigma > 0, z, np.where(np.abs(level - lines.centre) > 1e-12 * np.abs(level), np.inf, 0.0))
        z = np.where(np.isfinite(level) & np.isfinite(lines.sigma), z, np.nan)
        p = next_point_p(z, points)
        # Nothing missing to 100 % is the end of the scale, where values pile up: no evidence of anything.
        return z, np.where(data.values >= 1, np.fmax(p, 1.0), p) if choice.scale == "root_of_rest" else p
    n, events, cases = _totals(data, choice.kind)
    share = events / cases
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(share * (1 - share if choice.kind == "p" else 1) / n)
        z = (data.values / kpi.per - share) / spread if share > 0 else np.zeros(level.size)
    tails = exact.beta_binomial_tails if choice.kind == "p" else exact.gamma_poisson_tails
    return np.where(np.isfinite(z), z, np.nan), exact.two_sided(*tails(data.numerator, n, events, cases))


def _with_level(
    marks: list[tuple[str, ...]], p: float, judged: np.ndarray, centre: np.ndarray
) -> list[tuple[str, ...]]:
    """Mark the latest six points where their level differs from before by less than a 0.27 % chance."""
    if not p < ALPHA:
        return marks
    known = np.flatnonzero(np.isfinite(judged))
    later, earlier = known[-LEVEL_PERIODS:], known[:-LEVEL_PERIODS]
    up = np.mean(judged[later] - centre[later]) > np.mean(judged[earlier] - centre[earlier])
    code = "level_high" if up else "level_low"
    return [(*codes, code) if i in later else codes for i, codes in enumerate(marks)]


def _with_drift(marks: list[tuple[str, ...]], line: Trend | None, judged: np.ndarray) -> list[tuple[str, ...]]:
    """Mark the latest six points of a drift."""
    if line is None:
        return marks
    recent = np.flatnonzero(np.isfinite(judged))[-RECENT:]
    code = "drift_high" if line.slope > 0 else "drift_low"
    return [(*codes, code) if i in recent else codes for i, codes in enumerate(marks)]


def _next(
    data: PhaseData,
    level: np.ndarray,
    lines: Limits,
    points: int,
    choice: Choice,
    kpi: Kpi,
    gate: Autocorrelation,
) -> Predictive | None:
    known = np.flatnonzero(data.usable)
    if choice.kind in ("run", "g") or not known.size:
        return None
    recent = known[-_RECENT:]
    centre = float(lines.centre[known[-1]]) + data.next_effect
    if choice.exact or choice.kind == "c":
        n, events, cases = _totals(data, choice.kind)
        size = float(np.median(n[recent]))
        if choice.kind == "p":
            return Predictive(
                "beta_binomial", points, events=events, cases=cases, size=max(1, round(size)), per=kpi.per
            )
        return Predictive("gamma_poisson", points, events=events, cases=cases, size=size, per=kpi.per)
    sigma = lines.sigma[known]
    if choice.kind == "t":
        root = charts.xmr_limits(np.power(data.values, 1 / 3.6), data.base)
        return (
            None
            if not np.isfinite(root.sigma[0])
            else _law(float(root.centre[0]), float(root.sigma[0]), points, choice)
        )
    if not np.isfinite(sigma[-1]):
        return None
    # Charts of unequal sizes: the next period is taken to be as large as the recent ones.
    law = _law(centre, float(np.median(lines.sigma[recent])), points, choice)
    if not gate.fired or law.law != "t":
        return law
    away = float(level[known[-1]] - lines.centre[known[-1]])
    # The rule sets that do not widen their limits still foresee the spread of a dependent process.
    widen = 1.0 if kpi.rules == "strict" else gate.inflate
    return replace(law, sigma=law.sigma * widen, phi=min(gate.r1, 0.95), away=away)


def _law(centre: float, sigma: float, points: int, choice: Choice) -> Predictive:
    return Predictive("t" if sigma > 0 else "constant", points, centre=centre, sigma=sigma, scale=choice.scale)
