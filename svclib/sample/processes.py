"""Month-to-month levels of each process: season, shocks shared by all, each department's own, and the plants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from svclib.sample.organisation import CODES, POSITION
from svclib.sample.plants import planted
from svclib.sample.span import Span
from svclib.sample.unmoved import level_effects


@dataclass(frozen=True)
class Wobble:
    """How a process moves without any cause: yearly wave, standard deviations of shared and own AR(1) effects."""

    season: float
    peak: int  # the calendar month of the wave's top, January = 0
    shared: float
    own: float
    rho: float = 0.3


WOBBLES = {
    "volume": Wobble(0.07, 0, 0.03, 0.04),
    "response": Wobble(0.05, 0, 0.04, 0.05),
    "resolution": Wobble(0.04, 0, 0.03, 0.05),
    "fcr": Wobble(0.05, 5, 0.04, 0.06),
    "escalation": Wobble(0.03, 0, 0.03, 0.04),
    "handoffs": Wobble(0.02, 0, 0.02, 0.03),
    "satisfaction": Wobble(0.03, 5, 0.03, 0.04),
    "audit": Wobble(0.0, 0, 0.05, 0.10),
    "training": Wobble(0.0, 0, 0.05, 0.10),
    "outages": Wobble(0.05, 6, 0.05, 0.08),
    "complaints": Wobble(0.05, 11, 0.05, 0.08),
    "absence": Wobble(0.12, 1, 0.05, 0.06),
}


def random_numbers(seed: int, purpose: str) -> np.random.Generator:
    """A stream of its own for each purpose, so that one table can change without changing the others."""
    return np.random.default_rng([seed, *purpose.encode()])


def _ar1(shocks: np.ndarray, rho: float) -> np.ndarray:
    """Stationary AR(1) of unit variance along the last axis."""
    shocks = shocks.copy()
    shocks[..., 1:] *= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], shocks, axis=-1)


def _one_process(name: str, span: Span, seed: int) -> np.ndarray:
    wobble = WOBBLES[name]
    draws = random_numbers(seed, f"process {name}").standard_normal((len(CODES) + 1, span.months + 1))
    effects = _ar1(draws, wobble.rho)
    own = wobble.own * effects[1:]
    added = np.zeros_like(own)
    for plant in planted(span):
        if plant.process != name:
            continue
        rows = slice(None) if plant.department == "all" else POSITION[plant.department]
        for offset in range(1 - span.months, 2):
            share = plant.share(offset)
            if share and plant.instead_of_noise:
                own[rows, span.position(offset)] = 0.0
            if share and plant.segment is None:
                added[rows, span.position(offset)] += share * plant.size
    level_effects(own, name, span)
    season = wobble.season * np.cos(2 * np.pi * (span.calendar_months - wobble.peak) / 12)
    return season + wobble.shared * effects[0] + own + added


def processes(span: Span, seed: int) -> dict[str, np.ndarray]:
    """The shift of each process against its usual level.

    Returns
    -------
    For each process an array of departments x months (the incomplete month last), on the scale of the process;
    plants that concern one segment only are not in it.
    """
    return {name: _one_process(name, span, seed) for name in WOBBLES}
