"""Every department at once: the catalogue, the frozen snapshot of its sources, and every KPI measured on it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from svclib import sql
from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.check import default_cohort
from svclib.catalogue.load import load_catalogue
from svclib.catalogue.models import Source
from svclib.collect.collecting import collect
from svclib.collect.snapshot import Snapshot, late_rows, list_snapshots, open_snapshot
from svclib.errors import InputRefused, Problem
from svclib.measure.declaration import Coverage, Declaration, coverage_of
from svclib.measure.engine import connect, frame
from svclib.measure.periods import Frequency, Period, read_period
from svclib.paths import default_params

if TYPE_CHECKING:
    from ibis.backends.sql import SQLBackend

    from svclib.measure.literals import Recoded


@dataclass(frozen=True)
class Prepared:
    """A catalogue, the frozen snapshot of its sources and every KPI measured on it.

    What was measured lies in files whose name begins with `kept`; only what is asked for is read.
    """

    catalogue: Catalogue
    snapshot: Snapshot
    kept: Path = field(repr=False)
    frequency: Frequency = "month"

    @cached_property
    def measures(self) -> pd.DataFrame:
        """The measures table of all departments; see `svclib.measure.kpi.COLUMNS`."""
        return pd.read_parquet(_measures_file(self.kept))

    def near(self, department: str, period: Period) -> pd.DataFrame:
        """Of the measures table one department's rows, and every department's of the period."""
        own = pd.read_parquet(_measures_file(self.kept), filters=[("department", "==", department)])
        now = self.of_period(period)
        return pd.concat([own, now[now["department"] != department]], ignore_index=True)

    def of_period(self, period: Period) -> pd.DataFrame:
        """Of the measures table one period's rows; kept apart, since every report reads them."""
        path = self.kept.with_name(f"{self.kept.name}-{period.label}.parquet")
        if not path.exists():
            found = pd.read_parquet(_measures_file(self.kept), filters=[("period", "==", period.label)])
            _write_beside(path, lambda draft: found.to_parquet(draft, index=False))
        return pd.read_parquet(path)

    @cached_property
    def backend(self) -> SQLBackend:
        return _tables(self.snapshot, self.catalogue)

    @cached_property
    def declarations(self) -> dict[str, Declaration]:
        return {d.kpi.code: d for d in _declarations(self.backend, self.catalogue, self._facts)}

    @property
    def cutoff(self) -> dt.datetime:
        """The end of the last day that the snapshot has seen."""
        return _end_of(self.snapshot.as_of)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return json.loads(_facts_file(self.kept).read_text(encoding="utf-8"))

    def covered_until(self) -> dict[str, dt.date]:
        """Of each source that a KPI reads, the first day after those whose rows it holds.

        Outages are left out, unless there is nothing else: none for months is good news.
        """
        # from what is kept: `declarations` would connect to the tables, which a run with nothing to make can do without
        coverage = self._facts["coverage"]
        ends = {
            name: max(dt.date.fromisoformat(days[1]) for days in found.values()) for name, found in coverage.items()
        }
        lasting = {source.name for source in self.catalogue.sources if source.shape != "outages"}
        return {name: end for name, end in ends.items() if name in lasting} or ends

    def steady(self, period: Period) -> dict[str, list[str]]:
        """For each share or rate, the departments whose own chart is quiet; worked out once a period, then kept."""
        history = self.catalogue.run.history
        path = self.kept.with_name(f"{self.kept.name}-{period.label}-{history}.json")
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        from svclib.measure.analysis import steady_departments  # brings scipy, which those who only plan can do without

        found = steady_departments(self.measures, self.catalogue.kpis, period, history=history)
        _write_beside(path, lambda draft: draft.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8"))
        return found

    @cached_property
    def earlier(self) -> Prepared | None:
        """The newest snapshot that was made before this one and saw less, measured by today's declarations; or None.

        One that was made later (a look back with a cut-off) does not count: nobody had read it, and a report that is
        made again would tell of another predecessor.
        """
        for path in list_snapshots(self.snapshot.path.parent):
            try:
                found = open_snapshot(path, verify=False)
                if found.created < self.snapshot.created and found.as_of < self.snapshot.as_of:
                    return prepare(self.catalogue, snapshot=path, frequency=self.frequency)
            except InputRefused:
                continue  # of another time, with other sources: nothing to compare with
        return None

    @cached_property
    def late(self) -> pd.DataFrame:
        """Rows that came or went since the earlier snapshot, by source, department and month; see `late_rows`."""
        if self.earlier is None:
            return pd.DataFrame(columns=["source", "department", "month", "late", "vanished"])
        path = self.kept.with_name(f"late-{self.earlier.snapshot.digest[:16]}-{self.snapshot.digest[:16]}.parquet")
        if not path.exists():
            found = late_rows(self.earlier.snapshot, self.snapshot)
            _write_beside(path, lambda draft: found.to_parquet(draft, index=False))
        return pd.read_parquet(path)

    def doubts(self) -> list[Problem]:
        """What is no fault and seldom meant; see `svclib.doubts`."""
        from svclib.doubts import all_doubts

        return all_doubts(self)

    def values_of(self, source: str, dimension: str) -> list[str]:
        """The values of a dimension that rows of a source hold."""
        column = sql.name(dimension)
        query = f"select distinct cast({column} as varchar) as held from {sql.name(source)} where {column} is not null"
        return sorted(frame(self.backend, query)["held"])

    @property
    def recoded(self) -> list[Recoded]:
        """Texts that expressions compare with and a department's rows do not hold any more since the latest period."""
        from svclib.measure.literals import Recoded

        return [Recoded(**{**found, "new": tuple(found["new"])}) for found in self._facts.get("recoded", [])]

    def make_ready(self, period: Period) -> None:
        """Work out once what every department's report would have to work out from all departments' rows."""
        self.steady(period)
        self.of_period(period)
        _ = self.late

    def latest_complete(self) -> Period:
        """The last period that was over at the cut-off and has a figure."""
        start = self._facts["measured"]["complete"]
        if start is None:
            raise InputRefused(Problem("sources", "hold no complete period", "collect at least one whole period"))
        return Period.containing(dt.date.fromisoformat(start), self.frequency)

    def check_period(self, label: str) -> Period:
        """The period asked for; `InputRefused` where it is none, lies in the future or before the data."""
        period = read_period(label)
        latest = self.latest_complete()
        first, last = (dt.date.fromisoformat(self._facts["measured"][end]) for end in ("first", "last"))
        cure = f"choose a period from {Period.containing(first, self.frequency).label} to {latest.label}"
        if period.start > self.snapshot.as_of:
            ahead = period.start > self.catalogue.organisation.today()
            why = "lies in the future" if ahead else f"lies after the data, which end on {self.snapshot.as_of}"
            raise InputRefused(Problem(f"period {label}", why, cure))
        if period.end <= first:
            raise InputRefused(Problem(f"period {label}", "lies before the data", cure))
        if period.start > last:
            raise InputRefused(Problem(f"period {label}", "lies after the data", cure))
        return period


def prepare(
    params: str | Path | Catalogue | None = None,
    *,
    as_of: dt.date | str | None = None,
    snapshot: str | Path | None = None,
    frequency: Frequency | None = None,
    accept_shrunk: Collection[str] = (),
) -> Prepared:
    """Load the catalogue, find or collect its snapshot and measure every KPI for every department, once.

    `accept_shrunk` names sources that may have fewer rows than in the snapshot before.

    Raises
    ------
    InputRefused
        For faults of `params/` or of the sources, and for targets that begin before their KPI has data.
    """
    catalogue = params if isinstance(params, Catalogue) else load_catalogue(params or default_params())
    if snapshot is None:
        if _generate_sample(catalogue):  # made anew by a newer version: its old snapshots say nothing about it
            accept_shrunk = [source.name for source in catalogue.sources]
        taken = collect(catalogue, as_of=read_day(as_of), accept_shrunk=accept_shrunk)
    else:
        taken = open_snapshot(Path(snapshot))
    frequency = frequency or catalogue.run.frequency
    prepared = Prepared(catalogue, taken, _kept(taken, catalogue, frequency), frequency)
    if not _facts_file(prepared.kept).exists():
        _measure(prepared)
    return prepared


def _measure(prepared: Prepared) -> None:
    """Measure every KPI, and keep the table and what else takes a look at all rows."""
    import duckdb

    # SciPy takes longer to import than a sound catalogue to check
    from svclib.measure.expressions import failing_expressions
    from svclib.measure.kpi import measure_kpis
    from svclib.measure.literals import recoded_texts

    catalogue = prepared.catalogue
    facts: dict[str, Any] = _coverages(prepared)
    declarations = _declarations(prepared.backend, catalogue, facts)
    if problems := _early_targets(prepared, declarations):
        raise InputRefused(problems)
    try:
        measures = measure_kpis(
            prepared.backend,
            declarations,
            catalogue.departments,
            as_of=prepared.cutoff,
            frequency=prepared.frequency,
            disclosure_minimum=catalogue.organisation.disclosure_minimum,
        )
    except duckdb.Error:
        if problems := failing_expressions(prepared.backend, declarations, catalogue.locate):
            raise InputRefused(problems) from None
        raise
    known = measures[measures["value"].notna()]
    complete = known.loc[pd.to_datetime(known["end"]) <= prepared.cutoff, "start"]
    days = {"first": known["start"].min(), "last": known["start"].max(), "complete": complete.max()}
    if days["complete"] is not None and not pd.isna(days["complete"]):
        latest = Period.containing(days["complete"], prepared.frequency)
        lost = recoded_texts(prepared.backend, declarations, latest, lambda d: default_cohort(d.kpi, d.source))
        facts["recoded"] = [asdict(one) for one in lost]
    facts["measured"] = {name: None if pd.isna(day) else day.isoformat() for name, day in days.items()}
    _write_beside(_measures_file(prepared.kept), lambda draft: measures.to_parquet(draft, index=False))
    # the facts come last: where they are, the table is
    text = json.dumps(facts, ensure_ascii=False)
    _write_beside(_facts_file(prepared.kept), lambda draft: draft.write_text(text, encoding="utf-8"))


def read_day(as_of: dt.date | str | None) -> dt.date | None:
    """The last day that is seen.

    >>> read_day("2026-11-05")
    datetime.date(2026, 11, 5)
    """
    if as_of is None or isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(str(as_of))
    except ValueError:
        raise InputRefused(Problem(f"as-of {as_of}", "is no day", "write it as 2026-11-05")) from None


def _end_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time())


def _generate_sample(catalogue: Catalogue) -> bool:
    from svclib.sample import ensure_sample

    return ensure_sample(catalogue.folder)


def _tables(snapshot: Snapshot, catalogue: Catalogue) -> SQLBackend:
    backend = connect()
    for source in catalogue.sources:
        path = sql.text(str(snapshot.table_path(source.name)))
        backend.raw_sql(f"create view {sql.name(source.name)} as select * from read_parquet({path})")
    return backend


def _declarations(backend: SQLBackend, catalogue: Catalogue, facts: dict[str, Any]) -> list[Declaration]:
    """Each KPI with its source, the days that it covers and the departments that it serves."""
    booleans: dict[str, frozenset[str]] = {}
    found = []
    for kpi in catalogue.kpis:
        source = catalogue.source(kpi.source)
        days = [dt.date.fromisoformat(day) for day in facts["coverage"][source.name][default_cohort(kpi, source)]]
        if source.name not in booleans:
            schema = backend.table(source.name).schema()
            booleans[source.name] = frozenset(name.lower() for name, kind in schema.items() if kind.is_boolean())
        served = [d.code for d in catalogue.departments]
        if kpi.kind == "availability":
            served = facts["served"][source.name]
        found.append(Declaration(kpi, source, Coverage(*days), tuple(served), booleans[source.name]))
    return found


def _coverages(prepared: Prepared) -> dict[str, dict[str, Any]]:
    """By source and cohort date the first day covered, the end, and until when cases are followed; whom it serves."""
    catalogue, backend = prepared.catalogue, prepared.backend
    coverage: dict[str, dict[str, list[str]]] = {}
    served: dict[str, list[str]] = {}
    for kpi in catalogue.kpis:
        source = catalogue.source(kpi.source)
        if kpi.kind == "availability" and source.name not in served:
            served[source.name] = _served(backend, source, [d.code for d in catalogue.departments])
        cohort = default_cohort(kpi, source)
        if cohort in coverage.setdefault(source.name, {}):
            continue
        days = frame(
            backend,
            f'select distinct cast("{cohort}" as date) as day from "{source.name}" where "{cohort}" is not null',
        )
        dates = [d.date() if isinstance(d, dt.datetime) else d for d in days["day"]]
        known_until = prepared.snapshot.report(source.name)["knows_until"]
        last_known = dt.date.fromisoformat(known_until) if known_until else None
        found = coverage_of(dates, source, prepared.cutoff, last_known)
        ends = (found.start, found.end, found.followed or found.end)
        coverage[source.name][cohort] = [day.isoformat() for day in ends]
    return {"coverage": coverage, "served": served}


def _served(backend: SQLBackend, source: Source, departments: list[str]) -> list[str]:
    """Departments that an outage source speaks of; one that it never names has no service there."""
    named = set(frame(backend, f'select distinct department from "{source.name}"')["department"])
    return [code for code in departments if code in named]


def _early_targets(prepared: Prepared, declarations: Iterable[Declaration]) -> list[Problem]:
    """Targets that begin before their KPI has data: the year is mistyped, or rows are missing.

    A rolling export loses its first rows every month, and no agreement gets another date by that: what an earlier
    snapshot had data for stays as it is.
    """
    early = [
        (d, i, target)
        for d in declarations
        for i, target in enumerate(d.kpi.targets)
        if target.from_ < d.coverage.start
    ]
    firsts = _first_kept(prepared.snapshot) if early else {}
    found = []
    for d, index, target in early:
        first = firsts.get(d.source.name)
        if first is None or first.replace(day=1) > target.from_:
            where = prepared.catalogue.locate("kpis", d.kpi.code, "targets", index, "from")
            what = f"the target of '{d.kpi.code}' begins on {target.from_}, before its first data on {d.coverage.start}"
            cure = f"write 'from: {d.coverage.start}' or later; the day of an older agreement can stand in agreed_by"
            found.append(Problem(where, what, cure))
    return found


def _first_kept(snapshot: Snapshot) -> dict[str, dt.date]:
    """The first day of each source's rows in any snapshot that is kept."""
    firsts: dict[str, dt.date] = {}
    for path in list_snapshots(snapshot.path.parent):
        try:
            qualities = open_snapshot(path, verify=False).quality
        except (InputRefused, KeyError):
            continue  # of another time
        for quality in qualities:
            if quality.first is not None:
                firsts[quality.source] = min(quality.first, firsts.get(quality.source, quality.first))
    return firsts


def _kept(snapshot: Snapshot, catalogue: Catalogue, frequency: str) -> Path:
    """Where the measures of this snapshot, these declarations and this code are kept."""
    said = {
        "snapshot": snapshot.digest,
        "kpis": [kpi.model_dump(mode="json") for kpi in catalogue.kpis],
        "departments": [d.model_dump(mode="json") for d in catalogue.departments],
        "disclosure_minimum": catalogue.organisation.disclosure_minimum,
        "frequency": frequency,
        "code": _code_digest(),
    }
    key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
    return snapshot.path.parent / "measures" / key


def _measures_file(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.parquet")


def _facts_file(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}.json")


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "measure").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    write(draft)
    draft.replace(path)
