"""Writing the action plan: the register with its verdicts filled in, and a blank template with drop-downs."""

from __future__ import annotations

import csv
import datetime as dt
import shlex
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from svclib.catalogue.plan import (
    HUMAN_HEADS,
    PLAN_COLUMNS,
    PLAN_DATES,
    PLAN_SHEET,
    STATUSES,
    STEP_COLUMNS,
    STEP_DATES,
    STEPS_SHEET,
    TARGET_TYPES,
    plan_heads,
)
from svclib.catalogue.sheet import as_table, read_text_table
from svclib.errors import InputRefused, Problem

# The result columns stand under this prefix, right of the managers' own, and are rewritten each time.
RESULT_PREFIX = "svclib: "
TEMPLATE_ROWS = 200
# Result columns of text are wide and wrapped, the others narrow.
_WIDTHS = {"progress": 22, "verdict": 26, "explanation": 70}
_LISTS_SHEET = "Lists"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class RegisterRow:
    """What an evaluation adds to one action's row; text is written as text, whatever it begins with."""

    progress: str = ""
    verdict: str = ""
    grade: str = ""
    goal_probability: float | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    too_early_until: dt.date | None = None
    as_of: dt.date | None = None
    explanation: str = ""


def write_register(source: Path, target: Path, results: Mapping[str, RegisterRow]) -> Path:
    """Copy the action plan and fill in what was found, action by action.

    Parameters
    ----------
    source
        The managers' plan (.xlsx or .csv): never written to.
    target
        An .xlsx file; the managers' own cells, formats, widths and drop-downs stay as they are.
    results
        Action id to its row. ``Outcome/Evaluation`` is filled in only where the managers left it empty or where it
        still holds what the last evaluation wrote; all else goes into columns headed ``svclib: ...`` at the right.

    Returns
    -------
    The target. It is written beside its place and moved there whole.
    """
    book = _workbook(Path(source))
    sheet = next((s for s in book.worksheets if s.title.strip().lower() == PLAN_SHEET.lower()), book.worksheets[0])
    head_row, columns = _heads(sheet, Path(source).name)
    if columns:
        _fill(sheet, head_row, columns, results)
    beside = Path(target).with_name(f".{Path(target).name}.part")
    book.save(beside)
    book.close()
    beside.replace(target)
    return Path(target)


def _workbook(source: Path) -> Any:
    from openpyxl import Workbook, load_workbook

    if source.suffix.lower() != ".csv":
        return load_workbook(source)
    book = Workbook()
    for number, (path, title) in enumerate(
        ((source, PLAN_SHEET), (source.with_name(f"{source.stem}_steps.csv"), STEPS_SHEET))
    ):
        if path.exists():
            sheet = book.active if number == 0 else book.create_sheet()
            sheet.title = title
            for row, values in enumerate(read_text_table(path), start=1):
                for column, value in enumerate(values, start=1):
                    if value is not None:
                        _write(sheet.cell(row, column), value)
    return book


def _heads(sheet: Any, name: str) -> tuple[int, dict[str, int]]:
    grid = [list(row) for row in sheet.iter_rows(values_only=True)]
    table = as_table(name, grid, plan_heads(), lettered=True)
    if table is None:
        if any(value is not None for row in grid for value in row):
            raise InputRefused(Problem(name, "no row of heads was found"))
        return 1, {}
    return table.head_row, {name: index + 1 for name, index in table.heads.items()}


def _fill(sheet: Any, head_row: int, columns: dict[str, int], results: Mapping[str, RegisterRow]) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    first = _first_result_column(sheet, head_row)
    names = [field.name for field in fields(RegisterRow)]
    for offset, name in enumerate(names):
        head = sheet.cell(head_row, first + offset, RESULT_PREFIX + name.replace("_", " "))
        head.font, head.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(first + offset)].width = _WIDTHS.get(name, 14)
    for row in range(head_row + 1, sheet.max_row + 1):
        cells = [sheet.cell(row, first + offset) for offset in range(len(names))]
        last = _outcome_text(*(_shown(cells[names.index(name)].value) for name in ("verdict", "explanation")))
        found = results.get(_shown(sheet.cell(row, columns["id"]).value))
        for name, cell, value in zip(names, cells, astuple(found) if found else [None] * len(names), strict=True):
            _write(cell, value)
            cell.alignment = Alignment(wrap_text=name in _WIDTHS, vertical="top")
            if isinstance(value, float):
                cell.number_format = "0%" if name == "goal_probability" else "0.000"
        if found and "outcome" in columns:
            own = sheet.cell(row, columns["outcome"])
            if _shown(own.value) in ("", last):
                _write(own, _outcome_text(found.verdict, found.explanation))


def _outcome_text(verdict: str, explanation: str) -> str:
    """What stands under ``Outcome/Evaluation``.

    >>> _outcome_text("Not met", "The target is missed."), _outcome_text("Not met", "")
    ('Not met. The target is missed.', 'Not met')
    """
    return ". ".join(text for text in (verdict, explanation) if text)


def _first_result_column(sheet: Any, head_row: int) -> int:
    for column in range(1, sheet.max_column + 1):
        if str(sheet.cell(head_row, column).value or "").startswith(RESULT_PREFIX):
            return column
    return sheet.max_column + 1


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value or "").strip()


def _write(cell: Any, value: Any) -> None:
    cell.value = value or None if isinstance(value, str) else value
    if isinstance(value, str) and value:
        # openpyxl makes a formula of any text that begins with "="; a text cell never runs.
        cell.data_type = "s"
        if value.startswith(_FORMULA_STARTS):
            cell.quotePrefix = True
    elif isinstance(value, dt.date):
        cell.number_format = "yyyy-mm-dd"


def write_template(path: Path, *, departments: Mapping[str, str], kpis: Mapping[str, str]) -> Path:
    """Write a blank action plan: drop-downs for departments, KPIs and statuses; cells that take only dates.

    Parameters
    ----------
    path
        An .xlsx workbook to write, or a .csv file (its heads only, steps beside it).
    departments, kpis
        Code to name; they fill the drop-downs and the sheet ``Lists`` that explains them.

    Raises
    ------
    InputRefused
        If the file is to have another ending, or its folder is not there.
    """
    path = Path(path)
    if path.suffix.lower() not in (".xlsx", ".csv"):
        cure = f"name it {path.stem}.xlsx, a workbook with drop-downs, or {path.stem}.csv"
        raise InputRefused(Problem(str(path), "an action plan is an .xlsx or a .csv file", cure))
    if not path.parent.is_dir():
        cure = f"make it first (mkdir -p {shlex.quote(str(path.parent))}), or write the file into another one"
        raise InputRefused(Problem(str(path), f"the folder {str(path.parent)!r} does not exist", cure))
    heads = [HUMAN_HEADS.get(name, name) for name in PLAN_COLUMNS]
    if path.suffix.lower() == ".csv":
        for file, row in ((path, heads), (path.with_name(f"{path.stem}_steps.csv"), list(STEP_COLUMNS))):
            with file.open("w", newline="", encoding="utf-8-sig") as stream:
                csv.writer(stream).writerow(row)
        return path
    from openpyxl import Workbook

    book = Workbook()
    plan, steps = book.active, book.create_sheet(STEPS_SHEET)
    lists = book.create_sheet(_LISTS_SHEET)
    plan.title = PLAN_SHEET
    _lists(lists, departments, kpis)
    _blank_table(plan, heads, {heads[PLAN_COLUMNS.index(name)] for name in PLAN_DATES})
    _blank_table(steps, list(STEP_COLUMNS), set(STEP_DATES))
    _plan_drop_downs(plan, len(departments), len(kpis))
    _drop_down(steps, 1, f"={PLAN_SHEET}!$A$2:$A${TEMPLATE_ROWS + 1}", "An id of the sheet Plan")
    book.save(path)
    return path


def _lists(sheet: Any, departments: Mapping[str, str], kpis: Mapping[str, str]) -> None:
    sheet.append(["department", "name", "KPI", "title"])
    for column, table in ((1, departments), (3, kpis)):
        for row, (code, name) in enumerate(table.items(), start=2):
            _write(sheet.cell(row, column), code)
            _write(sheet.cell(row, column + 1), name)


def _blank_table(sheet: Any, heads: list[str], dates: Collection[str]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    sheet.append(heads)
    sheet.freeze_panes = "B2"
    sheet.row_dimensions[1].height = 32
    for index, head in enumerate(heads, start=1):
        cell, letter = sheet.cell(1, index), get_column_letter(index)
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F3A5F")
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[letter].width = 34 if head in HUMAN_HEADS.values() else 15
        if head in dates:
            for row in range(2, TEMPLATE_ROWS + 2):
                sheet.cell(row, index).number_format = "yyyy-mm-dd"
            rule = DataValidation(type="date", operator="greaterThan", formula1="36526", allow_blank=True)
            rule.error, rule.errorTitle, rule.showErrorMessage = "A date, e.g. 2026-10-31", "No date", True
            rule.add(f"{letter}2:{letter}{TEMPLATE_ROWS + 1}")
            sheet.add_data_validation(rule)


def _plan_drop_downs(sheet: Any, departments: int, kpis: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    column = {name: index for index, name in enumerate(PLAN_COLUMNS, start=1)}
    if departments:
        _drop_down(sheet, column["department"], f"={_LISTS_SHEET}!$A$2:$A${departments + 1}", "A department's code")
    if kpis:
        _drop_down(sheet, column["kpi"], f"={_LISTS_SHEET}!$C$2:$C${kpis + 1}", "A KPI's code")
    _drop_down(sheet, column["status"], f'"{",".join(STATUSES)}"', "One of the list")
    _drop_down(sheet, column["target_type"], f'"{",".join(TARGET_TYPES)}"', "One of the list")
    letter = get_column_letter(column["target_value"])
    number = DataValidation(type="decimal", operator="between", formula1="-1000000000", formula2="1000000000")
    number.error, number.showErrorMessage, number.allow_blank = "A number, e.g. 0.75", True, True
    number.add(f"{letter}2:{letter}{TEMPLATE_ROWS + 1}")
    sheet.add_data_validation(number)


def _drop_down(sheet: Any, column: int, formula: str, error: str) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    rule = DataValidation(type="list", formula1=formula, allow_blank=True, error=error, showErrorMessage=True)
    letter = get_column_letter(column)
    rule.add(f"{letter}2:{letter}{TEMPLATE_ROWS + 1}")
    sheet.add_data_validation(rule)
