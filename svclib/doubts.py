"""What is no fault and seldom meant: told by `svclib check`, and of the latest month by every run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from svclib.catalogue.names import nearest
from svclib.errors import Problem

if TYPE_CHECKING:
    from svclib.catalogue.catalogue import Catalogue
    from svclib.collect.snapshot import Snapshot
    from svclib.measure.declaration import Declaration
    from svclib.prepared import Prepared

_FAR_YEARS = 20
_FAR_TIMES = 20


def all_doubts(prepared: Prepared) -> list[Problem]:
    """Every doubt about the declarations and the data, those about the latest month last."""
    from svclib.measure.literals import unheld_texts

    catalogue, declared = prepared.catalogue, list(prepared.declarations.values())
    return [
        *_far_dates(catalogue, declared),
        *_far_values(prepared, declared),
        *unheld_texts(prepared.backend, declared, catalogue.locate),
        *_unheld_parts(prepared, declared),
        *_contradictions(catalogue, prepared.snapshot),
        *late_doubts(prepared),
    ]


def late_doubts(prepared: Prepared) -> list[Problem]:
    """What the latest whole month alone makes doubtful; long histories hide it in their shares."""
    return [*_bad_lately(prepared.catalogue, prepared.snapshot), *_recoded(prepared)]


def _far_dates(catalogue: Catalogue, declarations: Iterable[Declaration]) -> Iterator[Problem]:
    """Targets that begin so long after all data that the year is rather mistyped."""
    for d in declarations:
        for index, target in enumerate(d.kpi.targets):
            if target.from_.year > d.coverage.end.year + _FAR_YEARS:
                days = f"whose data run from {d.coverage.start} to {d.coverage.end - dt.timedelta(days=1)}"
                what = f"a target of '{d.kpi.code}', {days}, begins on {target.from_}"
                where = catalogue.locate("kpis", d.kpi.code, "targets", index, "from")
                yield Problem(where, what, "if the year is mistyped, mend it; else leave it")


def _far_values(prepared: Prepared, declarations: Iterable[Declaration]) -> Iterator[Problem]:
    """Targets far beyond every value that was ever measured: hours for minutes, or per cent for shares."""
    measures = prepared.measures
    for d in declarations:
        values = measures.loc[(measures["kpi"] == d.kpi.code) & measures["value"].notna(), "value"]
        size = np.abs(values[values != 0])
        if size.empty:
            continue
        for index, target in enumerate(d.kpi.targets):
            beyond = abs(target.value) > _FAR_TIMES * size.max() or 0 < abs(target.value) < size.min() / _FAR_TIMES
            if beyond:
                what = (
                    f"a target of '{d.kpi.code}' is {target.value:g}, and its figures run from {values.min():.4g} to "
                    f"{values.max():.4g}: they are more than {_FAR_TIMES} times apart"
                )
                cure = "see whether the two have the same unit (times are in the KPI's own, or in days); else leave it"
                yield Problem(prepared.catalogue.locate("kpis", d.kpi.code, "targets", index, "value"), what, cure)


def _unheld_parts(prepared: Prepared, declarations: Sequence[Declaration]) -> Iterator[Problem]:
    """Suspicions and actions about a part of the cases that no row belongs to."""
    catalogue = prepared.catalogue
    held = cache(prepared.values_of)

    def unknown(kpis: Collection[str] | str, name: str, values: str | list[str]) -> Iterator[tuple[str, str]]:
        meant = [d for d in declarations if kpis == "all" or d.kpi.code in kpis]
        sources = {d.source.name for d in meant if name in d.source.dimension_columns}
        known = {value for source in sources for value in held(source, name)}
        for value in [values] if isinstance(values, str) else values:
            if known and value not in known:
                yield f"no row holds '{value}' in {name}", nearest(value, sorted(known))

    for hypothesis in catalogue.hypotheses:
        for name, values in (hypothesis.test or {}).items():
            for what, cure in unknown(hypothesis.kpis, name, values):
                where = catalogue.locate("hypotheses", hypothesis.code, "test")
                yield Problem(where, f"{what}, so that nothing can support this suspicion", cure)
    plan = catalogue.plan_path.name if catalogue.plan_path else "action plan"
    for action in catalogue.actions:
        for name, value in (action.segment or {}).items():
            for what, cure in unknown([action.kpi], name, value):
                yield Problem(f"{plan}, action {action.id}, segment", f"{what}, so that nothing can be judged", cure)


def _contradictions(catalogue: Catalogue, snapshot: Snapshot) -> Iterator[Problem]:
    """Rows that have the key of an earlier one and say something else."""
    for quality in snapshot.quality:
        if count := quality.bad.get("duplicate_key"):
            rows = f"{count} row{'s have' if count > 1 else ' has'} the key of an earlier one and other values"
            key = ", ".join(snapshot.report(quality.source)["key"])
            what = f"{rows} ({key}); the first of them counts, the others are in {snapshot.report(quality.source)['quarantine']}"
            cure = "name in 'key' what tells them apart; of a log of changes, say 'keep: last by' and its date"
            yield Problem(catalogue.locate("sources", quality.source), what, cure)


def _bad_lately(catalogue: Catalogue, snapshot: Snapshot) -> Iterator[Problem]:
    for quality in snapshot.quality:
        lately = quality.bad_lately
        source = catalogue.source(quality.source)
        if not lately or lately["bad"] <= source.max_bad_share * lately["considered"]:
            continue
        reasons = ", ".join(f"{code} {count}" for code, count in lately["reasons"].items())
        what = (
            f"of the rows of {lately['month'][:7]} in '{quality.source}', {lately['bad']} of {lately['considered']} are bad "
            f"({reasons}): little of all rows, and perhaps much of this month's figures"
        )
        cure = f"look at {snapshot.report(quality.source)['quarantine']} in the snapshot"
        if "department_unknown" in lately["reasons"]:
            cure += "; a department's new name belongs to its aliases in departments.yaml"
        yield Problem(catalogue.locate("sources", quality.source), what, cure)


def _recoded(prepared: Prepared) -> Iterator[Problem]:
    for one in prepared.recoded:
        new = f"new there: {', '.join(map(repr, one.new))}" if one.new else "nothing is new there"
        what = (
            f"{one.department}: no row of {one.period} holds '{one.text}' in {one.column}, where about {one.expected:.0f} "
            f"would have before; {new}"
        )
        cure = "see whether the source writes it in another way since; if so, let the expression know both"
        yield Problem(prepared.catalogue.locate("kpis", one.kpi), what, cure)
