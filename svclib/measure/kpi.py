"""KPI x department x period: the measures table that charts, explanations and evaluations start from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Department, Kpi
from svclib.measure import aggregates
from svclib.measure.declaration import Coverage, Declaration
from svclib.measure.periods import Frequency, Period, spine

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

COLUMNS = [
    "kpi", "department", "period", "start", "end", "value", "numerator", "denominator",
    "n", "sd", "lower", "upper", "open", "mature", "status",
]  # fmt: skip
# Kinds whose rows are single people's or cases' answers; counts, rates and minutes disclose nobody.
PERSONAL = frozenset({"proportion", "mean", "quantile", "score", "time_to_event"})


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
    begins, ends = pd.to_datetime(frame["start"]), pd.to_datetime(frame["end"])
    whole = (begins >= pd.Timestamp(coverage.start)) & (ends <= pd.Timestamp(coverage.end))
    frame["mature"] = whole & (ends + kpi.maturity <= coverage.cutoff(as_of))
    covered = begins < pd.Timestamp(coverage.end)
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
