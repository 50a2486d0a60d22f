"""Are the planted causes of `svclib sample` named, and dated, whatever the seed? From files to the answer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from svclib.explain.analysis import Gap, explain_gaps
from svclib.report.views.kpi import analyse_kpis
from svclib.sample.write import write_sample
from svclib.study import open_study

#: Kind of a planted fact to the answers that name it.
ANSWERS = {"local_cause": ("local",), "mix_shift": ("mix",), "general_shock": ("general",)}
#: Departments where nothing was planted in the last months.
QUIET = ("D07", "D08")
#: Kinds of planted facts that move a KPI to another level in a month that the reports should name.
DATED = ("local_cause", "general_shock", "special_cause", "plan_effect")


@dataclass(frozen=True)
class Verdict:
    """What was planted, whether the analysis named it, what it said, and how long a department took."""

    planted: str
    named: bool
    said: str
    seconds: float


def check_sample(home: Path) -> Iterator[Verdict]:
    """One verdict for each planted cause of a sample's last month, and for each department without any."""
    truth = json.loads((home / "truth.json").read_text("utf-8"))
    for fact in truth["facts"]:
        if fact["kind"] in ANSWERS:
            gaps, seconds = _explained(home, fact["department"], truth["last"])
            gap = next((gap for gap in gaps if gap.question.kpi.code == fact["kpi"]), None)
            named = gap is not None and _names(gap, fact)
            yield Verdict(f"{fact['kind']} {fact['department']} {fact['kpi']}", named, _said([gap]), seconds)
    for department in QUIET:
        gaps, seconds = _explained(home, department, truth["last"])
        special = [gap for gap in gaps if gap.question.explain]
        # A concern may well be one by chance; what must not be is a culprit, nor a lead to one.
        yield Verdict(f"none {department}", all(gap.place is None for gap in special), _said(special), seconds)


def months_off(home: Path) -> Iterator[tuple[str, int]]:
    """For each lasting planted change that a KPI report dates: what it is, and by how many months the date is off.

    A change that builds up over some months may be dated to any of them. One that the chart does not signal has no date.
    """
    truth = json.loads((home / "truth.json").read_text("utf-8"))
    lasting = [fact for fact in truth["facts"] if fact["kind"] in DATED and fact["to"] is None]
    for department in sorted({fact["department"] for fact in lasting}):
        study = open_study(params=str(home / "params"), department=department, period=truth["last"])
        moved = {kpi["code"]: kpi["moved"] for kpi in analyse_kpis(study).to_json()["kpis"] if kpi["moved"]}
        for fact in lasting:
            if fact["department"] == department and fact["kpi"] in moved:
                since = moved[fact["kpi"]]["since"]
                nearest = min(max(since, fact["from"]), fact["full_from"])
                yield f"{fact['id']} {fact['kpi']}", (pd.Period(since, "M") - pd.Period(nearest, "M")).n


def _explained(home: Path, department: str, period: str) -> tuple[tuple[Gap, ...], float]:
    study = open_study(params=str(home / "params"), department=department, period=period)
    begin = time.perf_counter()
    return explain_gaps(study).gaps, time.perf_counter() - begin


def _names(gap: Gap, fact: dict) -> bool:
    found = [dict(segment.where) for segment in gap.localisation.segments] if gap.localisation else []
    planted = [fact["segment"]] if fact["kind"] == "local_cause" else []
    return gap.answer in ANSWERS[fact["kind"]] and found == planted


def _said(gaps: Sequence[Gap | None]) -> str:
    parts = []
    for gap in gaps:
        if gap is None:
            parts.append("no gap")
            continue
        where = [segment.where for segment in gap.localisation.segments] if gap.localisation else []
        parts.append(f"{gap.question.kpi.code}: {gap.answer} {where or ''}".strip())
    return "; ".join(parts)


def main() -> None:
    """Ten seeds, about ten seconds of computing each."""
    verdicts: list[Verdict] = []
    off: list[int] = []
    for seed in range(1, 11):
        with tempfile.TemporaryDirectory() as folder:
            write_sample(Path(folder), seed=seed)
            verdicts += check_sample(Path(folder))
            off += [months for _, months in months_off(Path(folder))]
    for planted in dict.fromkeys(verdict.planted for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.planted == planted]
        print(f"  {planted:40s} named {sum(verdict.named for verdict in mine)} of {len(mine)}")
        for verdict in mine:
            if not verdict.named:
                print(f"      instead: {verdict.said}")
    seconds = sorted(verdict.seconds for verdict in verdicts)
    print(f"  a department's gaps: median {seconds[len(seconds) // 2]:.1f} s, most {seconds[-1]:.1f} s")
    exact, near = sum(months == 0 for months in off), sum(abs(months) <= 1 for months in off)
    print(f"  dates of lasting changes: {exact} of {len(off)} in their month, {near} within one month of it")


if __name__ == "__main__":
    main()
