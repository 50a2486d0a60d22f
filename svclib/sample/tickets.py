"""The export of the ticket system: one file a year, with the warts that such exports have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from svclib.sample.organisation import DESKS
from svclib.sample.processes import random_numbers
from svclib.sample.span import Span

_BAD_SHARE, _TWICE_SHARE, _UPDATED_SHARE = 0.001, 0.0008, 0.003
COLUMNS = (
    "number", "sys_mod_count", "assignment_group", "opened_at", "first_response_at", "resolved_at", "reopened_at",
    "channel", "category", "priority", "customer_type", "contacts", "reopened", "escalated", "handoffs",
    "working_hours", "waiting_hours",
)  # fmt: skip
_STAMPS = ("opened_at", "first_response_at", "resolved_at", "reopened_at")


def case_numbers(positions: np.ndarray) -> np.ndarray:
    """The number of each case, counted in the order of opening.

    >>> case_numbers(np.array([0, 41])).tolist()
    ['INC0100001', 'INC0100042']
    """
    return np.array([f"INC{100001 + position:07d}" for position in positions.tolist()], dtype=object)


def _day_first(stamps: pd.Series) -> pa.Array:
    """``31/10/2026 08:05:00``; empty where missing. Put together from parts, which is quicker than formatting."""
    values = stamps.to_numpy().astype("datetime64[s]")
    missing = np.isnat(values)
    values = np.where(missing, np.datetime64("2000-01-01", "s"), values)
    day = values.astype("datetime64[D]")
    first = day.min()
    days = np.arange(first, day.max() + 1).astype("datetime64[D]").astype(object)
    clock = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86400)]
    text = pc.binary_join_element_wise(
        pa.array([d.strftime("%d/%m/%Y") for d in days]).take(pa.array((day - first).astype(int))),
        pa.array(clock).take(pa.array((values - day).astype(int))),
        " ",
    )
    return pc.if_else(pa.array(missing), "", text)


def _text(column: pd.Series) -> pa.Array:
    if column.dtype == bool:
        return pc.if_else(pa.array(column.to_numpy()), "true", "false")
    return pc.fill_null(pc.cast(pa.Array.from_pandas(column), pa.string()), "")


def _as_exported(cases: pd.DataFrame) -> pa.Table:
    queues = np.array([desk.queue for desk in DESKS], dtype=object)
    made = {
        "number": pa.array(case_numbers(np.arange(len(cases)))),
        "sys_mod_count": pc.cast(
            pa.array(1 + cases["contacts"].to_numpy() + cases["handoffs"].to_numpy()), pa.string()
        ),
        "assignment_group": pa.array(queues[cases["desk"].to_numpy()]),
    }
    for name in COLUMNS[3:]:
        made[name] = _day_first(cases[name]) if name in _STAMPS else _text(cases[name])
    return pa.table(made)


def _changed(table: pa.Table, rows: np.ndarray, **changes: Any) -> pa.Table:
    """Some rows of a table, with other values in some columns."""
    taken = table.take(pa.array(rows))
    for name, value in changes.items():
        values = pa.array([value] * len(rows)) if isinstance(value, str) else pa.array(value)
        taken = taken.set_column(taken.column_names.index(name), name, values)
    return taken


def _bad_rows(table: pa.Table, span: Span, rng: np.random.Generator) -> list[pa.Table]:
    """Rows that no case stands behind: what a contract must catch, each kind several times."""
    each = max(2, round(_BAD_SHARE * table.num_rows / 5))
    rows = rng.choice(table.num_rows, (5, each), replace=False)
    new = [f"INC{9000000 + number:07d}" for number in range(5 * each)]
    fresh = [new[kind * each : (kind + 1) * each] for kind in range(5)]
    opened = [table["opened_at"][int(row)].as_py() for row in rows[0]]
    before = [f"{text[:6]}{int(text[6:10]) - 1}{text[10:]}".replace("29/02", "28/02") for text in opened]
    later = f"{span.as_of:%d/%m}/{span.as_of.year + 10} 09:00:00"
    return [
        _changed(table, rows[0], number=fresh[0], resolved_at=before),
        _changed(table, rows[1], number=fresh[1], opened_at=f"31/02/{span.last.start.year} 10:15:00"),
        _changed(table, rows[2], number=fresh[2], assignment_group="ZZ TEST QUEUE"),
        _changed(table, rows[3], number=""),
        _changed(
            table, rows[4], number=fresh[4], opened_at=later, first_response_at="", resolved_at="", reopened_at=""
        ),
    ]


def _earlier_states(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """The rows as they stood right after opening, with a lower count of modifications."""
    return _changed(
        table, rows, sys_mod_count="0", resolved_at="", reopened_at="", contacts="1", reopened="false",
        escalated="false", handoffs="0", working_hours="", waiting_hours="",
    )  # fmt: skip


def write_tickets(folder: Path, cases: pd.DataFrame, span: Span, seed: int) -> dict[str, int]:
    """Write `tickets_<year>.csv` (``;``, cp1252, day first) and tell what is in them.

    Some cases stand there twice, some in an earlier state and again in a later one (in the file of the later year,
    if that is when it changed), and about one row in a thousand is bad.
    """
    rng = random_numbers(seed, "tickets")
    table = _as_exported(cases)
    n = table.num_rows
    opened = cases["opened_at"].to_numpy().astype("datetime64[s]")
    updated, twice = np.split(
        rng.choice(n, round(_UPDATED_SHARE * n) + round(_TWICE_SHARE * n), replace=False), [round(_UPDATED_SHARE * n)]
    )
    key = opened.copy()
    key[updated] = np.minimum(opened[updated] + np.timedelta64(9, "D"), span.cut - np.timedelta64(1, "s"))
    bad = _bad_rows(table, span, rng)
    parts = [table, _earlier_states(table, updated), table.take(pa.array(twice)), *bad]
    # Bad rows stand among the good ones, a day's worth apart from where their pattern was taken.
    scattered = [np.sort(rng.choice(opened, part.num_rows)) for part in bad]
    keys = np.concatenate([key, opened[updated], opened[twice], *scattered])
    everything = pa.concat_tables(parts).combine_chunks()
    year = keys.astype("datetime64[Y]").astype(int) + 1970
    folder.mkdir(parents=True, exist_ok=True)
    order = np.argsort(keys, kind="stable")
    for one in np.unique(year).tolist():
        _write(folder / f"tickets_{one}.csv", everything.take(pa.array(order[year[order] == one])))
    return {
        "cases": n,
        "rows": everything.num_rows,
        "repeated_rows": len(twice),
        "earlier_states": len(updated),
        "bad_rows": sum(part.num_rows for part in bad),
    }


def _write(path: Path, table: pa.Table) -> None:
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
    buffer = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, buffer, options)
    head = ";".join(COLUMNS) + "\n"
    path.write_bytes((head + buffer.getvalue().to_pybytes().decode()).encode("cp1252"))
