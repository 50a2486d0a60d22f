"""What `params/` may say: strict models of the organisation, its data, its KPIs and its knowledge."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from svclib.catalogue.codes import UNITS, Code, Date, Duration, Expression, Line, Text

Shape = Literal["cases", "responses", "outages", "observations", "counts"]
Kind = Literal["proportion", "rate", "count", "mean", "quantile", "time_to_event", "score", "availability"]
Chart = Literal["auto", "xmr", "p", "p_prime", "u", "u_prime", "c", "i_prime", "g", "t", "run"]
Rules = Literal["nhs", "mdc2023", "strict"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ColumnType = Literal["text", "number", "integer", "boolean", "date", "timestamp"]

# The columns each shape knows; those before the bar are needed, the rest are used where they are mapped.
SHAPE_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cases": (("case_id", "opened_at"), ("department", "first_response_at", "resolved_at", "reopened_at", "comment")),
    "responses": (("responded_at",), ("response_id", "department", "case_id", "score", "comment", "invited_at")),
    "outages": (("started_at", "ended_at"), ("outage_id", "department", "severity", "comment")),
    "observations": (("observed_at",), ("observation_id", "department", "passed", "value", "comment")),
    "counts": (("period",), ("department", "kpi", "numerator", "denominator", "value", "n")),
}
# The column whose date puts a row of the shape into a period, where a KPI names none.
SHAPE_DATE = {
    "cases": "opened_at",
    "responses": "responded_at",
    "outages": "started_at",
    "observations": "observed_at",
    "counts": "period",
}
TIMESTAMPS = frozenset(
    {
        "opened_at", "first_response_at", "resolved_at", "reopened_at", "responded_at", "invited_at",
        "started_at", "ended_at", "observed_at", "period",
    }
)  # fmt: skip
# Columns of the shapes that hold numbers, and yes or no; what is no stamp either is text.
NUMBERS = frozenset({"score", "value", "numerator", "denominator", "n"})
BOOLEANS = frozenset({"passed"})


class Entry(BaseModel):
    """A strict, frozen piece of `params/`: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WorkingCalendar(Entry):
    days: list[Weekday] = ["mon", "tue", "wed", "thu", "fri"]
    holidays: Annotated[str | None, Field(description="Country code of public holidays, e.g. IT or CA-BC")] = None
    closed: list[Date] = []


class Organisation(Entry):
    name: Line
    language: Annotated[Code, Field(description="Language of the reports, e.g. en or it")] = "en"
    time_zone: Annotated[str, Field(description="IANA name, e.g. Europe/Rome; months begin at its midnight")] = "UTC"
    working_calendar: WorkingCalendar = WorkingCalendar()
    disclosure_minimum: Annotated[int, Field(ge=1, description="Groups smaller than this are never shown")] = 5

    def today(self) -> dt.date:
        """The day that it is where the organisation is."""
        return dt.datetime.now(ZoneInfo(self.time_zone)).date()


class Department(Entry):
    code: Code
    name: Line
    head: Line | None = None
    group: Line | None = None
    peers: list[Code] | Literal["auto"] = "auto"
    aliases: Annotated[list[str], Field(description="Other spellings of this department in the sources")] = []
    opened: Date | None = None
    closed: Date | None = None


class ReadOptions(Entry):
    sep: Annotated[str | None, Field(description="Column separator; found by itself where left out")] = None
    encoding: str | None = None
    decimal: Literal[".", ","] = "."
    thousands: str | None = None
    quote: str = '"'
    header: Annotated[bool, Field(description="false: the file has no header; columns are column0, column1, ...")] = (
        True
    )
    skip_rows: Annotated[int, Field(ge=0)] = 0
    null_values: list[str] = ["", "NA", "N/A", "null", "NULL", "None"]


class Dimension(Entry):
    name: Code
    column: str


class Source(Entry):
    name: Code
    shape: Shape
    read: Annotated[
        str, Field(description="Path or glob below the folder of params/.., or an ibis URL such as duckdb:///file.db")
    ]
    format: Literal["csv", "parquet", "xlsx", "jsonl", "database"] | None = None
    sheet: str | int | None = None
    table: str | None = None
    sql: str | None = None
    options: ReadOptions = ReadOptions()
    time_zone: Annotated[
        str | None, Field(description="Zone of stamps without an offset; the organisation's where left out")
    ] = None
    columns: Annotated[
        dict[Code, str],
        Field(description="svclib's name: the source's column; names svclib does not know are kept for expressions"),
    ]
    types: dict[Code, ColumnType] = {}
    dates: Annotated[dict[Code, str], Field(description="Format of a date column, e.g. %d/%m/%Y %H:%M, or iso")] = {}
    dimensions: list[Code | Dimension] = []
    where: Annotated[
        Expression | None, Field(description="Rows to use, over the mapped columns; the others are counted as left out")
    ] = None
    explode: Annotated[
        Code | None, Field(description="A mapped column that holds a list: one row for each element")
    ] = None
    keep: Annotated[
        str | None,
        Field(pattern=r"^(last|first) by .+$", description="For an event log: one row a case, e.g. last by changed_at"),
    ] = None
    key: Annotated[list[Code] | None, Field(description="Columns that tell rows apart; case_id for cases")] = None
    department: Annotated[Code | None, Field(description="Department of every row, where the source names none")] = None
    department_missing: Annotated[Code | None, Field(description="Department of rows that name none")] = None
    other_departments: Annotated[
        Literal["quarantine", "leave_out"], Field(description="What to do with rows of undeclared departments")
    ] = "quarantine"
    max_bad_share: Annotated[float, Field(ge=0, le=1, description="More bad rows than this stop the run")] = 0.02
    silent_after: Annotated[
        Duration | None, Field(description="A department without rows for this long is reported")
    ] = None
    final_from: Annotated[Date | None, Field(description="First day that the source covers in full")] = None
    final_to: Annotated[Date | None, Field(description="Last day that the source covers in full")] = None

    @property
    def dimension_columns(self) -> dict[str, str]:
        """Dimension name to the source's column."""
        return {d.name: d.column for d in self.dimensions if isinstance(d, Dimension)} | {
            d: self.columns.get(d, d) for d in self.dimensions if isinstance(d, str)
        }


class Target(Entry):
    value: float
    from_: Annotated[Date, Field(alias="from")]
    to: Date | None = None
    agreed_by: Line | None = None
    source: Literal["agreed", "legal", "placeholder"] = "agreed"


class Rebase(Entry):
    date: Date
    reason: Line
    approved_by: Line


class Change(Entry):
    date: Date
    note: Line


class Band(Entry):
    between: Annotated[list[float], Field(min_length=2, max_length=2)]


class Scale(Entry):
    """How answers become a score: CSAT counts `top` answers, NPS promoters minus detractors, mean the average."""

    measure: Literal["csat", "nps", "mean"] = "csat"
    low: float = 1
    high: float = 5
    top: list[float] = [4, 5]


Bounds = tuple[float | None, float | None]
TIME_UNITS = UNITS | {"minutes": UNITS["min"], "hours": UNITS["h"], "days": UNITS["d"], "weeks": UNITS["w"]}


class Kpi(Entry):
    code: Code
    title: Line
    question: Line | None = None
    objective: Text | None = None
    source: Code
    kind: Kind
    cohort: Annotated[Code | None, Field(description="The date column that puts a row into a period")] = None
    numerator: Expression | None = None
    denominator: Expression | None = None
    value: Annotated[Expression | None, Field(description="The number measured, for mean, quantile and score")] = None
    event: Annotated[Code | None, Field(description="The stamp that ends the time, for time_to_event")] = None
    statistic: Annotated[Literal["median", "mean", "within", "quantile"], Field(description="For time_to_event")] = (
        "median"
    )
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    within: Annotated[Duration | None, Field(description="For statistic: within; the share that ends in this time")] = (
        None
    )
    horizon: Annotated[Duration | None, Field(description="Times are followed at most this long (restricted mean)")] = (
        None
    )
    where: Expression | None = None
    scale: Scale | None = None
    per: Annotated[float, Field(gt=0, description="A rate is shown per this many of the denominator")] = 1
    maturity: Duration = dt.timedelta(0)
    empty_period: Literal["missing", "zero"] = "missing"
    direction: Literal["increase", "decrease", "neutral"] | Band
    unit: Annotated[
        str,
        Field(
            max_length=40, description='"%", "h", "d", "min", "", any word, or both its forms: "breakdown|breakdowns"'
        ),
    ] = ""
    decimals: Annotated[
        int | None, Field(ge=0, le=6, description="Three figures where left out; one decimal for %, nps")
    ] = None
    minimum_n: Annotated[int, Field(ge=1)] = 10
    possible: Annotated[
        list[float] | None, Field(min_length=2, max_length=2, description="Lowest and highest possible value")
    ] = None
    targets: list[Target] = []
    rebase: list[Rebase] = []
    changes: Annotated[list[Change], Field(description="Dates at which the definition or the data changed")] = []
    chart: Chart = "auto"
    rules: Rules = "nhs"
    dimensions: Annotated[
        list[Code] | None, Field(description="Dimensions to explain with; the source's where left out")
    ] = None
    owner: Line | None = None

    @model_validator(mode="before")
    @classmethod
    def _nps_has_one_decimal(cls, given: Any) -> Any:
        # three figures would set -2.99 beside 10 and 13.6
        if isinstance(given, dict) and isinstance(given.get("scale"), dict) and given["scale"].get("measure") == "nps":
            return {"decimals": 1, **given}
        return given

    @model_validator(mode="after")
    def _parts_fit_the_kind(self) -> Self:
        needs: dict[str, tuple[str, ...]] = {
            "proportion": ("numerator",), "rate": ("numerator", "denominator"), "count": (),
            "mean": ("value",), "quantile": ("value",), "score": ("value",),
            "time_to_event": ("event",), "availability": (),
        }  # fmt: skip
        missing = [name for name in needs[self.kind] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a KPI of kind {self.kind} needs {' and '.join(missing)}")
        if self.kind == "time_to_event" and self.statistic == "within" and self.within is None:
            raise ValueError("statistic: within needs within, e.g. within: 5d")
        if self.kind == "time_to_event" and self.statistic == "mean" and not (self.horizon or self.maturity):
            raise ValueError("statistic: mean needs horizon, e.g. horizon: 14d; open cases have no mean without it")
        if isinstance(self.direction, Band) and self.direction.between[0] > self.direction.between[1]:
            raise ValueError("between: the lower bound comes first")
        starts = [target.from_ for target in self.targets]
        if starts != sorted(set(starts)):
            raise ValueError("targets: their dates must rise, each once")
        if [r.date for r in self.rebase] != sorted({r.date for r in self.rebase}):
            raise ValueError("rebase: their dates must rise, each once")
        return self

    @property
    def kind_bounds(self) -> Bounds:
        """Lowest and highest value that the kind allows; None where there is no end.

        >>> Kpi(code="a", title="A", source="s", kind="count", direction="decrease").kind_bounds
        (0.0, None)
        """
        if self.kind in ("proportion", "availability") or (self.kind, self.statistic) == ("time_to_event", "within"):
            return 0.0, 1.0
        if self.kind == "score":
            scale = self.scale or Scale()
            ends: dict[str, Bounds] = {"csat": (0.0, 1.0), "nps": (-100.0, 100.0), "mean": (scale.low, scale.high)}
            return ends[scale.measure]
        return (None, None) if self.kind in ("mean", "quantile") else (0.0, None)

    @property
    def time_unit(self) -> dt.timedelta:
        """What durations are counted in: the unit, and days where the values have none, as shares within a time do.

        >>> common = {"code": "a", "title": "A", "source": "s", "kind": "time_to_event", "direction": "decrease"}
        >>> Kpi(**common, event="end", unit="h").time_unit
        datetime.timedelta(seconds=3600)
        >>> Kpi(**common, event="end", statistic="within", within="10d", unit="%").time_unit
        datetime.timedelta(days=1)
        """
        return TIME_UNITS.get(self.unit, UNITS["d"])

    @property
    def bounds(self) -> Bounds:
        """Lowest and highest possible value: as declared, else what the kind allows."""
        return (self.possible[0], self.possible[1]) if self.possible else self.kind_bounds

    @property
    def target_bounds(self) -> Bounds:
        """Where a target may lie: as the values, and below 1 where the unit is ``%`` and nothing else is declared."""
        low, high = self.bounds
        if self.unit == "%" and not self.possible:
            return (0.0 if low is None else low), (1.0 if high is None else high)
        return low, high

    def target_on(self, day: dt.date) -> Target | None:
        """The target in force on a day; the last one whose `from` has come and whose `to` has not passed."""
        in_force = [t for t in self.targets if t.from_ <= day and (t.to is None or day <= t.to)]
        return in_force[-1] if in_force else None


class Event(Entry):
    date: Date
    to: Date | None = None
    title: Line
    kind: Line | None = None
    departments: list[Code] | Literal["all"] = "all"
    kpis: list[Code] | Literal["all"] = "all"
    note: Text | None = None


class Hypothesis(Entry):
    """A suspected cause, one bone of the Ishikawa diagram; `test` says which cases it speaks of."""

    code: Code
    kpis: list[Code] | Literal["all"] = "all"
    category: Line
    cause: Line
    test: Annotated[dict[Code, str | list[str]] | None, Field(description="Dimension: value or values")] = None
    where: Annotated[Expression | None, Field(description="Instead of test: an SQL condition over the source")] = None
    event: Annotated[
        Line | None, Field(description="The title of an event in events.yaml; with test or where, both have to fit")
    ] = None


class Theme(Entry):
    """A declared theme of the comments' code book: words (stems, any case) that speak of it."""

    code: Code
    title: Line
    words: Annotated[list[str], Field(min_length=1)]


class RunDefaults(Entry):
    notebooks: list[Code] = ["kpi_analysis", "root_cause_analysis", "outcome_evaluation"]
    frequency: Literal["week", "month", "quarter"] = "month"
    history: Annotated[int, Field(ge=6, description="Periods that the reports look back")] = 36
    jobs: Annotated[int | None, Field(ge=1)] = None
    cell_seconds: Annotated[int, Field(ge=1)] = 120
    report_seconds: Annotated[int, Field(ge=1)] = 600
    memory_mb: Annotated[int | None, Field(ge=256)] = None


class Step(Entry):
    """One step of an action."""

    title: Line
    owner: Line | None = None
    start: Date | None = None
    end: Date | None = None
    done_on: Date | None = None
    note: Text | None = None


class Action(Entry):
    """One row of the action plan: the procedure's seven columns and the measurable ones."""

    id: Code
    department: Code
    kpi: Code
    gap: Text
    objective: Text
    action_steps: Text | None = None
    responsible: Line | None = None
    timeline: Line | None = None
    status: Literal["planned", "in progress", "done", "blocked", "cancelled"] = "planned"
    outcome: Text | None = None
    segment: dict[Code, str] | None = None
    baseline_from: Date | None = None
    baseline_to: Date | None = None
    target_type: Literal["level", "change", "relative"] = "level"
    target_value: float | None = None
    announced: Date | None = None
    start: Date
    full_effect: Date | None = None
    due: Date
    exclude_peers: list[Code] = []
    steps: list[Step] = []
