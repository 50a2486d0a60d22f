"""Small numbers: what must not be shown, and what must go with it so that totals do not give it away."""

from __future__ import annotations

import numpy as np


def suppressed(n: np.ndarray, minimum: int, last: np.ndarray | None = None) -> np.ndarray:
    """Which cells of one table with a known total are withheld.

    Cells of 1 to `minimum` - 1 cases are withheld. Where the withheld cells together hold fewer than `minimum` cases
    or are only one, a reader could subtract the rest from the total: the next smallest cell goes too.

    Parameters
    ----------
    n
        Cases of each cell; NaN and 0 disclose nobody.
    minimum
        The organisation's disclosure minimum.
    last
        Cells that go only when nothing else is left, such as one that the reader sees elsewhere anyway.

    Examples
    --------
    >>> suppressed(np.array([120.0, 3, 40, 0]), 5).tolist()
    [False, True, True, False]
    >>> suppressed(np.array([120.0, 30, 40]), 5).tolist()
    [False, False, False]
    """
    known = np.isfinite(n) & (n > 0)
    hidden = known & (n < minimum)
    while hidden.any() and (hidden.sum() < 2 or n[hidden].sum() < minimum):
        rest = np.flatnonzero(known & ~hidden)
        if rest.size == 0:
            break
        late = np.zeros(rest.size, dtype=bool) if last is None else last[rest]
        hidden[rest[np.lexsort((n[rest], late))[0]]] = True
    return hidden
