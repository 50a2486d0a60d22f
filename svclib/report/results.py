"""What a period's files say: `manifest.json` and the reports' `.json`, read for the portal and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from svclib.measure.periods import Period
from svclib.measure.spc import SIGNALS
from svclib.report.words.headline import common_events, counted, group, reading, standing, weak

NOTEBOOKS = ("kpi_analysis", "root_cause_analysis", "outcome_evaluation")
#: States that say something happened, most pressing first, then those that say we do not know, then the quiet one.
STATE_ORDER = (
    "fault", "concern", "cannot_meet", "improvement", "neutral", "moving", "missing", "too_few", "withheld", "provisional", "common_cause",
)  # fmt: skip
Status = Literal["ok", "failed", "late", "unreadable", "not_run"]
#: Departments whose KPI signals the same way, from which on it is told as one change.
TOGETHER = 3


@dataclass(frozen=True)
class KpiResult:
    """One KPI of one department and period, as `kpi_analysis.json` has it."""

    raw: Mapping[str, Any] = field(repr=False)

    @property
    def code(self) -> str:
        return str(self.raw["code"])

    @property
    def title(self) -> str:
        return str(self.raw.get("title") or self.code)

    @property
    def unit(self) -> str:
        return str(self.raw.get("unit") or "")

    @property
    def decimals(self) -> int | None:
        return self.raw.get("decimals")

    @property
    def state(self) -> str:
        return str(self.raw["state"])

    @property
    def standing(self) -> str:
        """What it is counted as: its state, ``cannot_meet``, or ``moving`` (no signal, and not what it was)."""
        if self.group in ("moving", "moving_better"):
            return "moving"
        return standing(self.state, str(self.raw.get("assurance") or "none"), str(self.raw.get("cause") or ""))

    @property
    def entry(self) -> dict[str, Any]:
        """What `svclib.report.words.headline.headline` reads, without a value that must not be shown."""
        return {**self.raw, "title": self.title, "value": self.value, "target": self.target}

    @property
    def value(self) -> float | None:
        return None if self.state in ("withheld", "missing") else self.raw.get("value")

    @property
    def target(self) -> float | None:
        target = self.raw.get("target")
        return target.get("value") if isinstance(target, Mapping) else target

    @property
    def p(self) -> float | None:
        """Evidence against "nothing changed"; smaller is stronger."""
        p = self.raw.get("p")
        return float(p) if isinstance(p, int | float) else None

    @property
    def rules(self) -> str:
        return str((self.raw.get("chart") or {}).get("rules") or "nhs")

    @property
    def frozen(self) -> bool:
        """Whether its chart has gone on beyond the periods that set its limits."""
        return bool((self.raw.get("chart") or {}).get("frozen"))

    @property
    def points(self) -> Sequence[Mapping[str, Any]]:
        return self.raw.get("points") or []

    @property
    def reading(self) -> str:
        """The state of the latest period that counts, where that one signals; else the period's own."""
        return reading(self.raw)

    @property
    def signals(self) -> bool:
        """Whether the latest period that counts signals a change."""
        return self.reading in SIGNALS

    @property
    def perhaps(self) -> bool:
        """Whether it signals a change that may be chance."""
        return weak(self.raw)

    @property
    def group(self) -> str:
        """Where an overview tells of it and as what it counts it."""
        return group(self.raw)

    @property
    def told(self) -> str:
        """The state that overviews show of it: what its latest period that counts signals, else its standing."""
        return self.standing if self.counted is None else self.reading

    @property
    def counted(self) -> str | None:
        """Label of the latest period that counts, where that is an earlier one and signals."""
        return counted(self.raw)

    @property
    def previous(self) -> float | None:
        """The value of the period before, where it is final."""
        before = [point for point in self.points[:-1] if point.get("mature", True)]
        return before[-1].get("value") if before else None


@dataclass(frozen=True)
class Report:
    """One of a department's reports: whether it is there, and what it says."""

    notebook: str
    status: Status
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def has_page(self) -> bool:
        return self.status in ("ok", "failed", "unreadable")


@dataclass(frozen=True)
class DepartmentMonth:
    """A department's period."""

    code: str
    name: str
    folder: str
    reports: Mapping[str, Report]

    @property
    def language(self) -> str | None:
        """The language that its reports were made in; None where none tells."""
        return next((str(r.entry["language"]) for r in self.reports.values() if r.entry.get("language")), None)

    @cached_property
    def kpis(self) -> list[KpiResult]:
        return [KpiResult(raw) for raw in self.reports["kpi_analysis"].content.get("kpis") or []]

    @property
    def gaps(self) -> list[Mapping[str, Any]]:
        return list(self.reports["root_cause_analysis"].content.get("gaps") or [])

    @property
    def actions(self) -> list[Mapping[str, Any]]:
        return list(self.reports["outcome_evaluation"].content.get("actions") or [])

    @property
    def data_quality(self) -> list[Any]:
        return list(self.reports["kpi_analysis"].content.get("data_quality") or [])

    @property
    def as_of(self) -> str | None:
        return next((str(r.content["as_of"]) for r in self.reports.values() if r.content.get("as_of")), None)

    def kpi(self, code: str) -> KpiResult | None:
        return next((kpi for kpi in self.kpis if kpi.code == code), None)

    def title_of(self, code: str) -> str:
        """A KPI's title, its code where no report names it."""
        kpi = self.kpi(code)
        return kpi.title if kpi else code

    @property
    def absent(self) -> bool:
        """Whether nothing has been made for the department in this period."""
        return all(report.status in ("late", "not_run") for report in self.reports.values())

    @property
    def missing(self) -> list[Report]:
        """Reports that failed, or that should be there and are not."""
        return [report for report in self.reports.values() if report.status not in ("ok", "not_run")]


@dataclass(frozen=True)
class Month:
    """A period's folder: what was made and what it says."""

    label: str
    manifest: Mapping[str, Any] = field(repr=False)
    declared: Sequence[DepartmentMonth]

    @cached_property
    def departments(self) -> list[DepartmentMonth]:
        """Departments with at least one report, made or failed."""
        return [department for department in self.declared if not department.absent]

    @property
    def absent(self) -> list[DepartmentMonth]:
        """Declared departments for which nothing has been made."""
        return [department for department in self.declared if department.absent] if self.departments else []

    @property
    def language(self) -> str:
        languages = [entry.get("language") for entry in self.manifest.get("reports", [])]
        return str(self.manifest.get("language") or next((code for code in languages if code), "en"))

    @property
    def organisation(self) -> str:
        organisation = self.manifest.get("organisation") or ""
        return str(organisation.get("name", "") if isinstance(organisation, Mapping) else organisation)

    @property
    def as_of(self) -> str | None:
        given = self.manifest.get("as_of") or (self.manifest.get("snapshot") or {})
        given = given.get("as_of") if isinstance(given, Mapping) else given
        return given or next((d.as_of for d in self.departments if d.as_of), None)

    @cached_property
    def kpi_titles(self) -> dict[str, str]:
        """Every KPI of the period, code to title, in the order in which the reports have them."""
        return {kpi.code: kpi.title for department in self.departments for kpi in department.kpis}

    def department(self, code: str) -> DepartmentMonth | None:
        return next((d for d in self.departments if d.code == code), None)


def read_month(out: Path, label: str) -> Month:
    """Read a period's folder below `out`. A report that is not there counts as late, one that failed as failed.

    A period without a readable manifest (its run did not end) has no departments.
    """
    folder = out / label
    manifest = _read(folder / "manifest.json") or {}
    entries: dict[str, dict[str, Mapping[str, Any]]] = {}
    for entry in manifest.get("reports", []):
        entries.setdefault(str(entry["department"]), {})[str(entry["notebook"])] = entry
    notebooks = [name for name in NOTEBOOKS if any(name in found for found in entries.values())]
    names = {str(d["code"]): str(d.get("name") or d["code"]) for d in manifest.get("departments", [])}
    departments = []
    for code in {**names, **entries}:
        found = entries.get(code, {})
        some = next(iter(found.values()), {})
        place = str(some.get("folder") or code)
        name = names.get(code) or str(some.get("title") or code)
        reports = {n: _report(folder / place, n, found.get(n), expected=n in notebooks) for n in NOTEBOOKS}
        departments.append(DepartmentMonth(code, name, place, reports))
    _mark_common(departments)
    return Month(label, manifest, departments)


def _mark_common(departments: Sequence[DepartmentMonth]) -> None:
    """Tell a KPI that changed what lies near the same change of most departments, where nothing lies near its own.

    A change is dated by the data of one department alone, and may be dated late.
    """
    alike: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for kpi in (kpi for department in departments for kpi in department.kpis if kpi.signals and kpi.raw.get("moved")):
        alike.setdefault((kpi.code, kpi.reading), []).append(kpi.raw)
    for many in (many for many in alike.values() if len(many) >= TOGETHER):
        common = common_events(many)
        for move in (raw["moved"] for raw in many):
            earlier = [event for event in common if event["date"] < Period.parse(move["since"]).end.isoformat()]
            if earlier and not move.get("events"):
                move["common"] = earlier


def _report(folder: Path, notebook: str, entry: Mapping[str, Any] | None, *, expected: bool) -> Report:
    if entry is None:
        return Report(notebook, "late" if expected else "not_run")
    if entry["status"] != "ok":
        return Report(notebook, "failed", entry)
    content = _read(folder / f"{notebook}.json")
    return Report(notebook, "ok", entry, content) if content is not None else Report(notebook, "unreadable", entry)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def period_labels(out: Path) -> list[str]:
    """Periods that have a manifest, oldest first.

    Only folders whose name is a period count: other folders below `out` are left alone.
    """
    labels = [path.parent.name for path in out.glob("*/manifest.json") if _is_period(path.parent.name)]
    return sorted(labels, key=lambda label: (Period.parse(label).start, label))


def _is_period(label: str) -> bool:
    try:
        Period.parse(label)
    except ValueError:
        return False
    return True


def neighbours(out: Path, label: str) -> tuple[str | None, str | None]:
    """The periods of the same length before and after this one that have reports."""
    frequency = Period.parse(label).frequency
    labels = [entry for entry in period_labels(out) if Period.parse(entry).frequency == frequency]
    if label not in labels:
        return None, None
    at = labels.index(label)
    return (labels[at - 1] if at else None), (labels[at + 1] if at + 1 < len(labels) else None)
