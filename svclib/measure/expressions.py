"""Which expression of kpis.yaml does not run over the data, and why: asked only once a KPI could not be measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from svclib import sql
from svclib.errors import Problem
from svclib.measure.aggregates import source_sql
from svclib.measure.engine import frame

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

    from svclib.measure.declaration import Declaration

_TYPES = {"where": "boolean"}
_COMMA = r"[+-]?\d+(,\d+)?"


def failing_expressions(
    backend: SQLBackend, declarations: Iterable[Declaration], locate: Callable[..., str]
) -> list[Problem]:
    """Every expression that fails over the rows of its source, each run by itself.

    Parameters
    ----------
    locate
        Where something is declared, as `Catalogue.locate`.
    """
    import duckdb

    problems = []
    for declaration in declarations:
        kpi, source = declaration.kpi, declaration.source
        for field in ("where", "numerator", "denominator", "value"):
            expression = getattr(kpi, field)
            if not expression:
                continue
            kind = _TYPES.get(field, "double")
            query = f"select count(cast({source_sql(expression, source)} as {kind})) as n from {sql.name(source.name)}"
            try:
                frame(backend, query)
            except duckdb.Error as error:
                reason = " ".join(str(error).split("\n")[0].split())[:200]
                need = "a condition, true or false," if kind == "boolean" else "a number"
                what = f"{field}: '{expression}' does not give {need} for every row: {reason}"
                cure = f"look at the column in source '{source.name}', or write a condition over it"
                if commas := _with_commas(backend, source.name, expression):
                    cure = f"declare options: {{decimal: \",\"}} for source '{source.name}': the values of {commas} have a comma"
                problems.append(Problem(locate("kpis", kpi.code, field), what, cure))
    return problems


def _with_commas(backend: SQLBackend, table: str, expression: str) -> str | None:
    """A column of texts that all are numbers with a decimal comma, which `options` of the source did not declare."""
    import sqlglot
    from sqlglot import expressions as exp

    kinds = {name.lower(): (name, kind) for name, kind in backend.table(table).schema().items()}
    for column in sqlglot.parse_one(expression, read="duckdb").find_all(exp.Column):
        name, kind = kinds.get(column.name.lower(), ("", None))
        if kind is None or not kind.is_string():
            continue
        value = f"trim({sql.name(name)})"
        looks = f"count(*) filter (regexp_full_match({value}, '{_COMMA}'))"
        query = f"select count({value}) as there, {looks} as fits from {sql.name(table)} where {value} <> ''"
        there, fits = frame(backend, query).iloc[0]
        if there and there == fits:
            return name
    return None
