"""The action plan as managers keep it: a spreadsheet of actions, a second one of steps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from svclib.catalogue.models import Action, Kpi, Step
from svclib.catalogue.names import nearest
from svclib.catalogue.sheet import Cell, Table, as_table, date_order, read_dates, read_text_table, read_workbook
from svclib.catalogue.targets import out_of_reach
from svclib.errors import InputRefused, Problem

PLAN_SHEET = "Plan"
STEPS_SHEET = "Steps"
# The procedure's seven heads, as they stand in the spreadsheet.
HUMAN_HEADS = {
    "gap": "Service Gap",
    "objective": "Improvement Objective",
    "action_steps": "Action Steps",
    "responsible": "Responsible Person/Team",
    "timeline": "Timeline",
    "status": "Status",
    "outcome": "Outcome/Evaluation",
}
PLAN_DATES = ("baseline_from", "baseline_to", "announced", "start", "full_effect", "due")
PLAN_COLUMNS = (
    "id", "department", "kpi", "segment", "gap", "objective", "action_steps", "responsible", "timeline", "status",
    "outcome", "baseline_from", "baseline_to", "target_type", "target_value", "announced", "start", "full_effect",
    "due", "exclude_peers",
)  # fmt: skip
STEP_DATES = ("start", "end", "done_on")
STEP_COLUMNS = ("action", "title", "owner", "start", "end", "done_on", "note")
STATUSES = ("planned", "in progress", "done", "blocked", "cancelled")
TARGET_TYPES = ("level", "change", "relative")
_NEEDED = ("id", "department", "kpi", "gap", "objective", "start", "due")
_OTHER_STATUSES = {
    "not started": "planned", "open": "planned", "ongoing": "in progress", "started": "in progress",
    "completed": "done", "complete": "done", "closed": "done", "on hold": "blocked", "canceled": "cancelled",
    "pianificata": "planned", "in corso": "in progress", "conclusa": "done", "fatta": "done",
    "bloccata": "blocked", "annullata": "cancelled",
}  # fmt: skip
_PLAN_HEADS = {name.replace("_", " "): name for name in PLAN_COLUMNS} | {
    head.lower(): name for name, head in HUMAN_HEADS.items()
}
_STEP_HEADS = {name.replace("_", " "): name for name in STEP_COLUMNS} | {
    "id": "action", "action id": "action", "step": "title", "done": "done_on", "responsible": "owner",
}  # fmt: skip


def plan_heads() -> dict[str, str]:
    """Every head that the sheet of actions may have, in lower case, and the field it stands for."""
    return dict(_PLAN_HEADS)


def read_plan(
    path: Path,
    *,
    departments: Collection[str],
    kpis: Collection[str],
    dimensions: Mapping[str, Collection[str]] | None = None,
    declared: Mapping[str, Kpi] | None = None,
    today: dt.date | None = None,
) -> list[Action]:
    """Read the action plan and check what people typed.

    Parameters
    ----------
    path
        An .xlsx workbook with the sheets ``Plan`` and ``Steps``, or a .csv file with its steps in
        ``<name>_steps.csv`` beside it. Heads are matched in any case and order; other columns are left alone.
    departments, kpis
        The codes that may stand in the plan.
    dimensions
        KPI to the dimensions that its ``segment`` may name; None: any.
    declared
        KPI to its declaration, on whose scale a target must lie; None: not checked.
    today
        Nothing can have been done after this day; None: not checked.

    Returns
    -------
    The actions in the sheet's order, each with its steps; an empty list for an empty plan.

    Raises
    ------
    InputRefused
        With every fault found, each at its cell's address.
    """
    plan, steps = _tables(Path(path))
    reader = _Reader(departments, kpis, dimensions or {}, declared or {}, today)
    actions = reader.actions(plan) if plan else []
    step_rows = reader.steps(steps, [action["id"] for action in actions]) if steps else []
    read = reader.build(actions, step_rows)
    if reader.problems:
        raise InputRefused(reader.problems)
    return read


def _tables(path: Path) -> tuple[Table | None, Table | None]:
    if path.suffix.lower() == ".csv":
        beside = path.with_name(f"{path.stem}_steps.csv")
        grids = {PLAN_SHEET: read_text_table(path)}
        if beside.exists():
            grids[STEPS_SHEET] = read_text_table(beside)
        names = {PLAN_SHEET: path.name, STEPS_SHEET: beside.name}
    else:
        book = read_workbook(path)
        by_name = {name.strip().lower(): name for name in book}
        if PLAN_SHEET.lower() not in by_name and len(book) > 1:
            problem = f"no sheet {PLAN_SHEET!r} among {', '.join(map(repr, book))}"
            raise InputRefused(Problem(path.name, problem, f"name the sheet of the actions {PLAN_SHEET}"))
        plan = by_name.get(PLAN_SHEET.lower(), next(iter(book)))
        grids, names = {PLAN_SHEET: book[plan]}, {PLAN_SHEET: f"{path.name}, sheet {plan}"}
        if STEPS_SHEET.lower() in by_name:
            steps = by_name[STEPS_SHEET.lower()]
            grids[STEPS_SHEET], names[STEPS_SHEET] = book[steps], f"{path.name}, sheet {steps}"
    lettered = path.suffix.lower() != ".csv"
    plan_table = _table(names[PLAN_SHEET], grids[PLAN_SHEET], _PLAN_HEADS, _NEEDED, lettered)
    if STEPS_SHEET not in grids:
        return plan_table, None
    return plan_table, _table(names[STEPS_SHEET], grids[STEPS_SHEET], _STEP_HEADS, ("action", "title"), lettered)


def _table(
    where: str, grid: list[list[Any]], heads: Mapping[str, str], needed: Collection[str], lettered: bool
) -> Table | None:
    table = as_table(where, grid, heads, lettered=lettered)
    if table is None:
        if any(value is not None for row in grid for value in row):
            expected = ", ".join(HUMAN_HEADS.get(name, name) for name in needed)
            raise InputRefused(Problem(where, "no row of heads was found", f"the table needs the columns {expected}"))
        return None
    missing = [HUMAN_HEADS.get(name, name) if needed is _NEEDED else name for name in needed if name not in table.heads]
    if missing and table.rows:
        raise InputRefused([Problem(where, f"no column {head!r}", "add it to the row of heads") for head in missing])
    return table


class _Reader:
    """Collects every problem on the way, so that all are shown at once."""

    def __init__(
        self,
        departments: Collection[str],
        kpis: Collection[str],
        dimensions: Mapping[str, Collection[str]],
        declared: Mapping[str, Kpi],
        today: dt.date | None,
    ) -> None:
        self.departments, self.kpis, self.dimensions, self.today = departments, kpis, dimensions, today
        self.declared = declared
        self.problems: list[Problem] = []

    def _refuse(self, cell: Cell, what: str, cure: str = "") -> None:
        self.problems.append(Problem(cell.where, what, cure))

    def actions(self, table: Table) -> list[dict[str, Any]]:
        dates = self._dates(table, PLAN_DATES)
        actions = []
        for row in table.rows:
            if not row["id"].text and self._only_validation_left(row):
                continue
            values = self._values(row, PLAN_COLUMNS, PLAN_DATES, dates)
            for name in _NEEDED:
                if not row[name].text:
                    self._refuse(row[name], f"{HUMAN_HEADS.get(name, name)} is empty", "every action needs it")
            self._known(row["department"], self.departments, "department")
            self._known(row["kpi"], self.kpis, "KPI")
            values["status"] = self._choice(row.get("status"), STATUSES, "status", "planned")
            values["target_type"] = self._choice(row.get("target_type"), TARGET_TYPES, "target_type", "level")
            values["target_value"] = self._target(row, values)
            values["segment"] = self._segment(row.get("segment"), values["kpi"])
            values["exclude_peers"] = self._peers(row.get("exclude_peers"))
            self._in_order(row, values)
            actions.append({**values, "row": row})
        self._each_id_once(actions)
        return actions

    @staticmethod
    def _only_validation_left(row: dict[str, Cell]) -> bool:
        """Rows of the template in which only a drop-down was touched are no actions."""
        return not any(cell.text for name, cell in row.items() if name not in ("status", "target_type"))

    def steps(self, table: Table, ids: Collection[str]) -> list[dict[str, Any]]:
        dates = self._dates(table, STEP_DATES)
        steps = []
        for row in table.rows:
            values = self._values(row, STEP_COLUMNS, STEP_DATES, dates)
            self._known(row["action"], set(ids), "action")
            if not row["title"].text:
                self._refuse(row["title"], "the step has no title")
            start, end, done = (values.get(name) for name in STEP_DATES)
            if start and end and start > end:
                self._refuse(row["end"], f"the step ends {end} before it starts {start}", "swap or mend the dates")
            if done and self.today and done > self.today:
                self._refuse(row["done_on"], f"done on {done}, which is yet to come", "leave it empty until it is done")
            steps.append({**values, "row": row})
        return steps

    def build(self, actions: list[dict[str, Any]], steps: list[dict[str, Any]]) -> list[Action]:
        by_action: dict[str, list[Step]] = {}
        for values in steps:
            step = self._model(Step, values)
            if step:
                by_action.setdefault(values["action"], []).append(step)
        built = (self._model(Action, {**values, "steps": by_action.get(values["id"], [])}) for values in actions)
        return [action for action in built if action]

    def _model(self, model: type[BaseModel], values: dict[str, Any]) -> Any:
        row = values["row"]
        given = {k: v for k, v in values.items() if k in model.model_fields and v is not None}
        try:
            return model(**given)
        except ValidationError as error:
            told = {problem.where for problem in self.problems}
            for fault in error.errors():
                cell = row.get(str(fault["loc"][0]), next(iter(row.values())))
                if cell.where not in told:
                    self._refuse(cell, fault["msg"].removeprefix("Value error, "))
            return None

    def _dates(self, table: Table, names: Collection[str]) -> dict[str, dt.date]:
        columns = [[row[name] for row in table.rows] for name in names if name in table.heads]
        order = date_order(cell for column in columns for cell in column)
        found: dict[str, dt.date] = {}
        for column in columns:
            dates, problems = read_dates(column, order)
            found |= dates
            self.problems += problems
        return found

    @staticmethod
    def _values(
        row: dict[str, Cell], names: Collection[str], dates: Collection[str], found: Mapping[str, dt.date]
    ) -> dict[str, Any]:
        return {
            name: found.get(row[name].where) if name in dates else (row[name].text or None)
            for name in names
            if name in row
        }

    def _known(self, cell: Cell, known: Collection[str], what: str) -> None:
        if cell.text and cell.text not in known:
            self._refuse(cell, f"unknown {what} {cell.text!r}", nearest(cell.text, known))

    def _choice(self, cell: Cell | None, choices: Collection[str], what: str, default: str) -> str:
        text = cell.text.lower() if cell else ""
        text = _OTHER_STATUSES.get(text, text)
        if cell and text and text not in choices:
            self._refuse(cell, f"unknown {what} {cell.text!r}", f"write one of {', '.join(choices)}")
        return text if text in choices else default

    def _number(self, cell: Cell | None) -> float | None:
        if cell is None or not cell.text:
            return None
        if isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
            return float(cell.value)
        text, percent = cell.text.removesuffix("%").strip(), cell.text.endswith("%")
        try:
            value = float(text) / (100 if percent else 1)
        except ValueError:
            self._refuse(cell, f"{cell.text!r} is no number", "write it as 0.75 or 75%")
            return None
        if value != value or value in (float("inf"), float("-inf")):
            self._refuse(cell, f"{cell.text!r} is no finite number", "write it as 0.75 or 75%")
            return None
        return value

    def _target(self, row: dict[str, Cell], values: dict[str, Any]) -> float | None:
        target, kpi = self._number(row.get("target_value")), self.declared.get(values["kpi"])
        if target is not None and kpi is not None and (wrong := out_of_reach(kpi, target, values["target_type"])):
            self._refuse(row["target_value"], *wrong)
        return target

    def _segment(self, cell: Cell | None, kpi: str | None) -> dict[str, str] | None:
        if cell is None or not cell.text:
            return None
        parts = [part.partition("=") for part in cell.text.split(";") if part.strip()]
        segment = {name.strip(): value.strip() for name, _, value in parts}
        if not all(sign and name.strip() and value.strip() for name, sign, value in parts):
            self._refuse(cell, f"segment {cell.text!r} cannot be read", "write it as channel=phone; priority=high")
            return None
        if kpi is not None and kpi in self.dimensions:
            for name in segment:
                if name not in self.dimensions[kpi]:
                    self._refuse(cell, f"unknown dimension {name!r}", nearest(name, self.dimensions[kpi]))
        return segment

    def _peers(self, cell: Cell | None) -> list[str]:
        codes = [code.strip() for code in (cell.text if cell else "").replace(";", ",").split(",") if code.strip()]
        for code in codes:
            if code not in self.departments:
                assert cell
                self._refuse(cell, f"unknown department {code!r}", nearest(code, self.departments))
        return codes

    def _in_order(self, row: dict[str, Cell], values: dict[str, Any]) -> None:
        pairs = (
            ("start", "due", "the action starts {a} after it is due {b}"),
            ("announced", "start", "announced {a} after the start {b}"),
            ("start", "full_effect", "full effect {b} before the start {a}"),
            ("baseline_from", "baseline_to", "the baseline begins {a} after its end {b}"),
            ("baseline_to", "start", "the baseline ends {a} after the action's start {b}"),
        )
        for first, second, what in pairs:
            a, b = values.get(first), values.get(second)
            if a and b and a > b:
                blamed = row[first] if first != "start" or second == "due" else row[second]
                self._refuse(blamed, what.format(a=a, b=b), "swap or mend the dates")

    def _each_id_once(self, actions: list[dict[str, Any]]) -> None:
        first: dict[str, Cell] = {}
        for action in actions:
            cell = action["row"]["id"]
            if cell.text in first:
                place = first[cell.text].where.rpartition(", ")[2]
                self._refuse(cell, f"id {cell.text!r} stands twice, first in {place}", "give each action its own id")
            elif cell.text:
                first[cell.text] = cell
