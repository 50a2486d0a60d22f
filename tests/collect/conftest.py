"""A catalogue written by hand, with sources written by hand, for every test of collecting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svclib.catalogue.catalogue import Catalogue
from svclib.catalogue.models import Department, Organisation, Source
from svclib.collect import Snapshot, collect

TODAY = dt.date(2026, 11, 22)
CASES = {"case_id": "id", "department": "team", "opened_at": "opened", "resolved_at": "closed"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that holds params/ and the sources."""
    (tmp_path / "params").mkdir()
    return tmp_path


@pytest.fixture
def catalogue(folder: Path) -> Callable[..., Catalogue]:
    """A catalogue of departments D01 and D02 (alias Field team) and the sources given."""

    def make(*sources: Source, zone: str = "Europe/Rome", kpis: Any = (), departments: Any = None) -> Catalogue:
        declared = departments or [
            Department(code="D01", name="Support"),
            Department(code="D02", name="Field", aliases=["Field team"]),
        ]
        organisation = Organisation(name="Test", time_zone=zone)
        return Catalogue(folder / "params", organisation, declared, list(sources), list(kpis))

    return make


@pytest.fixture
def tickets(folder: Path) -> Callable[..., Source]:
    """A cases source over text written to tickets.csv; keyword arguments change its declaration."""

    def make(text: str | bytes | None = None, **changes: Any) -> Source:
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode()
            (folder / "tickets.csv").write_bytes(data)
        declared: dict[str, Any] = {
            "name": "tickets", "shape": "cases", "read": "tickets.csv", "columns": CASES, "max_bad_share": 1.0,
        }  # fmt: skip
        return Source(**{**declared, **changes})

    return make


@pytest.fixture
def snap(catalogue: Callable[..., Catalogue]) -> Callable[..., Snapshot]:
    """Collect sources into a snapshot, on a fixed day."""

    def make(
        *sources: Source, zone: str = "Europe/Rome", kpis: Any = (), departments: Any = None, **options: Any
    ) -> Snapshot:
        declared = catalogue(*sources, zone=zone, kpis=kpis, departments=departments)
        return collect(declared, **{"today": TODAY, **options})

    return make
