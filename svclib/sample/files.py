"""The other files of the sample's data folder: surveys, outages, observations, staffing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from svclib.sample.organisation import DESKS
from svclib.sample.tickets import case_numbers
from svclib.sample.workbook import save_workbook

_NAMES = np.array([desk.name for desk in DESKS], dtype=object)
_CODES = np.array([desk.code for desk in DESKS], dtype=object)


def _names(rows: pd.DataFrame) -> np.ndarray:
    return _NAMES[rows["desk"].to_numpy()]


def write_surveys(path: Path, surveys: pd.DataFrame) -> None:
    """Comma-separated UTF-8 with ISO stamps, as survey services export."""
    pd.DataFrame(
        {
            "survey_id": [f"S{number:06d}" for number in range(1, len(surveys) + 1)],
            "ticket": case_numbers(surveys["case"].to_numpy()),
            "department": _names(surveys),
            "channel": surveys["channel"],
            "category": surveys["category"],
            "customer_type": surveys["customer_type"],
            "invited_at": surveys["invited_at"],
            "responded_at": surveys["responded_at"],
            "score": surveys["score"],
            "nps": surveys["nps"],
            "comment": surveys["comment"],
        }
    ).to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%d %H:%M:%S", encoding="utf-8")


def write_outages(path: Path, outages: pd.DataFrame) -> None:
    """JSON lines with UTC stamps, as monitoring tools export."""
    stamps = [np.datetime_as_string(outages[name].to_numpy().astype("datetime64[s]")) for name in _OUTAGE_STAMPS]
    rows = zip(_CODES[outages["desk"].to_numpy()], outages["service"], outages["severity"], *stamps, strict=True)
    lines = (
        json.dumps(
            {
                "id": f"OUT-{number:05d}",
                "department": department,
                "service": service,
                "severity": severity,
                "started_at": f"{started}Z",
                "ended_at": f"{ended}Z",
            }
        )
        for number, (department, service, severity, started, ended) in enumerate(rows, start=1)
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


_OUTAGE_STAMPS = ("started_at", "ended_at")


def write_observations(path: Path, observations: pd.DataFrame) -> None:
    """A workbook as a quality team keeps it: audits and trainings on one sheet, real dates, true and false."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Observations")
    sheet.append(["No", "Date", "Department", "Kind", "Topic", "Passed"])
    days = observations["observed_at"].to_numpy().astype("datetime64[s]").astype(object)
    passed = observations["passed"].tolist()
    rows = zip(days, _names(observations), observations["kind"], observations["topic"], passed, strict=True)
    for number, row in enumerate(rows, start=1):
        sheet.append([number, *row])
    save_workbook(book, path)


def write_staffing(path: Path, staffing: pd.DataFrame) -> None:
    """Monthly totals in the shape `counts`."""
    staffing.assign(department=_CODES[staffing["desk"].to_numpy()])[
        ["department", "period", "kpi", "numerator", "denominator"]
    ].to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%d", encoding="utf-8")
