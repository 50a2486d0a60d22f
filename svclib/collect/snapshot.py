"""A frozen snapshot: checked, typed tables that a later run can open again, and what is known of their quality."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.models import SHAPE_DATE
from svclib.collect.digests import digest_file
from svclib.errors import InputRefused, Problem

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
MANIFEST = "snapshot.json"
_ALWAYS_VERIFIED = 16 << 20  # bytes that are hashed in some 15 ms
_REBUILD = "remove that folder and run svclib collect; the sources will be read again"


@dataclass(frozen=True)
class SourceQuality:
    """How far a source can be relied on.

    Attributes
    ----------
    read, kept
        Rows of the source and rows of the collected table.
    bad
        Rows in quarantine by reason; a row with two reasons counts under each, `bad_rows` counts it once.
    bad_lately
        Of the latest whole month alone, as `svclib.collect.bad.bad_lately` tells it; None without bad rows.
    left_out, folded, later
        Rows left out by declaration, older lines of an event log, rows of after the cut-off: none of them bad.
    clipped
        Stamps of after the cut-off that were taken for "not yet", by column.
    first, last
        First and last day of the collected rows.
    silent, gaps, completeness
        As `cover_source` tells them.
    score, parts
        The product of the parts, each 0..1; see `quality_parts`.
    """

    source: str
    shape: str
    read: int
    kept: int
    bad_rows: int
    bad: dict[str, int]
    left_out: dict[str, int]
    folded: int
    later: int
    clipped: dict[str, int]
    exact_copies: int
    first: dt.date | None
    last: dt.date | None
    frequency: str
    silent: list[dict[str, Any]]
    gaps: dict[str, Any]
    completeness: dict[str, float]
    score: float
    parts: dict[str, float] = field(default_factory=dict)
    bad_lately: dict[str, Any] | None = None


@dataclass(frozen=True)
class Snapshot:
    """An opened snapshot folder; `manifest` is its `snapshot.json`."""

    path: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def digest(self) -> str:
        return self.manifest["digest"]

    @property
    def as_of(self) -> dt.date:
        """The last day that is seen: the cut-off that was asked for, else the last day that any source knows of."""
        return dt.date.fromisoformat(self.manifest["as_of"])

    @property
    def created(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.manifest["created"])

    @property
    def sources(self) -> list[str]:
        return [report["name"] for report in self.manifest["sources"]]

    def report(self, source: str) -> dict[str, Any]:
        """What was recorded when the source was collected."""
        for report in self.manifest["sources"]:
            if report["name"] == source:
                return report
        raise InputRefused(Problem(str(self.path.name), f"the snapshot holds no source {source!r}", "collect again"))

    def table_path(self, source: str) -> Path:
        """The Parquet file of a source, sorted by department and date."""
        return self.path / self.report(source)["table"]

    def quarantine_path(self, source: str) -> Path:
        """The CSV of the rows that broke the source's contract (always there, often only a header)."""
        return self.path / self.report(source)["quarantine"]

    def frequency(self, source: str) -> str:
        """How often figures of a `counts` source come (day, week, month, quarter); `none` for other shapes."""
        return self.report(source)["coverage"]["frequency"]

    def rows(
        self,
        source: str,
        *,
        department: str | None = None,
        columns: Iterable[str] | None = None,
        since: dt.date | None = None,
        until: dt.date | None = None,
    ) -> pd.DataFrame:
        """Rows of a source, in the order of department and date; only what is asked for is read.

        Parameters
        ----------
        department
            Only this department's rows.
        columns
            Only these columns.
        since, until
            Only rows dated on or after `since` and before `until` (by the shape's date column).

        Returns
        -------
        pandas.DataFrame
            Stamps naive local time (``datetime64[us]``), integers ``Int64``, truth values ``boolean``, so that missing
            never turns into zero or false.
        """
        report = self.report(source)
        date = sql.name(SHAPE_DATE[report["shape"]])
        chosen = ", ".join(sql.name(column) for column in columns) if columns is not None else "*"
        conditions, values = ["true"], []
        for condition, value in ((f"{date} >= ?", since), (f"{date} < ?", until), ("department = ?", department)):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        query = f"SELECT {chosen} FROM {self._table(source)} WHERE {' AND '.join(conditions)}"
        return _fetch(query, values)

    def coverage(self, source: str) -> pd.DataFrame:
        """Rows, and values that are there by column, for each department and month."""
        return _fetch(
            f"SELECT * FROM read_parquet({sql.text(str(self.path / self.report(source)['coverage_table']))})", []
        )

    def _table(self, source: str) -> str:
        return f"read_parquet({sql.text(str(self.table_path(source)))})"

    @cached_property
    def quality(self) -> list[SourceQuality]:
        """The quality of each source."""
        return [_quality(report) for report in self.manifest["sources"]]


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _quality(report: dict[str, Any]) -> SourceQuality:
    coverage = report["coverage"]
    same = ("shape", "read", "kept", "bad_rows", "bad", "left_out", "folded", "later", "clipped", "exact_copies")
    covered = ("frequency", "silent", "gaps", "completeness")
    return SourceQuality(
        source=report["name"],
        **{key: report[key] for key in same},
        **{key: coverage[key] for key in covered},
        first=_day(coverage["first"]),
        last=_day(coverage["last"]),
        score=report["score"],
        parts=report["parts"],
        bad_lately=report.get("bad_lately"),
    )


def _fetch(query: str, values: list[Any]) -> pd.DataFrame:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    nullable = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    with duckdb.connect() as connection:
        table = connection.sql(query, params=values or None).to_arrow_table()
    return table.to_pandas(types_mapper=nullable.get)


def open_snapshot(path: str | Path, *, verify: bool | None = None) -> Snapshot:
    """Open a snapshot folder.

    Parameters
    ----------
    verify
        Hash every table and compare. None: only if they are small (16 MB); sizes are compared in any case.

    Raises
    ------
    InputRefused
        If it is no snapshot, or a file of it is missing, cut or altered; says how to rebuild it.
    """
    path = Path(path).resolve()
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"]
        if manifest["format"] != FORMAT:
            what = f"is of format {manifest['format']}, this svclib reads {FORMAT}"
            raise InputRefused(Problem(f"snapshot {path.name}", what, _REBUILD))
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"has no readable {MANIFEST} ({type(error).__name__})"
        raise InputRefused(Problem(f"snapshot {path.name}", what, _REBUILD)) from None
    if verify is None:
        verify = sum(file["size"] for file in files) <= _ALWAYS_VERIFIED
    problems = [problem for file in files for problem in _faults(path, file, verify)]
    if problems:
        raise InputRefused(problems)
    return Snapshot(path, manifest)


def _faults(path: Path, file: dict[str, Any], verify: bool) -> Iterator[Problem]:
    where = f"snapshot {path.name}"
    try:
        size = (path / file["name"]).stat().st_size
    except OSError:
        yield Problem(where, f"{file['name']} is missing", _REBUILD)
        return
    if size != file["size"]:
        yield Problem(where, f"{file['name']} has {size} bytes and should have {file['size']}", _REBUILD)
    elif verify and digest_file(path / file["name"]) != file["sha256"]:
        yield Problem(where, f"{file['name']} has been altered: its digest differs", _REBUILD)


def list_snapshots(root: Path) -> list[Path]:
    """The snapshot folders below `root`, newest first; what is half-written has another kind of name."""
    found = [path for path in root.glob("[0-9a-f]*") if (path / MANIFEST).is_file()] if root.is_dir() else []
    return sorted(found, key=lambda path: (_created(path), path.name), reverse=True)


def _created(path: Path) -> str:
    try:
        return str(json.loads((path / MANIFEST).read_text(encoding="utf-8")).get("created", ""))
    except (OSError, ValueError):
        return ""


def late_rows(previous: Snapshot, current: Snapshot) -> pd.DataFrame:
    """Rows that an earlier snapshot could have had and had not, and rows it had that are gone.

    Compared up to the day the earlier snapshot saw. Sources with a key are compared by it, the others by the number
    of rows of each department and month (there a row that was replaced by another cannot be seen).

    Returns
    -------
    pandas.DataFrame
        ``source, department, month, late, vanished``; only where one of them is not zero.
    """
    import pandas as pd

    frames = []
    for source in current.sources:
        if source in previous.sources:
            frame = _fetch(_late_query(previous, current, source), [])
            frame.insert(0, "source", source)
            frames.append(frame)
    columns = ["source", "department", "month", "late", "vanished"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _late_query(previous: Snapshot, current: Snapshot, source: str) -> str:
    report = current.report(source)
    date = sql.name(SHAPE_DATE[report["shape"]])
    seen = f"{date} < DATE '{previous.as_of + dt.timedelta(days=1)}'"
    month = f"department, strftime({date}, '%Y-%m') AS month"
    now = f"(SELECT * FROM {current._table(source)} WHERE {seen})"
    then = f"(SELECT * FROM {previous._table(source)} WHERE {seen})"
    key = report["key"]
    if key and key == previous.report(source)["key"]:
        same = " AND ".join(f"a.{sql.name(name)} IS NOT DISTINCT FROM b.{sql.name(name)}" for name in key)
        late = f"SELECT {month}, 1 AS late, 0 AS vanished FROM {now} a WHERE NOT EXISTS (SELECT 1 FROM {then} b WHERE {same})"
        gone = f"SELECT {month}, 0 AS late, 1 AS vanished FROM {then} a WHERE NOT EXISTS (SELECT 1 FROM {now} b WHERE {same})"
        changes = f"{late} UNION ALL {gone}"
    else:
        changes = (
            f"SELECT department, month, greatest(sum(n), 0) AS late, greatest(-sum(n), 0) AS vanished FROM ("
            f"SELECT {month}, 1 AS n FROM {now} UNION ALL SELECT {month}, -1 AS n FROM {then}) GROUP BY department, month"
        )
    return (
        "SELECT department, month, sum(late)::BIGINT AS late, sum(vanished)::BIGINT AS vanished "
        f"FROM ({changes}) GROUP BY department, month HAVING sum(late) + sum(vanished) > 0 ORDER BY department, month"
    )
