"""The sums behind each kind of KPI: SQL in DuckDB's dialect, one row a department and period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from svclib import sql
from svclib.catalogue.check import default_cohort
from svclib.catalogue.models import Kpi, Scale, Source
from svclib.measure import intervals
from svclib.measure.engine import frame
from svclib.measure.periods import Frequency, Period

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

    from svclib.measure.declaration import Declaration

_EMPTY = ["value", "numerator", "denominator", "n", "sd", "lower", "upper", "open"]


def aggregate(
    backend: SQLBackend, declaration: Declaration, *, as_of: dt.datetime, frequency: Frequency
) -> pd.DataFrame:
    """One row for each department and period that has rows.

    Returns
    -------
    ``department, start, value, numerator, denominator, n, sd, lower, upper, open``.
    """
    groups = _KINDS[declaration.kpi.kind](backend, declaration, as_of, frequency)
    for column in _EMPTY:
        if column not in groups:
            groups[column] = np.nan
    groups[_EMPTY] = groups[_EMPTY].astype("float64")
    return groups[["department", "start", *_EMPTY]]


def case_rows(
    backend: SQLBackend,
    declaration: Declaration,
    department: str,
    *,
    since: dt.date,
    until: dt.date,
    as_of: dt.datetime,
) -> pd.DataFrame:
    """The single rows behind one department's KPI from `since` to before `until`, with what each contributes.

    Returns
    -------
    All columns of the source; the cohort's stamp in ``cohort_at``; and ``num``, ``den``, ``value``, ``duration`` (the
    KPI's unit) and ``observed`` (False: still open at the cut-off), as far as the kind has them.
    """
    kpi, source = declaration.kpi, declaration.source
    cohort = sql.name(default_cohort(kpi, source))
    parts = [f"{cohort} as cohort_at"]
    if kpi.kind == "time_to_event":
        duration, observed = _duration(kpi, source, declaration.coverage.cutoff(as_of))
        parts += [f"{duration} as duration", f"{observed} as observed"]
    elif kpi.kind in ("mean", "quantile", "score"):
        parts += [f"{_value(declaration)} as value", f"{_weight(declaration)} as den"]
    elif kpi.kind != "availability":
        parts += [f"{_numerator(declaration)} as num", f"{_denominator(declaration)} as den"]
    # A source column that bears one of the computed names would come twice.
    computed = {part.rpartition(" as ")[2] for part in parts}
    columns = [sql.name(name) for name in backend.table(source.name).columns if name.lower() not in computed]
    query = f"""
        select {", ".join([*columns, *parts])} from {sql.name(source.name)}
        where {_condition(kpi, source)} and department = {sql.text(department)}
          and {cohort} >= timestamp '{since}' and {cohort} < timestamp '{until}'
    """
    return frame(backend, query)


def source_sql(expression: str, source: Source) -> str:
    """The expression as one parenthesised piece, without comments that could swallow what follows.

    Columns are written as the source's are: unlike DuckDB, PostgreSQL tells `Team` from `team`.
    """
    import sqlglot
    from sqlglot import expressions as exp

    tree = sqlglot.parse_one(expression, read="duckdb")
    spelling = {name.lower(): name for name in (*source.columns, *source.dimension_columns)}
    for column in tree.find_all(exp.Column):
        name = spelling.get(column.name.lower(), "")
        if name != name.lower():
            column.set("this", exp.to_identifier(name, quoted=True))
    return f"({tree.sql('duckdb', comments=False)})"


def _condition(kpi: Kpi, source: Source) -> str:
    conditions = [f"{sql.name(default_cohort(kpi, source))} is not null"]
    if kpi.where:
        conditions.append(source_sql(kpi.where, source))
    if "kpi" in source.columns:
        conditions.append(f"kpi = {sql.text(kpi.code)}")
    return " and ".join(conditions)


def _number(expression: str, declaration: Declaration) -> str:
    """The expression as a number, true as 1 and false as 0 (PostgreSQL casts no boolean to a double)."""
    sql = source_sql(expression, declaration.source)
    if _is_condition(expression, declaration):
        sql = f"case when {sql} then 1 when not {sql} then 0 end"
    return f"cast({sql} as double)"


def _is_condition(expression: str, declaration: Declaration) -> bool:
    """Whether the expression is true or false, as far as its functions and the source's columns tell."""
    import sqlglot
    from sqlglot import expressions as exp
    from sqlglot.optimizer.annotate_types import annotate_types

    tree = exp.select(sqlglot.parse_one(expression, read="duckdb")).from_("s")
    for column in tree.find_all(exp.Column):
        column.replace(exp.column(column.name.lower(), table="s"))
    columns: dict[str, object] | None = (
        {"s": dict.fromkeys(declaration.booleans, "boolean")} if declaration.booleans else None
    )
    known = annotate_types(tree, schema=columns, dialect="duckdb")
    return known.selects[0].is_type("boolean")


def _numerator(declaration: Declaration) -> str:
    default = "numerator" if "numerator" in declaration.source.columns else "true"
    return _number(declaration.kpi.numerator or default, declaration)


def _denominator(declaration: Declaration) -> str:
    default = "denominator" if "denominator" in declaration.source.columns else "true"
    return _number(declaration.kpi.denominator or default, declaration)


def _value(declaration: Declaration) -> str:
    kpi = declaration.kpi
    value = _number(kpi.value or "value", declaration)
    if kpi.kind == "score":
        scale = kpi.scale or Scale()
        if scale.measure == "csat":
            tops = ", ".join(f"{v:g}" for v in scale.top)
            return f"cast(case when {value} is null then null when {value} in ({tops}) then 1 else 0 end as double)"
        if scale.measure == "nps":
            score = f"when {value} >= 9 then 100 when {value} <= 6 then -100 else 0"
            return f"cast(case when {value} is null then null {score} end as double)"
    return value


def _weight(declaration: Declaration) -> str:
    source = declaration.source
    if declaration.kpi.denominator:
        return _number(declaration.kpi.denominator, declaration)
    return "cast(n as double)" if source.shape == "counts" and "n" in source.columns else "cast(1 as double)"


def _start(kpi: Kpi, source: Source, frequency: Frequency) -> str:
    return f"cast(date_trunc('{frequency}', {sql.name(default_cohort(kpi, source))}) as date)"


def _groups(
    backend: SQLBackend, declaration: Declaration, frequency: Frequency, columns: str, inner: str
) -> pd.DataFrame:
    kpi, source = declaration.kpi, declaration.source
    query = f"""
        select department, start, {columns}
        from (select department, {_start(kpi, source, frequency)} as start, {inner}
              from {sql.name(source.name)} where {_condition(kpi, source)}) as contributions
        group by department, start order by department, start
    """
    return _dated(frame(backend, query))


def _dated(groups: pd.DataFrame) -> pd.DataFrame:
    starts = [d.date() if isinstance(d, dt.datetime) else d for d in groups["start"]]
    groups["start"] = pd.Series(starts, index=groups.index, dtype=object)  # also where no row is let through
    numbers = groups.columns.difference(["department", "start"])
    groups[numbers] = groups[numbers].apply(pd.to_numeric).astype("float64")
    return groups


def _ratio(backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency) -> pd.DataFrame:
    """Proportions and rates: a row counts only where both its parts are known; outside the denominator it is nothing."""
    kpi, source = declaration.kpi, declaration.source
    known = "num is not null and den is not null"
    # Of single rows a numerator counts only inside the denominator; totals bring both sums along.
    inside = known if source.shape == "counts" else f"{known} and den <> 0"
    groups = _groups(
        backend, declaration, frequency,
        f"sum(case when {inside} then num end) as numerator, sum(case when {known} then den end) as denominator, "
        f"sum(case when {inside} then 1 else 0 end) as rows",
        f"{_numerator(declaration)} as num, {_denominator(declaration)} as den",
    )  # fmt: skip
    numerator, denominator = groups["numerator"], groups["denominator"].where(groups["denominator"] > 0)
    if kpi.kind == "proportion":
        groups["value"] = numerator / denominator
        groups["n"] = groups["denominator"]
        groups["lower"], groups["upper"] = intervals.wilson_interval(numerator, denominator)
    else:
        groups["value"] = kpi.per * numerator / denominator
        groups["n"] = groups["denominator"] if source.shape == "counts" else groups["rows"]
        low, high = intervals.poisson_interval(numerator, denominator)
        groups["lower"], groups["upper"] = kpi.per * low, kpi.per * high
    return groups


def _count(backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency) -> pd.DataFrame:
    groups = _groups(backend, declaration, frequency, "sum(num) as numerator", f"{_numerator(declaration)} as num")
    groups["value"] = groups["n"] = groups["numerator"]
    groups["lower"], groups["upper"] = intervals.poisson_interval(groups["value"])
    return groups


def _mean(backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency) -> pd.DataFrame:
    """Means and scores; totals are weighted by their `n` (or the KPI's denominator)."""
    kpi, source = declaration.kpi, declaration.source
    groups = _groups(
        backend, declaration, frequency,
        "sum(value * den) as numerator, sum(case when value is not null then den end) as denominator, "
        "stddev_samp(value) as sd, count(value) as rows",
        f"{_value(declaration)} as value, {_weight(declaration)} as den",
    )  # fmt: skip
    weight = groups["denominator"].where(groups["denominator"] > 0)
    groups["value"] = groups["numerator"] / weight
    groups["n"] = groups["denominator"] if source.shape == "counts" else groups["rows"]
    if kpi.kind == "score" and (kpi.scale or Scale()).measure == "csat":
        groups["sd"] = np.nan
        groups["lower"], groups["upper"] = intervals.wilson_interval(groups["numerator"], weight)
        return groups
    if source.shape == "counts":  # the spread of totals is not that of single values
        groups["sd"] = np.nan
    groups["lower"], groups["upper"] = intervals.t_interval(groups["value"], groups["sd"], groups["rows"])
    return groups


def _quantile(backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency) -> pd.DataFrame:
    single = _single(backend, declaration, frequency, f"{_value(declaration)} as value", "value is not null")

    def summary(values: np.ndarray) -> dict[str, float]:
        lower, upper = intervals.quantile_interval(values, declaration.kpi.quantile)
        return {
            "value": float(np.quantile(values, declaration.kpi.quantile)),
            "n": len(values),
            "lower": lower,
            "upper": upper,
        }

    return _by_group(single, lambda part: summary(part["value"].to_numpy(float)))


def _time_to_event(
    backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency
) -> pd.DataFrame:
    """Times by Kaplan-Meier: what is still open counts as open, not as absent."""
    kpi, source = declaration.kpi, declaration.source
    duration, observed = _duration(kpi, source, declaration.coverage.cutoff(as_of))
    single = _single(
        backend,
        declaration,
        frequency,
        f"{duration} as duration, {observed} as observed, {sql.name(kpi.event or '')} is null as still_open",
        "duration >= 0",
    )
    horizon = _horizon(kpi) / kpi.time_unit
    within = kpi.within / kpi.time_unit if kpi.within else None

    def summary(part: pd.DataFrame) -> dict[str, float]:
        time, seen = part["duration"].to_numpy(float), part["observed"].to_numpy(bool)
        curve = intervals.kaplan_meier(time, seen)
        if kpi.statistic == "within":
            value, lower, upper = curve.done_within(float(within or 0))
        elif kpi.statistic == "mean":
            value, lower, upper = curve.restricted_mean(horizon)
        else:
            value, lower, upper = curve.quantile(0.5 if kpi.statistic == "median" else kpi.quantile)
        spread = float(np.std(time[seen], ddof=1)) if seen.sum() > 1 else float("nan")
        return {
            "value": value,
            "lower": lower,
            "upper": upper,
            "n": len(time),
            "sd": spread,
            "open": float(part["still_open"].sum()),
        }

    groups = _by_group(single, summary)
    if kpi.statistic == "within" and len(groups):
        groups["numerator"], groups["denominator"] = groups["value"] * groups["n"], groups["n"]
    return groups


def _availability(
    backend: SQLBackend, declaration: Declaration, as_of: dt.datetime, frequency: Frequency
) -> pd.DataFrame:
    """Share of minutes without an outage: overlapping outages count once, those over a period's end are split."""
    kpi, source = declaration.kpi, declaration.source
    end = f"least(coalesce(ended_at, {_stamp(as_of)}), {_stamp(as_of)})"
    outages = frame(
        backend,
        f"select department, started_at, {end} as ended_at from {sql.name(source.name)} "
        f"where {_condition(kpi, source)} and started_at < {_stamp(as_of)} order by department, started_at",
    )
    start = declaration.coverage.start
    cutoff = min(as_of, dt.datetime.combine(declaration.coverage.end, dt.time()))
    if start >= cutoff.date():
        return pd.DataFrame(columns=["department", "start", *_EMPTY])
    periods = [Period.containing(start, frequency)]
    while periods[-1].end < cutoff.date() or dt.datetime.combine(periods[-1].end, dt.time()) < cutoff:
        periods.append(periods[-1].next())
    edges = pd.DatetimeIndex([periods[0].start, *(p.end for p in periods)])
    found = []
    for department in declaration.departments:
        own = outages[outages["department"] == department]
        began = own["started_at"].clip(lower=pd.Timestamp(start))
        minutes, number = _minutes_down(began, own["ended_at"], edges)
        found.append(
            pd.DataFrame({"department": department, "start": [p.start for p in periods], "down": minutes, "n": number})
        )
    if not found:
        return pd.DataFrame(columns=["department", "start", *_EMPTY])
    groups = pd.concat(found, ignore_index=True)
    upper = np.minimum(edges[1:].to_numpy(), np.datetime64(cutoff))
    lower = np.maximum(edges[:-1].to_numpy(), np.datetime64(start))
    total = (upper - lower) / np.timedelta64(1, "m")
    groups["denominator"] = np.tile(total, len(found))
    groups["numerator"] = groups["denominator"] - groups.pop("down")
    groups["value"] = groups["numerator"] / groups["denominator"]
    return groups


def _minutes_down(starts: pd.Series, ends: pd.Series, edges: pd.DatetimeIndex) -> tuple[np.ndarray, np.ndarray]:
    """Minutes of the union of the intervals in each cell of `edges`, and how many intervals touch it."""
    minutes = np.zeros(len(edges) - 1)
    number = np.zeros(len(edges) - 1)
    bounds = edges.to_numpy()
    for a, b in zip(starts.to_numpy(), ends.to_numpy(), strict=True):
        if b > a:
            number += (bounds[:-1] < b) & (bounds[1:] > a)
    for a, b in _union(starts, ends):
        overlap = (np.minimum(bounds[1:], b) - np.maximum(bounds[:-1], a)) / np.timedelta64(1, "m")
        minutes += np.clip(overlap, 0, None)
    return minutes, number


def _union(starts: pd.Series, ends: pd.Series) -> list[tuple[Any, Any]]:
    merged: list[list[Any]] = []
    for a, b in sorted(zip(starts.to_numpy(), ends.to_numpy(), strict=True)):
        if b <= a:
            continue
        if merged and a <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], b)
        else:
            merged.append([a, b])
    return [(a, b) for a, b in merged]


def _stamp(moment: dt.datetime) -> str:
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S}'"


def _horizon(kpi: Kpi) -> dt.timedelta:
    return kpi.horizon or kpi.maturity


def _duration(kpi: Kpi, source: Source, as_of: dt.datetime) -> tuple[str, str]:
    """SQL of the time from the cohort's stamp to the event or the cut-off, and of whether the event was seen."""
    start, event = sql.name(default_cohort(kpi, source)), sql.name(kpi.event or "")
    end = f"coalesce({event}, {_stamp(as_of)})"
    seconds = f"date_diff('second', {start}, {end})"
    seen = f"{event} is not null"
    if kpi.statistic == "mean":
        horizon = _horizon(kpi).total_seconds()
        seen = f"({seen} and {seconds} <= {horizon:.0f})"
        seconds = f"least({seconds}, {horizon:.0f})"
    return f"(cast({seconds} as double) / {kpi.time_unit.total_seconds():.1f})", seen


def _single(
    backend: SQLBackend, declaration: Declaration, frequency: Frequency, columns: str, keep: str
) -> pd.DataFrame:
    kpi, source = declaration.kpi, declaration.source
    query = f"""
        select * from (
            select department, {_start(kpi, source, frequency)} as start, {columns}
            from {sql.name(source.name)} where {_condition(kpi, source)}) as single
        where {keep}
    """
    single = frame(backend, query)
    single["start"] = pd.to_datetime(single["start"]).astype("datetime64[s]")
    return single


def _by_group(single: pd.DataFrame, summary: Callable[[pd.DataFrame], dict[str, float]]) -> pd.DataFrame:
    found = [
        {"department": department, "start": pd.Timestamp(start).date(), **summary(part)}
        for (department, start), part in single.groupby(["department", "start"], sort=True)
    ]
    return pd.DataFrame(found) if found else pd.DataFrame(columns=["department", "start", *_EMPTY])


_KINDS: dict[str, Callable[[Any, Any, dt.datetime, Frequency], pd.DataFrame]] = {
    "proportion": _ratio,
    "rate": _ratio,
    "count": _count,
    "mean": _mean,
    "score": _mean,
    "quantile": _quantile,
    "time_to_event": _time_to_event,
    "availability": _availability,
}
