"""Small organisations for the tests: a measures table, and a plan on it."""

import datetime as dt

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Department, Kpi
from svclib.evaluate.analysis import Plan
from svclib.measure.periods import Period

CODES = [f"D{i}" for i in range(9)]
KPI = Kpi(
    code="k", title="Kept promises", source="s", kind="mean", value="v", direction="increase", unit="points",
    targets=[{"value": 51.0, "from": dt.date(2023, 1, 1)}],
)  # fmt: skip


def an_action(**more):
    parts = {
        "id": "A1", "department": "D0", "kpi": "k", "gap": "Too few", "objective": "More", "target_value": 51.0,
        "start": dt.date(2026, 1, 1), "due": dt.date(2026, 6, 30), "responsible": "Ann",
    }  # fmt: skip
    return Action(**{**parts, **more})


def measures(values, first="2024-01", kpi=KPI):
    """A measures table of departments D0, D1, ... from (departments, periods) values."""
    periods = [Period.parse(first)]
    while len(periods) < values.shape[1]:
        periods.append(periods[-1].next())
    rows = [
        {
            "kpi": kpi.code, "department": code, "period": p.label, "start": p.start, "end": p.end, "value": v,
            "numerator": np.nan, "denominator": np.nan, "n": 100.0, "sd": np.nan, "lower": np.nan, "upper": np.nan,
            "open": 0.0, "mature": True, "status": "missing" if np.isnan(v) else "ok",
        }
        for code, series in zip(CODES, values, strict=False)
        for p, v in zip(periods, series, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def noise(departments=9, periods=30, seed=1):
    """Monthly values around 50 that share a season and a common drift, sd about 0.5 each."""
    rng = np.random.default_rng(seed)
    common = 0.5 * rng.normal(size=periods) + np.sin(2 * np.pi * np.arange(periods) / 12)
    return 50 + common + 0.5 * rng.normal(size=(departments, periods))


def a_plan(values, *actions, kpi=KPI, events=(), departments=None, table=None, **more):
    table = measures(values, kpi=kpi) if table is None else table
    last = Period.parse(str(table.sort_values("start")["period"].iloc[-1]))
    parts = {
        "measures": lambda kpi: table, "kpis": {kpi.code: kpi}, "actions": list(actions), "events": list(events), "period": last,
        "departments": departments or [Department(code=c, name=c) for c in CODES[: len(values)]],
        "as_of": last.end + dt.timedelta(days=5), "dimensions": {},
    }  # fmt: skip
    return Plan(**{**parts, **more})
