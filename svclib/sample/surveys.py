"""Invitations to the survey, the answers that came back, and their comments."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from svclib.sample.clock import outside_clock_changes
from svclib.sample.comments import write_comments
from svclib.sample.organisation import DESKS, POSITION
from svclib.sample.plants import PLANTS
from svclib.sample.processes import random_numbers
from svclib.sample.span import Span
from svclib.sample.unmoved import level_draws

_INVITED, _ANSWERED, _COMMENTED = 0.40, 0.31, 0.48
_ABSENT = np.datetime64("NaT")


def make_surveys(span: Span, cases: pd.DataFrame, shifts: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """One row an invitation; `responded_at` is missing where no answer has come (yet).

    The score (1 to 5) and the recommendation (0 to 10) come from one satisfaction, whose level is that of the month
    in which the answer was given.
    """
    rng = random_numbers(seed, "surveys")
    chosen = cases[(rng.random(len(cases)) < _INVITED) & cases["resolved_at"].notna()]
    n = len(chosen)
    invited = outside_clock_changes(
        chosen["resolved_at"].to_numpy() + (rng.uniform(0.5, 6, n) * 3600).astype("timedelta64[s]"), span
    )
    seen = invited < span.cut
    responded = outside_clock_changes(invited + (rng.gamma(1.1, 18, n) * 3600).astype("timedelta64[s]"), span)
    responded = np.where((rng.random(n) < _ANSWERED) & (responded < span.cut), responded, _ABSENT)
    surveys = pd.DataFrame(
        {
            "case": chosen.index.to_numpy(),
            "desk": chosen["desk"].to_numpy(),
            "channel": chosen["channel"].to_numpy(),
            "category": chosen["category"].to_numpy(),
            "customer_type": chosen["customer_type"].to_numpy(),
            "waited": (chosen["first_response_at"] - chosen["opened_at"]).dt.total_seconds().to_numpy() / 3600,
            "invited_at": invited,
            "responded_at": responded,
        }
    )[seen].reset_index(drop=True)
    surveys["month"] = _month_of(surveys["responded_at"].fillna(surveys["invited_at"]), span)
    answered = surveys["responded_at"].notna().to_numpy()
    satisfaction = _satisfaction(surveys, answered, shifts["satisfaction"], span, rng)
    surveys["score"], surveys["nps"] = _answers(satisfaction, rng)
    surveys.loc[~answered, ["score", "nps"]] = pd.NA
    wanted = answered & (rng.random(len(surveys)) < _COMMENTED)
    surveys["comment"] = ""
    surveys.loc[wanted, "comment"] = write_comments(surveys[wanted], _causes(surveys[wanted], span), span, seed)
    return surveys


def _month_of(stamps: pd.Series, span: Span) -> np.ndarray:
    months = stamps.to_numpy().astype("datetime64[M]") - span.days[0].astype("datetime64[M]")
    return months.astype(int).clip(0, span.months)


def _satisfaction(
    surveys: pd.DataFrame, answered: np.ndarray, shift: np.ndarray, span: Span, rng: np.random.Generator
) -> np.ndarray:
    desk, month = surveys["desk"].to_numpy(), surveys["month"].to_numpy()
    draws = rng.standard_normal(len(surveys))
    level_draws(draws, np.where(answered, desk, -1), month, "satisfaction", span)
    usual = ndtri([d.levels.csat for d in DESKS])
    # Who is sent round in circles by the chat assistant is not pleased.
    displeased = np.where(_concerned(surveys, "F01", span), -0.8, 0.0)
    return usual[desk] + shift[desk, month] + displeased + draws


def _answers(satisfaction: np.ndarray, rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    """Scores of 4 and 5 above zero; the recommendation follows the same satisfaction, less closely."""
    score = 1 + np.searchsorted([-1.1, -0.6, 0.0, 0.85], satisfaction)
    recommends = 7 + 2 * (0.85 * satisfaction + 0.53 * rng.standard_normal(satisfaction.size))
    return pd.Series(score, dtype="Int64"), pd.Series(np.rint(recommends).clip(0, 10), dtype="Int64")


def _concerned(surveys: pd.DataFrame, key: str, span: Span) -> np.ndarray:
    """The answers that come from where, and from when, a plant acts."""
    plant = next(plant for plant in PLANTS if plant.id == key)
    acts = np.array([plant.share(offset) > 0 for offset in range(1 - span.months, 2)])
    concerned = acts[surveys["month"].to_numpy()] & (surveys["desk"].to_numpy() == POSITION[plant.department])
    for dimension, value in (plant.segment or {}).items():
        concerned &= (surveys[dimension] == value).to_numpy()
    return concerned


# Theme to the plant that makes people write about it; of two the later one wins.
_THEMES_OF_PLANTS = {"staff": "F16", "delivery": "F09", "price": "F06", "waiting": "F03", "chat": "F01"}


def _causes(surveys: pd.DataFrame, span: Span) -> dict[str, np.ndarray]:
    return {theme: _concerned(surveys, key, span) for theme, key in _THEMES_OF_PLANTS.items()}
