"""What a period's page tells first: the counts, the departments by evidence, the strongest signals, what may be chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from svclib.measure.spc.multiplicity import count_signals
from svclib.report import words
from svclib.report.brief import Badge, kpi_brief, kpi_counts, kpi_href, signal_badge
from svclib.report.results import STATE_ORDER, TOGETHER, DepartmentMonth, KpiResult, Month
from svclib.report.words.headline import UNKNOWN, moved, singly, still_moving, together


@dataclass(frozen=True)
class Signals:
    """How many charts signal, and how many would by chance."""

    charts: int
    expected: float
    found: int
    after_fdr: int
    weak: int = 0  # may be chance by their own evidence, as the page's first sentence counts them

    @property
    def sentence(self) -> str:
        text = words.say(
            "period_page.chance",
            count=self.charts,
            expected=words.number(self.expected, 0 if self.expected >= 1 else 1),
            found=self.found,
            stay=self.after_fdr,
        )
        return f"{text} {singly(self.weak)}" if self.found else text


def signals_of(month: Month) -> Signals:
    """The period's charts together; with every chart's p-value at hand, false discoveries are controlled over all."""
    kpis = [kpi for department in month.departments for kpi in department.kpis]
    judged = [kpi for kpi in kpis if kpi.p is not None]
    if judged:
        count = count_signals(
            [kpi.p for kpi in judged if kpi.p is not None],
            [kpi.signals for kpi in judged],
            [kpi.rules for kpi in judged],
            [kpi.frozen for kpi in judged],
        )
        may_be_chance = sum(kpi.perhaps for kpi in kpis)
        return Signals(count.charts, count.expected_by_chance, count.found, count.after_fdr, may_be_chance)
    results = [d.reports["kpi_analysis"].content for d in month.departments]
    expected, found, stay = (
        sum(result.get(name) or 0 for result in results)
        for name in ("signals_expected_by_chance", "signals_found", "signals_after_fdr")
    )
    return Signals(sum(k.state not in UNKNOWN for k in kpis), float(expected), int(found), int(stay))


@dataclass(frozen=True)
class Part:
    """One department of a signal that several have."""

    name: str
    href: str
    text: str


@dataclass(frozen=True)
class Strong:
    """A signal of the ranked list; where it is that of several departments, `parts` has them and `department` is empty."""

    department: str
    title: str
    href: str
    badge: Badge
    sentence: str
    parts: Sequence[Part] = field(default=())


def tally(month: Month) -> Counter[tuple[str, bool]]:
    """How many KPIs are told as what, and whether that may be chance."""
    return Counter((kpi.told, kpi.perhaps) for department in month.departments for kpi in department.kpis)


def lede(month: Month) -> str:
    """The period in a sentence: how many KPIs of all departments stand how."""
    kpis = [kpi for department in month.departments for kpi in department.kpis]
    return kpi_counts(kpis, len(month.departments)) if kpis else ""


def by_evidence(month: Month) -> list[DepartmentMonth]:
    """Departments with those first where most is to be looked at: reports that failed, concerns, strongest evidence."""

    def weight(department: DepartmentMonth) -> tuple[Any, ...]:
        concerns = [kpi for kpi in department.kpis if kpi.group == "concern"]
        strongest = min((kpi.p for kpi in concerns if kpi.p is not None), default=1.0)
        others = sum(kpi.group in ("improvement", "neutral") for kpi in department.kpis)
        return (-bool(department.missing), -len(concerns), strongest, -others, department.name, department.code)

    return sorted(month.departments, key=weight)


def strongest(month: Month) -> Iterator[Strong]:
    """Signals of the period that are beyond chance, strongest evidence first, concerns first where it is equal.

    Of a KPI whose period is provisional it is the latest period that counts which signals. A KPI that signals the same
    way in three departments or more is told once, at the place of the strongest of them.
    """
    found = [(kpi, d) for d in month.departments for kpi in d.kpis if kpi.signals and not kpi.perhaps]
    order = {state: place for place, state in enumerate(STATE_ORDER)}
    found.sort(key=lambda pair: (1.0 if pair[0].p is None else pair[0].p, order[pair[0].reading], pair[1].name))
    alike: dict[tuple[str, str], list[tuple[KpiResult, DepartmentMonth]]] = {}
    for kpi, department in found:
        alike.setdefault((kpi.code, kpi.reading), []).append((kpi, department))
    for kpi, department in found:
        group = alike[kpi.code, kpi.reading]
        mark = signal_badge(kpi)
        if len(group) < TOGETHER:
            said = kpi_brief(department, kpi, month.label)
            yield Strong(department.name, kpi.title, _href(department, kpi), mark, said)
        elif group[0][0] is kpi:
            parts = [Part(d.name, _href(d, k), moved(k.entry, month.label)) for k, d in group]
            said = together([k.entry for k, _ in group])
            yield Strong("", kpi.title, "#departments", mark, said, parts)


def perhaps(month: Month) -> list[Part]:
    """Changes of the period that may be chance."""
    return [
        Part(f"{d.name}: {kpi.title}", _href(d, kpi), f"({words.p_value(kpi.p)})")
        for d in month.departments
        for kpi in d.kpis
        if kpi.perhaps
    ]


def moving(month: Month) -> list[Part]:
    """What gives no signal in the period and is not what it was."""
    return [
        Part(f"{d.name}: {kpi.title}", _href(d, kpi), still_moving(kpi.entry))
        for d in month.departments
        for kpi in d.kpis
        if kpi.group in ("moving", "moving_better")
    ]


def _href(department: DepartmentMonth, kpi: KpiResult) -> str:
    return f"{department.folder}/{kpi_href(department, kpi.code) or 'index.html'}"
