"""Texts that an expression of kpis.yaml compares with and no row holds: seldom meant, and seldom seen in the figures."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from svclib import sql
from svclib.errors import Problem
from svclib.measure.aggregates import source_sql
from svclib.measure.engine import frame

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

    from svclib.measure.declaration import Declaration

_LOOKED_AT = 5_000  # different values among which a near one is sought
_SHOWN = 8


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
        for field in ("where", "numerator", "denominator", "value"):
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
