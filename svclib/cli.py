"""The command line: it parses, calls and prints. Exit status 0 all done, 1 some reports failed, 2 nothing was started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would take longer to import than all the rest
    help="KPI analysis, root-cause analysis and outcome evaluation that a reviewer can trust.",
)

Params = Annotated[Path | None, typer.Option(help="The folder that declares the organisation  [default: params]")]
AsOf = Annotated[str | None, typer.Option(metavar="DATE", help="Cut-off: what happened later is not seen")]


@app.command()
def sample(
    to: Annotated[Path, typer.Option(help="Where to write data and params")] = Path("sample"),
    months: Annotated[int, typer.Option(min=12, max=120)] = 36,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Write a sample organisation with planted causes and effects."""
    from svclib.sample import write_sample

    if (to / "params").exists():
        _refuse(f"{to / 'params'} is there already; name another folder with --to")
    typer.echo(write_sample(to, months=months, seed=seed))


@app.command()
def check(params: Params = None) -> None:
    """Validate params and sources, all errors at once."""
    from svclib.catalogue.load import load_catalogue
    from svclib.paths import default_params

    catalogue = load_catalogue(params or default_params())

    from svclib.study import prepare

    snapshot = prepare(catalogue).snapshot
    counts = f"{len(catalogue.departments)} departments, {len(catalogue.sources)} sources, {len(catalogue.kpis)} KPIs"
    typer.echo(f"{catalogue.folder}: sound ({counts}, {len(catalogue.actions)} actions; data up to {snapshot.as_of})")


@app.command()
def collect(
    params: Params = None,
    as_of: AsOf = None,
    accept_shrunk: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="This source may have fewer rows than before (repeatable)"),
    ] = None,
) -> None:
    """Freeze the sources in a snapshot; tell the data's quality."""
    from svclib.study import prepare

    snapshot = prepare(params, as_of=as_of, accept_shrunk=accept_shrunk or ()).snapshot
    for quality in snapshot.quality:
        bad = ", ".join(f"{count} {reason}" for reason, count in quality.bad.items())
        typer.echo(
            f"{quality.source}: {quality.kept} of {quality.read} rows kept, {quality.bad_rows} bad{f' ({bad})' if bad else ''}, "
            f"{quality.folded} folded, {quality.later} after the cut-off; quality {quality.score:.3f}",
            err=True,
        )
    typer.echo(snapshot.path)


@app.command()
def run(
    period: Annotated[
        str | None, typer.Option(help="2026-10, 2026-W43 or 2026-Q3  [default: the latest complete]")
    ] = None,
    department: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Only this department (repeatable)")
    ] = None,
    notebook: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this notebook (repeatable)")] = None,
    params: Params = None,
    out: Annotated[Path, typer.Option(help="Where the reports go")] = Path("reports"),
    as_of: AsOf = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Reports at a time  [default: as memory allows]")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print what would be made, make nothing")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make every report again")] = False,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Make only what failed last time")] = False,
    executor: Annotated[str, typer.Option(metavar="local|dask:ADDRESS")] = "local",
    log: Annotated[Literal["text", "json"], typer.Option(help="Form of the messages on stderr")] = "text",
    language: Annotated[str | None, typer.Option(help="Language of the reports  [default: the organisation's]")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print every page to PDF with the local Chromium")] = False,
) -> None:
    """Make the reports of a period for every department."""
    if force and only_failed:
        _refuse("--force and --only-failed exclude each other")
    if pdf:
        from svclib.report.export import required_chromium

        required_chromium()  # before anything is started
    from svclib.run.batch import run_batch
    from svclib.study import prepare

    result = run_batch(
        params,
        prepare=prepare,
        period=period,
        departments=department or None,
        notebooks=notebook or None,
        out=out,
        as_of=as_of,
        jobs=jobs,
        plan_only=plan,
        force=force,
        only_failed=only_failed,
        executor=executor,
        log=log,
        language=language,
    )
    if pdf and not plan and result.index.is_file():
        raise typer.Exit(_print(out, result.index.parent.name, department or None) or result.exit_status)
    raise typer.Exit(result.exit_status)


@app.command()
def template(
    to: Annotated[Path, typer.Option(metavar="FILE", help="An .xlsx or .csv file that is not there yet")] = Path(
        "action_plan.xlsx"
    ),
    params: Params = None,
) -> None:
    """Write a blank action plan with drop-downs."""
    from svclib.catalogue.load import load_catalogue
    from svclib.catalogue.register import write_template
    from svclib.paths import default_params

    if to.exists():
        _refuse(f"{to} is there already; name another file with --to")
    catalogue = load_catalogue(params or default_params())
    departments = {department.code: department.name for department in catalogue.departments}
    typer.echo(write_template(to, departments=departments, kpis={kpi.code: kpi.title for kpi in catalogue.kpis}))


@app.command()
def lab(
    notebook: Annotated[str | None, typer.Argument(help="A notebook to open")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser on it")] = True,
) -> None:
    """JupyterLab on the notebooks, with the project's kernel."""
    from svclib.run.lab import open_lab

    raise typer.Exit(open_lab(notebook, browser=browser))


@app.command()
def verify(reports: Annotated[Path, typer.Argument(metavar="REPORTS/PERIOD")]) -> None:
    """Execute a period's reports again, compare every figure."""
    from svclib.run.verify import verify_period

    differences = verify_period(reports, note=lambda text: typer.echo(text, err=True))
    for difference in differences:
        typer.echo(difference)
    if not differences:
        typer.echo(f"{reports}: every report was executed again, and every figure is the same")
    raise typer.Exit(1 if differences else 0)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="PERIOD")],
    after: Annotated[str, typer.Argument(metavar="PERIOD")],
    out: Annotated[Path, typer.Option(help="Where the reports are")] = Path("reports"),
) -> None:
    """What changed between two reports."""
    from svclib.report.compare import compare_periods

    typer.echo(compare_periods(out, before, after))


@app.command()
def share(
    period: Annotated[str, typer.Argument(metavar="PERIOD")],
    out: Annotated[Path, typer.Option(help="Where the reports are")] = Path("reports"),
    base_url: Annotated[str | None, typer.Option(help="Where the reports are published; mails link there")] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print every page to PDF with the local Chromium")] = False,
) -> None:
    """Write a period's archive, mails, agenda, decisions sheet."""
    from svclib.report.share import share_period

    for path in share_period(out, period, base_url=base_url, pdf=pdf):
        typer.echo(path)


@app.command(hidden=True)
def schemas(to: Annotated[Path, typer.Option()] = Path("params/schemas")) -> None:
    """Write the JSON Schema of each file of params/."""
    import json

    from svclib.catalogue.load import json_schemas

    to.mkdir(parents=True, exist_ok=True)
    for stem, schema in json_schemas().items():
        (to / f"{stem}.json").write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _print(out: Path, period: str, departments: list[str] | None) -> int:
    """Print the period's pages to PDF; 1 where Chromium failed, for the reports themselves are made."""
    from svclib.errors import InputRefused
    from svclib.report.share import print_period

    try:
        printed = print_period(out, period, departments)
        typer.echo(f"{len(printed)} pages printed to PDF", err=True)
    except InputRefused as refused:
        for problem in refused.problems:
            typer.echo(f"{problem}; the reports are made", err=True)
        return 1
    return 0


def _refuse(message: str) -> NoReturn:
    typer.echo(f"svclib: {message}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point: turns refused input into messages on stderr and exit status 2."""
    from typer.exceptions import TyperException

    from svclib.errors import InputRefused

    try:
        status = app(standalone_mode=False)
    except InputRefused as refused:
        for problem in refused.problems:
            typer.echo(str(problem), err=True)
        number = len(refused.problems)
        typer.echo(f"svclib: nothing was started ({number} problem{'s' if number != 1 else ''})", err=True)
        status = 2
    except TyperException as error:
        typer.echo(f"svclib: {error.format_message() if hasattr(error, 'format_message') else error}", err=True)
        status = 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(
            f"svclib: {where}{error.strerror or error}. Cure: look at the folder's rights and the disk", err=True
        )
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("svclib: interrupted; what was finished stays", err=True)
        status = 130
    sys.exit(status or 0)


if __name__ == "__main__":
    main()
