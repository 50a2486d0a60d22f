"""How the kinds of cases differ: effects of channel, category, priority and customer, and calibrated intercepts."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from svclib.sample.organisation import DESKS, Desk
from svclib.sample.plants import MIX_CATEGORY

DIMENSIONS = ("channel", "category", "priority", "customer_type")

# Effects on the scale of the process: log-odds for fcr and escalation, log for the others.
CHANNEL = {
    "response": (-0.75, 0.35, -0.55, 0.25),
    "resolution": (-0.20, 0.15, -0.15, 0.10),
    "fcr": (0.25, -0.20, 0.10, -0.10),
    "escalation": (0.10, 0.05, -0.10, -0.10),
    "handoffs": (-0.10, 0.10, -0.05, 0.05),
}
PRIORITY = {
    "response": (-1.00, -0.45, 0.05, 0.30),
    "resolution": (-0.80, -0.35, 0.05, 0.30),
    "fcr": (-0.60, -0.20, 0.05, 0.15),
    "escalation": (1.20, 0.50, -0.10, -0.50),
    "handoffs": (0.30, 0.15, 0.00, -0.10),
}
CUSTOMER = {
    "response": (0.05, -0.05, 0.00),
    "resolution": (0.00, -0.05, 0.15),
    "fcr": (0.05, -0.05, -0.15),
    "escalation": (-0.05, 0.10, 0.20),
    "handoffs": (0.00, 0.00, 0.10),
}
# Usual differences between a desk's six categories; each desk has them in another order.
_CATEGORY = {
    "response": (0.10, -0.10, 0.05, -0.05, 0.15, -0.15),
    "resolution": (0.20, -0.25, 0.10, -0.10, 0.25, -0.20),
    "fcr": (-0.25, 0.30, -0.10, 0.15, -0.30, 0.20),
    "escalation": (0.25, -0.25, 0.10, -0.20, 0.30, -0.20),
    "handoffs": (0.10, -0.10, 0.05, -0.05, 0.10, -0.10),
}
WITHIN_SD = {"response": 0.75, "resolution": 0.95}


def category_effects(desk: Desk, process: str) -> np.ndarray:
    """The effect of each of the desk's categories.

    At the IT service desk categories differ in escalation only, and most of all the one whose share shifts:
    so the planted mix shift moves the escalation rate and nothing else.
    """
    if desk.code == "D04":
        if process != "escalation":
            return np.zeros(len(desk.categories))
        return np.array([1.65 if name == MIX_CATEGORY else -0.15 for name in desk.categories])
    return np.roll(_CATEGORY[process], int(desk.code[1:]))


def _cells(desk: Desk, process: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight and effect of each combination of the four dimensions in a usual month."""
    shares = (desk.channels, tuple(desk.categories.values()), desk.priorities, desk.customers)
    effects = (CHANNEL[process], category_effects(desk, process), PRIORITY[process], CUSTOMER[process])
    weight = np.array([np.prod(cell) for cell in product(*shares)])
    return weight / weight.sum(), np.array([sum(cell) for cell in product(*effects)])


def intercept(desk: Desk, process: str) -> float:
    """The intercept with which the desk reaches its declared level over its usual mix of cases.

    Examples
    --------
    >>> weight, effect = _cells(DESKS[0], "escalation")
    >>> round(float(weight @ expit(intercept(DESKS[0], "escalation") + effect)), 6) == DESKS[0].levels.escalation
    True
    """
    level = getattr(desk.levels, process)
    weight, effect = _cells(desk, process)
    if process in ("fcr", "escalation"):
        return brentq(lambda a: weight @ expit(a + effect) - level, -12, 12)
    if process == "resolution":  # the median of a mixture of lognormal times
        return brentq(lambda a: weight @ ndtr((np.log(level) - a - effect) / WITHIN_SD[process]) - 0.5, -5, 12)
    spread = WITHIN_SD.get(process, 0.0)
    return float(np.log(level) - np.log(weight @ np.exp(effect)) - spread**2 / 2)


def case_effects(process: str, dims: dict[str, np.ndarray], desk: np.ndarray) -> np.ndarray:
    """Intercept and dimension effects of each case; `dims` and `desk` hold positions."""
    categories = np.array([category_effects(d, process) for d in DESKS])
    intercepts = np.array([intercept(d, process) for d in DESKS])
    return (
        intercepts[desk]
        + np.array(CHANNEL[process])[dims["channel"]]
        + categories[desk, dims["category"]]
        + np.array(PRIORITY[process])[dims["priority"]]
        + np.array(CUSTOMER[process])[dims["customer_type"]]
    )
