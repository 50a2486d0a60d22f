"""Makes a period's reports again from what the manifest names, and compares them figure by figure."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svclib.collect.digests import digest_file
from svclib.errors import InputRefused, Problem
from svclib.run.batch import run_batch
from svclib.run.digest import digest_source
from svclib.run.manifest import Manifest

_MOST = 20


@dataclass(frozen=True)
class Difference:
    """What is not as the manifest says.

    Parameters
    ----------
    report
        Department's folder and notebook.
    file
        The file at fault.
    what
        In plain words; for a result, where in it and both values.

    Examples
    --------
    >>> print(Difference("D01/kpi_analysis", "kpi_analysis.json", "kpis[0].value: was 0.5, is 0.6"))
    D01/kpi_analysis: kpi_analysis.json: kpis[0].value: was 0.5, is 0.6
    """

    report: str
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.report}: {self.file}: {self.what}"


def verify_period(
    reports: Path,
    *,
    departments: Sequence[str] | None = None,
    prepare: Callable[..., Any] | None = None,
    note: Callable[[str], Any] | None = None,
    **options: Any,
) -> list[Difference]:
    """Execute every report of a period again and compare results, tables and pages with those that lie there.

    Parameters
    ----------
    reports
        A period's folder, e.g. ``reports/2026-10``.
    departments
        Only these; all where left out.
    prepare
        `svclib.prepared.prepare` where left out.
    note
        Takes remarks that are no differences, such as: another version of svclib made these pages.
    options
        Given on to `run_batch`: jobs, executor, log.

    Returns
    -------
    list
        Empty when every figure is confirmed.

    Raises
    ------
    InputRefused
        Where there is no manifest, or the snapshot it names is gone or another.
    """
    if prepare is None:
        from svclib.prepared import prepare
    reports = Path(reports).absolute()
    out, period = reports.parent, reports.name
    manifest = Manifest.load(out, period)
    if departments is not None:
        manifest.entries = {key: entry for key, entry in manifest.entries.items() if key[0] in departments}
    if not manifest.entries:
        raise InputRefused(
            Problem(str(reports), "holds no manifest with reports", "name a folder such as reports/2026-10")
        )
    differences = list(_changed_files(reports, manifest))
    same_code = manifest.header.get("code", {}).get("svclib") == digest_source()
    if not same_code and note is not None:
        note("svclib is not the version that made these reports: results and tables are compared, pages are not")
    for group in _groups(manifest):
        with tempfile.TemporaryDirectory(prefix="svclib-verify-") as folder:
            again = _make_again(group, manifest, Path(folder), prepare, options)
            for entry in group:
                key = (entry["department"], entry["notebook"])
                differences += _compare(reports, entry, Path(folder) / period, again.entries.get(key), same_code)
    return sorted(set(differences), key=str)


def _changed_files(reports: Path, manifest: Manifest) -> Iterator[Difference]:
    """Files that are not those that the run wrote."""
    for entry in manifest.entries.values():
        for name, file in entry["files"].items():
            path = reports / entry["folder"] / name
            if not path.is_file():
                yield Difference(_report(entry), name, "is missing")
            elif digest_file(path) != file["sha256"]:
                yield Difference(_report(entry), name, "was changed after it was made")


def _report(entry: dict[str, Any]) -> str:
    return f"{entry['folder']}/{entry['notebook']}"


def _groups(manifest: Manifest) -> list[list[dict[str, Any]]]:
    """Reports that one run can make: equal parameters but for the department, and for each the same notebooks."""
    alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in manifest.entries.values():
        shared = {name: value for name, value in entry["parameters"].items() if name != "department"}
        alike.setdefault((json.dumps(shared, sort_keys=True), entry["department"]), []).append(entry)
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for (parameters, _), entries in alike.items():
        groups.setdefault((parameters, *sorted(entry["notebook"] for entry in entries)), []).extend(entries)
    return list(groups.values())


def _make_again(
    group: list[dict[str, Any]], manifest: Manifest, folder: Path, prepare: Any, options: dict[str, Any]
) -> Manifest:
    parameters = group[0]["parameters"]
    known = manifest.header.get("snapshot", {})
    snapshot = parameters["snapshot"]
    if not Path(snapshot).exists():
        raise InputRefused(Problem(snapshot, "the snapshot is gone", "collect with the same --as-of, then run again"))

    def prepared(*arguments: Any, **keywords: Any) -> Any:
        found = prepare(*arguments, **keywords, snapshot=snapshot)
        if known.get("path") == snapshot and found.snapshot.digest != known.get("digest"):
            raise InputRefused(Problem(snapshot, "is not the snapshot that the manifest names", "run again"))
        return found

    run_batch(
        parameters["params"],
        prepare=prepared,
        period=manifest.period,
        departments=[entry["department"] for entry in group],
        notebooks=sorted({entry["notebook"] for entry in group}),
        out=folder,
        as_of=parameters["as_of"],
        language=parameters["language"],
        links={(entry["department"], entry["notebook"]): entry["links"] for entry in group},
        shown=False,
        **{"portal": _no_portal, **options},
    )
    return Manifest.load(folder, manifest.period)


def _no_portal(out: Path) -> None:
    """What is made for comparison needs no portal."""


def _compare(
    reports: Path, entry: dict[str, Any], again: Path, made: dict[str, Any] | None, same_code: bool
) -> Iterator[Difference]:
    report = _report(entry)
    status = made["status"] if made else "missing"
    if status != entry["status"]:
        yield Difference(report, f"{entry['notebook']}.html", f"was {entry['status']}, is {status}")
        return
    assert made is not None
    for name in sorted({*entry["files"], *made["files"]}):
        if name.endswith(".ipynb") or (name.endswith(".html") and not same_code):
            continue  # a notebook holds the times of its run
        before, after = entry["files"].get(name), made["files"].get(name)
        if before is None or after is None:
            yield Difference(report, name, "was not there" if before is None else "is no longer made")
        elif before["sha256"] != after["sha256"]:
            yield from _explain(report, name, reports / entry["folder"] / name, again / made["folder"] / name)


def _explain(report: str, name: str, before: Path, after: Path) -> Iterator[Difference]:
    """Where two results differ; for tables and pages that they do."""
    if name.endswith(".json"):
        try:
            places = list(json_differences(json.loads(before.read_text("utf-8")), json.loads(after.read_text("utf-8"))))
        except (OSError, ValueError):
            places = []
        for place in places[:_MOST]:
            yield Difference(report, name, place)
        if places:
            return
    yield Difference(report, name, "differs")


def json_differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Places at which two JSON values differ.

    Examples
    --------
    >>> list(json_differences({"a": [1, 2], "b": None}, {"a": [1, 3], "c": 0}))
    ['a[1]: was 2, is 3', 'b: is gone', 'c: is new']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inner = f"{place}.{key}" if place else key
            if key not in after or key not in before:
                yield f"{inner}: is {'gone' if key not in after else 'new'}"
            else:
                yield from json_differences(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from json_differences(one, other, f"{place}[{number}]")
    elif before != after or type(before) is not type(after):
        yield f"{place or 'all'}: was {_short(before)}, is {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
