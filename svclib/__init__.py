"""Service-quality analysis that a reviewer can trust.

A notebook opens one department's period with `open_study` and passes it to `analyse_kpis`, `explain_gaps` or
`evaluate_plan`; `load_catalogue` and `prepare` serve those who look at all departments at once. Data of one's own
come in with `look_into`, `draft_source` and `draft_kpi`.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_FACE = {
    "open_study": "svclib.study",
    "prepare": "svclib.prepared",
    "load_catalogue": "svclib.catalogue.load",
    "analyse_kpis": "svclib.report.views.kpi",
    "explain_gaps": "svclib.report.views.root_cause",
    "evaluate_plan": "svclib.report.views.outcome",
    "look_into": "svclib.begin.look",
    "draft_source": "svclib.begin.draft",
    "draft_kpi": "svclib.begin.draft",
    "write_sample": "svclib.sample",
}

__all__ = ["__version__", *_FACE]


def __getattr__(name: str) -> Any:
    # Lazy, so that the command line answers --help without pandas.
    if name not in _FACE:
        from svclib.catalogue.names import nearest

        raise AttributeError(f"svclib has no {name!r}: {nearest(name, _FACE)}")
    return getattr(importlib.import_module(_FACE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
