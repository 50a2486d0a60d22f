"""Small measures tables for tests of the charts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.measure.periods import Period

NEEDED: dict[str, dict[str, Any]] = {
    "mean": {"value": "v"},
    "proportion": {"numerator": "a"},
    "rate": {"numerator": "a", "denominator": "b"},
    "count": {},
    "quantile": {"value": "v"},
    "time_to_event": {"event": "resolved_at"},
    "availability": {},
}


def a_kpi(kind: str = "mean", rules: str = "nhs", direction: Any = "increase", **more: Any) -> Kpi:
    return Kpi(code="k", title="K", source="s", kind=kind, rules=rules, direction=direction, **{**NEEDED[kind], **more})  # type: ignore[arg-type]


def a_series(
    values: Sequence[float],
    numerator: Sequence[float] | None = None,
    denominator: Sequence[float] | None = None,
    *,
    first: str = "2022-01",
    **columns: Any,
) -> pd.DataFrame:
    """Monthly rows of a measures table; `columns` replace whole columns."""
    start = Period.parse(first)
    periods = [start]
    while len(periods) < len(values):
        periods.append(periods[-1].next())
    blank = np.full(len(values), np.nan)
    frame = pd.DataFrame(
        {
            "department": "D01",
            "period": [p.label for p in periods],
            "start": [p.start for p in periods],
            "end": [p.end for p in periods],
            "value": np.asarray(values, dtype=float),
            "numerator": blank if numerator is None else np.asarray(numerator, dtype=float),
            "denominator": blank if denominator is None else np.asarray(denominator, dtype=float),
            "n": np.full(len(values), 100.0) if denominator is None else np.asarray(denominator, dtype=float),
            "mature": True,
            "status": "ok",
        }
    )
    return frame.assign(**columns)


def a_share(numerator: Sequence[float], denominator: Sequence[float], **columns: Any) -> pd.DataFrame:
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.asarray(numerator, dtype=float) / np.asarray(denominator, dtype=float)
    return a_series(values, numerator, denominator, **columns)


def month(index: int, first: dt.date = dt.date(2022, 1, 1)) -> dt.date:
    """First day of the month `index` after the first."""
    total = first.year * 12 + first.month - 1 + index
    return dt.date(total // 12, total % 12 + 1, 1)
