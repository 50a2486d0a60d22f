"""The result of an outcome evaluation: one entry an action, as the report shows it and the JSON has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from svclib.catalogue.models import Action, Kpi
from svclib.evaluate.assess import Assessment
from svclib.evaluate.panel import Spine
from svclib.evaluate.pooling import PooledEffect
from svclib.evaluate.progress import Progress
from svclib.evaluate.smart import SmartCheck
from svclib.evaluate.surroundings import Surroundings
from svclib.evaluate.verdict import Verdict
from svclib.measure.periods import Period


@dataclass(frozen=True)
class Persistence:
    """Mean effect of the first and of the last three periods after, and whether it holds.

    It does not where less than half of the effect is left in the last three and the slope since the step is against
    it by more than chance (two-sided 5 %): three months alone are too few to say so.
    """

    first: float
    last: float
    holds: bool


@dataclass(frozen=True)
class Avoided:
    """Cases that went better than without the effect, over the periods after; below 0 where more went worse."""

    count: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ActionOutcome:
    """Everything known of one action.

    Attributes
    ----------
    assessment, verdict
        None where the action is not judged at all (cancelled).
    p_adjusted
        The effect's p after false-discovery control over the department's plan.
    peers_left_out
        Department to reason: declared, treated, incomplete, contaminated.
    too_early_until
        Day from which the effect asked for can be seen, or the day an action is due whose effect is seen already;
        None where that is now, or never.
    share_of_target
        Effect as a share of the change that the target asked for.
    values, expected
        (periods,) the KPI, and what would be expected without the action; NaN where unknown.
    names
        Department code to its name.
    """

    action: Action
    kpi: Kpi
    spine: Spine
    surroundings: Surroundings
    assessment: Assessment
    verdict: Verdict
    p_adjusted: float | None
    peers_left_out: Mapping[str, str]
    too_early_until: dt.date | None
    progress: Progress
    smart: tuple[SmartCheck, ...]
    share_of_target: float | None
    avoided: Avoided | None
    persistence: Persistence | None
    pooled: PooledEffect | None
    values: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)
    names: Mapping[str, str] = field(default_factory=dict, repr=False)

    def frame(self) -> pd.DataFrame:
        """The series behind the figure: period, side of the window, value, expected without the action."""
        window = self.surroundings.window
        side = np.select([window.before, window.ramp, window.after], ["before", "ramp", "after"], "not used")
        return pd.DataFrame(
            {
                "period": self.spine.labels,
                "side": side,
                "value": self.values,
                "expected": self.expected,
                "target": np.full(len(side), self.assessment.goal.target, dtype=float),
            }
        )


@dataclass(frozen=True)
class OutcomeEvaluation:
    """The outcomes of a department's action plan, in its order; none for an empty plan."""

    department: str
    period: Period
    as_of: dt.date
    outcomes: tuple[ActionOutcome, ...]

    def outcome(self, action: str) -> ActionOutcome:
        """The outcome of an action by its id."""
        return next(o for o in self.outcomes if o.action.id == action)
