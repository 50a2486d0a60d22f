"""Two periods side by side: every KPI's values, states and their difference; actions and reports that changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svclib.errors import InputRefused, Problem
from svclib.report import words
from svclib.report.brief import Badge, kpi_badge, kpi_href, verdict_badge
from svclib.report.changes import Change, compare_months
from svclib.report.page import write_page
from svclib.report.portal import signals_of
from svclib.report.render import all_links
from svclib.report.results import Month, period_labels, read_month

if TYPE_CHECKING:
    import pandas as pd


def compare_periods(out: Path, before: str, after: str) -> str:
    """Compare two periods below `out`: writes ``compare-<before>-<after>.html`` there, returns the text for a terminal.

    Raises
    ------
    InputRefused
        A period that has no reports.
    """
    earlier, later = _open(out, before), _open(out, after)
    with words.use_language(later.language):
        path = out / f"compare-{before}-{after}.html"
        path.write_text(compare_page(earlier, later), encoding="utf-8", newline="\n")
        return "\n".join([_plain(earlier, later), "", str(path)])


def _open(out: Path, label: str) -> Month:
    known = period_labels(out)
    if label not in known:
        has = f"there are {', '.join(known[-6:])}" if known else f"make it with: svclib run --period {label}"
        raise InputRefused(Problem(f"period {label}", f"has no reports in {out}", has))
    return read_month(out, label)


def compare_table(earlier: Month, later: Month) -> pd.DataFrame:
    """One row a KPI and department.

    Returns
    -------
    pandas.DataFrame
        Columns ``department, kpi, title, unit, change`` (see `svclib.report.changes.Change.kind`), ``before, after``
        (values; missing where withheld or not reported), ``difference``, ``lower, upper`` (95 % interval of the later
        value), ``state_before, state_after, target_before, target_after``; what changed most comes first.
    """
    import pandas as pd

    rows = []
    for change in compare_months(earlier, later):
        now = change.after or change.before
        assert now is not None
        interval = (change.after.raw.get("interval") if change.after and change.after.value is not None else None) or [
            None,
            None,
        ]
        rows.append(
            {
                "department": change.department,
                "kpi": change.kpi,
                "title": now.title,
                "unit": now.unit,
                "change": change.kind,
                "before": change.before.value if change.before else None,
                "after": change.after.value if change.after else None,
                "difference": change.difference,
                "lower": interval[0],
                "upper": interval[1],
                "state_before": change.before.state if change.before else None,
                "state_after": change.after.state if change.after else None,
                "target_before": change.before.target if change.before else None,
                "target_after": change.after.target if change.after else None,
            }
        )
    names = ["department", "kpi", "title", "unit", "change", "before", "after", "difference", "lower", "upper"]
    return pd.DataFrame(rows, columns=[*names, "state_before", "state_after", "target_before", "target_after"])


@dataclass(frozen=True)
class Line:
    """A changed KPI on the page and on the terminal."""

    department: str
    title: str
    href: str | None
    kind: str
    before: str
    after: str
    difference: str
    state_before: Badge | None
    state_after: Badge | None
    target: str


@dataclass(frozen=True)
class ActionChange:
    """An action whose verdict or progress differs."""

    department: str
    title: str
    before: Badge | None
    after: Badge | None


def _lines(earlier: Month, later: Month) -> list[Line]:
    return [_line(change, earlier, later) for change in compare_months(earlier, later)]


def _line(change: Change, earlier: Month, later: Month) -> Line:
    now = change.after or change.before
    assert now is not None
    here = later.department(change.department)
    department = here or earlier.department(change.department)
    assert department is not None
    link = kpi_href(here, change.kpi) if here and change.after else None

    def write(kpi: Any) -> str:
        return words.value(kpi.value, kpi.unit, kpi.decimals) if kpi else "–"

    moved = change.before and change.after and change.before.target != change.after.target
    target = (
        words.say(
            "compare.target",
            before=words.value(change.before.target, now.unit, now.decimals),
            after=words.value(change.after.target, now.unit, now.decimals),
        )
        if moved and change.before and change.after
        else ""
    )
    return Line(
        department.name,
        now.title,
        f"{later.label}/{department.folder}/{link}" if link else None,
        change.kind,
        write(change.before),
        write(change.after),
        words.change(change.difference, now.unit, now.decimals) if change.difference is not None else "–",
        kpi_badge(change.before) if change.before else None,
        kpi_badge(change.after) if change.after else None,
        target,
    )


def _action_changes(earlier: Month, later: Month) -> list[ActionChange]:
    found = []
    for department in later.departments:
        old = earlier.department(department.code)
        before = {str(a["id"]): a for a in old.actions} if old else {}
        after = {str(a["id"]): a for a in department.actions}
        for key in dict.fromkeys([*after, *before]):
            pair = [
                verdict_badge(str(a["verdict"])) if (a := side.get(key)) and a.get("verdict") else None
                for side in (before, after)
            ]
            if pair[0] != pair[1]:
                action = after.get(key) or before[key]
                found.append(ActionChange(department.name, str(action.get("title") or key), pair[0], pair[1]))
    return found


def compare_page(earlier: Month, later: Month) -> str:
    """The comparison as a page, in the later period's language."""
    with words.use_language(later.language):
        lines = _lines(earlier, later)
        return write_page(
            "compare.html.j2",
            language=later.language,
            with_script="find.js",
            title=words.say(
                "compare.title", before=words.period_name(earlier.label), after=words.period_name(later.label)
            ),
            organisation=later.organisation,
            before=earlier.label,
            after=later.label,
            signals=[(earlier.label, signals_of(earlier)), (later.label, signals_of(later))],
            changed=[line for line in lines if line.kind != "same"],
            lines=lines,
            actions=_action_changes(earlier, later),
            code=_code_changes(earlier.manifest, later.manifest),
            links=all_links({"portal": "index.html", "period": f"{later.label}/index.html"}),
            contents=[],
            provenance=[],
        )


def _code_changes(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> list[str]:
    """What else differs between the runs: data, params, code, packages."""
    found = []
    for name in ("params", "code", "python", "packages"):
        old, new = earlier.get(name), later.get(name)
        if old is None or new is None or old == new:
            continue
        if name == "packages":
            moved = [f"{p} {old.get(p, '–')} → {v}" for p, v in new.items() if old.get(p) != v]
            found.append(words.say("compare.packages", names=", ".join(moved)))
        elif name == "python":
            found.append(words.say("compare.packages", names=f"Python {old} → {new}"))
        elif name == "params" and old.get("digest") != new.get("digest"):
            found.append(words.say("compare.params"))
        elif name == "code" and old.get("svclib") != new.get("svclib"):
            found.append(words.say("compare.code"))
    return found


def _plain(earlier: Month, later: Month) -> str:
    names = [words.say(f"compare.{key}") for key in ("department", "kpi")]
    heads = [
        *names,
        words.period_short(earlier.label),
        words.period_short(later.label),
        words.say("compare.difference"),
        words.say("compare.state"),
    ]
    rows = [
        [
            line.department,
            line.title,
            line.before,
            line.after,
            line.difference,
            " → ".join(f"{b.sign} {b.text}" for b in (line.state_before, line.state_after) if b),
        ]
        for line in _lines(earlier, later)
        if line.kind != "same"
    ]
    title = words.say("compare.title", before=words.period_name(earlier.label), after=words.period_name(later.label))
    if not rows:
        return f"{title}\n{words.say('period_page.no_changes')}"
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    text = [
        "  ".join(
            cell.rjust(w) if 2 <= i <= 4 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [heads, *rows]
    ]
    return "\n".join([title, *text])
