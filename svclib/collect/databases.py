"""Tables and queries of a database, through ibis: the data leave it as Arrow batches, never as a frame."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from svclib import sql
from svclib.catalogue.models import Source
from svclib.collect.parquet import column_types
from svclib.collect.read import Part, RawTable, database_address, database_file, pick_columns, wanted_columns
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def load(connection: DuckDBPyConnection, source: Source, root: Path, where: str) -> RawTable:
    """Load a table or the rows of a query.

    ``${NAME}`` in the address is filled in from the environment, so that credentials stand in no file.
    """
    from svclib.measure import engine
    from svclib.measure.dialects import bounded

    address = _address(source, root, where)
    told = without_credentials(source.read)
    try:
        backend = engine.connect(address, read_only=True) if address.startswith("duckdb:") else engine.connect(address)
    except Exception as error:  # each driver has its own kind of error
        raise InputRefused(
            Problem(where, f"cannot connect to {told}: {_brief(error, address, source.read)}", "check it")
        ) from None
    try:
        rows = _relation(backend, source, where, told)
        picked = pick_columns(wanted_columns(source), rows.columns, where, told)
        chosen = bounded(rows.select(**{own: rows[column] for own, column in picked.items()}))
        table = sql.name(f"raw_{source.name}")
        with warnings.catch_warnings():
            # ibis 12.0 asks pandas for an option that pandas 3 calls deprecated.
            warnings.filterwarnings("ignore", message="The 'future.infer_string' option", category=DeprecationWarning)
            reader = chosen.to_pyarrow_batches()
        connection.register("batches", reader)
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM batches")
        connection.unregister("batches")
    except InputRefused:
        raise
    except Exception as error:
        raise InputRefused(
            Problem(where, f"{told} cannot be read: {_brief(error, address, source.read)}", "check table or sql")
        ) from None
    finally:
        backend.disconnect()
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return RawTable(table, column_types(connection, table), [Part(told, 0, row[0] if row else 0, header=0)])


def _relation(backend: Any, source: Source, where: str, told: str) -> Any:
    if source.sql:
        return backend.sql(source.sql)
    names = backend.list_tables()
    if source.table is None:
        cure = f"declare table: or sql:; tables: {', '.join(names[:25])}"
        raise InputRefused(Problem(where, f"{told} is a database, and no table is named", cure))
    if source.table not in names:
        raise InputRefused(Problem(where, f"{told} has no table {source.table!r}", f"tables: {', '.join(names[:25])}"))
    return backend.table(source.table)


def _address(source: Source, root: Path, where: str) -> str:
    file = database_file(source, root, where)
    if file is None:
        return database_address(source, where)
    # Three slashes and an absolute path: ibis reads sqlite:////a/b.db so, and the engine duckdb:////a/b.db.
    return f"{source.read.partition('://')[0]}:///{file.resolve()}"


def without_credentials(address: str) -> str:
    """An address that may be shown.

    >>> without_credentials("postgres://anna:secret@host/db?password=x")
    'postgres://host/db'
    """
    return re.sub(r"://[^/@]*@", "://", address.split("?", 1)[0])


def _brief(error: Exception, address: str, read: str) -> str:
    text = str(error).replace(address, without_credentials(address)).strip().split("\n")[0]
    for secret in _secrets(read):
        text = text.replace(secret, "...")
    return re.sub(r"(password|pwd)=\S+", r"\1=...", text, flags=re.IGNORECASE)[:200]


def _secrets(read: str) -> list[str]:
    """What the environment put into the address, as it is and as an address writes it; the longest first."""
    values = [os.environ.get(name, "") for name in re.findall(r"\$\{(\w+)\}", read)]
    written = {text for value in values for text in (value, quote(value, safe=""), quote_plus(value))}
    return sorted((text for text in written if text), key=len, reverse=True)
