"""The ladder of five whys, filled as far as the data carry it; the empty rungs are for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from svclib.explain.hypotheses import Bone
from svclib.explain.localise import Localisation
from svclib.explain.process import Load, ProcessPart
from svclib.explain.question import Question


@dataclass(frozen=True)
class Rung:
    """One why: `code` names what answers it and `facts` the figures; code ``people`` is an empty rung."""

    code: str
    facts: dict[str, Any]


def climb(
    question: Question,
    answer: str,
    localisation: Localisation | None,
    process: list[ProcessPart],
    load: Load | None,
    bones: list[Bone],
) -> list[Rung]:
    """Five rungs: since when, what kind of change, where, how, and which suspicion fits; people fill the rest."""
    rungs = []
    if (
        question.onset is not None and question.onset.method == "change_point"
    ):  # a first signal dates nothing, nor does a drift
        near = [e for e in question.events if e.near]
        rungs.append(Rung("since", {"period": question.onset.period, "events": near}))
    if answer != "unlocated" or localisation is not None:  # what could not be looked at answers nothing
        small = answer == "general" and localisation is not None and not localisation.candidates
        rungs.append(Rung(f"answer_{answer}_small" if small else f"answer_{answer}", {}))
    if localisation is not None and localisation.segments:
        best = localisation.segments[0]
        rungs.append(Rung("segment", {"where": best.where, "share": best.share, "ratio": best.ratio}))
    changed = sorted((part for part in process if part.p < 0.01), key=lambda part: part.p)
    if changed:
        rungs.append(Rung("process", {"part": changed[0].part, "usual": changed[0].usual, "now": changed[0].now}))
    elif load is not None and load.answer != "usual":
        rungs.append(Rung("load", {"answer": load.answer}))
    supported = [bone for bone in bones if bone.status == "supported"]
    if supported:
        rungs.append(Rung("hypothesis", {"causes": [bone.cause for bone in supported[:3]]}))
    rungs = rungs[:4]
    return rungs + [Rung("people", {})] * (5 - len(rungs))
