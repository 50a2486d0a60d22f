"""Write the sample organisation: its data, its `params/`, and the truth about both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from svclib.measure.periods import Period
from svclib.sample.span import Span

LAST_MONTH = "2026-10"
MONTHS, SEED = 36, 1
TEMPLATES = ("organisation", "departments", "sources", "kpis", "events", "hypotheses", "themes", "run")
# Raised with every change of the data, so that data made by an older version are made anew.
_DATA_VERSION = 4
_PLACE = re.compile(r"\{\{(m)(-?\d+)(?:\+(\d+))?\}\}|\{\{(first|as_of|last_day)\}\}")
_SINCE = re.compile(r"\s*\{\{since m(-?\d+)\}\}$")


def write_sample(to: Path, *, months: int = MONTHS, seed: int = SEED, end: str | None = None) -> Path:
    """Write `params/`, `data/` and `truth.json` of the sample organisation.

    Parameters
    ----------
    to
        Folder to write into; made if need be. Files of the same names are replaced.
    months
        Complete months, 6 or more; a few days of the next month follow. Facts that would lie before the first
        month are left out, and plans that begin too early to be judged are so declared in `truth.json`.
    seed
        Same seed, same bytes.
    end
        The last complete month, such as ``"2026-10"``, which is the default.

    Returns
    -------
    The folder `to / "params"`.
    """
    if months < 6:
        raise ValueError(f"the sample needs 6 months or more, not {months}")
    span = Span(months, Period.parse(end or LAST_MONTH))
    to = Path(to)
    counts = write_data(to / "data", span, seed)
    write_params(to / "params", span)
    _write_truth(to / "truth.json", span, seed, counts)
    return to / "params"


def ensure_sample(params: Path) -> bool:
    """Make the sample's data beside `params`, if it declares the sample and its data are not there yet.

    The data appear all at once, also if several processes ask for them together; `truth.json` lies among them.

    Returns
    -------
    Whether data were made.
    """
    params = Path(params).resolve()
    if not _declares_sample(params):
        return False
    data = params.parent / "data"
    mark = data / ".sample"
    version = f"{_DATA_VERSION} {MONTHS} {SEED} {LAST_MONTH}\n"
    if data.exists() and (not mark.exists() or mark.read_text(encoding="utf-8") == version):
        return False
    making = Path(tempfile.mkdtemp(prefix=".sample-", dir=params.parent))
    try:
        span = Span(MONTHS, Period.parse(LAST_MONTH))
        fresh = making / "data"
        _write_truth(fresh / "truth.json", span, SEED, write_data(fresh, span, SEED))
        (fresh / mark.name).write_text(version, encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            os.rename(data, making / "old")
        try:
            os.rename(fresh, data)
        except OSError:
            if not data.exists():
                raise
            return False  # another process was quicker
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return True


def write_data(folder: Path, span: Span, seed: int) -> dict[str, Any]:
    """Write the data folder and tell how many rows of what it holds."""
    from svclib.sample import files as written
    from svclib.sample.cases import make_cases
    from svclib.sample.processes import processes
    from svclib.sample.records import make_observations, make_outages, make_staffing
    from svclib.sample.surveys import make_surveys
    from svclib.sample.tickets import write_tickets

    folder.mkdir(parents=True, exist_ok=True)
    shifts = processes(span, seed)
    cases = make_cases(span, shifts, seed)
    surveys = make_surveys(span, cases, shifts, seed)
    outages = make_outages(span, shifts["outages"], seed)
    observations = make_observations(span, shifts, seed)
    staffing = make_staffing(span, cases, shifts, seed)
    _remove_years(folder / "tickets")
    counts: dict[str, Any] = {"tickets": write_tickets(folder / "tickets", cases, span, seed)}
    written.write_surveys(folder / "surveys.csv", surveys)
    written.write_outages(folder / "outages.jsonl", outages)
    written.write_observations(folder / "observations.xlsx", observations)
    written.write_staffing(folder / "staffing.csv", staffing)
    answered = int(surveys["responded_at"].notna().sum())
    counts["surveys"] = {
        "invitations": len(surveys),
        "answers": answered,
        "comments": int((surveys["comment"] != "").sum()),
    }
    counts["outages"] = {"rows": len(outages), "maintenance": int((outages["severity"] == "maintenance").sum())}
    counts["observations"] = {"rows": len(observations)}
    counts["staffing"] = {"rows": len(staffing)}
    return counts


def write_params(folder: Path, span: Span) -> None:
    """Write the eight YAML files, their schemas for editors, and the action plan."""
    from svclib.catalogue.load import json_schemas
    from svclib.sample.plan import write_plan

    folder.mkdir(parents=True, exist_ok=True)
    for name in TEMPLATES:
        template = files("svclib.sample").joinpath("params", f"{name}.yaml").read_text(encoding="utf-8")
        (folder / f"{name}.yaml").write_text(fill(template, span), encoding="utf-8", newline="\n")
    (folder / "schemas").mkdir(exist_ok=True)
    for name, schema in json_schemas().items():
        text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        (folder / "schemas" / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")
    write_plan(folder / "action_plan.xlsx", span)


def fill(template: str, span: Span) -> str:
    """Put dates into a template of `params/`.

    ``{{m-3}}`` is the first day of the third month before the last complete one, ``{{m-3+13}}`` thirteen days later;
    a line that ends in ``{{since m-21}}`` stays only if the data reach back beyond that month.

    Examples
    --------
    >>> fill("from: {{m-3+13}}", Span(36, Period.parse("2026-10")))
    'from: 2026-07-14'
    """
    named = {"first": span.first.start, "as_of": span.as_of, "last_day": span.day(1, -1)}

    def date(match: re.Match[str]) -> str:
        if match[4]:
            return named[match[4]].isoformat()
        return span.day(int(match[2]), int(match[3] or 0)).isoformat()

    lines = []
    for line in template.split("\n"):
        since = _SINCE.search(line)
        if since and span.position(int(since[1])) < 1:
            continue
        lines.append(_PLACE.sub(date, _SINCE.sub("", line)))
    return "\n".join(lines)


def _declares_sample(params: Path) -> bool:
    """Whether organisation.yaml bears the sample's name; a file that cannot be read is judged elsewhere."""
    from svclib.sample.organisation import NAME

    path = params / "organisation.yaml"
    if not path.is_file():
        return False
    named = re.search(r"^name:[ \t]*['\"]?(.*?)['\"]?[ \t]*(?:#.*)?$", path.read_text("utf-8", errors="replace"), re.M)
    return bool(named and named[1] == NAME)


def _remove_years(folder: Path) -> None:
    """Years of an earlier, longer sample would be read as well."""
    for path in folder.glob("tickets_*.csv"):
        path.unlink()


def _write_truth(path: Path, span: Span, seed: int, counts: dict[str, Any]) -> None:
    from svclib.sample.plants import truth

    text = json.dumps(truth(span, seed, counts), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
