"""Turns an executed notebook, or a failure, into the page that lies beside it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    notebooks
        Notebooks of the run: a department's pages link to one another.
    previous
        Department folder and notebook of last period's pages that exist, to that period's label.
    """

    organisation: str = ""
    notebooks: tuple[str, ...] = ()
    previous: Mapping[tuple[str, str], str] = field(default_factory=dict)

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
            "links": self._links(task),
        }

    def _links(self, task: ReportTask) -> dict[str, str | None]:
        from svclib.report.render import LINKS

        before = self.previous.get((task.folder, task.notebook))
        links: dict[str, str | None] = {
            "portal": "../../index.html",
            "period": "../index.html",
            "department": "index.html",
            "notebook": f"{task.notebook}.ipynb",
            "previous": f"../../{before}/{task.folder}/{task.notebook}.html" if before else None,
        }
        links |= {name: f"{name}.html" for name in self.notebooks if name != task.notebook and name in LINKS}
        return links

    def _provenance(self, task: ReportTask) -> dict[str, Any]:
        """What the footer tells: all that shaped the page, and nothing that a second run would tell otherwise."""
        return dict(task.provenance)
