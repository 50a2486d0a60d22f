"""KPI x department x period: the measures table that charts, explanations and evaluations start from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.check import default_cohort
from svclib.catalogue.models import Department, Kpi, Source
from svclib.measure import aggregates
from svclib.measure.periods import Frequency, Period, spine

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

COLUMNS = [
    "kpi", "department", "period", "start", "end", "value", "numerator", "denominator",
    "n", "sd", "lower", "upper", "open", "mature", "status",
]  # fmt: skip
# Kinds whose rows are single people's or cases' answers; counts, rates and minutes disclose nobody.
PERSONAL = frozenset({"proportion", "mean", "quantile", "score", "time_to_event"})


@dataclass(frozen=True)
class Coverage:
    """The days that a source covers in full (`end` exclusive) and the day its stamps begin."""

    start: dt.date
    end: dt.date


@dataclass(frozen=True)
class Declaration:
    """A KPI, the source that feeds it, the days that source covers, and whom it is measured for.

    `booleans` are the source's columns, in lower case, that hold true and false.
    """

    kpi: Kpi
    source: Source
    coverage: Coverage
    departments: tuple[str, ...]
    booleans: frozenset[str] = frozenset()


def measure_kpis(
    backend: SQLBackend,
    declarations: Sequence[Declaration],
    departments: Sequence[Department],
    *,
    as_of: dt.datetime,
    frequency: Frequency = "month",
    last: Period | None = None,
    disclosure_minimum: int = 5,
) -> pd.DataFrame:
    """Measure every KPI for every department and every period that its source covers.

    Parameters
    ----------
    backend
        An ibis connection that knows each source under its name.
    declarations
        What to measure.
    as_of
        The cut-off, naive and in the organisation's time zone; open cases are censored here.
    last
        The last period wanted; the one that holds the cut-off where left out.

    Returns
    -------
    A frame with `COLUMNS`, sorted by kpi, department and period, without a gap: a period without rows has a NaN value
    (or 0 where the KPI says ``empty_period: zero``). Proportions run from 0 to 1, times are in the KPI's unit.
    `status` is ok, missing, provisional, too_few or withheld.
    """
    last = last or Period.containing(as_of.date(), frequency)
    parts = []
    for declaration in declarations:
        groups = aggregates.aggregate(backend, declaration, as_of=as_of, frequency=frequency)
        parts.append(_complete(groups, declaration, departments, as_of, frequency, last, disclosure_minimum))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _complete(
    groups: pd.DataFrame,
    declaration: Declaration,
    departments: Sequence[Department],
    as_of: dt.datetime,
    frequency: Frequency,
    last: Period,
    disclosure_minimum: int,
) -> pd.DataFrame:
    """Lay the groups on a gap-free spine and say of each period how far it can be trusted."""
    kpi, coverage = declaration.kpi, declaration.coverage
    rows = _spine(groups, coverage, departments, frequency, last, census=kpi.kind == "availability")
    frame = rows.merge(groups, on=["department", "start"], how="left")
    frame.insert(0, "kpi", kpi.code)
    cutoff = min(as_of, dt.datetime.combine(coverage.end, dt.time()))
    ends = pd.to_datetime(frame["end"]) + kpi.maturity
    partial_start = pd.to_datetime(frame["start"]) < pd.Timestamp(coverage.start)
    frame["mature"] = (ends <= cutoff) & ~partial_start
    covered = pd.to_datetime(frame["start"]) < pd.Timestamp(coverage.end)
    if kpi.empty_period == "zero" and kpi.kind in ("count", "rate"):
        empty = frame["value"].isna() & covered & frame["denominator"].isna()
        frame.loc[empty, ["value", "numerator", "n"]] = 0.0
    frame["n"] = frame["n"].fillna(0.0)
    frame["open"] = frame["open"].fillna(0.0)
    frame["status"] = _status(frame, kpi, disclosure_minimum)
    return frame


def _status(frame: pd.DataFrame, kpi: Kpi, disclosure_minimum: int) -> np.ndarray:
    personal = kpi.kind in PERSONAL
    conditions = [
        frame["value"].isna() & (frame["n"] == 0),
        personal & (frame["n"] < disclosure_minimum),
        ~frame["mature"],
        frame["value"].isna(),
        personal & (frame["n"] < kpi.minimum_n),
    ]
    return np.select(conditions, ["missing", "withheld", "provisional", "missing", "too_few"], default="ok")


def _spine(
    groups: pd.DataFrame,
    coverage: Coverage,
    departments: Sequence[Department],
    frequency: Frequency,
    last: Period,
    *,
    census: bool,
) -> pd.DataFrame:
    """Department x period, from a department's first period with data to `last` or to its closing day."""
    firsts = groups.groupby("department")["start"].min() if len(groups) else pd.Series(dtype=object)
    rows: list[dict[str, Any]] = []
    for department in departments:
        first = _first_day(department, firsts.get(department.code), coverage, census)
        final = last.start if department.closed is None else min(last.start, department.closed)
        if first is None or first > final:
            continue
        for period in spine(first, final, frequency):
            rows.append(
                {"department": department.code, "period": period.label, "start": period.start, "end": period.end}
            )
    return pd.DataFrame(rows, columns=["department", "period", "start", "end"])


def _first_day(department: Department, first: Any, coverage: Coverage, census: bool) -> dt.date | None:
    known = None if first is None or pd.isna(first) else first
    if census:  # no outage is a figure too
        known = coverage.start
    if department.opened is not None and known is not None:
        known = max(known, department.opened) if census else min(known, department.opened)
    return known


def case_rows(
    backend: SQLBackend,
    declaration: Declaration,
    department: str,
    *,
    since: dt.date,
    until: dt.date,
    as_of: dt.datetime,
) -> pd.DataFrame:
    """The single rows behind a KPI of one department.

    Returns
    -------
    All columns of the source; and ``start`` (first day of the row's month, week or quarter is left to the caller:
    the cohort's stamp is in ``cohort_at``), ``num``, ``den``, ``value``, ``duration`` (the KPI's unit) and
    ``observed`` (False: still open at the cut-off), as far as the kind has them.
    """
    return aggregates.rows(backend, declaration, department, since=since, until=until, as_of=as_of)


def coverage_of(days: Iterable[dt.date], source: Source, as_of: dt.datetime) -> Coverage:
    """The days a source covers, told from the days on which it has rows.

    A first or last period is only partly covered where the source begins late in it, or ends early: later than its
    longest silence would explain. What the source declares (`final_from`, `final_to`) goes before.

    Examples
    --------
    Months as totals cover their whole month, although only its first day has a row.

    >>> source = Source(name="s", shape="counts", read="s.csv", columns={"period": "m", "department": "d"})
    >>> coverage_of([dt.date(2026, m, 1) for m in range(1, 10)], source, dt.datetime(2026, 11, 5))
    Coverage(start=datetime.date(2026, 1, 1), end=datetime.date(2026, 10, 1))
    """
    ordered = sorted(set(days))
    cutoff = as_of.date() if as_of.time() == dt.time() else as_of.date() + dt.timedelta(days=1)
    if not ordered:
        return Coverage(cutoff, cutoff)
    frequency = _totals_of(ordered) if source.shape == "counts" else None
    if frequency:
        start, end = ordered[0], Period.containing(ordered[-1], frequency).end
    else:
        gaps = [(b - a).days for a, b in zip(ordered, ordered[1:], strict=False)]
        silence = max(gaps, default=1)
        first = Period.containing(ordered[0], "month").start
        start = first if (ordered[0] - first).days < silence else ordered[0]
        end = ordered[-1] + dt.timedelta(days=1)
        if (cutoff - end).days < silence:
            end = cutoff
    if source.final_from:
        start = source.final_from
    if source.final_to:
        end = source.final_to + dt.timedelta(days=1)
    return Coverage(start, min(end, cutoff))


def _totals_of(days: list[dt.date]) -> Frequency | None:
    """The frequency of totals whose dates are all first days of a quarter, month or week."""
    if len(days) < 2:
        return "month" if days[0].day == 1 else None
    for frequency in ("quarter", "month", "week"):
        if all(Period.containing(day, frequency).start == day for day in days):
            return frequency
    return None


__all__ = ["COLUMNS", "Coverage", "Declaration", "case_rows", "coverage_of", "default_cohort", "measure_kpis"]
