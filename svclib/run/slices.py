"""Digests of what one department's reports read: its rows of the snapshot, and all departments' figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svclib.collect.digests import digest_json
from svclib.errors import InputRefused, Problem
from svclib.run.place import write_atomically


def slice_digests(tables: Mapping[str, Path], folder: Path, snapshot: str) -> dict[str, str]:
    """Digest of each department's rows in all tables; kept beside the snapshot, for it never changes.

    Parameters
    ----------
    tables
        Source name to its Parquet file.
    folder
        The snapshot's folder.
    snapshot
        The snapshot's digest.

    Returns
    -------
    dict
        Department code to digest; a department without rows is not in it.

    Raises
    ------
    InputRefused
        For a table that cannot be read.
    """
    import duckdb

    said = {"snapshot": snapshot, "duckdb": duckdb.__version__, "tables": sorted(tables)}
    kept = folder.parent / "slices" / f"{digest_json(said)[:16]}.json"
    try:
        return json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass
    parts: dict[str, dict[str, list[str]]] = {}
    with duckdb.connect() as connection:
        for name, path in sorted(tables.items()):
            try:
                rows = _row_sums(connection, path)
            except duckdb.Error as error:
                cure = "remove the snapshot's folder and run svclib collect; the sources will be read again"
                fault = f"the table of '{name}' cannot be read ({type(error).__name__})"
                raise InputRefused(Problem(str(folder), fault, cure)) from None
            for department, *sums in rows:
                parts.setdefault(str(department), {})[name] = [str(value) for value in sums]
    found = {department: digest_json(sums) for department, sums in sorted(parts.items())}
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, json.dumps(found, ensure_ascii=False))
    return found


def _row_sums(connection: Any, path: Path) -> list[tuple[Any, ...]]:
    """Count, sum and exclusive-or of the rows' hashes: equal for equal rows in any order."""
    columns = connection.execute("select * from read_parquet(?) limit 0", [str(path)]).description or []
    department = "department" if "department" in [column[0] for column in columns] else "''"
    query = f"select {department}, count(*), sum(hash(line)), bit_xor(hash(line)) from read_parquet(?) line group by 1"
    return connection.execute(query, [str(path)]).fetchall()


def measures_digest(measures: Any, period: str) -> str:
    """Digest of all departments' figures up to a period: peers and limits come from them.

    Parameters
    ----------
    measures
        The measures table.
    period
        Label of the last period that counts.
    """
    import pandas as pd

    from svclib.measure.periods import Period

    known = measures[measures["start"] <= Period.parse(period).start]
    # objects are hashed by their text; a frame read back from Parquet holds other classes for the same values
    plain = known.assign(**{name: known[name].astype(str) for name in known.select_dtypes(exclude="number").columns})
    rows = pd.util.hash_pandas_object(plain, index=False)
    return hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()
