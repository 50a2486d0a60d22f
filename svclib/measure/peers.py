"""Peers: a funnel around the common level, never a league table.

Limits say where a department of its size may lie by chance alone (exact 95 % and 99.8 %). Where departments differ
more than chance everywhere, the excess (phi, tau^2) widens them, as Spiegelhalter (2005, 2012) has it, and every
department gets an estimate drawn towards the common level by how little its own figures say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from svclib.errors import InputRefused, Problem

Z95, Z998 = 1.959964, 3.090232
_WINSOR = 0.1
LEAST_PEERS = 3


@dataclass(frozen=True)
class Funnel:
    """A funnel plot's numbers.

    Attributes
    ----------
    level, per
        The common level: all numerators over all denominators, and the number that values are shown per. The table
        and the limits are in shown units (level times per).
    phi, tau2
        Overdispersion of the winsorised z-scores, and the between-department variance on the transformed scale
        (arcsine root for shares, logarithm for rates); `tau2` is 0 unless phi > 1.
    table
        One row a department: ``department, value, denominator, lower95, upper95, lower998, upper998, z, p, band,
        shrunken, stable``. Limits are exact where tau2 is 0, else widened; `band` is ``inside``, ``beyond_95`` or
        ``beyond_998`` with ``_high`` or ``_low``, and ``unstable`` for a department whose own chart signals.
    """

    kind: str
    level: float
    per: float
    phi: float
    tau2: float
    table: pd.DataFrame

    def limits(self, denominators: np.ndarray) -> pd.DataFrame:
        """The funnel's lines at any denominators."""
        return _lines(np.asarray(denominators, dtype=float), self.level, self.tau2, self.kind) * self.per


def funnel(table: pd.DataFrame, kind: str, per: float = 1.0) -> Funnel | None:
    """Compare departments of one period.

    Parameters
    ----------
    table
        ``department, numerator, denominator`` and, where known, ``stable`` (the department's own chart has no
        signal). Rows without a positive denominator are left out.
    kind
        ``p`` for shares, ``u`` for rates.
    per
        A rate is shown per this many.

    Returns
    -------
    Funnel or None
        None with fewer than three departments, or where nothing (or everything) happened.

    Examples
    --------
    >>> t = pd.DataFrame({"department": list("ABCD"), "numerator": [50, 95, 44, 300], "denominator": [100, 200, 100, 400]})
    >>> found = funnel(t, "p")
    >>> round(found.level, 3), found.table["band"].tolist()[3]
    (0.611, 'inside')
    """
    if kind not in ("p", "u"):
        raise InputRefused(Problem("funnel", f"no funnel for {kind!r}", "use p (shares) or u (rates)"))
    rows = table[(table["denominator"] > 0) & table["numerator"].notna()].copy()
    r, n = rows["numerator"].to_numpy(dtype=float), rows["denominator"].to_numpy(dtype=float)
    if len(rows) < LEAST_PEERS or r.sum() <= 0 or (kind == "p" and r.sum() >= n.sum()):
        return None
    level = float(r.sum() / n.sum())
    distance, s = _standardised(r, n, level, kind)
    phi, tau2 = overdispersion(distance / s, s)
    z = distance / np.sqrt(s**2 + tau2)
    rows["value"] = r / n * per
    lines = _lines(n, level, tau2, kind)
    for name in lines:
        rows[name] = lines[name].to_numpy() * per
    rows["z"], rows["p"] = z, 2 * stats.norm.sf(np.abs(z))
    weight = tau2 / (tau2 + s**2)
    rows["shrunken"] = _untransform(_transform(level, kind) + weight * distance, kind) * per
    stable = rows["stable"].to_numpy(dtype=bool) if "stable" in rows else np.full(len(rows), True)
    rows["stable"] = stable
    rows["band"] = [_band(*row) for row in zip(rows["value"], stable, *(rows[c] for c in lines), strict=True)]
    keep = ["department", "value", "denominator", *lines, "z", "p", "band", "shrunken", "stable"]
    return Funnel(kind, level, per, phi, tau2, rows[keep].reset_index(drop=True))


def overdispersion(z: np.ndarray, s: np.ndarray) -> tuple[float, float]:
    """phi of winsorised z-scores (10 % at each end) and the additive variance tau^2.

    phi is the mean of z^2; tau2 = max(0, (n phi - (n - 1)) / (sum w - sum w^2 / sum w)), w = 1 / s^2, and 0 unless
    phi > 1 (Spiegelhalter 2012, *JRSS A* 175(1), section 4).

    Examples
    --------
    >>> phi, tau2 = overdispersion(np.array([-3.0, -2, -1, 0, 1, 2, 3, 2, -2, 0]), np.full(10, 0.1))
    >>> round(phi, 2), round(tau2, 4)
    (2.68, 0.0198)
    """
    low, high = np.quantile(z, [_WINSOR, 1 - _WINSOR])
    n, w = z.size, 1 / s**2
    phi = float(np.mean(np.clip(z, low, high) ** 2))
    if phi <= 1:
        return phi, 0.0
    return phi, max(0.0, float((n * phi - (n - 1)) / (w.sum() - (w**2).sum() / w.sum())))


def _transform(x: np.ndarray | float, kind: str):
    return np.arcsin(np.sqrt(x)) if kind == "p" else np.log(x)


def _untransform(x: np.ndarray, kind: str) -> np.ndarray:
    return np.sin(np.clip(x, 0, np.pi / 2)) ** 2 if kind == "p" else np.exp(x)


def _standardised(r: np.ndarray, n: np.ndarray, level: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the common level and its standard error, on the transformed scale."""
    if kind == "p":
        return _transform(r / n, kind) - _transform(level, kind), 1 / (2 * np.sqrt(n))
    # Half a case keeps departments without a single one on the logarithmic scale.
    expected = np.maximum(n * level, 1e-12)
    return np.log((r + 0.5) / (expected + 0.5)), 1 / np.sqrt(expected + 0.5)


def _lines(n: np.ndarray, level: float, tau2: float, kind: str) -> pd.DataFrame:
    """95 % and 99.8 % limits: exact for chance alone, on the transformed scale where tau2 widens them."""
    found = {}
    for name, reach in (("95", Z95), ("998", Z998)):
        tail = stats.norm.sf(reach)
        if tau2 == 0:
            for side, q in (("lower", tail), ("upper", 1 - tail)):
                found[f"{side}{name}"] = np.clip(_interpolated(n, level, kind, q), 0, 1 if kind == "p" else None)
            continue
        s = 1 / (2 * np.sqrt(n)) if kind == "p" else 1 / np.sqrt(n * level + 0.5)
        spread = reach * np.sqrt(s**2 + tau2)
        centre = _transform(level, kind)
        if kind == "u":  # with the half case that the z-scores have: else none at all would lie outside by itself
            ends = [((n * level + 0.5) * np.exp(d * spread) - 0.5) / n for d in (-1, 1)]
        else:
            ends = [_untransform(centre + d * spread, kind) for d in (-1, 1)]
        found[f"lower{name}"], found[f"upper{name}"] = (np.maximum(end, 0) for end in ends)
    return pd.DataFrame(found)[["lower95", "upper95", "lower998", "upper998"]]


def _interpolated(n: np.ndarray, level: float, kind: str, q: float) -> np.ndarray:
    """Exact quantile of a share or rate, interpolated between counts so that the funnel has no teeth.

    Spiegelhalter (2005), *Statistics in Medicine* 24, appendix A.1.1.
    """
    law, given = (stats.binom, (n, level)) if kind == "p" else (stats.poisson, (n * level,))
    count = law.ppf(q, *given)
    above, mass = law.cdf(count, *given) - q, law.pmf(count, *given)
    return (count - np.divide(above, mass, out=np.zeros_like(count), where=mass > 0)) / n


def _band(value: float, stable: bool, lower95: float, upper95: float, lower998: float, upper998: float) -> str:
    if not stable:
        return "unstable"
    if value > upper95:
        return "beyond_998_high" if value > upper998 else "beyond_95_high"
    if value < lower95:
        return "beyond_998_low" if value < lower998 else "beyond_95_low"
    return "inside"
