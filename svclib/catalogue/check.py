"""What one file of `params/` says of another: names must exist, expressions must know their columns."""

from __future__ import annotations

import datetime as dt
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from svclib.catalogue.models import (
    BOOLEANS,
    NUMBERS,
    SHAPE_COLUMNS,
    SHAPE_DATE,
    TIMESTAMPS,
    Department,
    Kpi,
    Source,
)
from svclib.catalogue.names import nearest
from svclib.catalogue.targets import check_figures
from svclib.errors import Problem
from svclib.paths import NOTEBOOKS, is_report_language, report_languages, report_notebooks

if TYPE_CHECKING:
    from svclib.catalogue.catalogue import Catalogue


def check_catalogue(catalogue: Catalogue) -> list[Problem]:
    """Every contradiction between the files, in the order of the files."""
    return [
        *_check_organisation(catalogue),
        *_check_unique(catalogue),
        *_check_departments(catalogue),
        *(p for source in catalogue.sources for p in _check_source(catalogue, source)),
        *(p for kpi in catalogue.kpis for p in _check_kpi(catalogue, kpi)),
        *_check_knowledge(catalogue),
        *_check_run(catalogue),
    ]


def known_columns(source: Source) -> dict[str, str]:
    """The names an expression over the source may use: mapped columns and dimensions."""
    return {**source.columns, **source.dimension_columns, "department": "department"}


def _text_columns(source: Source) -> set[str]:
    """Columns that hold text whatever the data are: dimensions, codes, comments, and what is declared as text."""
    known = {name for part in SHAPE_COLUMNS[source.shape] for name in part}
    figures = NUMBERS | BOOLEANS
    declared = {name for name, kind in source.types.items() if kind == "text"}
    plain = (known - TIMESTAMPS) & set(source.columns)
    return {"department", *declared, *plain, *source.dimension_columns} - figures


def _check_organisation(catalogue: Catalogue) -> Iterator[Problem]:
    zones = [("organisation", "time_zone", catalogue.organisation.time_zone)]
    for source in catalogue.sources:
        if source.time_zone:
            zones.append(("sources", source.name, source.time_zone))
    for kind, name, zone in zones:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            organisation = kind == "organisation"
            where = (
                _in_file(catalogue, kind, "time_zone") if organisation else catalogue.locate(kind, name, "time_zone")
            )
            yield Problem(where, f"'{zone}' is no time zone", "write an IANA name such as Europe/Rome")
    language = catalogue.organisation.language
    if not is_report_language(language):
        where, known = _in_file(catalogue, "organisation", "language"), ", ".join(report_languages())
        yield Problem(where, f"no reports can be written in the language '{language}'", f"known: {known}")
    if catalogue.organisation.working_calendar.holidays is not None:
        yield from _check_holidays(catalogue, catalogue.organisation.working_calendar.holidays)


def _in_file(catalogue: Catalogue, stem: str, *path: str | int) -> str:
    document = catalogue.documents.get(stem)
    return document.at(path) if document else f"{catalogue.folder.name}/{stem}.yaml"


def _check_holidays(catalogue: Catalogue, code: str) -> Iterator[Problem]:
    from holidays.registry import COUNTRIES

    where = _in_file(catalogue, "organisation", "working_calendar", "holidays")
    country, _, part = code.partition("-")
    if country not in {name for names in COUNTRIES.values() for name in names[1:]}:
        cure = "write the two letters of a country, such as IT or GB, and its region if it has days of its own, as in CA-BC"
        yield Problem(where, f"holidays: no country '{country}' is known", cure)
        return
    if not part:
        return
    from holidays import country_holidays  # loads all countries, which takes a while

    known = country_holidays(country).subdivisions
    if part not in known:
        regions = [f"{country}-{region}" for region in known]
        yield Problem(where, f"holidays: '{country}' has no region '{part}'", nearest(code, regions))


def _check_run(catalogue: Catalogue) -> Iterator[Problem]:
    if "run" not in catalogue.documents or not NOTEBOOKS.is_dir():
        return  # the defaults are ours
    known = report_notebooks()
    for index, name in enumerate(catalogue.run.notebooks):
        if name not in known:
            there = (NOTEBOOKS / f"{name}.ipynb").exists()
            what = f"the notebook '{name}' {'makes no report' if there else 'does not exist'}"
            yield Problem(_in_file(catalogue, "run", "notebooks", index), what, nearest(name, known))


def _check_unique(catalogue: Catalogue) -> Iterator[Problem]:
    for kind, attribute in (
        ("departments", "code"),
        ("sources", "name"),
        ("kpis", "code"),
        ("hypotheses", "code"),
        ("themes", "code"),
    ):
        names = Counter(getattr(entry, attribute) for entry in getattr(catalogue, kind))
        for name, count in names.items():
            if count > 1:
                yield Problem(
                    ", ".join(_places(catalogue, kind, attribute, name)),
                    f"the {attribute} '{name}' is declared {count} times",
                    "give each its own",
                )
    folded = Counter(d.code.casefold() for d in catalogue.departments)
    for department in catalogue.departments:
        if (
            folded[department.code.casefold()] > 1
            and sum(d.code == department.code for d in catalogue.departments) == 1
        ):
            yield Problem(
                catalogue.locate("departments", department.code),
                f"the code '{department.code}' differs from another only in upper and lower case",
                "choose codes that differ on every file system",
            )


class _Unsure(list[str]):
    """Codes of which one is declared twice: another one is missing then, so no code that is not here is unknown."""

    def __contains__(self, code: object) -> bool:
        return True


def declared_codes(entries: Iterable[Department | Kpi]) -> list[str]:
    """The codes that other files may name.

    >>> from svclib.catalogue.models import Department
    >>> once, twice = Department(code="D01", name="A"), Department(code="D01", name="B")
    >>> "D02" in declared_codes([once]), "D02" in declared_codes([once, twice])
    (False, True)
    """
    codes = [entry.code for entry in entries]
    return codes if len(set(codes)) == len(codes) else _Unsure(codes)


def _places(catalogue: Catalogue, kind: str, attribute: str, name: str) -> list[str]:
    document = catalogue.documents[kind]
    return [document.at((i,)) for i, entry in enumerate(document.content) if entry.get(attribute) == name]


def _check_departments(catalogue: Catalogue) -> Iterator[Problem]:
    codes = declared_codes(catalogue.departments)
    if not codes:
        yield Problem(f"{catalogue.folder.name}/departments.yaml", "declares no department", "add at least one")
    owners: dict[str, str] = {}
    for department in catalogue.departments:
        for alias in department.aliases:
            if owners.setdefault(alias, department.code) != department.code:
                where = catalogue.locate("departments", department.code, "aliases")
                yield Problem(where, f"the alias '{alias}' also belongs to {owners[alias]}", "keep it in one place")
        if department.peers != "auto":
            for peer in department.peers:
                where = catalogue.locate("departments", department.code, "peers")
                if peer not in codes:
                    yield Problem(where, f"the peer '{peer}' is no department", nearest(peer, codes))
                elif peer == department.code and codes.count(peer) == 1:
                    yield Problem(where, "a department is not its own peer", "leave it out")


def _check_source(catalogue: Catalogue, source: Source) -> Iterator[Problem]:
    def at(*path: str) -> str:
        return catalogue.locate("sources", source.name, *path)

    needed, optional = SHAPE_COLUMNS[source.shape]
    for column in needed:
        if column not in source.columns:
            yield Problem(
                at("columns"),
                f"the shape {source.shape} needs the column '{column}'",
                f"add '{column}' to columns, with its name in the file",
            )
    if (
        source.shape == "counts"
        and not {"numerator", "value"} & set(source.columns)
        and not set(source.columns) - {"department", "period", "kpi"}
    ):
        yield Problem(
            at("columns"),
            "counts need at least one column of figures",
            "map 'numerator' and 'denominator', or 'value' and 'n', or a name of your own",
        )
    for column in source.columns:
        # A known name misspelt would silently become an extra column.
        close = difflib.get_close_matches(column, [*needed, *optional], n=1, cutoff=0.85)
        if column not in (*needed, *optional) and close and close[0] not in source.columns:
            yield Problem(
                at("columns", column),
                f"'{column}' is not a column that svclib knows",
                f"write '{close[0]}', or choose a name less like it",
            )
    if "department" not in source.columns and source.department is None:
        yield Problem(
            at("columns"), "no column names the department", "map 'department', or set 'department: CODE' for all rows"
        )
    codes = declared_codes(catalogue.departments)
    for name in ("department", "department_missing"):
        code = getattr(source, name)
        if code is not None and code not in codes:
            yield Problem(at(name), f"'{code}' is no department", nearest(code, codes))
    known = known_columns(source)
    for name in ("types", "dates"):
        for column in getattr(source, name):
            if column not in known:
                yield Problem(at(name, column), f"'{column}' is no mapped column", nearest(column, known))
    for column in source.key or []:
        if column not in known:
            yield Problem(at("key"), f"'{column}' is no mapped column", nearest(column, known))
    if source.explode and source.explode not in source.columns:
        yield Problem(at("explode"), f"'{source.explode}' is no mapped column", nearest(source.explode, source.columns))
    if source.where:
        yield from _check_expression(source.where, [*known], at("where"), "where")
    if (source.table or source.sql) and "://" not in source.read:
        yield Problem(at("read"), "table and sql are for databases", "give read an ibis URL such as duckdb:///file.db")
    if source.table and source.sql:
        yield Problem(at("sql"), "table and sql exclude each other", "keep one of the two")


def _check_kpi(catalogue: Catalogue, kpi: Kpi) -> Iterator[Problem]:
    def at(*path: str | int) -> str:
        return catalogue.locate("kpis", kpi.code, *path)

    names = [s.name for s in catalogue.sources]
    if kpi.source not in names:
        yield Problem(at("source"), f"'{kpi.source}' is no source", nearest(kpi.source, names))
        return
    source = catalogue.source(kpi.source)
    known = known_columns(source)
    for field in ("numerator", "denominator", "value", "where"):
        expression = getattr(kpi, field)
        if expression:
            yield from _check_expression(expression, known, at(field), field)
        if expression and field != "where" and expression.strip() in _text_columns(source):
            figures = [name for name, kind in source.types.items() if kind in ("number", "integer", "boolean")]
            such = f" such as {', '.join(figures)}" if figures else ""
            cure = f"name a column of numbers{such}, or write a condition"
            yield Problem(at(field), f"{field}: '{expression}' is text, and a number is needed", cure)
    for field in ("cohort", "event"):
        column = getattr(kpi, field)
        if column and column not in known:
            yield Problem(at(field), f"the source '{source.name}' has no column '{column}'", nearest(column, known))
        elif (
            column
            and column not in TIMESTAMPS
            and source.types.get(column) not in ("date", "timestamp")
            and column not in source.dates
        ):
            yield Problem(
                at(field),
                f"'{column}' is not declared as a date",
                f"add 'types: {{{column}: timestamp}}' to the source",
            )
    if kpi.dimensions is not None:
        for dimension in kpi.dimensions:
            if dimension not in source.dimension_columns:
                yield Problem(
                    at("dimensions"),
                    f"'{dimension}' is no dimension of '{source.name}'",
                    nearest(dimension, source.dimension_columns),
                )
    if (
        kpi.kind in ("time_to_event", "availability")
        and source.shape != {"time_to_event": "cases", "availability": "outages"}[kpi.kind]
    ):
        yield Problem(
            at("kind"),
            f"{kpi.kind} needs a source of shape {'cases' if kpi.kind == 'time_to_event' else 'outages'}, not {source.shape}",
            "choose another source or kind",
        )
    if kpi.kind == "time_to_event" and kpi.statistic == "within" and kpi.within and kpi.maturity < kpi.within:
        yield Problem(
            at("maturity"),
            f"the maturity of '{kpi.code}' is shorter than within: an open case that is younger cannot be judged",
            f"write 'maturity: {_written(kpi.within)}' or longer",
        )
    yield from check_figures(kpi, at)


def _written(time: dt.timedelta) -> str:
    """A duration as params/ has it, in the longest unit that divides it.

    >>> _written(dt.timedelta(days=10)), _written(dt.timedelta(hours=36))
    ('10d', '36h')
    """
    seconds = time.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds / 60:g}min"


def default_cohort(kpi: Kpi, source: Source) -> str:
    """The date column that puts a row into a period."""
    return kpi.cohort or SHAPE_DATE[source.shape]


def _check_expression(expression: str, known: Iterable[str], where: str, field: str) -> Iterator[Problem]:
    import sqlglot
    from sqlglot import expressions as exp

    known = list(known)
    try:
        tree = sqlglot.parse_one(f"select {expression}", read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        near = next((fault.get("highlight") for fault in getattr(error, "errors", ())), None)
        yield Problem(
            where,
            f"{field}: {expression!r} is no SQL expression{f', from {near!r} on' if near else ''}",
            "write a condition or a number over the columns",
        )
        return
    if (
        not isinstance(tree, exp.Select)
        or len(tree.expressions) != 1
        or {k for k, v in tree.args.items() if v} - {"expressions", "kind", "hint"}
    ):
        yield Problem(where, f"{field}: one expression is expected, not a query", "write only the condition or number")
        return
    if tree.find(exp.Subquery) or len(list(tree.find_all(exp.Select))) > 1:
        yield Problem(
            where, f"{field}: queries inside an expression are not allowed", "write it over the source's columns"
        )
    if aggregate := tree.find(exp.AggFunc, exp.Window):
        yield Problem(
            where,
            f"{field}: '{aggregate.sql('duckdb')}' is an aggregate; svclib sums rows itself",
            "write what one row contributes",
        )
    lowered = {name.lower() for name in known}
    for column in tree.find_all(exp.Column):
        if column.name.lower() not in lowered:
            yield Problem(where, f"{field}: no column '{column.name}'", nearest(column.name, known))


def _check_knowledge(catalogue: Catalogue) -> Iterator[Problem]:
    departments, kpis = declared_codes(catalogue.departments), declared_codes(catalogue.kpis)
    titles = [e.title for e in catalogue.events]
    for event in catalogue.events:
        yield from _check_names(catalogue, "events", event.title, "departments", event.departments, departments)
        yield from _check_names(catalogue, "events", event.title, "kpis", event.kpis, kpis)
        if event.to and event.to < event.date:
            yield Problem(
                catalogue.locate("events", event.title, "to"), "an event ends before it starts", "mend 'date' or 'to'"
            )
    for hypothesis in catalogue.hypotheses:
        yield from _check_names(catalogue, "hypotheses", hypothesis.code, "kpis", hypothesis.kpis, kpis)
        yield from _check_hypothesis(catalogue, hypothesis, titles)
    yield from _check_tests(catalogue)


def _sources_of(catalogue: Catalogue, hypothesis: Any) -> list[Source]:
    chosen = [k for k in catalogue.kpis if hypothesis.kpis == "all" or k.code in hypothesis.kpis]
    return [s for s in catalogue.sources if s.name in {k.source for k in chosen}]


def _check_tests(catalogue: Catalogue) -> Iterator[Problem]:
    """Dimensions that hypotheses test and no source has; the misspelt name may as well be the source's."""
    used = {d for h in catalogue.hypotheses for d in h.test or {}} | {
        d for k in catalogue.kpis for d in k.dimensions or ()
    }
    unknown: dict[tuple[str, str, str], list[str]] = {}
    for hypothesis in catalogue.hypotheses:
        sources = _sources_of(catalogue, hypothesis)
        owners = {d: s.name for s in sources for d in s.dimension_columns}
        for dimension in hypothesis.test or {}:
            if dimension not in owners:
                close = difflib.get_close_matches(dimension, owners.keys() - used, n=1, cutoff=0.6)
                key = (dimension, close[0], owners[close[0]]) if close else (dimension, nearest(dimension, owners), "")
                unknown.setdefault(key, []).append(catalogue.locate("hypotheses", hypothesis.code, "test"))
    for (dimension, other, owner), places in unknown.items():
        what, cure = f"'{dimension}' is no dimension of the KPIs' sources", other
        if owner:
            places = [catalogue.locate("sources", owner, "dimensions"), *places]
            what, cure = f"{what}; '{owner}' has '{other}', which nobody uses", "write in both places what the file has"
        yield Problem(", ".join(places), what, cure)


def _check_hypothesis(catalogue: Catalogue, hypothesis: Any, titles: list[str]) -> Iterator[Problem]:
    sources = _sources_of(catalogue, hypothesis)
    if hypothesis.event and hypothesis.event not in titles:
        yield Problem(
            catalogue.locate("hypotheses", hypothesis.code, "event"),
            f"no event has the title '{hypothesis.event}'",
            nearest(hypothesis.event, titles),
        )
    if hypothesis.where and sources:
        known = {c for s in sources for c in known_columns(s)}
        yield from _check_expression(
            hypothesis.where, known, catalogue.locate("hypotheses", hypothesis.code, "where"), "where"
        )


def _check_names(
    catalogue: Catalogue, kind: str, name: str, field: str, given: Any, known: list[str]
) -> Iterator[Problem]:
    if given == "all":
        return
    for code in given:
        if code not in known:
            yield Problem(
                catalogue.locate(kind, name, field), f"'{code}' is not among the {field}", nearest(code, known)
            )
