"""The action plan with its verdicts, from the results that the reports of a period left."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from svclib.run.manifest import Manifest

NOTEBOOK = "outcome_evaluation"


def write_period_register(out: Path, manifest: Manifest, plan: Path, language: str) -> Path | None:
    """Write ``action_plan.xlsx`` of a period: the managers' own sheet with progress, verdict and effect filled in.

    Parameters
    ----------
    out
        Folder of the reports.
    manifest
        The period's; the results of its sound evaluations count.
    plan
        The managers' plan, which is left as it is.
    language
        Of verdicts and progress.

    Returns
    -------
    Path or None
        None where no evaluation has been made.
    """
    from svclib.catalogue.register import write_register

    results = list(_results(out / manifest.period, manifest))
    if not results:
        return None
    rows = {action["id"]: _row(action, as_of, language) for as_of, actions in results for action in actions}
    return write_register(plan, out / manifest.period / "action_plan.xlsx", rows)


def _results(folder: Path, manifest: Manifest) -> Iterator[tuple[str | None, list[dict[str, Any]]]]:
    for (_, notebook), entry in manifest.entries.items():
        if notebook == NOTEBOOK and entry["status"] == "ok":
            content = json.loads((folder / entry["folder"] / f"{NOTEBOOK}.json").read_text(encoding="utf-8"))
            yield content.get("as_of"), content["actions"]


def _row(action: dict[str, Any], as_of: str | None, language: str) -> Any:
    from svclib.catalogue.register import RegisterRow
    from svclib.report import words

    effect = action.get("effect") or {}
    low, high = effect.get("interval") or (None, None)
    with words.use_language(language):
        return RegisterRow(
            progress=_progress(action.get("progress")),
            verdict=_word("verdict", action["verdict"]),
            grade=action.get("grade") or "",
            goal_probability=(action.get("goal") or {}).get("met"),
            effect=effect.get("estimate"),
            effect_low=low,
            effect_high=high,
            too_early_until=_day(action.get("too_early_until")),
            as_of=_day(as_of),
            explanation=action.get("sentence") or "",
        )


def _progress(progress: dict[str, Any] | None) -> str:
    from svclib.report import words

    if not progress:
        return ""
    state = _word("outcome.progress", progress["state"])
    if not progress["total"]:
        return state
    return words.say("outcome.progress.steps", state=state, done=progress["done"], total=progress["total"])


def _word(table: str, code: str) -> str:
    from svclib.report import words

    key = f"{table}.{code}"
    return words.say(key) if words.known(key) else code.replace("_", " ")


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text[:10]) if text else None
