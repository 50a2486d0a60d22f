"""The command line: it parses, calls and prints. Exit status 0 all done, 1 some reports failed, 2 nothing was started.

`argparse`, for help has to come at once: any other library takes longer to import than all of this takes to run.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from svclib import __version__

if TYPE_CHECKING:
    from svclib.errors import InputRefused

_Command = Callable[..., "int | None"]
_COMMANDS: dict[str, tuple[_Command, Sequence[tuple[tuple[str, ...], dict[str, Any]]]]] = {}
_HIDDEN = ("schemas",)


def _option(*names: str, **how: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """An argument of a command, as `argparse` takes it; a default is told in its help."""
    default = how.get("default")
    if default not in (None, False) and how.get("action") is None:
        how["help"] = f"{how.get('help', '')}  [default: {default}]".strip()
    return names, how


def _command(*arguments: tuple[tuple[str, ...], dict[str, Any]]) -> Callable[[_Command], _Command]:
    """Register a command: its name and help are those of the function, its arguments the function's."""

    def register(function: _Command) -> _Command:
        _COMMANDS[function.__name__] = function, arguments
        return function

    return register


def _at_least(low: int, high: int | None = None) -> Callable[[str], int]:
    def whole(text: str) -> int:
        number = int(text) if text.lstrip("-").isdecimal() else None
        if number is None or number < low or (high is not None and number > high):
            wanted = f"{low} to {high}" if high is not None else f"{low} or more"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {wanted}")
        return number

    return whole


_PARAMS = _option(
    "--params", type=Path, metavar="DIR", help="the folder that declares the organisation  [default: params]"
)
_AS_OF = _option("--as-of", metavar="DATE", help="cut-off: what happened later is not seen")
_OUT = _option("--out", type=Path, metavar="DIR", default=Path("reports"), help="where the reports are")
_PDF = _option("--pdf", action="store_true", help="also print every page to PDF with the local Chromium")


@_command(
    _option("--to", type=Path, metavar="DIR", default=Path("sample"), help="where to write data and params"),
    _option("--months", type=_at_least(12, 120), metavar="N", default=36, help="12 to 120"),
    _option("--seed", type=_at_least(0), metavar="N", default=1),
)
def sample(to: Path, months: int, seed: int) -> None:
    """Write a sample organisation with planted causes and effects."""
    from svclib.sample import write_sample

    if (to / "params").exists():
        _refuse(f"{to / 'params'} is there already; name another folder with --to")
    print(write_sample(to, months=months, seed=seed))


@_command(_PARAMS)
def check(params: Path | None) -> None:
    """Validate params and sources, all errors at once."""
    from svclib.checked import recall, remember

    folder = _declared(params)
    if told := recall(folder):
        print(told)
        return

    from svclib.catalogue.load import load_catalogue

    catalogue = load_catalogue(folder)

    from svclib.collect.read import source_format
    from svclib.prepared import prepare

    prepared = prepare(catalogue)
    snapshot, doubts = prepared.snapshot, prepared.doubts()
    parts = {
        "department": len(catalogue.departments), "source": len(catalogue.sources), "KPI": len(catalogue.kpis),
        "action": len(catalogue.actions),
    }  # fmt: skip
    counts = ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in parts.items())
    told = f"{catalogue.folder}: sound ({counts}; data up to {snapshot.as_of})"
    for doubt in doubts:
        _note(f"note: {doubt}")
    if not doubts and all(source_format(source) != "database" for source in catalogue.sources):
        remember(folder, told, [source.read for source in catalogue.sources])
    print(told)


@_command(
    _PARAMS,
    _AS_OF,
    _option(
        "--accept-shrunk", action="append", metavar="SOURCE",
        help="this source may have fewer rows than before (repeatable)",
    ),
)  # fmt: skip
def collect(params: Path | None, as_of: str | None, accept_shrunk: list[str] | None) -> None:
    """Freeze the sources in a snapshot; tell the data's quality."""
    from svclib.prepared import prepare

    snapshot = prepare(_declared(params), as_of=as_of, accept_shrunk=accept_shrunk or ()).snapshot
    for quality in snapshot.quality:
        bad = ", ".join(f"{count} {reason}" for reason, count in quality.bad.items())
        _note(
            f"{quality.source}: {quality.kept} of {quality.read} rows kept, {quality.bad_rows} bad{f' ({bad})' if bad else ''}, "
            f"{quality.folded} folded, {quality.later} after the cut-off; quality {quality.score:.3f}"
        )
    print(snapshot.path)


@_command(
    _option("--period", metavar="PERIOD", help="2026-10, 2026-W43 or 2026-Q3  [default: the latest complete]"),
    _option("--department", action="append", metavar="CODE", help="only this department (repeatable)"),
    _option("--notebook", action="append", metavar="NAME", help="only this notebook (repeatable)"),
    _PARAMS,
    _option("--out", type=Path, metavar="DIR", default=Path("reports"), help="where the reports go"),
    _AS_OF,
    _option("-j", "--jobs", type=_at_least(1), metavar="N", help="reports at a time  [default: as memory allows]"),
    _option("--plan", action="store_true", help="print what would be made, make nothing"),
    _option("--force", action="store_true", help="make every report again"),
    _option("--only-failed", action="store_true", help="make only what failed last time"),
    _option("--executor", metavar="local|dask:ADDRESS", default="local", help="where reports are made"),
    _option("--log", choices=("text", "json"), default="text", help="form of the messages on stderr"),
    _option("--language", metavar="CODE", help="language of the reports  [default: the organisation's]"),
    _PDF,
)  # fmt: skip
def run(
    *,
    department: list[str] | None,
    notebook: list[str] | None,
    params: Path | None,
    out: Path,
    plan: bool,
    force: bool,
    only_failed: bool,
    pdf: bool,
    **more: Any,
) -> int:
    """Make the reports of a period for every department."""
    if force and only_failed:
        _refuse("--force and --only-failed exclude each other")
    if pdf:
        from svclib.report.export import required_chromium

        required_chromium()  # before anything is started
    from svclib.prepared import prepare
    from svclib.run.batch import run_batch

    result = run_batch(
        _declared(params, more["log"]), prepare=prepare, departments=department, notebooks=notebook, out=out, plan_only=plan, force=force,
        only_failed=only_failed, **more,
    )  # fmt: skip
    if pdf and not plan and result.index.is_file():
        return _print_pages(out, result.index.parent.name, department) or result.exit_status
    return result.exit_status


@_command(
    _option(
        "--to", type=Path, metavar="FILE", default=Path("action_plan.xlsx"),
        help="an .xlsx or .csv file that is not there yet",
    ),
    _PARAMS,
)  # fmt: skip
def template(to: Path, params: Path | None) -> None:
    """Write a blank action plan with drop-downs."""
    from svclib.catalogue.load import load_catalogue
    from svclib.catalogue.register import write_template

    if to.exists():
        _refuse(f"{to} is there already; name another file with --to")
    catalogue = load_catalogue(_declared(params))
    departments = {department.code: department.name for department in catalogue.departments}
    print(write_template(to, departments=departments, kpis={kpi.code: kpi.title for kpi in catalogue.kpis}))


@_command(
    _option("notebook", nargs="?", metavar="NOTEBOOK", help="a notebook to open"),
    _option("--browser", action=argparse.BooleanOptionalAction, default=True, help="open a browser on it"),
)
def lab(notebook: str | None, browser: bool) -> int:
    """JupyterLab on the notebooks, with the project's kernel."""
    from svclib.run.lab import open_lab

    return open_lab(notebook, browser=browser)


@_command(_option("reports", type=Path, metavar="REPORTS/PERIOD", help="a period's folder, as reports/2026-10"))
def verify(reports: Path) -> int:
    """Execute a period's reports again, compare every figure."""
    from svclib.run.verify import verify_period

    differences = verify_period(reports, note=_note)
    for difference in differences:
        print(difference)
    if not differences:
        print(f"{reports}: every report was executed again, and every figure is the same")
    return 1 if differences else 0


@_command(
    _option("before", metavar="PERIOD", help="the earlier period"),
    _option("after", metavar="PERIOD", help="the later one"),
    _OUT,
)
def compare(before: str, after: str, out: Path) -> None:
    """What changed between two reports."""
    from svclib.report.compare import compare_periods

    print(compare_periods(out, before, after))


@_command(
    _option("period", metavar="PERIOD", help="whose reports are handed on"),
    _OUT,
    _option("--base-url", metavar="URL", help="where the reports are published; mails link there"),
    _PDF,
)
def share(period: str, out: Path, base_url: str | None, pdf: bool) -> None:
    """Write a period's archive, mails, agenda, decisions sheet."""
    from svclib.report.share import share_period

    print(*share_period(out, period, base_url=base_url, pdf=pdf), sep="\n")


@_command(_option("--to", type=Path, metavar="DIR", default=Path("params/schemas")))
def schemas(to: Path) -> None:
    """Write the JSON Schema of each file of params/."""
    import json

    from svclib.catalogue.load import json_schemas

    to.mkdir(parents=True, exist_ok=True)
    for stem, schema in json_schemas().items():
        (to / f"{stem}.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _print_pages(out: Path, period: str, departments: list[str] | None) -> int:
    """Print the period's pages to PDF; 1 where Chromium failed, for the reports themselves are made."""
    from svclib.errors import InputRefused
    from svclib.report.share import print_period

    try:
        printed = print_period(out, period, departments)
        _note(f"{len(printed)} pages printed to PDF")
    except InputRefused as refused:
        for problem in refused.problems:
            _note(f"{problem}; the reports are made")
        return 1
    return 0


def _declared(params: Path | None, log: str = "text") -> Path:
    """The folder that is meant; where it was not named and none is here, it is said whose reports these will be."""
    from svclib.paths import default_params

    folder = params or default_params()
    if params is None and folder != Path.cwd() / "params":
        text = f"{Path.cwd()} has no params/, so this is the sample organisation; name yours with --params"
        _tell(log, "note", text, message=text)
    return folder


def _tell(log: str, event: str, text: str, **facts: Any) -> None:
    """A line on stderr: plain, or the event where a scheduler reads JSON."""
    if log != "json":
        _note(text)
        return
    from svclib.run.progress import Progress

    Progress("json").event(event, **facts)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(message: str) -> NoReturn:
    _note(f"svclib: {message}")
    sys.exit(2)


def _refusal() -> type[InputRefused]:
    """What is caught where input was refused; imported only then, for help has no need of it."""
    from svclib.errors import InputRefused

    return InputRefused


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Wrong words, told as all other faults are."""
        _refuse(f"{message}. Cure: see {self.prog} --help")


def _refuse_unknown_command(first: Sequence[str]) -> None:
    for word in first:
        if not word.startswith("-") and word not in _COMMANDS:
            from svclib.catalogue.names import nearest  # help has no need of it, and has to come at once

            known = [name for name in _COMMANDS if name not in _HIDDEN]
            _refuse(f"there is no command {word!r}. Cure: {nearest(word, known)}; see svclib --help")


def _refuse_unknown_words(command: str | None, strange: Sequence[str]) -> NoReturn:
    """Say which words no option takes, and which option was perhaps meant."""
    from svclib.catalogue.names import nearest

    known = [word for names, _ in _COMMANDS[command][1] for word in names if word[0] == "-"] if command else []
    meant = [cure for word in strange if word[0] == "-" and (cure := nearest(word, known)).startswith("write")]
    help_page = f"see svclib {command} --help" if command else "see svclib --help"
    _refuse(f"unrecognized arguments: {' '.join(strange)}. Cure: {', '.join([*meant, help_page])}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="svclib",
        usage="svclib COMMAND [options]",
        description="KPI analysis, root-cause analysis and outcome evaluation that a reviewer can trust.",
        epilog="svclib COMMAND --help tells a command's options.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"svclib {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", prog="svclib")
    for name, (function, arguments) in _COMMANDS.items():
        places = [how for names, how in arguments if not names[0].startswith("-")]
        words = " ".join(f"[{how['metavar']}]" if how.get("nargs") == "?" else how["metavar"] for how in places)
        listed: dict[str, Any] = {} if name in _HIDDEN else {"help": function.__doc__}
        one = commands.add_parser(
            name,
            usage=f"svclib {name} [options] {words}".rstrip(),
            description=function.__doc__,
            allow_abbrev=False,
            **listed,
        )
        for names, how in arguments:
            one.add_argument(*names, **how)
    return parser


def main() -> None:
    """Entry point: turns refused input into messages on stderr and exit status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a sign that the console cannot write is no reason to end
        sys.stdout.reconfigure(errors="replace")
    parser = _parser()
    _refuse_unknown_command(sys.argv[1:2])
    found, strange = parser.parse_known_args()
    given = vars(found)
    name = given.pop("command")
    if strange:
        _refuse_unknown_words(name, strange)
    if name is None:
        parser.print_help(sys.stderr)
        sys.exit(2)
    try:
        status = _COMMANDS[name][0](**given)
        sys.stdout.flush()
    except _refusal() as refused:
        status = 2
        log, number = given.get("log", "text"), len(refused.problems)
        for problem in refused.problems:
            _tell(log, "refused", str(problem), where=problem.where, what=problem.what, cure=problem.cure)
        ended = f"svclib: nothing was started ({number} problem{'s' if number != 1 else ''})"
        _tell(log, "end", ended, exit_status=status)
    except BrokenPipeError:  # who reads has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except OSError as error:
        status = 2
        what, cure = error.strerror or str(error), "look at the folder's rights and the disk"
        text = f"svclib: {f'{error.filename}: ' if error.filename else ''}{what}. Cure: {cure}"
        _tell(given.get("log", "text"), "refused", text, where=str(error.filename or ""), what=what, cure=cure)
    except KeyboardInterrupt:
        _note("svclib: interrupted; what was finished stays")
        status = 130
    sys.exit(status or 0)


if __name__ == "__main__":
    main()
