"""What an opened study gives to the outcome evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from svclib import sql
from svclib.catalogue.known import known_on, last_day
from svclib.catalogue.models import Kpi
from svclib.evaluate.analysis import Plan
from svclib.measure.kpi import measure_kpis

if TYPE_CHECKING:
    from svclib.study import Study


def plan_of(study: Study) -> Plan:
    """The study's action plan with everything that its evaluation asks for; nothing is read before it is asked."""
    catalogue = study.catalogue
    dimensions = {
        kpi.code: kpi.dimensions if kpi.dimensions is not None else list(study.source(kpi.code).dimension_columns)
        for kpi in catalogue.kpis
    }
    # A roll-out asks for the same part of the cases once for each department.
    segments: dict[tuple[str, frozenset[tuple[str, str]]], pd.DataFrame] = {}

    def segment_measures(kpi: Kpi, segment: Mapping[str, str]) -> pd.DataFrame:
        key = kpi.code, frozenset(segment.items())
        if key not in segments:
            segments[key] = _segment_measures(study, kpi, segment)
        return segments[key]

    return Plan(
        measures=lambda kpi: study.measures[study.measures["kpi"] == kpi.code],
        kpis={kpi.code: kpi for kpi in catalogue.kpis},
        departments=catalogue.departments,
        actions=known_on(catalogue.actions, last_day(study.period.end, study.as_of)),
        events=catalogue.events,
        period=study.period,
        as_of=study.as_of,
        dimensions=dimensions,
        case_rows=lambda kpi, periods: study.rows(kpi.code, periods),
        segment_measures=segment_measures,
    )


def _segment_measures(study: Study, kpi: Kpi, segment: Mapping[str, str]) -> pd.DataFrame:
    """The KPI measured on one segment's cases only, for every department."""
    conditions = [f"{sql.name(name)} = {sql.text(value)}" for name, value in segment.items()]
    where = " and ".join([f"({kpi.where})"] * bool(kpi.where) + conditions)
    declaration = replace(study.prepared.declarations[kpi.code], kpi=kpi.model_copy(update={"where": where}))
    return measure_kpis(
        study.prepared.backend,
        [declaration],
        study.catalogue.departments,
        as_of=study.cutoff,
        frequency=study.period.frequency,
        last=study.period,
        disclosure_minimum=study.organisation.disclosure_minimum,
    )
