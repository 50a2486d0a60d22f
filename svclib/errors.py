"""What is wrong, where, and how to mend it: the one kind of error that users meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of the input.

    Examples
    --------
    >>> print(Problem("params/kpis.yaml:12", "unknown key 'titel'", "write 'title'"))
    params/kpis.yaml:12: unknown key 'titel'. Cure: write 'title'
    """

    where: str
    what: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f". Cure: {self.cure}" if self.cure else "")


class InputRefused(Exception):
    """Input that cannot be used: every fault found, at once. The command line exits with 2.

    Examples
    --------
    >>> raise InputRefused([Problem("sources.yaml:3", "no file 'a.csv'", "check the path")])
    Traceback (most recent call last):
    svclib.errors.InputRefused: sources.yaml:3: no file 'a.csv'. Cure: check the path
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in the place of a traceback: what is wrong and how to mend it, nothing of svclib's inside.

        >>> InputRefused(Problem("look_into", "there is no file 'a.csv'", "write 'b.csv'"))._render_traceback_()
        ["look_into: there is no file 'a.csv'", "   To mend it: write 'b.csv'"]
        """
        lines = []
        for problem in self.problems:
            lines.append(f"{problem.where}: {problem.what}")
            lines += [f"   To mend it: {problem.cure}"] if problem.cure else []
        return lines
