"""A period against the same one a year ago, and the year to date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from svclib.catalogue.models import Kpi
from svclib.measure.spc.choice import ratio_kind


@dataclass(frozen=True)
class YearOverYear:
    """The same period a year ago; the interval of the change only for shares (Newcombe 1998)."""

    period: str
    value: float
    change: float
    lower: float
    upper: float
    comparable: bool


@dataclass(frozen=True)
class YearToDate:
    """All periods of the calendar year so far together, and the same periods a year ago (NaN where not complete)."""

    since: dt.date
    periods: int
    value: float
    last_year: float
    provisional: bool


def year_over_year(points: pd.DataFrame, kpi: Kpi) -> YearOverYear | None:
    """Compare the latest period with the one a year earlier.

    `comparable` is False where a rebase or a declared change of definition lies between the two. None where one of the
    two is missing or withheld: a change next to a shown value gives the other value away.
    """
    now = points.iloc[-1]
    start = pd.Timestamp(now["start"]).date()
    before = _year_before(points, str(now["period"]), start)
    if before is None or "withheld" in (now["status"], before["status"]):
        return None
    if not np.isfinite([now["value"], before["value"]]).all():
        return None
    lower = upper = np.nan
    counts = [now["numerator"], now["denominator"], before["numerator"], before["denominator"]]
    if ratio_kind(kpi) == "p" and np.isfinite(np.array(counts, dtype=float)).all() and counts[1] > 0 and counts[3] > 0:
        lower, upper = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    breaks = [r.date for r in kpi.rebase] + [c.date for c in kpi.changes]
    earlier = pd.Timestamp(before["start"]).date()
    return YearOverYear(
        period=str(before["period"]),
        value=float(before["value"]),
        change=float(now["value"] - before["value"]),
        lower=float(lower),
        upper=float(upper),
        comparable=not any(earlier < day <= start for day in breaks),
    )


def year_to_date(points: pd.DataFrame, kpi: Kpi) -> YearToDate | None:
    """Totals of the calendar year so far; only KPIs that are counts, or ratios of counts, can be added up.

    A year with a withheld period has no total: the periods that are shown, taken from it, would leave the rest.
    """
    kind = ratio_kind(kpi)
    if kind is None:
        return None
    starts = pd.to_datetime(points["start"])
    latest = starts.iloc[-1]
    this = points[starts >= pd.Timestamp(latest.year, 1, 1)]
    last = points[(starts >= pd.Timestamp(latest.year - 1, 1, 1)) & (starts <= latest - pd.DateOffset(years=1))]
    value = _total(this, kind, kpi.per)
    if len(this) < 2 or not np.isfinite(value) or this["status"].eq("withheld").any():
        return None
    known = len(last) == len(this) and last["value"].notna().all() and last["status"].ne("withheld").all()
    return YearToDate(
        since=pd.Timestamp(latest.year, 1, 1).date(),
        periods=len(this),
        value=value,
        last_year=_total(last, kind, kpi.per) if known else np.nan,
        provisional=not bool(this["mature"].all()),
    )


def _total(rows: pd.DataFrame, kind: str, per: float) -> float:
    if kind == "c":
        return float(rows["value"].sum(min_count=1))
    denominator = float(rows["denominator"].sum())
    return float(rows["numerator"].sum() / denominator * per) if denominator > 0 else np.nan


def _year_before(points: pd.DataFrame, label: str, start: dt.date) -> pd.Series | None:
    wanted = f"{int(label[:4]) - 1}{label[4:]}"
    found = points[points["period"] == wanted]
    return found.iloc[0] if len(found) else None
