"""How long `collect` takes on ten million cases, next to a query written by hand for this very file, and to pandas.

Run as ``python -m benchmarks.collect [--quick] [--rows N] [--repeat N]``. Each measurement is a process of its own, so
that its peak memory is its own, and all have the same memory for DuckDB. ``hand`` is one query that does what must be done
and nothing else: it knows the types, checks the order of stamps and the departments, sorts and writes Parquet.
``checked`` is written by hand as well and also answers what collecting answers: whether a number comes twice, how many
rows are bad and which, and what each department and month covers. It still does less than ``svclib``, which neither
knows the types nor the form of the dates, finds all reasons of a bad row, and takes digests of what it read and wrote.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MEMORY = "1700MB"  # as `collect` takes where nothing is said
COLUMNS = {
    "case_id": "number",
    "department": "team",
    "opened_at": "opened",
    "resolved_at": "closed",
    "contacts": "contacts",
}
TYPES = "{'number': 'VARCHAR', 'team': 'VARCHAR', 'opened': 'TIMESTAMP', 'closed': 'TIMESTAMP', 'contacts': 'BIGINT', 'channel': 'VARCHAR', 'category': 'VARCHAR'}"


def generate(folder: Path, rows: int) -> None:
    """Cases of ten departments over three years, one of a hundred open, one of a thousand faulty."""
    import duckdb

    query = f"""
        SELECT 'C' || lpad(i::VARCHAR, 9, '0') AS number, 'D' || lpad((1 + hash(i, 1) % 10)::VARCHAR, 2, '0') AS team,
               opened, CASE WHEN hash(i, 2) % 100 > 0 THEN opened + to_seconds((hash(i, 3) % 900000)::BIGINT
               - CASE WHEN hash(i, 4) % 1000 = 0 THEN 1000000 ELSE 0 END) END AS closed,
               1 + hash(i, 5) % 4 AS contacts, ['Phone', 'Web', 'Mail', 'Desk'][(1 + hash(i, 6) % 4)::INTEGER] AS channel,
               'Category ' || (hash(i, 7) % 40) AS category
        FROM (SELECT i, TIMESTAMP '2023-01-01' + to_seconds((i * 94608000 // {rows})::BIGINT) AS opened
              FROM range({rows}) t(i))"""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{folder}/cases.csv' (HEADER)")
        connection.execute(f"COPY ({query}) TO '{folder}/cases.parquet' (FORMAT parquet)")


def collected(folder: Path, file: str, root: Path) -> Any:
    """The snapshot of a file, collected as an analyst would."""
    import datetime as dt

    from svclib.catalogue.catalogue import Catalogue
    from svclib.catalogue.models import Department, Organisation, Source
    from svclib.collect import collect

    source = Source(name="cases", shape="cases", read=file, columns=COLUMNS, dimensions=["channel", "category"])
    departments = [Department(code=f"D{n:02d}", name=f"Department {n}") for n in range(1, 11)]
    catalogue = Catalogue(folder / "params", Organisation(name="Benchmark"), departments, [source], [])
    return collect(catalogue, root=root, today=dt.date(2026, 11, 1), memory=MEMORY)


def by_svclib(folder: Path, file: str) -> int:
    """Collect."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        return collected(folder, file, Path(root)).report("cases")["kept"]


def _by_hand(folder: Path, file: str) -> tuple[str, str, str]:
    """SQL of the typed rows, of the condition that good ones meet, and of the columns of the collected table."""
    reader = (
        f"read_csv('{folder / file}', columns={TYPES}, header=true)" if file.endswith("csv") else f"'{folder / file}'"
    )
    good = (
        "team IN (SELECT 'D' || lpad(range::VARCHAR, 2, '0') FROM range(1, 11)) "
        "AND (closed IS NULL OR closed >= opened) AND opened < TIMESTAMP '2026-11-01'"
    )
    columns = (
        "team AS department, number AS case_id, opened AS opened_at, closed AS resolved_at, contacts, channel, category"
    )
    return reader, good, columns


def _write(connection: Any, rows: str, out: str) -> int:
    connection.execute(
        f"COPY ({rows} ORDER BY department, opened_at) TO '{out}/cases.parquet' (FORMAT parquet, COMPRESSION zstd)"
    )
    return (connection.execute(f"SELECT count(*) FROM '{out}/cases.parquet'").fetchone() or (0,))[0]


def _connect(out: str) -> Any:
    import duckdb

    return duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": out})


def by_hand(folder: Path, file: str) -> int:
    """One DuckDB query."""
    reader, good, columns = _by_hand(folder, file)
    with tempfile.TemporaryDirectory(dir=folder) as out, _connect(out) as connection:
        connection.execute("SET enable_progress_bar = false")
        return _write(connection, f"SELECT {columns} FROM {reader} WHERE {good}", out)


def checked_by_hand(folder: Path, file: str) -> int:
    """The same with the questions that collecting answers, each as a query."""
    reader, good, columns = _by_hand(folder, file)
    filled = ", ".join(f"count({name})" for name in ("closed", "contacts", "channel", "category"))
    with tempfile.TemporaryDirectory(dir=folder) as out, _connect(out) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE TABLE cases AS SELECT *, {good} AS good FROM {reader}")
        twice = "SELECT count(*) FROM (SELECT number FROM cases WHERE good GROUP BY number HAVING count(*) > 1)"
        assert connection.execute(twice).fetchone() == (0,)
        connection.execute(f"COPY (SELECT rowid, * FROM cases WHERE NOT good ORDER BY rowid) TO '{out}/bad.csv'")
        connection.execute(
            f"COPY (SELECT team, date_trunc('month', opened) AS month, count(*), {filled}, max(opened), max(closed) "
            f"FROM cases WHERE good GROUP BY 1, 2 ORDER BY 1, 2) TO '{out}/coverage.parquet'"
        )
        return _write(connection, f"SELECT {columns} FROM cases WHERE good", out)


def by_pandas(folder: Path, file: str) -> int:
    """Read and group, the least that an analysis without a snapshot does each time."""
    import pandas as pd

    stamps = ["opened", "closed"]
    frame = pd.read_csv(folder / file, parse_dates=stamps) if file.endswith("csv") else pd.read_parquet(folder / file)
    frame = frame[~(frame["closed"] < frame["opened"])]
    month = frame["opened"].dt.to_period("M")
    return int(
        frame.groupby(["team", month], observed=True).agg(n=("number", "size"), c=("contacts", "mean"))["n"].sum()
    )


def from_snapshot(folder: Path, file: str) -> int:
    """The same figures from what was collected before: what each analysis takes from then on."""
    import duckdb

    path = next((folder / f"kept-{Path(file).suffix[1:]}").rglob("cases*.parquet"))
    query = (
        "SELECT department, date_trunc('month', opened_at) AS month, count(*) AS n, avg(contacts) AS c "
        f"FROM '{path}' GROUP BY 1, 2"
    )
    return int(duckdb.sql(query).df()["n"].sum())


WAYS = {
    "svclib": by_svclib,
    "hand": by_hand,
    "checked": checked_by_hand,
    "pandas": by_pandas,
    "snapshot": from_snapshot,
}
ASKED = (
    ("svclib", "hand", "collect / a query by hand", "<= 1.5"),
    ("pandas", "snapshot", "read and group by pandas / from the snapshot", ">= 10"),
    ("pandas", "svclib", "read and group by pandas / collect", ">= 10"),
)


def measure(way: str, folder: Path, file: str) -> tuple[float, float, float, int]:
    """Seconds, seconds of processor, peak memory (MB) and rows of one way, in a process of its own."""
    code = f"from benchmarks.collect import one; one({way!r}, {str(folder)!r}, {file!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, processor, memory, rows = done.stdout.split()[-4:]
    return float(seconds), float(processor), float(memory), int(rows)


def one(way: str, folder: str, file: str) -> None:
    """Measure in this process, and print."""
    start = time.perf_counter()
    rows = WAYS[way](Path(folder), file)
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300,000 rows, once")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    arguments = parser.parse_args()
    rows = 300_000 if arguments.quick else arguments.rows
    with tempfile.TemporaryDirectory(prefix="svclib-bench-") as name:
        folder = Path(name)
        generate(folder, rows)
        print(f"{rows:,} cases; median of {1 if arguments.quick else arguments.repeat}, fastest in brackets")
        print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"{'file':<14}{'way':<8}{'seconds':>16}{'processor':>11}{'memory MB':>11}{'rows kept':>12}")
        for file in ("cases.csv", "cases.parquet"):
            found = {}
            if "snapshot" in arguments.ways:
                collected(folder, file, folder / f"kept-{Path(file).suffix[1:]}")
            for way in arguments.ways:
                runs = sorted(measure(way, folder, file) for _ in range(1 if arguments.quick else arguments.repeat))
                seconds, processor, memory, kept = found[way] = runs[len(runs) // 2]
                print(
                    f"{file:<14}{way:<8}{seconds:>8.1f} ({runs[0][0]:>4.1f}){processor:>11.1f}{memory:>11.0f}{kept:>12,}"
                )
            for one_way, other, what, asked in ASKED:
                if one_way in found and other in found:
                    wall, worked = (found[one_way][i] / found[other][i] for i in (0, 1))
                    print(f"{file:<14}{what}: {wall:.2f} (processor {worked:.2f}), asked {asked}")


if __name__ == "__main__":
    main()
