"""The same rows on any database, a KPI of every kind over them, and what it means that two databases agree."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from svclib.catalogue.models import Department, Kpi, Source
from svclib.explain.slices import slice_cases, tabulate
from svclib.measure.aggregates import case_rows
from svclib.measure.declaration import Coverage, Declaration
from svclib.measure.engine import connect
from svclib.measure.kpi import measure_kpis

AS_OF = dt.datetime(2026, 3, 15)
COVERAGE = Coverage(dt.date(2026, 1, 1), dt.date(2026, 3, 15))
CODES = ("D01", "North 2", "Übung+3")  # codes may hold blanks, signs and letters beyond ASCII
DIMENSIONS = ("channel", "Team")
SOURCES = {
    "cases": {
        "columns": ["case_id", "department", "opened_at", "resolved_at", "contacts", "reopened", "hours"],
        "dimensions": list(DIMENSIONS),
    },
    "responses": {"columns": ["department", "responded_at", "score", "nps"]},
    "outages": {"columns": ["department", "started_at", "ended_at", "severity"]},
    "counts": {"columns": ["department", "period", "kpi", "numerator", "denominator", "n", "seconds"]},
}
TIME = {"kind": "time_to_event", "event": "resolved_at"}
KPIS: dict[str, dict[str, Any]] = {
    "condition": {"source": "cases", "kind": "proportion", "numerator": "contacts = 1 and not reopened"},
    "column": {"source": "cases", "kind": "proportion", "numerator": "reopened", "denominator": "contacts > 1"},
    "computed": {"source": "cases", "kind": "proportion", "numerator": "coalesce(reopened, false)"},
    "either": {"source": "cases", "kind": "proportion", "numerator": "case when contacts > 1 then reopened end"},
    "pattern": {"source": "cases", "kind": "proportion", "numerator": "channel ilike 'P%' or channel in ('web')"},
    "capital": {"source": "cases", "kind": "proportion", "numerator": "team = 'a'", "where": "TEAM <> 'c'"},
    "in_hours": {"source": "cases", "kind": "proportion", "numerator": "hour(opened_at) between 8 and 17"},
    "weekend": {"source": "cases", "kind": "proportion", "numerator": "dayofweek(opened_at) in (0, 6)"},
    "in_time": {
        "source": "cases",
        "kind": "proportion",
        "numerator": "resolved_at <= opened_at + interval 2 days",
        "where": "opened_at >= timestamp '2026-01-10 12:00:00' and resolved_at is not null",
    },
    "days": {"source": "cases", "kind": "mean", "value": "date_diff('day', opened_at, resolved_at)", "unit": "d"},
    "total_share": {"source": "counts", "kind": "proportion", "numerator": "numerator", "where": "n > 3"},
    "rate": {"source": "counts", "kind": "rate", "numerator": "numerator", "denominator": "denominator", "per": 1000},
    "case_rate": {"source": "cases", "kind": "rate", "numerator": "reopened", "denominator": "contacts"},
    "count": {"source": "cases", "kind": "count", "empty_period": "zero", "where": "channel <> 'none'"},
    "count_of": {"source": "cases", "kind": "count", "numerator": "contacts"},
    "mean": {"source": "cases", "kind": "mean", "value": "hours / 3"},
    "whole_numbers": {"source": "cases", "kind": "mean", "value": "contacts / 2", "where": "contacts // 2 >= 0"},
    "mean_of_totals": {"source": "counts", "kind": "mean", "value": "seconds", "denominator": "n"},
    "quantile": {"source": "cases", "kind": "quantile", "value": "hours", "quantile": 0.9},
    "csat": {"source": "responses", "kind": "score", "value": "score", "scale": {"measure": "csat"}},
    "nps": {"source": "responses", "kind": "score", "value": "nps", "scale": {"measure": "nps", "low": 0, "high": 10}},
    "score": {"source": "responses", "kind": "score", "value": "score", "scale": {"measure": "mean"}},
    "median": {"source": "cases", **TIME, "unit": "h"},
    "restricted_mean": {"source": "cases", **TIME, "statistic": "mean", "horizon": "5d", "unit": "d"},
    "within": {"source": "cases", **TIME, "statistic": "within", "within": "2d", "unit": "d"},
    "availability": {"source": "outages", "kind": "availability", "where": "severity <> 'planned'"},
}


def generated() -> dict[str, pa.Table]:
    """Some hundred rows of each shape, with missing values, open cases, fractions of seconds and edges of months."""
    rng = np.random.default_rng(20260315)
    return {
        "cases": _cases(rng, 400),
        "responses": _responses(rng, 250),
        "outages": _outages(rng, 40),
        "counts": _counts(rng),
    }


def _table(columns: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)


def _stamps(rng: np.random.Generator, size: int) -> pd.Series:
    """Stamps of ten weeks to the microsecond, some of them at the very edge of a month."""
    seconds = pd.Series(pd.to_timedelta(rng.integers(0, 72 * 86_400 * 10**6, size), "us"))
    stamps = pd.Timestamp("2026-01-01") + seconds
    edges = ["2026-01-31 23:59:59.999999", "2026-02-01", "2026-03-14 23:59:59.5", "2026-01-01"]
    stamps.iloc[: len(edges)] = pd.to_datetime(edges, format="ISO8601")
    return stamps.astype("datetime64[us]")


def _some(rng: np.random.Generator, values: pd.Series, share: float) -> pd.Series:
    return values.mask(pd.Series(rng.random(len(values)) < share))


def _cases(rng: np.random.Generator, size: int) -> pa.Table:
    opened = _stamps(rng, size)
    resolved = opened + pd.to_timedelta((rng.exponential(60, size) * 3.6e9).astype("int64"), "us")
    return _table(
        {
            "case_id": [f"C{i:04d}" for i in range(size)],
            "department": rng.choice(CODES, size),
            "opened_at": opened,
            "resolved_at": resolved.where(resolved < AS_OF).astype("datetime64[us]"),
            "contacts": _some(rng, pd.Series(rng.integers(1, 4, size), dtype="Int64"), 0.1),
            "reopened": _some(rng, pd.Series(rng.random(size) < 0.2, dtype="boolean"), 0.1),
            "hours": _some(rng, pd.Series(rng.gamma(2, 3, size).round(3), dtype="Float64"), 0.1),
            "channel": _some(rng, pd.Series(rng.choice(["phone", "web", "post'card"], size), dtype="str"), 0.1),
            "Team": rng.choice(["a", "b", "c"], size),
        }
    )


def _responses(rng: np.random.Generator, size: int) -> pa.Table:
    return _table(
        {
            "department": rng.choice(CODES, size),
            "responded_at": _stamps(rng, size),
            "score": _some(rng, pd.Series(rng.integers(1, 6, size), dtype="Int64"), 0.1),
            "nps": _some(rng, pd.Series(rng.integers(0, 11, size), dtype="Int64"), 0.1),
        }
    )


def _outages(rng: np.random.Generator, size: int) -> pa.Table:
    began = _stamps(rng, size)
    ended = began + pd.to_timedelta(rng.integers(0, 40 * 3600, size), "s")
    return _table(
        {
            "department": rng.choice(CODES[:2], size),
            "started_at": began,
            "ended_at": _some(rng, ended, 0.1).astype("datetime64[us]"),
            "severity": rng.choice(["major", "minor", "planned"], size),
        }
    )


def _counts(rng: np.random.Generator) -> pa.Table:
    days = pd.date_range("2026-01-01", "2026-03-14", freq="D", unit="us")
    size = len(days) * len(CODES)
    return _table(
        {
            "department": np.repeat(CODES, len(days)),
            "period": np.tile(days, len(CODES)),
            "kpi": rng.choice(["total_share", "rate", "mean_of_totals"], size),
            "numerator": rng.integers(0, 5, size).astype(float),
            "denominator": _some(rng, pd.Series(rng.uniform(5, 90, size).round(2), dtype="Float64"), 0.05),
            "n": rng.integers(0, 12, size),
            "seconds": rng.uniform(30, 300, size).round(1),
        }
    )


def duckdb_with(tables: dict[str, pa.Table]) -> Any:
    """DuckDB in memory with the tables: the figures that count."""
    backend = connect()
    for name, table in tables.items():
        backend.con.register(name, table)
    return backend


def declaration(code: str) -> Declaration:
    declared = {"direction": "increase", "title": code, "minimum_n": 1, **KPIS[code]}
    shape = declared["source"]
    columns = {name: name for name in SOURCES[shape]["columns"]}
    source = Source(
        name=shape, shape=shape, read="s.csv", columns=columns, dimensions=SOURCES[shape].get("dimensions", [])
    )
    return Declaration(Kpi(code=code, **declared), source, COVERAGE, CODES, frozenset({"reopened"}))


def measure(backend: Any, *codes: str) -> pd.DataFrame:
    return measure_kpis(
        backend,
        [declaration(code) for code in codes],
        [Department(code=code, name=code) for code in CODES],
        as_of=AS_OF,
        disclosure_minimum=1,
    )


def single_rows(backend: Any, code: str, department: str = CODES[1]) -> pd.DataFrame:
    """The rows behind a KPI in one order, in which no database gives them by itself."""
    since, until = dt.date(2026, 1, 1), dt.date(2026, 3, 15)
    rows = case_rows(backend, declaration(code), department, since=since, until=until, as_of=AS_OF)
    order = [name for name in ("case_id", "cohort_at", "kpi") if name in rows]
    return rows.sort_values(order).reset_index(drop=True)


def segments(backend: Any, code: str) -> dict[str, Any]:
    """The segment table of a KPI: what each leaf of its dimensions adds up to in each period."""
    rows = single_rows(backend, code)
    rows["period"] = rows["cohort_at"].dt.strftime("%Y-%m")
    piece = slice_cases(rows, declaration(code).kpi, DIMENSIONS, ["2026-01"])
    table = tabulate(piece, ["2026-01"], "2026-02")
    return {"values": table.values, "codes": table.codes, "observed": table.observed, "exposure": table.exposure}


def check_same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """The same rows, the same types, and numbers equal to 1e-9."""
    assert len(wanted) > 0
    pd.testing.assert_frame_equal(found, wanted, check_exact=False, rtol=1e-9, atol=1e-9)


def check_segments(found: Any, wanted: Any, code: str) -> None:
    """The same segment table from two databases."""
    one, two = segments(found, code), segments(wanted, code)
    assert one["values"] == two["values"]
    assert (one["codes"] == two["codes"]).all()
    for name in ("observed", "exposure"):
        assert two[name].sum() > 0
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-9)
