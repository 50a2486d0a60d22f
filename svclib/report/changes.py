"""What changed between two periods: states, targets, actions, reports."""

from __future__ import annotations

from dataclasses import dataclass

from svclib.report.results import STATE_ORDER, KpiResult, Month
from svclib.report.words.headline import UNKNOWN


@dataclass(frozen=True)
class Change:
    """A KPI of a department in two periods; None where it was not reported.

    Attributes
    ----------
    kind
        ``worse`` (a concern now), ``better`` (an improvement now), ``settled`` (a signal that is gone), ``known``
        (can be judged now), ``unknown`` (cannot be judged any more), ``new``, ``gone``, ``other``, or ``same``.
    """

    department: str
    kpi: str
    kind: str
    before: KpiResult | None
    after: KpiResult | None

    @property
    def difference(self) -> float | None:
        """The value now minus the value then."""
        if self.before is None or self.after is None or self.before.value is None or self.after.value is None:
            return None
        return self.after.value - self.before.value


_KINDS = ("worse", "better", "other", "unknown", "settled", "known", "new", "gone", "same")


def compare_months(earlier: Month, later: Month) -> list[Change]:
    """Every KPI of every department in the two periods, what changed most first."""
    found = []
    for code in dict.fromkeys(d.code for d in (*later.departments, *earlier.departments)):
        old, new = earlier.department(code), later.department(code)
        codes = dict.fromkeys(kpi.code for d in (new, old) if d for kpi in d.kpis)
        for kpi in codes:
            before, after = (d.kpi(kpi) if d else None for d in (old, new))
            found.append(Change(code, kpi, _kind(before, after), before, after))
    return sorted(found, key=_weight)


def changes(earlier: Month, later: Month) -> list[Change]:
    """The KPIs whose state changed, without those that are only young: these become provisional every period."""
    return [
        change
        for change in compare_months(earlier, later)
        if change.kind not in ("same", "new", "gone") and _news(change)
    ]


def _news(change: Change) -> bool:
    assert change.before is not None
    assert change.after is not None
    states = (change.before.reading, change.after.reading)
    return change.after.reading != "provisional" and not set(states) <= {"provisional", "common_cause"}


def _kind(before: KpiResult | None, after: KpiResult | None) -> str:
    if before is None or after is None:
        return "new" if before is None else "gone"
    if before.reading == after.reading:
        return "same"
    if after.reading in ("concern", "improvement", "neutral"):
        return {"concern": "worse", "improvement": "better", "neutral": "other"}[after.reading]
    if after.reading in UNKNOWN:
        return "same" if before.reading in UNKNOWN else "unknown"
    return "known" if before.reading in UNKNOWN else "settled"


def _weight(change: Change) -> tuple[int, float, int, str, str]:
    now = change.after or change.before
    assert now is not None
    place = STATE_ORDER.index(now.reading) if now.reading in STATE_ORDER else len(STATE_ORDER)
    return (_KINDS.index(change.kind), 1.0 if now.p is None else now.p, place, change.department, change.kpi)
