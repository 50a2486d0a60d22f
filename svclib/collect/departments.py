"""Departments as people write them in the data: code, alias or name, whatever the case and the blanks around."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from svclib import sql
from svclib.catalogue.models import Department, Source
from svclib.collect.columns import Column
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def name_departments(connection: DuckDBPyConnection, departments: list[Department], source: Source, seen: str) -> str:
    """Make the types ``_code`` and ``_spelled``; returns SQL that makes a code of the text ``_written``.

    Parameters
    ----------
    seen
        A query of texts that occur. Each is looked up here, once, and not again with each row.

    Raises
    ------
    InputRefused
        If an alias stands for two departments.

    Examples
    --------
    >>> import duckdb
    >>> desk = Department(code="D01", name="Desk", aliases=["help desk"])
    >>> tickets = Source(name="t", shape="cases", read="t.csv", columns={"case_id": "id"})
    >>> with duckdb.connect() as connection:
    ...     code = name_departments(connection, [desk], tickets, "SELECT 'Help Desk '")
    ...     rows = "(VALUES ('Help Desk '), ('d01'), ('Sales')) t(_written)"
    ...     connection.sql(f"SELECT _written, {code} FROM {rows}").fetchall()
    [('Help Desk ', 'D01'), ('d01', 'D01'), ('Sales', None)]
    """
    connection.execute("CREATE OR REPLACE MACRO _spelling(t) AS lower(trim(nfc_normalize(t)))")
    written = _spellings(departments)
    texts = "SELECT unnest($1::VARCHAR[]) AS t"
    by_spelling: dict[str, str] = {}
    for text, spelling in connection.execute(f"SELECT t, _spelling(t) FROM ({texts})", [list(written)]).fetchall():
        by_spelling.setdefault(spelling, written[text])
    found = connection.execute(f"SELECT t, _spelling(t) FROM ({seen}) s(t) WHERE t IS NOT NULL").fetchall()
    # Code NULL: a text of which it is known that it names nobody.
    codes = {text: by_spelling.get(spelling) for text, spelling in found} | by_spelling | {"": None}
    known = {department.code for department in departments}
    if source.department_missing:
        known.add(source.department_missing)
    connection.execute(f"CREATE OR REPLACE TYPE _code AS ENUM ({sql.texts(sorted(known))})")
    connection.execute(f"CREATE OR REPLACE TYPE _spelled AS ENUM ({sql.texts(codes)})")
    listed = ", ".join("NULL" if code is None else sql.text(code) for code in codes.values())
    # A condition of the source takes a department for the text that it is.
    kind = "VARCHAR" if source.where else "_code"
    place = "coalesce(try_cast(_written AS _spelled), try_cast(_spelling(_written) AS _spelled))"
    return f"([{listed}]::{kind}[])[enum_code({place}) + 1]"


def _spellings(departments: list[Department]) -> dict[str, str]:
    """Every spelling of a department to its code; codes come before aliases and these before names."""
    spellings: dict[str, str] = {}
    aliases: dict[str, set[str]] = {}
    for department in departments:
        spellings[department.code] = department.code
        for alias in department.aliases:
            aliases.setdefault(alias.strip().lower(), set()).add(department.code)
    codes = {code.lower() for code in spellings}
    shared = {alias: owners for alias, owners in aliases.items() if len(owners | ({alias} & codes)) > 1}
    if shared:
        alias, owners = next(iter(shared.items()))
        what = f"the alias {alias!r} stands for {' and '.join(sorted(owners))}"
        raise InputRefused(Problem("params/departments.yaml", what, "give it to one of them"))
    for department in departments:
        for alias in department.aliases:
            spellings.setdefault(alias, department.code)
    names = [department.name for department in departments]
    for department in departments:
        if names.count(department.name) == 1:  # a name that two share names neither
            spellings.setdefault(department.name, department.code)
    return spellings


def department_text(source: Source, departments: list[Department], columns: Iterable[Column], where: str) -> str:
    """SQL over the raw table of the text that names a row's department: a column's, or one for all rows.

    Raises
    ------
    InputRefused
        If the source neither maps a column nor declares a department, and there are several.

    Examples
    --------
    >>> tickets = Source(name="t", shape="cases", read="t.csv", columns={"case_id": "id"})
    >>> department_text(tickets, [Department(code="D01", name="Desk")], [], "params/sources.yaml:3")
    "'D01'"
    """
    for column in columns:
        if column.name == "department":
            return column.value
    code = source.department
    if code is None and len(departments) == 1:
        code = departments[0].code
    if code is None:
        cure = "map it: columns: {department: ...}, or declare department: for all its rows"
        raise InputRefused(Problem(where, f"source {source.name!r} names no department", cure))
    return sql.text(code)
