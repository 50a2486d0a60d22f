"""One department's period, ready to be looked at: what a notebook opens in its first cell."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.known import known_on, last_day
from svclib.catalogue.models import Action, Department, Event, Kpi, Source
from svclib.collect.snapshot import Snapshot
from svclib.measure.periods import Period, read_period
from svclib.prepared import Prepared, prepare
from svclib.report.block import Block, Shown


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """What is known of one department up to the end of one period.

    `measures` is the measures table of all departments (for peers) up to the period, `near` the part of it that most
    analyses need: the department's own rows, and every department's of the period.
    """

    prepared: Prepared = field(repr=False)
    department: Department
    period: Period
    out: Path | None = None
    language: str = "en"

    def _shown(self) -> Block:
        from svclib.report.views.study import study_block

        return study_block(self)

    @property
    def _called(self) -> str:
        return f"of {self.department.code}, {self.period.label}"

    @property
    def catalogue(self) -> Catalogue:
        return self.prepared.catalogue

    @property
    def snapshot(self) -> Snapshot:
        return self.prepared.snapshot

    @property
    def as_of(self) -> dt.date:
        """The last day that is seen."""
        return self.snapshot.as_of

    @property
    def cutoff(self) -> dt.datetime:
        """The end of that day: open cases are censored here."""
        return self.prepared.cutoff

    @property
    def organisation(self) -> Any:
        return self.catalogue.organisation

    @cached_property
    def measures(self) -> pd.DataFrame:
        return self._until(self.prepared.measures)

    def _until(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["start"] <= self.period.start].reset_index(drop=True)

    @cached_property
    def near(self) -> pd.DataFrame:
        return self._until(self.prepared.near(self.department.code, self.period))

    @cached_property
    def kpis(self) -> list[Kpi]:
        """The KPIs that the department has figures of, in the order of kpis.yaml."""
        own = self.near[(self.near["department"] == self.department.code) & self.near["value"].notna()]
        return [kpi for kpi in self.catalogue.kpis if kpi.code in set(own["kpi"])]

    @property
    def events(self) -> list[Event]:
        """Declared events that concern the department."""
        code = self.department.code
        return [e for e in self.catalogue.events if e.departments == "all" or code in e.departments]

    @property
    def actions(self) -> list[Action]:
        """The department's rows of the action plan, as they were known at the end of the period."""
        mine = [a for a in self.catalogue.actions if a.department == self.department.code]
        return known_on(mine, last_day(self.period.end, self.as_of))

    @property
    def quality(self) -> list[Any]:
        """The data quality of each source, as the snapshot recorded it."""
        return self.snapshot.quality

    def source(self, kpi: str) -> Source:
        return self.catalogue.source(self.catalogue.kpi(kpi).source)

    def series(self, kpi: str, department: str | None = None) -> pd.DataFrame:
        """One KPI of one department over its periods, the latest `history` of them, oldest first."""
        self.catalogue.kpi(kpi)
        code = department or self.department.code
        known = self.near if code == self.department.code else self.measures
        rows = known[(known["kpi"] == kpi) & (known["department"] == code)]
        return rows.tail(self.catalogue.run.history).reset_index(drop=True)

    def rows(self, kpi: str, periods: int = 1, department: str | None = None) -> pd.DataFrame:
        """The single rows behind a KPI in the latest `periods`, with a column `period`; see `case_rows`."""
        from svclib.measure.aggregates import case_rows

        declaration = self.prepared.declarations[self.catalogue.kpi(kpi).code]
        wanted = self.period.last(periods)
        found = case_rows(
            self.prepared.backend,
            declaration,
            department or self.department.code,
            since=wanted[0].start,
            until=self.period.end,
            as_of=self.cutoff,
        )
        days = pd.to_datetime(found["cohort_at"])
        edges = [pd.Timestamp(wanted[0].start), *(pd.Timestamp(p.end) for p in wanted)]
        labels = pd.cut(days, edges, right=False, labels=[p.label for p in wanted])
        return found.assign(period=labels.astype(str))


def open_study(
    params: str | Path | None = None,
    department: str | None = None,
    period: str | None = None,
    snapshot: str | Path | None = None,
    as_of: str | None = None,
    out: str | Path | None = None,
    language: str | None = None,
) -> Study:
    """Open one department's period.

    Parameters
    ----------
    params
        The folder that declares the organisation; the sample organisation where left out.
    department, period
        The first department and the latest complete period where left out.
    snapshot
        A frozen snapshot to work on; collected anew where left out and the sources changed.
    as_of
        The last day that is seen, ``2026-11-05``: what happened later is not known.
    out
        Where results are written; nothing is written where left out.

    Raises
    ------
    InputRefused
        With every fault found, where it is and how to mend it.
    """
    frequency = None if period is None else read_period(period).frequency
    from svclib.report.words import speak
    from svclib.report.words.messages import check_language

    if language is not None:
        check_language(language)
    prepared = prepare(params, as_of=as_of, snapshot=snapshot, frequency=frequency)
    catalogue = prepared.catalogue
    chosen = catalogue.departments[0] if department is None else catalogue.department(department)
    when = prepared.latest_complete() if period is None else prepared.check_period(period)
    language = language or catalogue.organisation.language
    speak(language)
    return Study(prepared, chosen, when, Path(out) if out else None, language)
