"""The cases themselves: when they came, what they were, and what became of them up to the cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from svclib.sample.clock import outside_clock_changes
from svclib.sample.effects import WITHIN_SD, case_effects
from svclib.sample.organisation import CHANNELS, CUSTOMERS, DESKS, POSITION, PRIORITIES
from svclib.sample.plants import MIX_CATEGORY, MIX_TO, planted
from svclib.sample.processes import random_numbers
from svclib.sample.span import Span
from svclib.sample.unmoved import level_counts

_WEEKDAY = np.array([1.22, 1.18, 1.14, 1.12, 1.08, 0.70, 0.56])
_HOUR = np.array([1, 1, 1, 1, 1, 2, 4, 10, 22, 30, 32, 29, 24, 26, 29, 28, 24, 18, 12, 9, 7, 5, 3, 2], float)
_ABSENT = np.datetime64("NaT")


def _pick(shares: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """A position for each draw, by the shares in its row."""
    cumulative = np.cumsum(shares, axis=1)
    return (draws[:, None] > cumulative[:, :-1] / cumulative[:, -1:]).sum(axis=1)


def _arrivals(span: Span, volume: np.ndarray, seed: int) -> pd.DataFrame:
    """One row a case, in the order of opening: desk, month and the second of opening."""
    rng = random_numbers(seed, "arrivals")
    weekday = (span.days.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    base = np.array([desk.cases for desk in DESKS])[:, None] / 30.44
    expected = base * _WEEKDAY[weekday] * np.exp(volume)[:, span.month_of_day]
    counts = rng.poisson(expected)
    desk, day = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    hour = np.searchsorted(np.cumsum(_HOUR) / _HOUR.sum(), rng.random(desk.size))
    opened = span.days[day].astype("datetime64[s]") + (hour * 3600 + rng.integers(0, 3600, desk.size)).astype(
        "timedelta64[s]"
    )
    cases = pd.DataFrame({"desk": desk, "month": span.month_of_day[day], "opened_at": opened})
    return cases.sort_values("opened_at", kind="stable", ignore_index=True)


def _category_shares(span: Span) -> np.ndarray:
    """Shares of the categories by desk and month, the planted mix shift included."""
    shares = np.array([list(desk.categories.values()) for desk in DESKS])[:, None, :].repeat(span.months + 1, axis=1)
    for plant in planted(span):
        if plant.kind != "mix_shift":
            continue
        row = POSITION[plant.department]
        column = list(DESKS[row].categories).index(MIX_CATEGORY)
        for offset in range(1 - span.months, 2):
            if plant.share(offset):
                others = shares[row, span.position(offset)]
                others *= (1 - MIX_TO) / (1 - others[column])
                others[column] = MIX_TO
    return shares


def _dimensions(span: Span, cases: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    rng = random_numbers(seed, "dimensions")
    desk, month = cases["desk"].to_numpy(), cases["month"].to_numpy()
    usual = {
        "channel": np.array([d.channels for d in DESKS])[desk],
        "category": _category_shares(span)[desk, month],
        "priority": np.array([d.priorities for d in DESKS])[desk],
        "customer_type": np.array([d.customers for d in DESKS])[desk],
    }
    return {name: _pick(shares, rng.random(desk.size)) for name, shares in usual.items()}


def _names(dims: dict[str, np.ndarray], desk: np.ndarray) -> dict[str, np.ndarray]:
    categories = np.array([list(d.categories) for d in DESKS], dtype=object)
    return {
        "channel": np.array(CHANNELS, dtype=object)[dims["channel"]],
        "category": categories[desk, dims["category"]],
        "priority": np.array(PRIORITIES, dtype=object)[dims["priority"]],
        "customer_type": np.array(CUSTOMERS, dtype=object)[dims["customer_type"]],
    }


def _local_causes(span: Span, process: str, cases: pd.DataFrame) -> np.ndarray:
    """What the planted causes of single segments add to each case."""
    added = np.zeros(len(cases))
    for plant in planted(span):
        if plant.process != process or plant.kind != "local_cause" or plant.segment is None:
            continue
        inside = (cases["desk"] == POSITION[plant.department]).to_numpy().copy()
        for dimension, value in plant.segment.items():
            inside &= (cases[dimension] == value).to_numpy()
        shares = np.array([plant.share(offset) for offset in range(1 - span.months, 2)])
        added += inside * shares[cases["month"].to_numpy()] * plant.size
    return added


def _hours(hours: np.ndarray) -> np.ndarray:
    return np.round(hours * 3600).astype("timedelta64[s]")


def make_cases(span: Span, shifts: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Every case opened before the cut, with all that is known of it at the cut.

    Parameters
    ----------
    shifts
        Departments x months for each process, from `svclib.sample.processes.processes`.

    Returns
    -------
    One row a case in the order of opening; stamps are local and without a zone, `NaT` where not (yet) there.
    """
    cases = _arrivals(span, shifts["volume"], seed)
    desk, month = cases["desk"].to_numpy(), cases["month"].to_numpy()
    dims = _dimensions(span, cases, seed)
    cases = cases.assign(**_names(dims, desk))
    latent = {
        process: case_effects(process, dims, desk) + shifts[process][desk, month] + _local_causes(span, process, cases)
        for process in ("response", "resolution", "fcr", "escalation", "handoffs")
    }
    cases = _with_times(cases, latent, span, seed)
    return _with_contacts(cases, latent, span, seed)


def _with_times(cases: pd.DataFrame, latent: dict[str, np.ndarray], span: Span, seed: int) -> pd.DataFrame:
    rng = random_numbers(seed, "times")
    n = len(cases)
    response = np.exp(latent["response"] + WITHIN_SD["response"] * rng.standard_normal(n))
    resolution = np.exp(latent["resolution"] + WITHIN_SD["resolution"] * rng.standard_normal(n))
    # A few cases get stuck for weeks, as everywhere: those are the old ones of every backlog.
    resolution *= np.where(rng.random(n) < 0.02, rng.uniform(4, 30, n), 1)
    # A case is not resolved before somebody has answered; some minutes at least lie between.
    resolution = np.maximum(resolution, response + rng.uniform(0.03, 0.2, n))
    working = resolution * rng.beta(2.0, 5.0, n)
    opened = outside_clock_changes(cases["opened_at"].to_numpy(), span)
    answered = np.maximum(outside_clock_changes(opened + _hours(response), span), opened)
    resolved = np.maximum(outside_clock_changes(opened + _hours(resolution), span), answered)
    open_still = resolved >= span.cut
    return cases.assign(
        opened_at=opened,
        first_response_at=np.where(answered >= span.cut, _ABSENT, answered),
        resolved_at=np.where(open_still, _ABSENT, resolved),
        working_hours=np.where(open_still, np.nan, working.round(2)),
        waiting_hours=np.where(open_still, np.nan, (resolution - working).round(2)),
    )


def _with_contacts(cases: pd.DataFrame, latent: dict[str, np.ndarray], span: Span, seed: int) -> pd.DataFrame:
    rng = random_numbers(seed, "contacts")
    n = len(cases)
    opened, resolved = cases["opened_at"].to_numpy(), cases["resolved_at"].to_numpy()
    first_contact = rng.random(n) < expit(latent["fcr"])
    comes_back = ~first_contact & (rng.random(n) < 0.22)
    once = first_contact | (comes_back & (rng.random(n) < 0.5))
    contacts = np.where(once, 1, 2 + rng.poisson(0.35, n))
    reopened_at = resolved + _hours(rng.gamma(1.6, 48.0, n).clip(1, 13.5 * 24))
    reopened_at = np.where(comes_back & (reopened_at < span.cut), outside_clock_changes(reopened_at, span), _ABSENT)
    # The second contact and the escalation come within three days: of the youngest cases some are yet to come.
    second = opened + _hours(rng.uniform(1, 72, n))
    raised = opened + _hours(rng.uniform(0.5, 60, n))
    chance = expit(latent["escalation"])
    escalated = (rng.random(n) < chance).astype(int)
    desk, month = cases["desk"].to_numpy(), cases["month"].to_numpy()
    level_counts(escalated, chance, desk, month, "escalation", span, rng, most=1)
    expected = np.exp(latent["handoffs"])
    handoffs = rng.poisson(expected)
    level_counts(handoffs, expected, desk, month, "handoffs", span, rng)
    return cases.assign(
        contacts=np.where(second < span.cut, contacts, 1),
        reopened_at=reopened_at,
        reopened=~np.isnat(reopened_at),
        escalated=(escalated == 1) & (raised < span.cut),
        handoffs=handoffs,
    )
