"""Are the planted causes of `svclib sample` named, whatever the seed? The whole analysis, from files to the answer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from svclib.explain.analysis import Gap, explain_gaps
from svclib.sample.write import write_sample
from svclib.study import open_study

#: Kind of a planted fact to the answers that name it.
ANSWERS = {"local_cause": ("local",), "mix_shift": ("mix",), "general_shock": ("general",)}
#: Departments where nothing was planted in the last months.
QUIET = ("D07", "D08")


@dataclass(frozen=True)
class Verdict:
    """What was planted, whether the analysis named it, what it said, and how long a department took."""

    planted: str
    named: bool
    said: str
    seconds: float


def check_sample(seed: int) -> Iterator[Verdict]:
    """One verdict for each planted cause of the sample's last month, and for each department without any."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_sample(home, seed=seed)
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
            named = not any(gap.answer in ("local", "local_and_general", "unsure") for gap in special)
            yield Verdict(f"none {department}", named, _said(special), seconds)


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
    """Ten seeds, about five seconds of computing each."""
    verdicts = [verdict for seed in range(1, 11) for verdict in check_sample(seed)]
    for planted in dict.fromkeys(verdict.planted for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.planted == planted]
        print(f"  {planted:40s} named {sum(verdict.named for verdict in mine)} of {len(mine)}")
        for verdict in mine:
            if not verdict.named:
                print(f"      instead: {verdict.said}")
    seconds = sorted(verdict.seconds for verdict in verdicts)
    print(f"  a department's gaps: median {seconds[len(seconds) // 2]:.1f} s, most {seconds[-1]:.1f} s")


if __name__ == "__main__":
    main()
