"""DuckDB's SQL on other databases: what sqlglot's translation leaves out, and what would silently count differently."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis import Schema
    from sqlglot import expressions as exp


def translate(query: str, dialect: str) -> str:
    """A query of DuckDB's dialect in that of another database, so that it gives the same numbers there.

    Functions that the other database does not have, and that are not translated, are refused by it.

    Parameters
    ----------
    dialect
        The database as ibis names it: ``postgres``, ``pyspark``, ...

    Examples
    --------
    DuckDB's Sunday is 0, Spark's is 1; DuckDB counts the midnights between two stamps, Spark whole days.

    >>> translate("dayofweek(a)", "pyspark")
    '(WEEKDAY(a) + 1) % 7'
    >>> translate("date_diff('day', a, b)", "pyspark")
    "DATEDIFF(DAY, DATE_TRUNC('DAY', a), DATE_TRUNC('DAY', b))"
    >>> translate("hour(a) < 8 and contains(b, 'x')", "postgres")
    "EXTRACT(HOUR FROM a) < 8 AND (POSITION('x' IN b) > 0)"
    """
    import sqlglot

    family = {"pyspark": "spark", "databricks": "spark"}.get(dialect, dialect)
    tree = sqlglot.parse_one(query, read="duckdb")
    for node in reversed(list(tree.walk())):  # the innermost first
        changed = _changed(node, family)
        if changed is not node and node is tree:
            tree = changed
        elif changed is not node:
            node.replace(changed)
    return tree.sql(family)


def _changed(node: exp.Expr, family: str) -> exp.Expr:
    from sqlglot import expressions as exp

    if field := _field(node):
        moment = (node.expression if isinstance(node, exp.Extract) else node.this).copy()
        if family == "spark" and field in ("DOW", "ISODOW"):
            days = exp.func("WEEKDAY", moment) + 1
            return exp.func("MOD", days, 7) if field == "DOW" else exp.paren(days)
        return exp.Extract(this=exp.var(field), expression=moment)
    if family == "postgres" and isinstance(node, exp.Contains):
        found = exp.StrPosition(this=node.this.copy(), substr=node.expression.copy())
        return exp.paren(exp.GT(this=found, expression=exp.Literal.number(0)))
    if family == "spark" and isinstance(node, exp.DateDiff):
        unit = node.args.get("unit") or exp.var("DAY")
        for side in ("this", "expression"):
            node.set(side, exp.TimestampTrunc(this=node.args[side].copy(), unit=unit.copy()))
    return node


def _field(node: exp.Expr) -> str:
    """HOUR, DOW, ... where the node takes this field of a stamp; empty else."""
    from sqlglot import expressions as exp

    if isinstance(node, exp.Extract):
        return node.this.name.upper()
    fields = {
        exp.Hour: "HOUR", exp.Minute: "MINUTE", exp.Quarter: "QUARTER", exp.Week: "WEEK",
        exp.DayOfWeek: "DOW", exp.DayOfWeekIso: "ISODOW",
    }  # fmt: skip
    return next((field for kind, field in fields.items() if type(node) is kind), "")


def describe_query(backend: Any, query: str) -> Schema:
    """The columns of a query on PostgreSQL, told by the server without making anything there.

    ibis 12.0 makes a view and drops it again: a standby server refuses that, and with sqlglot 30 the drop has no name
    (ibis issue 12108). A test says when ibis no longer needs this.
    """
    import ibis

    with backend.con.cursor() as cursor, backend.con.transaction():
        cursor.execute(f"SELECT * FROM ({query.strip().rstrip(';')}) AS described LIMIT 0")
        columns = {column.name: column.type_display for column in cursor.description}
    named = backend.compiler.type_mapper.from_string
    # A type of the database's own, such as an enumeration, has only a number here: it is fetched as text.
    return ibis.schema({c: named("text" if re.fullmatch(r"\d+", kind) else kind) for c, kind in columns.items()})


def bounded(table: Any) -> Any:
    """An ibis table whose decimals without bounds, such as PostgreSQL's plain ``numeric``, are doubles.

    Arrow would give them nine places, and refuse a third.
    """
    loose = {name: "float64" for name, kind in table.schema().items() if kind.is_decimal() and kind.precision is None}
    return table.cast(loose) if loose else table


def spark_table(backend: Any, expression: Any) -> pa.Table:
    """The rows of an expression on Spark as Arrow, its stamps naive as everywhere.

    ibis 12.0 takes the way over a frame of pyspark's own making, which pandas 3 calls deprecated.
    """
    import pyarrow as pa

    table = backend.raw_sql(backend.compile(expression)).toArrow()
    # Spark's TIMESTAMP has the session's zone, which ibis sets to UTC; what was written is what is read.
    naive = [pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(naive))
