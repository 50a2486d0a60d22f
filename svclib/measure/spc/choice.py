"""Which control chart fits a KPI, and why: chosen by kind and counts, not by habit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from svclib.catalogue.models import Kpi
from svclib.errors import InputRefused, Problem
from svclib.measure.spc.gates import dispersion
from svclib.measure.spc.scale import Scale

# Below this many expected events (or non-events) in some period, normal limits mislead.
SMALL = 5
RARE = 2
SKEW_P = 0.05


@dataclass(frozen=True)
class Choice:
    """A chart, the scale it judges on, and a code for the reason.

    Reasons: ``declared``, ``rule_set``, ``no_counts``, ``small_counts``, ``rare``, ``large_counts``,
    ``overdispersed``, ``counts``, ``unequal_sizes``, ``skewed``, ``near_full``, ``fallback``.
    """

    kind: str
    scale: Scale
    reason: str
    exact: bool = False


def ratio_kind(kpi: Kpi) -> str | None:
    """``p`` for KPIs that are shares of cases, ``u`` for rates, ``c`` for counts, else None."""
    if kpi.kind == "proportion" or (kpi.kind == "time_to_event" and kpi.statistic == "within"):
        return "p"
    if kpi.kind == "score" and kpi.scale is not None and kpi.scale.measure == "csat":
        return "p"
    return {"rate": "u", "count": "c"}.get(kpi.kind)


def choose_chart(
    kpi: Kpi, values: np.ndarray, numerator: np.ndarray, denominator: np.ndarray, sizes: np.ndarray
) -> Choice:
    """Choose a chart from the KPI's declaration and its baseline.

    Parameters
    ----------
    values, numerator, denominator, sizes
        The baseline's points. `numerator` and `denominator` may be NaN where the KPI has none.

    Raises
    ------
    InputRefused
        Where a declared chart needs counts that the KPI does not have.
    """
    ratio = ratio_kind(kpi)
    counts = has_counts(values, numerator, denominator, kpi)
    if kpi.chart != "auto":
        return _declared(kpi, counts, numerator, denominator, sizes)
    if kpi.rules != "strict":
        return Choice("xmr", "identity", "rule_set")
    if ratio and not counts:
        return Choice("xmr", "identity", "no_counts")
    if ratio:
        return _counted(ratio, numerator, denominator)
    if kpi.kind == "availability":
        inside = values.size > 0 and bool(np.all(values <= 1))
        return Choice("xmr", "root_of_rest", "near_full") if inside else Choice("xmr", "identity", "fallback")
    positive = values.size > 0 and bool(np.all(values > 0))
    if kpi.kind in ("quantile", "time_to_event"):
        return Choice("xmr", "log", "skewed") if positive else Choice("xmr", "identity", "fallback")
    if positive and values.size >= 13 and np.ptp(values) > 0 and _skewed(values):
        return Choice("xmr", "log", "skewed")
    if np.all(np.isfinite(sizes)) and np.all(sizes > 0) and sizes.size:
        return Choice("i_prime", "identity", "unequal_sizes")
    return Choice("xmr", "identity", "fallback")


def _skewed(values: np.ndarray) -> bool:
    """Right skew beyond chance, once the extreme point is left out: one special month is no reason for a log scale."""
    kept = np.sort(values)[:-1]
    return bool(stats.skew(kept) > 0 and stats.skewtest(kept).pvalue < SKEW_P)


def has_counts(values: np.ndarray, numerator: np.ndarray, denominator: np.ndarray, kpi: Kpi) -> bool:
    """Whether the KPI's values are what its numerators and denominators say, so that counts may judge them."""
    if values.size == 0 or not np.all(np.isfinite(numerator)):
        return False
    if kpi.kind == "count":
        return bool(np.all(numerator >= 0))
    if not np.all(np.isfinite(denominator) & (denominator > 0)) or np.any(numerator < 0):
        return False
    # A Kaplan-Meier share is not numerator over denominator; its spread is not binomial.
    return bool(np.allclose(numerator / denominator * kpi.per, values, rtol=1e-6, atol=1e-9))


def _counted(ratio: str, numerator: np.ndarray, denominator: np.ndarray) -> Choice:
    if ratio == "c":
        denominator = np.ones_like(numerator)
    level = numerator.sum() / denominator.sum()
    expected = level * denominator
    least = min(expected.min(), (denominator - expected).min()) if ratio == "p" else expected.min()
    spread = dispersion(numerator, denominator, binomial=ratio == "p")
    if spread.fired:
        return Choice({"p": "p_prime", "u": "u_prime", "c": "xmr"}[ratio], "identity", "overdispersed")
    if least < SMALL:
        rare = ratio != "p" and expected.mean() < RARE
        return Choice(ratio, "identity", "rare" if rare else "small_counts", exact=True)
    if ratio == "c":
        return Choice("c", "identity", "counts", exact=True)
    return Choice({"p": "p_prime", "u": "u_prime"}[ratio], "identity", "large_counts")


def _declared(kpi: Kpi, counts: bool, numerator: np.ndarray, denominator: np.ndarray, sizes: np.ndarray) -> Choice:
    kind = kpi.chart
    where = f"kpis.yaml: {kpi.code}: chart"
    if numerator.size and kind in ("p", "p_prime", "u", "u_prime", "c") and not counts:
        raise InputRefused(
            Problem(where, f"{kind} needs a numerator and a denominator above 0", "write chart: auto or xmr")
        )
    if kind == "i_prime" and sizes.size and not np.all(np.isfinite(sizes)):
        raise InputRefused(
            Problem(where, "i_prime needs the number of cases of every period", "write chart: auto or xmr")
        )
    exact = False
    if numerator.size and kind in ("p", "u", "c"):
        ones = np.ones_like(numerator)
        exact = _counted(kind, numerator, ones if kind == "c" else denominator).reason in ("small_counts", "rare")
    return Choice(kind, "identity", "declared", exact=exact)
