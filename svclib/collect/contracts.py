"""Data contracts: what a row of each shape must fulfil, as one list of rules.

The rules run in SQL over the whole table, because volume needs it; the typed result is held against a pandera schema
that is made from the same columns (`table_schema`). Each rule has a code that machines can read:

==========================  =========================================================================
``missing:c``               the shape needs `c` and nothing stands there
``wrong_type:c``            what stands in `c` is no date, number or truth value
``not_finite:c``            NaN or infinity
``negative:c``              a count below zero
``order:a>b``               `b` lies before `a`, which must come first
``future:c``                `c` lies after today (only where no cut-off is given)
``implausible:c``           a stamp before 1900
``department_missing``      the row names no department
``department_unknown``      the row names one that is not declared
``exceeds:a>b``             numerator greater than denominator
``out_of_scale:c``          an answer outside its KPI's scale
``duplicate``               a full copy of an earlier row
``duplicate_key``           another row with the same key, but other values
``malformed``               no row at all: too few or too many fields, broken JSON
==========================  =========================================================================
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import SHAPE_COLUMNS, SHAPE_DATE, TIMESTAMPS, Kpi, Source
from svclib.collect.columns import Column, known_columns

if TYPE_CHECKING:
    import pandas as pd

# Pairs of stamps of which the first cannot come after the second.
ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "cases": (("opened_at", "first_response_at"), ("opened_at", "resolved_at"), ("opened_at", "reopened_at")),
    "responses": (("invited_at", "responded_at"),),
    "outages": (("started_at", "ended_at"),),
    "observations": (),
    "counts": (),
}
# Stamps that end something: after the cut-off they are not seen, and the thing is still open.
ENDS = frozenset({"first_response_at", "resolved_at", "reopened_at", "ended_at", "responded_at"})
COUNTS = frozenset({"numerator", "denominator", "n"})
EARLIEST = "TIMESTAMP '1900-01-01'"


@dataclass(frozen=True)
class Rule:
    """A row breaks the rule where `broken` (SQL over the staged columns) is true."""

    code: str
    broken: str


def source_rules(source: Source, columns: list[Column], kpis: Iterable[Kpi], latest: str | None) -> list[Rule]:
    """Every rule that single rows of a source must fulfil.

    Parameters
    ----------
    columns
        As `plan_columns` gives them.
    kpis
        Those KPIs that read the source.
    latest
        SQL of the first instant that no stamp may reach, None where a cut-off takes care of later ones.
    """
    present = {column.name: column for column in columns}
    kpis = list(kpis)
    rules = [Rule(f"wrong_type:{c.name}", sql.name(f"f:{c.name}")) for c in columns if c.failed != "false"]
    rules += _missing(source, present)
    rules += _stamps(source, present, latest)
    rules += _numbers(source, columns, kpis)
    rules += _order(source, present)
    rules += [
        Rule("department_missing", "_department = 'missing'"),
        Rule("department_unknown", "_department = 'unknown'"),
    ]
    return rules


def _missing(source: Source, present: dict[str, Column]) -> list[Rule]:
    rules = []
    for name in SHAPE_COLUMNS[source.shape][0]:
        if name in present and not may_be_empty(source, name):
            column = sql.name(name)
            empty = f"{column} IS NULL"
            if present[name].kind == "text":
                empty = f"({column} IS NULL OR trim({column}) = '')"
            failed = f" AND NOT {sql.name(f'f:{name}')}" if present[name].failed != "false" else ""
            rules.append(Rule(f"missing:{name}", empty + failed))
    return rules


def _stamps(source: Source, present: dict[str, Column], latest: str | None) -> list[Rule]:
    rules = []
    for name in sorted((TIMESTAMPS & known_columns(source)) & set(present)):
        column = sql.name(name)
        rules.append(Rule(f"implausible:{name}", f"{column} < {EARLIEST}"))
        if latest:
            rules.append(Rule(f"future:{name}", f"{column} >= {latest}"))
    return rules


def _numbers(source: Source, columns: list[Column], kpis: list[Kpi]) -> list[Rule]:
    rules = [Rule(f"not_finite:{c.name}", f"NOT isfinite({sql.name(c.name)})") for c in columns if c.kind == "number"]
    names = {column.name for column in columns}
    if source.shape == "counts":
        rules += [Rule(f"negative:{name}", f"{sql.name(name)} < 0") for name in sorted(COUNTS & names)]
        if {"numerator", "denominator"} <= names:
            rules += _exceeds(kpis, "kpi" in names)
    for kpi in kpis:
        if kpi.scale and kpi.value in names:
            column = sql.name(kpi.value)
            outside = f"{column} NOT BETWEEN {kpi.scale.low} AND {kpi.scale.high}"
            rules.append(Rule(f"out_of_scale:{kpi.value}", outside))
    return list({rule.code: rule for rule in rules}.values())


def _exceeds(kpis: list[Kpi], named: bool) -> list[Rule]:
    """A share cannot exceed one; a rate may."""
    rates = sorted(kpi.code for kpi in kpis if kpi.kind == "rate")
    if kpis and len(rates) == len(kpis):
        return []
    exempt = f"coalesce(kpi, '') NOT IN ({sql.texts(rates)}) AND " if named and rates else ""
    return [Rule("exceeds:numerator>denominator", f"{exempt}numerator > denominator")]


def _order(source: Source, present: dict[str, Column]) -> list[Rule]:
    """An end without a time of day is only too early on an earlier day."""
    rules = []
    for first, then in ORDERED[source.shape]:
        if first in present and then in present:
            a, b = sql.name(first), sql.name(then)
            whole_day = f"{present[then].whole_days} AND {b} >= date_trunc('day', {a})"
            rules.append(
                Rule(f"order:{first}>{then}", f"{b} < {a} AND NOT ({whole_day}) AND NOT ({_repeated_hour(a, b)})")
            )
    return rules


def _repeated_hour(first: str, then: str) -> str:
    """Whether an end seems to lie before its start only because the clocks went back in between."""
    return f"CASE WHEN {first} - {then} <= INTERVAL 1 HOUR THEN _twice({first}) AND _twice({then}) ELSE false END"


def duplicate_key(source: Source, columns: list[Column]) -> list[str]:
    """The columns that tell rows apart; none where the shape has no key and the source declares none."""
    names = {column.name for column in columns} | {"department"}
    if source.key:
        key = list(source.key)
    elif source.shape == "counts":
        key = ["department", "period", "kpi", *source.dimension_columns]
    else:
        key = [
            {"cases": "case_id", "responses": "response_id", "outages": "outage_id"}.get(source.shape, "observation_id")
        ]
    key = [name for name in key if name in names]
    if key and source.explode and source.explode not in key:
        key.append(source.explode)
    return key


def date_column(source: Source) -> str:
    """The column whose date orders the rows of the source: an invitation's where answers are told with theirs."""
    return "invited_at" if _invited(source) else SHAPE_DATE[source.shape]


def may_be_empty(source: Source, name: str) -> bool:
    """Whether a needed column may have no value: an outage that still lasts, an invitation that nobody answered."""
    return name == "ended_at" or (name == "responded_at" and _invited(source))


def _invited(source: Source) -> bool:
    return source.shape == "responses" and "invited_at" in source.columns


def table_schema(source: Source, columns: list[Column], departments: Iterable[str]) -> Any:
    """The pandera schema that a collected table fulfils: types, needed values, departments, order of stamps.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        Strict: a column that the source does not map is an error.
    """
    pa = _pandera()
    dtypes = {
        "text": "str",
        "number": "float64",
        "integer": "Int64",
        "boolean": "boolean",
        "timestamp": "datetime64[us]",
    }
    needed = {name for name in SHAPE_COLUMNS[source.shape][0] if not may_be_empty(source, name)}
    schema: dict[str, Any] = {"department": pa.Column("str", pa.Check.isin(list(departments)))}
    for column in columns:
        if column.name == "department" or column.name.startswith("_"):
            continue
        checks = []
        if source.shape == "counts" and column.name in COUNTS:
            checks.append(pa.Check.ge(0))
        nullable = column.name not in needed and column.name not in source.dimension_columns
        schema[column.name] = pa.Column(dtypes[column.kind], checks, nullable=nullable)
    present = set(schema)
    order = [
        pa.Check(lambda frame, a=a, b=b: ~(frame[b] < frame[a]), name=f"order:{a}>{b}")
        for a, b in ORDERED[source.shape]
        if {a, b} <= present
    ]
    return pa.DataFrameSchema(schema, checks=order, strict=True, name=source.name)


def check_table(frame: pd.DataFrame, schema: Any) -> None:
    """Hold a collected table against its schema; all faults at once.

    Raises
    ------
    pandera.errors.SchemaErrors
        If svclib wrote what it should not have written: a fault of svclib, not of the source.
    """
    with _quiet_pyspark():
        schema.validate(frame, lazy=True)


def _pandera() -> Any:
    with _quiet_pyspark():
        import pandera.pandas
    return pandera.pandas


@contextmanager
def _quiet_pyspark() -> Iterator[None]:
    """Where the optional pyspark is installed, pandera loads it, and it warns about pandas 3."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        yield
