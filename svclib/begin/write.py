"""A draft as the commented YAML files of a `params/` folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from svclib.begin.look import code
from svclib.catalogue.load import json_schemas, load_catalogue
from svclib.errors import InputRefused, Problem
from svclib.report.show import Block, fold, section, sentence
from svclib.report.words import say

if TYPE_CHECKING:
    from svclib.begin.draft import Draft

# What a reader of the files needs to know of each key; the files are English, as their keys are.
_ORGANISATION = {
    "name": "stands on every report",
    "language": "language of the reports: en or it",
    "time_zone": "days and months begin at midnight here",
}
_SOURCE = {
    "shape": "what one row is: cases, responses, outages, observations or counts",
    "read": "path or glob, from the folder that holds params/: data/*.xlsx takes all files of a folder",
    "columns": "svclib's name: the file's column; KPIs use the name on the left",
    "types": "of the columns that svclib does not know by itself",
    "dates": "how the dates are written; day first or month first is never guessed",
    "dimensions": "columns that split cases into groups, to explain a gap with",
    "department": "the file names no department: all rows are of this one",
    "department_missing": "rows that name no department belong to this one",
    "max_bad_share": "more bad rows than this stop a run",
    "keep": "of several lines of a case, the one that counts",
    "where": "only these rows are used",
}
_KPI = {
    "kind": "see the sample's kpis.yaml for all kinds",
    "within": "the time that was promised",
    "maturity": "the age that a case needs before it counts for good; younger months are provisional",
    "direction": "increase: more is better; decrease: less is better; neutral",
    "numerator": "SQL over the source's columns; what one row contributes",
    "targets": "shares between 0 and 1; a placeholder is marked as one until somebody agrees to it",
}
_HEADS = {
    "organisation": "Who we are.",
    "departments": "Who is measured. Other spellings in the data go under aliases.",
    "sources": "Where the data are. Paths start from the folder that holds params/.",
    "kpis": "What is measured. The same entry drives the figure, the chart, the verdict and the words.",
    "run": "Which notebooks are made. root_cause_analysis and outcome_evaluation are the others: add them when you need them.",
}


def params_texts(draft: Draft, folder: Path | None = None) -> dict[str, str]:
    """The files of `params/`, by name.

    Parameters
    ----------
    folder
        Where they will lie: the path of the data is told from there. None: as it is.
    """
    source = {**draft.source, "read": _path_from(Path(draft.source["read"]), folder)}
    bodies = {
        "organisation": _entry(draft.organisation, _ORGANISATION),
        "departments": "".join(f"- {_flow(department)}\n" for department in draft.departments),
        "sources": _listed(source, _SOURCE),
        "kpis": "\n".join(_listed(kpi, _KPI) for kpi in draft.kpis) or "[]\n",
        "run": _entry({"notebooks": ["kpi_analysis"]}, {}),
    }
    return {
        f"{stem}.yaml": f"# yaml-language-server: $schema=schemas/{stem}.json\n# {_HEADS[stem]}\n{body}"
        for stem, body in bodies.items()
    }


def shown_params(draft: Draft) -> Block:
    """The files as they would be written."""
    files = [fold(name, code(text)) for name, text in params_texts(draft).items()]
    return section(say("begin.params.title"), sentence(say("begin.params.preview")), *files)


def write_files(draft: Draft, folder: Path, *, overwrite: bool) -> Block:
    """Write the files and their schemas, and read them again as a run will."""
    texts = params_texts(draft, folder)
    there = [name for name in texts if (folder / name).exists()]
    if there and not overwrite:
        what = f"has {', '.join(there)} already"
        raise InputRefused(Problem(folder.name, what, "name another folder, or give overwrite=True to replace them"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (folder / "schemas").mkdir(exist_ok=True)
    for stem, schema in json_schemas().items():
        text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        (folder / "schemas" / f"{stem}.json").write_text(text, encoding="utf-8", newline="\n")
    load_catalogue(folder)
    reports = folder.parent / "reports"
    commands = f'{_program()} check --params "{folder}"\n{_program()} run --params "{folder}" --out "{reports}"'
    done = sentence(say("begin.params.written", count=len(texts), folder=str(folder)))
    return section(say("begin.params.title"), done, sentence(say("begin.params.next")), code(commands))


def _program() -> str:
    """How the command line is called here: by its name, or by this Python where no terminal would find the name."""
    return "svclib" if shutil.which("svclib") else f'"{sys.executable}" -m svclib'


def _path_from(data: Path, folder: Path | None) -> str:
    """The data as seen from the folder that holds `params/`, if they lie on the same drive."""
    if folder is None:
        return data.as_posix()
    try:
        return Path(os.path.relpath(data, folder.parent)).as_posix()
    except ValueError:
        return data.as_posix()


def _listed(entry: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    lines = _entry(entry, comments).splitlines()
    return "".join(f"{'- ' if number == 0 else '  '}{line}\n" for number, line in enumerate(lines))


def _entry(entry: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """A mapping as YAML, each key with its comment."""
    lines = []
    for key, value in entry.items():
        note = f"  # {comments[key]}" if key in comments else ""
        if isinstance(value, Mapping) and len(_flow(value)) > 60:
            lines.append(f"{key}:{note}")
            lines += [f"  {_flow({own: header})[1:-1]}" for own, header in value.items()]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines.append(f"{key}:{note}")
            lines += [f"  - {_flow(part)}" for part in value]
        else:
            lines.append(f"{_flow({key: value})[1:-1]}{note}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """YAML on one line; what YAML could read as something else stands in quotes.

    >>> _flow({"code": "010", "name": "No"})
    "{code: '010', name: 'No'}"
    """
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
