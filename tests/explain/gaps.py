"""Small data made to measure: cases of 30 months, their figures, and the question that they ask."""

import datetime as dt

import numpy as np
import pandas as pd

from svclib.catalogue.models import Kpi, Source
from svclib.explain.question import find_questions
from svclib.measure.analysis import analyse_kpis
from svclib.measure.periods import Period

PERIOD = Period.parse("2026-10")
LABELS = [p.label for p in PERIOD.last(30)]
SOURCE = Source(
    name="tickets",
    shape="cases",
    read="x.csv",
    columns={"case_id": "id", "opened_at": "o"},
    dimensions=["channel", "team"],
)


def a_kpi(**changes):
    said = {"kind": "proportion", "numerator": "bad", "direction": "decrease", "rules": "strict", "unit": "%"}
    target = {"value": 0.15, "from": "2024-01-01"}
    return Kpi(code="bad", title="Bad cases", source="tickets", targets=[target], **(said | changes))


def some_rows(cause=None, cases=600, effect=0.35, seed=1):
    """Cases of 30 months, 12 % of them bad; `cause` (a condition) adds `effect` in the last two months."""
    rng = np.random.default_rng(seed)
    frames = []
    for i, label in enumerate(LABELS):
        frame = pd.DataFrame(
            {
                "channel": rng.choice(["Phone", "Chat", "Mail"], cases, p=[0.5, 0.3, 0.2]),
                "team": rng.choice(["North", "South"], cases),
                "period": label,
                "den": 1.0,
                "opened_at": pd.Timestamp(Period.parse(label).start)
                + pd.to_timedelta(rng.integers(0, 28, cases), unit="D"),
                "handoffs": rng.poisson(1.0, cases),
            }
        )
        frame["resolved_at"] = frame["opened_at"] + pd.to_timedelta(rng.integers(1, 72, cases), unit="h")
        frame["waiting_hours"] = (frame["resolved_at"] - frame["opened_at"]).dt.total_seconds() / 5000
        frame["working_hours"] = 1.5 + frame["handoffs"]
        risk = np.full(cases, 0.12)
        if cause is not None and i >= len(LABELS) - 2:
            risk = risk + effect * frame.eval(cause).to_numpy()
        frame["num"] = (rng.random(cases) < risk).astype(float)
        frame["comment"] = np.where(frame["num"] > 0, "the bot kept me waiting", "thank you, all fine")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def measures_of(rows):
    totals = rows.groupby("period")[["num", "den"]].sum().reindex(LABELS)
    table = pd.DataFrame({"kpi": "bad", "department": "D01", "period": LABELS})
    table["start"] = [Period.parse(label).start for label in LABELS]
    table["end"] = [Period.parse(label).end for label in LABELS]
    table["numerator"], table["denominator"] = totals["num"].to_numpy(), totals["den"].to_numpy()
    table["value"] = table["numerator"] / table["denominator"]
    table = table.assign(
        n=table["denominator"],
        sd=np.nan,
        lower=np.nan,
        upper=np.nan,
        open=0.0,
        mature=True,
        status=np.where(table["denominator"] < 5, "withheld", "ok"),
    )
    return table


def question_of(rows, kpi=None, chosen=None, events=(), actions=()):
    kpi = kpi or a_kpi()
    found = analyse_kpis(
        measures_of(rows), [kpi], "D01", PERIOD, as_of=dt.datetime(2026, 11, 5), events=events, actions=actions
    )
    return find_questions(found.findings, PERIOD, chosen)[0]
