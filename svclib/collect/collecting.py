"""From declared sources to a frozen snapshot: all or nothing, the same input always giving the same bytes."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib import sql
from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.models import Source
from svclib.collect.bad import bad_lately, bad_reasons, check_share, count_bad
from svclib.collect.build import Declared
from svclib.collect.contracts import check_table, date_column, duplicate_key, table_schema
from svclib.collect.coverage import cover_source, first_later, last_stamp, quality_parts
from svclib.collect.databases import without_credentials
from svclib.collect.dates import Zones
from svclib.collect.digests import FileDigest, digest_file, digest_json, files_json
from svclib.collect.inputs import check_unchanged, locate_inputs, may_be_kept, read_inputs
from svclib.collect.loading import load_raw
from svclib.collect.quarantine import write_quarantine
from svclib.collect.read import find_files, source_format
from svclib.collect.snapshot import FORMAT, MANIFEST, Snapshot, _fetch, list_snapshots, open_snapshot
from svclib.collect.stage import Staged, final_columns, stage_source
from svclib.errors import InputRefused, Problem
from svclib.paths import default_params

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROW_GROUP = 122_880  # DuckDB's own; a multiple of its vectors
_CHECKED = 50_000  # rows that are held against the pandera schema, in so many stretches
_STRETCHES = 16
_ABANDONED = 86_400  # seconds


def snapshot_root(catalogue: Catalogue) -> Path:
    """Where snapshots are kept, unless another folder is named: beside `params/`."""
    return catalogue.folder.parent / "snapshots"


def collect(
    catalogue: Catalogue,
    *,
    as_of: dt.date | None = None,
    root: Path | None = None,
    today: dt.date | None = None,
    accept_shrunk: Collection[str] = (),
    force: bool = False,
    memory: str = "1700MB",
    progress: Callable[[str], None] | None = None,
) -> Snapshot:
    """Read, check and freeze every source of a catalogue.

    Parameters
    ----------
    as_of
        The last day that is seen; what happened later is cut off or counts as not yet happened. None: everything is
        seen, and stamps after `today` are faults.
    root
        Folder of snapshots; `params/../snapshots` where left out.
    today
        The organisation's local day, where it is not the clock's.
    accept_shrunk
        Sources that may have fewer rows than in the snapshot before.
    force
        Collect even if a snapshot of the same sources, declarations and cut-off is there.
    memory
        What DuckDB may use before it turns to the disk.
    progress
        Called with the name of each source as its turn comes.

    Returns
    -------
    Snapshot
        Under ``root/<first 16 digits of its digest>``; earlier ones are kept.

    Raises
    ------
    InputRefused
        With every fault of every source. Nothing is written then.
    """
    root = Path(root) if root else snapshot_root(catalogue)
    today = today or catalogue.organisation.today()
    _check_as_of(as_of, today)
    located, inputs = locate_inputs(catalogue), None
    if not force and may_be_kept(located, root):
        inputs = read_inputs(catalogue, root)
        if found := find_snapshot(catalogue, as_of=as_of, root=root, today=today, inputs=inputs):
            return found
    # New files are read anyway: their digests are taken meanwhile.
    with ThreadPoolExecutor(1) as beside, _work_folder(root) as work:
        digests = beside.submit(lambda: inputs or read_inputs(catalogue, root))
        reports = _collect_sources(catalogue, work, as_of, today, memory, progress)
        inputs = digests.result()
        check_unchanged(catalogue, located)
        _check_begun(reports, as_of)
        _check_shrunk(catalogue, root, reports, accept_shrunk)
        manifest = _manifest(catalogue, reports, inputs, as_of, today, work)
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return _publish(work, root / manifest["digest"][:16])


def find_snapshot(
    catalogue: Catalogue,
    *,
    as_of: dt.date | None = None,
    root: Path | None = None,
    today: dt.date | None = None,
    inputs: dict[str, list[FileDigest] | None] | None = None,
) -> Snapshot | None:
    """The snapshot of these very sources, declarations and cut-off, if there is one and it is whole.

    Files are compared by size and time of change first, and read again only where these differ. The rows of a
    database server cannot be compared without reading them: then there is none.
    """
    root = Path(root) if root else snapshot_root(catalogue)
    inputs = inputs if inputs is not None else read_inputs(catalogue, root)
    if any(files is None for files in inputs.values()):
        return None
    today = today or catalogue.organisation.today()
    wanted = _request(catalogue, inputs, as_of)
    for path in list_snapshots(root):
        try:
            if json.loads((path / MANIFEST).read_text(encoding="utf-8"))["request"] != wanted:
                continue
            snapshot = open_snapshot(path)
        except (InputRefused, OSError, ValueError, KeyError):
            continue  # a broken one is no obstacle: it is made anew in its place
        if _still_true(snapshot, today):
            return snapshot
    return None


def _still_true(snapshot: Snapshot, today: dt.date) -> bool:
    """Without a cut-off, rows of the future are faults only until their day has come."""
    if snapshot.manifest["as_of_requested"] or snapshot.manifest["collected_on"] == today.isoformat():
        return True
    return not any(
        report["later"] or any(code.startswith("future:") for code in report["bad"])
        for report in snapshot.manifest["sources"]
    )


def _check_as_of(as_of: dt.date | None, today: dt.date) -> None:
    if as_of and as_of > today:
        cure = "name a day that has come, or leave it out"
        raise InputRefused(Problem("--as-of", f"{as_of} lies in the future (today is {today})", cure))


def _check_begun(reports: list[dict[str, Any]], as_of: dt.date | None) -> None:
    """A cut-off before all data leaves nothing that could be reported."""
    first = min((report["later_from"] for report in reports if report["later_from"]), default=None)
    if as_of and first and not any(report["kept"] for report in reports):
        cure = f"name a day from {first} on, the first that any source knows, or leave it out"
        raise InputRefused(Problem("--as-of", f"{as_of} lies before the data", cure))


def definitions(catalogue: Catalogue) -> dict[str, Any]:
    """The declarations that shape a snapshot: sources, departments, zone, and what KPIs say about values."""
    kpis = [[k.code, k.source, k.kind, k.value, k.scale.model_dump() if k.scale else None] for k in catalogue.kpis]
    sources = [source.model_dump(mode="json") for source in catalogue.sources]
    for source in sources:
        source["read"] = without_credentials(source["read"]) if "://" in source["read"] else source["read"]
    departments = [[d.code, d.name, d.aliases, str(d.closed)] for d in catalogue.departments]
    zone = catalogue.organisation.time_zone
    return {"format": FORMAT, "sources": sources, "departments": departments, "time_zone": zone, "kpis": kpis}


def _request(catalogue: Catalogue, inputs: dict[str, list[FileDigest] | None], as_of: dt.date | None) -> str:
    files = {name: files_json(digests) if digests else None for name, digests in inputs.items()}
    return digest_json({"definitions": definitions(catalogue), "files": files, "as_of": str(as_of)})


def _collect_sources(
    catalogue: Catalogue, work: Path, as_of: dt.date | None, today: dt.date, memory: str,
    progress: Callable[[str], None] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    import duckdb

    reports: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for name in ("quarantine", "coverage"):
        (work / name).mkdir()
    for source in catalogue.sources:
        if progress:
            progress(source.name)
        try:
            with _database(work, memory) as (connection, folder):
                reports.append(_collect_source(connection, catalogue, source, work, folder, as_of, today))
        except InputRefused as refused:
            problems += refused.problems
        except duckdb.OutOfMemoryException as error:
            problems.append(
                Problem(source.name, f"needs more than {memory}: {_first_line(error)}", "allow more memory")
            )
        except (duckdb.IOException, OSError) as error:
            problems.append(Problem(source.name, f"cannot be collected: {_first_line(error)}", "is the disk full?"))
    if problems:
        raise InputRefused(problems)
    return reports


def _first_line(error: Exception) -> str:
    return (str(error).split("\n") or [""])[0][:200]


@contextmanager
def _database(work: Path, memory: str) -> Iterator[tuple[DuckDBPyConnection, Path]]:
    """A DuckDB of its own for one source: in memory up to the limit, then in a folder that is gone afterwards."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(dir=work, prefix="stage-") as folder,
        duckdb.connect(config={"memory_limit": memory, "temp_directory": folder}) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        yield connection, Path(folder)


def _collect_source(
    connection: DuckDBPyConnection,
    catalogue: Catalogue,
    source: Source,
    work: Path,
    folder: Path,
    as_of: dt.date | None,
    today: dt.date,
) -> dict[str, Any]:
    where = catalogue.locate("sources", source.name)
    base = catalogue.folder.parent
    files = find_files(source, base, where)
    raw = load_raw(connection, source, files, base, where, folder)
    home = catalogue.organisation.time_zone
    declared = Declared(
        source=source,
        departments=catalogue.departments,
        kpis=[kpi for kpi in catalogue.kpis if kpi.source == source.name],
        zones=Zones(source.time_zone or home, home),
        where=where,
        where_column=catalogue.locate("sources", source.name, "where"),
    )
    staged = stage_source(connection, declared, raw, as_of=as_of, today=today)
    if staged.raw.rows + len(staged.raw.rejects) == 0:
        raise InputRefused(
            Problem(where, f"source {source.name!r} is empty", "export it again; nothing can be measured on it")
        )
    check_share(connection, declared, staged)
    return _freeze(connection, declared, staged, work)


def _freeze(connection: DuckDBPyConnection, declared: Declared, staged: Staged, work: Path) -> dict[str, Any]:
    source = declared.source
    table, quarantine = f"{source.name}.parquet", f"quarantine/{source.name}.csv"
    coverage = f"coverage/{source.name}.parquet"
    # Rows of a database come in no order of their own; then all columns together give one.
    ties = "_id, rowid" if source.explode else "rowid"
    if source_format(source) == "database":
        ties = ", ".join(map(sql.name, staged.names))
    # Sorted as a number and written as a text: Parquet keeps no lowest and highest value of an ENUM, and these are what
    # lets a department's rows be read alone.
    connection.execute(
        f"COPY (SELECT * REPLACE (department::VARCHAR AS department) FROM (SELECT {final_columns(staged, source)} "
        f"FROM {staged.table} WHERE _fate = 'kept' ORDER BY {staged.table}.department, "
        f"{staged.table}.{sql.name(date_column(source))}, {ties})) TO {sql.text(str(work / table))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
    )
    written = write_quarantine(work / quarantine, connection, staged, source)
    _check_written(work / table, declared, staged)
    bad = count_bad(staged)
    report: dict[str, Any] = {
        "name": source.name,
        "shape": source.shape,
        "table": table,
        "quarantine": quarantine,
        "coverage_table": coverage,
        "key": duplicate_key(source, staged.columns),
        "read": staged.raw.rows + len(staged.raw.rejects),
        "rows": sum(staged.fates.values()) + len(staged.raw.rejects),
        "kept": staged.fates.get("kept", 0),
        "considered": staged.fates.get("kept", 0) + bad,
        "bad_rows": bad,
        "bad": bad_reasons(staged),
        "left_out": staged.left_out,
        "folded": staged.fates.get("folded", 0),
        "later": staged.fates.get("later", 0),
        "later_from": str(first_later(connection, staged, source) or "") or None,
        "clipped": staged.clipped,
        "exact_copies": staged.exact_copies,
        "date_formats": {c.name: c.format for c in staged.columns if c.format},
        "types": {c.name: c.kind for c in staged.columns if c.name in staged.names},
        "coverage": cover_source(connection, staged, source, declared.departments, work / coverage),
        "knows_until": str(last_stamp(connection) or ""),
        "bad_lately": bad_lately(connection, staged, source),
        "parts_of": [[part.file, part.count] for part in staged.raw.parts],
    }
    assert written == bad, "every bad row stands in quarantine"
    parts = quality_parts({**report, **report["coverage"]}, source)
    report["parts"] = {name: round(part, 6) for name, part in parts.items()}
    report["score"] = round(math.prod(parts.values()), 6)
    return report


def _check_written(path: Path, declared: Declared, staged: Staged) -> None:
    """Hold the written table, or stretches spread evenly over a large one, against the pandera schema."""
    rows = staged.fates.get("kept", 0)
    stretch = min(rows, -(-_CHECKED // _STRETCHES))
    step = max(stretch, -(-rows // _STRETCHES), 1)
    chosen = " OR ".join(f"file_row_number BETWEEN {at} AND {at + stretch - 1}" for at in range(0, rows, step))
    query = f"SELECT * EXCLUDE (file_row_number) FROM read_parquet({sql.text(str(path))}, file_row_number=true)"
    frame = _fetch(f"{query} WHERE {chosen or 'false'}", [])
    codes = [department.code for department in declared.departments]
    check_table(frame, table_schema(declared.source, staged.columns, codes))


def _check_shrunk(catalogue: Catalogue, root: Path, reports: list[dict[str, Any]], accepted: Collection[str]) -> None:
    previous = next(iter(list_snapshots(root)), None)
    if previous is None:
        return
    try:
        manifest = json.loads((previous / MANIFEST).read_text(encoding="utf-8"))
        before = {report["name"]: report for report in manifest["sources"]}
    except (OSError, ValueError, KeyError):
        return
    shrunk = [
        (source, report["read"], before[source.name]["read"])
        for source, report in zip(catalogue.sources, reports, strict=True)
        if source.name in before and source.name not in accepted
        if before[source.name].get("origin") == _origin(source) and report["read"] < before[source.name]["read"]
    ]
    problems = []
    for source, now, then in shrunk:
        what = f"source {source.name!r} shrank: {now} rows, {then} in snapshot {previous.name}"
        again = " (and --accept-shrunk for each other such source)" if len(shrunk) > 1 else ""
        command = f"svclib collect{_params_option(catalogue.folder)} --accept-shrunk {source.name}"
        cure = f"check the export; if rows were removed on purpose: {command}{again}"
        problems.append(Problem(catalogue.locate("sources", source.name, "read"), what, cure))
    if problems:
        raise InputRefused(problems)


def _params_option(folder: Path) -> str:
    """The words that name the folder on the command line; none where it is found without."""
    if folder == default_params().resolve():
        return ""
    here = Path.cwd().resolve()
    return f" --params {shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))}"


def _origin(source: Source) -> str:
    """What is read: sources of another origin cannot be compared by their number of rows."""
    return digest_json([without_credentials(source.read), source.format, source.sheet, source.table, source.sql])


def _manifest(
    catalogue: Catalogue, reports: list[dict[str, Any]], inputs: dict[str, list[FileDigest] | None],
    as_of: dt.date | None, today: dt.date, work: Path,
) -> dict[str, Any]:  # fmt: skip
    names = [report[key] for report in reports for key in ("table", "quarantine", "coverage_table")]
    files = [{"name": n, "size": (work / n).stat().st_size, "sha256": digest_file(work / n)} for n in names]
    sha256 = {file["name"]: file["sha256"] for file in files}
    for report, source in zip(reports, catalogue.sources, strict=True):
        digests = inputs[source.name]
        report["origin"] = _origin(source)
        report["files"] = (
            files_json(digests) if digests else [{"content": sha256[report["table"]], "rows": report["read"]}]
        )
    known = [report["knows_until"] for report in reports if report["knows_until"]]
    resolved = as_of.isoformat() if as_of else min(max(known, default=today.isoformat()), today.isoformat())
    request = _request(catalogue, inputs, as_of)
    contents = {"definitions": definitions(catalogue), "as_of": resolved, "requested": str(as_of)}
    contents["files"] = [[report["files"], report["read"], report["kept"], report["bad"]] for report in reports]
    return {
        "format": FORMAT,
        "digest": digest_json(contents),
        "as_of": resolved,
        "as_of_requested": as_of.isoformat() if as_of else None,
        "request": request,
        "definitions": digest_json(definitions(catalogue)),
        "time_zone": catalogue.organisation.time_zone,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"),
        "collected_on": today.isoformat(),
        "versions": {name: version(name) for name in ("duckdb", "ibis-framework", "pandas", "pandera", "pyarrow")},
        "sources": reports,
        "files": files,
    }


@contextmanager
def _work_folder(root: Path) -> Iterator[Path]:
    """A hidden folder beside the snapshots; removed whatever happens, unless it became one."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(".collecting-*"):  # of a run that was killed
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=".collecting-", dir=root))
    except OSError as error:
        cure = "give who runs this the right to write there, or keep params/ in a folder where it may"
        raise InputRefused(Problem(str(root), f"cannot be written: {error.strerror}", cure)) from None
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, target: Path) -> Snapshot:
    """Give the finished folder its name, in one step; an equal snapshot that is there already stays."""
    for path in (*work.rglob("*"), work):
        _sync(path)
    work.chmod(0o755)
    if target.exists():
        try:
            return open_snapshot(target, verify=True)
        except InputRefused:
            broken = work.with_name(f"{work.name}-broken")
            target.rename(broken)
            shutil.rmtree(broken, ignore_errors=True)
    try:
        work.rename(target)
    except OSError:
        if not target.exists():
            raise
    _sync(target.parent)
    return open_snapshot(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
