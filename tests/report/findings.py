"""A KPI of one department with given values, analysed."""

import datetime as dt

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi
from svclib.measure.analysis import analyse_kpis
from svclib.measure.periods import Period

QUIET = [10.0, 11, 9, 10.5, 9.5, 10, 11.5, 9, 10, 10.5, 9.5, 11, 10, 9, 10.5, 10, 9.5, 11, 10, 9.5, 10.5, 10, 9, 11]


def a_finding(values, *, direction="increase", target=None, rules="strict", n=100.0, status="ok", mature=True, **more):
    first = Period.parse("2024-01")
    periods = [first]
    while len(periods) < len(values):
        periods.append(periods[-1].next())
    table = pd.DataFrame(
        {
            "kpi": "k",
            "department": "D01",
            "period": [p.label for p in periods],
            "start": [p.start for p in periods],
            "end": [p.end for p in periods],
            "value": np.asarray(values, dtype=float),
            "numerator": np.nan,
            "denominator": np.nan,
            "n": n,
            "sd": np.nan,
            "lower": np.asarray(values, dtype=float) - 1,
            "upper": np.asarray(values, dtype=float) + 1,
            "open": 0.0,
            "mature": True,
            "status": "ok",
        }
    )
    table.loc[len(values) - 1, ["status", "mature"]] = [status, mature]
    targets = [] if target is None else [{"value": target, "from": "2024-01-01"}]
    events = more.pop("events", [])
    declared = {"title": "Waiting", "unit": "h", "chart": "xmr", "decimals": 1} | more
    kpi = Kpi(
        code="k", source="s", kind="mean", value="v", direction=direction, targets=targets, rules=rules, **declared
    )
    as_of = dt.datetime(2026, 1, 1)
    return analyse_kpis(table, [kpi], "D01", periods[-1], as_of=as_of, events=events).findings[0]
