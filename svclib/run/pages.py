"""Turns an executed notebook, or a failure, into the page that lies beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from svclib.run.failure import Failure
from svclib.run.report import ReportTask

# nbconvert's exporter and jinja's templates are shared; rendering is pure Python, so taking turns costs nothing.
_TURN = threading.Lock()


@dataclass(frozen=True)
class ReportPages:
    """Pages by `svclib.report.render`.

    Parameters
    ----------
    organisation
        Its name, above the title.
    """

    organisation: str = ""

    def report(self, notebook: Any, task: ReportTask) -> str:
        """The page of a complete report."""
        from svclib.report.render import render_notebook

        with _TURN:
            return render_notebook(notebook, **self._frame(task), provenance=self._provenance(task))

    def failure(self, failure: Failure, task: ReportTask) -> str:
        """The page that says why there is no report."""
        from svclib.report.render import render_failure

        with _TURN:
            return render_failure(failure.to_json(), **self._frame(task), provenance=self._provenance(task))

    def _frame(self, task: ReportTask) -> dict[str, Any]:
        from svclib.report import words

        language = task.language or "en"
        with words.use_language(language):
            key = f"notebook.{task.notebook}"
            title = words.say(key) if words.known(key) else task.notebook.replace("_", " ").capitalize()
        return {
            "title": title,
            "language": language,
            "department": task.title,
            "period": task.period,
            "organisation": self.organisation,
            "links": dict(task.links),
        }

    def _provenance(self, task: ReportTask) -> dict[str, Any]:
        """What the footer tells: all that shaped the page, and nothing that a second run would tell otherwise."""
        return dict(task.provenance)


def page_links(folder: str, notebook: str, *, siblings: Iterable[str], previous: str | None) -> dict[str, str]:
    """Relative addresses that a report's page shows; only of pages that are there.

    Parameters
    ----------
    folder, notebook
        Which report.
    siblings
        The department's other notebooks of the period.
    previous
        Label of the period before, where that has this report too.

    Examples
    --------
    >>> page_links("D01", "kpi_analysis", siblings=["kpi_analysis"], previous="2026-09")["previous"]
    '../../2026-09/D01/kpi_analysis.html'
    """
    from svclib.report.render import LINKS

    links = {
        "portal": "../../index.html",
        "period": "../index.html",
        "department": "index.html",
        "notebook": f"{notebook}.ipynb",
    }
    if previous:
        links["previous"] = f"../../{previous}/{folder}/{notebook}.html"
    return links | {name: f"{name}.html" for name in sorted(siblings) if name != notebook and name in LINKS}
