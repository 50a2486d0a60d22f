"""KPIs that the columns of a source allow: proposals to start from, as entries of `kpis.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from svclib.begin.inspect import ColumnFound
from svclib.catalogue.codes import UNITS, parse_duration
from svclib.report.words import say

_MOST_SHARES = 4
_PROMOTERS = r"recommend|promoter|\bnps\b|consigli|raccomand|empfehl"
_ANSWERS = rf"{_PROMOTERS}|score|rating|satisf|soddisf|zufrieden|voto"
_LONGEST_FIRST = ("w", "d", "h", "min")


def propose_kpis(
    source: Mapping[str, Any], columns: Mapping[str, ColumnFound], given: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Entries of `kpis.yaml` that a source allows, the likeliest first.

    Parameters
    ----------
    source
        The entry of `sources.yaml`.
    columns
        What was found in the mapped columns, by svclib's name.
    given
        What is decided already, as kpis.yaml has it: titles speak of it, and the maturity follows it.
    """
    propose = {
        "cases": _of_cases, "responses": _of_responses, "outages": _of_outages, "observations": _of_observations,
        "counts": _of_counts,
    }[source["shape"]]  # fmt: skip
    return [{**kpi, "source": source["name"]} for kpi in propose(columns, given or {})]


def duration_in_words(written: Any) -> str:
    """A duration of kpis.yaml as a title says it; what is none stays as it is written.

    >>> duration_in_words("10d"), duration_in_words("1h"), duration_in_words("1.5d"), duration_in_words("soon")
    ('10 days', 'one hour', '36 hours', 'soon')
    """
    try:
        length = parse_duration(written)
    except ValueError:
        return str(written)
    said = re.sub(r"[^a-z]", "", str(written))
    for unit in (said, *_LONGEST_FIRST):
        if unit in UNITS and length >= UNITS[unit] and not length % UNITS[unit]:
            return say(f"begin.time.{unit}", count=length // UNITS[unit])
    return str(written)


def _longest(*written: Any) -> Any:
    """The longest of durations; one that is none is for the model to refuse."""
    try:
        return max(written, key=parse_duration)
    except ValueError:
        return written[0]


def _of_cases(columns: Mapping[str, ColumnFound], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    if "resolved_at" in columns:
        ends = {"kind": "time_to_event", "event": "resolved_at"}
        within = given.get("within", "5d")
        found.append(
            _kpi(
                "closed_in_time", time=duration_in_words(within), statistic="within", within=within, maturity=within,
                direction="increase", unit="%", **ends,
            )
        )  # fmt: skip
        found.append(
            _kpi(
                "time_to_close", statistic="median", maturity="30d", direction="decrease", unit="d", decimals=1, **ends
            )
        )
    if "first_response_at" in columns:
        within = given.get("within", "8h")
        answer = {"kind": "time_to_event", "event": "first_response_at", "statistic": "within", "within": within}
        found.append(
            _kpi(
                "answered_in_time", time=duration_in_words(within), maturity=_longest("2d", within),
                direction="increase", unit="%", **answer,
            )
        )  # fmt: skip
    return [*found, _kpi("cases", kind="count", direction="neutral", unit=say("begin.unit.cases"))]


def _of_responses(columns: Mapping[str, ColumnFound], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for own, column in columns.items():
        if column.low is None or column.high is None or not (own == "score" or re.search(_ANSWERS, column.name, re.I)):
            continue
        kpi = _score(own, column, column.low, column.high)
        if any(kpi["code"] == known["code"] for known in found):  # a second question on the same scale
            kpi = {**kpi, "code": own, "title": column.name}
        found.append(kpi)
    if "invited_at" in columns:
        answered = {"numerator": "responded_at is not null", "cohort": "invited_at"}
        found.append(
            _kpi("response_rate", kind="proportion", maturity="14d", direction="increase", unit="%", **answered)
        )
    return found


def _score(own: str, column: ColumnFound, low: float, high: float) -> dict[str, Any]:
    """The scale that the answers seem to have been asked on; from 1 to 10 is a promoter's only if the name says so."""
    if low >= 1 and high <= 5:
        scale = {"measure": "csat", "low": 1, "high": 5, "top": [4, 5]}
        return _kpi("satisfaction", kind="score", value=own, scale=scale, direction="increase", unit="%")
    if 5 < high <= 10 and (low == 0 or (low > 0 and re.search(_PROMOTERS, column.name, re.I))):
        scale = {"measure": "nps", "low": 0, "high": 10}
        return _kpi("promoters", kind="score", value=own, scale=scale, direction="increase", unit="points")
    return _kpi("score", kind="mean", value=own, direction="increase", decimals=1)


def _of_outages(columns: Mapping[str, ColumnFound], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        _kpi("availability", kind="availability", direction="increase", unit="%", decimals=2),
        _kpi(
            "outages", kind="count", direction="decrease", empty_period="zero", minimum_n=1,
            unit=say("begin.unit.outages"),
        ),
    ]  # fmt: skip


def _of_observations(columns: Mapping[str, ColumnFound], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "passed" in columns:
        return [_kpi("passed", kind="proportion", numerator="passed", direction="increase", unit="%")]
    return [
        _kpi(
            "measured", code=f"average_{own}", kind="mean", value=own, direction="neutral",
            column=_header(columns, given.get("value", own)),
        )
        for own, column in columns.items()
        if column.kind in ("integer", "number")
    ]  # fmt: skip


def _of_counts(columns: Mapping[str, ColumnFound], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each figure as a share of the greatest one, if all are counts and none exceeds it; else each figure by itself."""
    counts = {own: c for own, c in columns.items() if c.kind == "integer" and (c.low or 0) >= 0 and c.total}
    if len(counts) < 2:
        return [
            _kpi(
                "total", code=own, kind="count", numerator=own, direction="neutral",
                column=_header(columns, given.get("numerator", own)),
            )
            for own in counts
        ]  # fmt: skip
    whole = max(counts, key=lambda own: counts[own].total or 0)
    return [
        _kpi(
            "share", code=f"{own}_share", kind="proportion", numerator=own, denominator=whole, direction="neutral",
            unit="%", decimals=1, part=_header(columns, given.get("numerator", own)),
            whole=_header(columns, given.get("denominator", whole)),
        )
        for own in list(counts)[: _MOST_SHARES + 1]
        if own != whole
    ]  # fmt: skip


def _header(columns: Mapping[str, ColumnFound], expression: Any) -> str:
    """What the file calls the column; any other expression stands for itself."""
    return columns[expression].name if expression in columns else str(expression)


def _kpi(
    idea: str,
    *,
    code: str | None = None,
    column: str = "",
    part: str = "",
    whole: str = "",
    time: str = "",
    **said: Any,
) -> dict[str, Any]:
    title = say(f"begin.idea.{idea}", column=column, part=part, whole=whole, time=time)
    return {"code": code or idea, "title": title, **said}
