"""Texts that an expression of kpis.yaml compares with and no row holds, ever or any more: seldom seen in the figures."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from svclib import sql
from svclib.errors import Problem
from svclib.measure.aggregates import source_sql
from svclib.measure.engine import frame
from svclib.measure.periods import Period

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

    from svclib.measure.declaration import Declaration

_LOOKED_AT = 5_000  # different values among which a near one is sought
_SHOWN = 8
_FIELDS = ("where", "numerator", "denominator", "value")
_PERIODS = 12  # before the latest whole one
_LEAST_PERIODS = 6
_EXPECTED = 10.0  # rows that should hold the text; none of so many is no chance


@dataclass(frozen=True)
class Recoded:
    """A text that rows held in every period, and none in the latest whole one.

    Attributes
    ----------
    period
        Label of the latest whole period.
    text, column
        What the KPI compares with what.
    expected
        Rows that would have held it at the share of the periods before.
    new
        Values of that period that none of those before held, the most frequent first.
    """

    kpi: str
    department: str
    period: str
    column: str
    text: str
    expected: float
    new: tuple[str, ...]


def recoded_texts(
    backend: SQLBackend, declarations: Iterable[Declaration], latest: Period, cohort: Callable[[Declaration], str]
) -> list[Recoded]:
    """Texts of the KPIs' expressions that a department's rows do not hold any more in the latest whole period.

    An export that writes "j" for "yes" from one month on makes a share of 0 %, which no chart can tell from a true one.
    Told only where at least six of the twelve periods before held the text, nearly all of those with rows did, and ten
    rows or more should hold it now.

    Parameters
    ----------
    cohort
        Gives the date column that puts a KPI's rows into periods.
    """
    import duckdb

    spine = latest.last(_PERIODS + 1)
    found = []
    for declaration in declarations:
        kpi, source = declaration.kpi, declaration.source
        day = f"cast({sql.name(cohort(declaration))} as date)"
        for side, text in dict.fromkeys(pair for field in _FIELDS for pair in _compared(getattr(kpi, field) or "")):
            value = f"cast({source_sql(side, source)} as varchar)"
            try:
                rows = _of_those_without(backend, sql.name(source.name), day, value, text, spine)
            except duckdb.Error:
                continue  # it runs for the rows that the whole expression lets through, not for all
            for department, own in rows.groupby("department", sort=True):
                if lost := _lost(own, text, spine):
                    found.append(Recoded(kpi.code, str(department), latest.label, side, text, *lost))
    return found


def _of_those_without(
    backend: SQLBackend, table: str, day: str, value: str, text: str, spine: list[Period]
) -> pd.DataFrame:
    """Values by day, of the departments with rows in the last period and none that holds the text.

    Nearly always there are none of these, and one look at one period is enough to know.
    """
    first, latest = spine[0], spine[-1]
    without = (
        f"select department from {table} where {day} >= date '{latest.start}' and {day} < date '{latest.end}' "
        f"and {value} <> '' group by 1 having sum(case when {value} = {sql.text(text)} then 1 else 0 end) = 0 "
        f"and count(*) >= {_EXPECTED:.0f}"
    )
    if frame(backend, without).empty:
        return pd.DataFrame({"department": []})
    return frame(
        backend,
        f"select department, {day} as day, {value} as held, count(*) as n from {table} where department in ({without}) "
        f"and {day} >= date '{first.start}' and {day} < date '{latest.end}' and {value} <> '' group by 1, 2, 3",
    )


def _lost(rows: pd.DataFrame, text: str, spine: list[Period]) -> tuple[float, tuple[str, ...]] | None:
    """How many of a department's rows should hold a text in the last period, and what is new there; None where some do."""
    ends = pd.DatetimeIndex([period.end for period in spine])
    rows = rows.assign(at=ends.searchsorted(pd.to_datetime(rows["day"]), side="right"))
    now, before = rows[rows["at"] == len(spine) - 1], rows[rows["at"] < len(spine) - 1]
    if now.empty or (now["held"] == text).any() or before.empty:
        return None
    total = before.groupby("at")["n"].sum()
    held = before[before["held"] == text].groupby("at")["n"].sum().reindex(total.index, fill_value=0)
    regular = (held > 0).sum() >= _LEAST_PERIODS and (held > 0).mean() >= 0.9
    expected = float(held.sum() / total.sum() * now["n"].sum())
    if not regular or expected < _EXPECTED:
        return None
    fresh = (
        now[~now["held"].isin(set(before["held"]))]
        .groupby("held")["n"]
        .sum()
        .sort_values(ascending=False, kind="stable")
    )
    return expected, tuple(str(value) for value in fresh.index[:_SHOWN])


def unheld_texts(backend: SQLBackend, declarations: Iterable[Declaration], locate: Callable[..., str]) -> list[Problem]:
    """Every text that a KPI compares with and that no row of its source holds, with the nearest one that rows hold.

    No fault: the value may come later. Numbers are not looked at, for they come and go.

    Parameters
    ----------
    locate
        Where something is declared, as `Catalogue.locate`.
    """
    import duckdb

    found = []
    for declaration in declarations:
        kpi, source = declaration.kpi, declaration.source
        name = sql.name(source.name)
        for field in _FIELDS:
            for side, text in dict.fromkeys(_compared(getattr(kpi, field) or "")):
                value = f"cast({source_sql(side, source)} as varchar)"
                try:
                    if not frame(
                        backend, f"select 1 as held from {name} where {value} = {sql.text(text)} limit 1"
                    ).empty:
                        continue
                    rows = f"select distinct {value} as held from {name} where {value} <> '' limit {_LOOKED_AT}"
                    held = sorted(frame(backend, rows)["held"])
                except duckdb.Error:
                    continue  # it runs for the rows that the whole expression lets through, not for all
                what = f"{field}: no row of source '{source.name}' holds '{text}' in {side}"
                found.append(Problem(locate("kpis", kpi.code, field), what, _nearest(text, held)))
    return found


def _compared(expression: str) -> Iterator[tuple[str, str]]:
    """What an expression compares with which texts.

    >>> list(_compared("status in ('open', 'Si') and lower(team) <> 'a' and contacts = 1"))
    [('status', 'open'), ('status', 'Si'), ('LOWER(team)', 'a')]
    """
    import sqlglot
    from sqlglot import expressions as exp

    if not expression:
        return
    for node in sqlglot.parse_one(expression, read="duckdb").find_all(exp.EQ, exp.NEQ, exp.In, bfs=False):
        if isinstance(node, exp.In):
            pairs = [(node.this, text) for text in node.expressions]
        else:
            pairs = [(node.this, node.expression), (node.expression, node.this)]
        for side, text in pairs:
            if isinstance(text, exp.Literal) and text.is_string and text.this and side.find(exp.Column):
                yield side.sql("duckdb", comments=False), text.this


def _nearest(text: str, held: list[str]) -> str:
    """What rows hold instead.

    >>> _nearest("Si", ["No", "Sì"]), _nearest("gone", ["No", "Sì"])
    ("write 'Sì' as the rows do, or leave it if the value is still to come", "rows hold 'No', 'Sì'")
    """
    folded = {_plain(value): value for value in reversed(held)}
    if close := difflib.get_close_matches(_plain(text), folded, n=1, cutoff=0.6):
        return f"write {folded[close[0]]!r} as the rows do, or leave it if the value is still to come"
    if not held:
        return "no row has a value there yet: look at the column in sources.yaml"
    return "rows hold " + ", ".join(map(repr, held[:_SHOWN])) + (", ..." if len(held) > _SHOWN else "")


def _plain(text: str) -> str:
    """Without case, accents and space around it.

    >>> _plain(" Sì")
    'si'
    """
    parts = unicodedata.normalize("NFKD", text).casefold().strip()
    return "".join(part for part in parts if not unicodedata.combining(part))
