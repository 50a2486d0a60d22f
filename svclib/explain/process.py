"""How? Waiting, working, hand-offs, rework and reopening; and whether it is simply load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

PARTS = ("waiting_hours", "working_hours", "handoffs", "contacts", "reopened")


@dataclass(frozen=True)
class ProcessPart:
    """Mean of one part of the process, usually and now; interval and p of the difference allow for periods that differ.

    `part` is one of `PARTS`; ``reopened`` is a share, the hours are means of a case, the others means of a count.
    """

    part: str
    usual: float
    now: float
    difference: float
    lower: float
    upper: float
    p: float


@dataclass(frozen=True)
class Load:
    """Cases that came, left, and were open at the end, period by period; and whether the load was out of the usual.

    `answer` is ``more_arrivals``, ``less_capacity`` (fewer closed although as many came), ``both`` or ``usual``.
    """

    periods: pd.DataFrame
    arrivals_z: float
    closed_z: float
    answer: str


def split_process(rows: pd.DataFrame, baseline: Sequence[str], current: str) -> list[ProcessPart]:
    """Compare the parts that the source has, the usual periods against the current one.

    The standard error takes the variance between the baseline's periods where it exceeds that of the cases: a part that
    swings from month to month is not news when it swings again.

    Examples
    --------
    >>> rows = pd.DataFrame({"period": ["a", "a", "b", "b", "c", "c"], "handoffs": [1, 2, 1, 2, 4, 5]})
    >>> [(part.part, part.difference) for part in split_process(rows, ["a", "b"], "c")]
    [('handoffs', 3.0)]
    """
    from scipy import stats

    found = []
    for part in (name for name in PARTS if name in rows):
        values = pd.to_numeric(rows[part], errors="coerce").astype(float)
        now = values[rows["period"] == current].dropna()
        usual = values[rows["period"].isin(list(baseline))].dropna()
        means = usual.groupby(rows.loc[usual.index, "period"]).agg(["mean", "size"])
        if len(now) < 2 or len(usual) < 2 or len(means) < 2:
            continue
        within = now.var() / len(now) + usual.var() / len(usual)
        between = float(means["mean"].var()) * (1 + 1 / len(means))
        error = float(np.sqrt(max(within, between)))
        difference = float(now.mean() - usual.mean())
        t = stats.t(df=max(len(means) - 1, 1)) if between > within else stats.norm()
        half = float(t.ppf(0.975)) * error
        p = float(2 * t.sf(abs(difference) / error)) if error > 0 else float(difference == 0)
        found.append(
            ProcessPart(
                part, float(usual.mean()), float(now.mean()), difference, difference - half, difference + half, p
            )
        )
    return found


def measure_load(
    opened: pd.Series, closed: pd.Series, periods: Sequence[tuple[str, pd.Timestamp, pd.Timestamp]], current: str
) -> Load | None:
    """Arrivals, closures and open cases of each period; z against the earlier periods (at least six).

    Parameters
    ----------
    opened, closed : stamps of each case; no `closed` while it is open.
    periods : label, start and end (exclusive) of each, oldest first, the current one last.
    """
    table = []
    for label, start, end in periods:
        table.append(
            {
                "period": label,
                "arrivals": int(((opened >= start) & (opened < end)).sum()),
                "closed": int(((closed >= start) & (closed < end)).sum()),
                "open_at_end": int(((opened < end) & ~(closed < end)).sum()),
                "days": (end - start).days,
            }
        )
    frame = pd.DataFrame(table)
    before, now = frame[frame["period"] != current], frame[frame["period"] == current]
    if len(before) < 6 or now.empty:
        return None
    arrivals, closures = (_z(before, now, name) for name in ("arrivals", "closed"))
    more, less = arrivals > 2.5, closures < -2.5 or (arrivals - closures > 3 and closures < 0)
    answer = "both" if more and less else "more_arrivals" if more else "less_capacity" if less else "usual"
    return Load(frame, arrivals, closures, answer)


def _z(before: pd.DataFrame, now: pd.DataFrame, name: str) -> float:
    """Distance of a daily count from its earlier periods in their standard deviations (at least Poisson's)."""
    daily = before[name] / before["days"]
    days = float(now["days"].iloc[0])
    least = np.sqrt(max(float(daily.mean()), 1e-9) / days)
    return float((now[name].iloc[0] / days - daily.mean()) / max(float(daily.std()), least))
