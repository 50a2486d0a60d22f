"""What every room's tests share: where the real data lie, and a small params folder to break on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("svclib", deadline=None)  # how long an example takes says something about the machine only
settings.load_profile("svclib")

ROOT = Path(__file__).resolve().parent.parent
collect_ignore_glob = ["*conftest.py"]  # fixtures hold no doctests, and their files all bear one name
# What starts kernels, browsers or whole runs comes after what only computes.
SLOW = ("notebooks/", "tests/browser/", "tests/test_sample_run.py", "tests/run/", "tests/real/", "tests/sample/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first."""
    items.sort(key=lambda item: next((i for i, part in enumerate(SLOW[::-1], 1) if part in item.nodeid), 0))


PARAMS = {
    "organisation.yaml": "name: Test organisation\ntime_zone: Europe/Rome\n",
    "departments.yaml": '- code: "D01"\n  name: Support\n- code: "D02"\n  name: Field\n  peers: ["D01"]\n',
    "sources.yaml": (
        "- name: tickets\n"
        "  shape: cases\n"
        "  read: data/tickets.csv\n"
        "  columns: {case_id: number, department: team, opened_at: opened, resolved_at: closed, contacts: contacts}\n"
        "  types: {contacts: integer}\n"
        "  dimensions: [channel]\n"
    ),
    "kpis.yaml": (
        '- code: "fcr"\n'
        "  title: First-contact resolution\n"
        "  source: tickets\n"
        "  kind: proportion\n"
        "  numerator: contacts = 1\n"
        "  direction: increase\n"
        "  targets: [{value: 0.7, from: 2026-01-01}]\n"
    ),
}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data beside the checkout; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """The texts of the small params folder, by file name."""
    return dict(PARAMS)


@pytest.fixture
def write_params(tmp_path: Path) -> Callable[..., Path]:
    """Write a small params folder; keyword arguments replace files (``kpis="..."``) or drop them (None)."""

    def write(**files: str | None) -> Path:
        folder = tmp_path / "params"
        folder.mkdir(exist_ok=True)
        texts: dict[str, str | None] = {**PARAMS, **{f"{stem}.yaml": text for stem, text in files.items()}}
        for name, text in texts.items():
            if text is not None:
                (folder / name).write_text(text, encoding="utf-8")
        return folder

    return write
