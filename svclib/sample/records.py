"""What is recorded beside the cases: outages, audits and trainings, complaints and working hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from svclib.sample.organisation import DESKS, POSITION
from svclib.sample.plants import planted
from svclib.sample.processes import random_numbers
from svclib.sample.span import Span

_SERVICES = (
    "Telephone", "Dispatch app", "Billing system", "Data centre", "Planning tool", "Repair tracker", "Building control",
    "Payroll system",
)  # fmt: skip
_AUDITS, _TRAININGS = 18, 22  # a department and month


def _seconds_in_month(span: Span) -> tuple[np.ndarray, np.ndarray]:
    """Start of each month seen and its seconds, the incomplete one up to the cut."""
    starts = (span.days[0].astype("datetime64[M]") + np.arange(span.months + 1)).astype("datetime64[s]")
    ends = np.append(starts[1:], span.cut)
    return starts, (ends - starts).astype(int)


def _outage_rows(desk: np.ndarray, start: np.ndarray, minutes: np.ndarray, severity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "desk": desk,
            "started_at": start,
            "ended_at": start + np.round(minutes * 60).astype("timedelta64[s]"),
            "severity": severity,
        }
    )


def make_outages(span: Span, shifts: np.ndarray, seed: int) -> pd.DataFrame:
    """Outages and maintenance windows in UTC; some outages overlap an earlier one, as when a second system follows."""
    rng = random_numbers(seed, "outages")
    starts, seconds = _seconds_in_month(span)
    usual = np.array([desk.levels.outages for desk in DESKS])[:, None] * seconds / (30.44 * 86400)
    counts = rng.poisson(usual * np.exp(shifts))
    desk, month = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    n = desk.size
    start = starts[month] + (rng.random(n) * seconds[month]).astype("timedelta64[s]")
    minutes = np.array([d.levels.minutes for d in DESKS])[desk] * np.exp(0.8 * rng.standard_normal(n))
    severity = np.where(minutes > 60, "major", np.where(rng.random(n) < 0.3, "major", "minor"))
    outages = _outage_rows(desk, start, minutes, severity)
    follows = rng.random(n) < 0.10
    later = (minutes[follows] * rng.uniform(0.2, 0.8, follows.sum()) * 60).astype("timedelta64[s]")
    second = _outage_rows(
        desk[follows], start[follows] + later, minutes[follows] * rng.uniform(0.5, 1.2, follows.sum()),
        np.full(follows.sum(), "minor"),
    )  # fmt: skip
    parts = [outages, second, *_planted_outages(span, starts, rng), _maintenance(span, rng)]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["ended_at"] < span.cut]
    rows = rows.sort_values(["started_at", "desk"], kind="stable", ignore_index=True)
    return rows.assign(service=np.array(_SERVICES, dtype=object)[rows["desk"].to_numpy()])


def _planted_outages(span: Span, starts: np.ndarray, rng: np.random.Generator) -> list[pd.DataFrame]:
    parts = []
    for plant in planted(span):
        if plant.process not in ("outage_series", "major_outage") or not span.covers(plant.first):
            continue
        count = int(plant.size) if plant.process == "outage_series" else 1
        minutes = rng.uniform(4, 12, count) if plant.process == "outage_series" else np.array([plant.size])
        day = 10 + np.arange(count) % 8 if plant.process == "outage_series" else np.array([13])
        hour = rng.uniform(8, 16, count)
        start = starts[span.position(plant.first)] + np.round((day * 24 + hour) * 3600).astype("timedelta64[s]")
        desk = np.full(count, POSITION[plant.department])
        parts.append(_outage_rows(desk, start, minutes, np.full(count, "major")))
    return parts


def _maintenance(span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """On the second Sunday of a month, two hours or so in the night: agreed, so no outage."""
    sundays = [day for day in span.days if (int(day.astype(int)) + 3) % 7 == 6 and 8 <= int(str(day)[8:]) <= 14]
    nights = np.array(sundays, dtype="datetime64[s]") + np.timedelta64(2, "h")
    desk, night = (index.ravel() for index in np.indices((len(DESKS), len(nights))))
    minutes = rng.integers(8, 18, desk.size) * 10.0
    return _outage_rows(desk, nights[night], minutes, np.full(desk.size, "maintenance"))


def make_observations(span: Span, shifts: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Checks of audits, and trainings that were due, each passed or not, by day."""
    rng = random_numbers(seed, "observations")
    parts = []
    for kind, process, usual in (("audit", "audit", _AUDITS), ("training", "training", _TRAININGS)):
        seen = np.bincount(span.month_of_day, minlength=span.months + 1) / 30.44
        counts = rng.poisson(np.outer(np.full(len(DESKS), usual), seen))
        desk, month = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
        level = logit(np.array([getattr(d.levels, process) for d in DESKS]))[desk] + shifts[process][desk, month]
        first = np.searchsorted(span.month_of_day, np.arange(span.months + 2))
        day = span.days[first[month] + (rng.random(desk.size) * (first[month + 1] - first[month])).astype(int)]
        parts.append(
            pd.DataFrame(
                {
                    "observed_at": day,
                    "desk": desk,
                    "kind": kind,
                    "topic": np.array(_TOPICS[kind], dtype=object)[rng.integers(0, 5, desk.size)],
                    "passed": rng.random(desk.size) < expit(level),
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values(["observed_at", "kind", "desk"], kind="stable", ignore_index=True)


_TOPICS = {
    "audit": ("Case documented", "Customer identified", "Data protection", "Right priority", "Reply template"),
    "training": ("Data protection", "Fire safety", "Complaint handling", "Product update", "Information security"),
}


def make_staffing(span: Span, cases: pd.DataFrame, shifts: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Monthly figures that arrive as totals: complaints among cases, hours lost among hours planned."""
    rng = random_numbers(seed, "staffing")
    shape = (len(DESKS), span.months)
    taken = np.zeros((len(DESKS), span.months + 1), int)
    np.add.at(taken, (cases["desk"].to_numpy(), cases["month"].to_numpy()), 1)
    taken = taken[:, : span.months]
    rate = np.array([d.levels.complaints for d in DESKS])[:, None] / 1000
    complaints = rng.poisson(taken * rate * np.exp(shifts["complaints"][:, : span.months]))
    planned = np.round(np.array([d.cases for d in DESKS])[:, None] * 1.9 * rng.normal(1, 0.03, shape))
    absence = np.array([d.levels.absence for d in DESKS])[:, None]
    lost = np.round(planned * (absence * np.exp(shifts["absence"][:, : span.months])).clip(0, 0.6))
    desk, month = (index.ravel() for index in np.indices(shape))
    period = (span.days[0].astype("datetime64[M]") + month).astype("datetime64[D]")
    return pd.concat(
        [
            pd.DataFrame(
                {"desk": desk, "period": period, "kpi": name, "numerator": num.ravel(), "denominator": den.ravel()}
            )
            for name, num, den in (("complaints", complaints, taken), ("absence", lost, planned))
        ],
        ignore_index=True,
    ).astype({"numerator": int, "denominator": int})
