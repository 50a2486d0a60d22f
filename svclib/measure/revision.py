"""What the last snapshot said, and what is known now."""

from __future__ import annotations

import numpy as np
import pandas as pd

_KEY = ["kpi", "department", "period"]


def revisions(then: pd.DataFrame, now: pd.DataFrame, department: str, periods: int = 6) -> pd.DataFrame:
    """Figures of one department that changed since an earlier snapshot.

    Parameters
    ----------
    then, now
        Measures tables of the earlier and of this snapshot.
    periods
        Look at the latest so many periods of `now`.

    Returns
    -------
    pandas.DataFrame
        ``kpi, period, then, now, then_n, now_n, was_final`` for every value or number of cases that differs and that
        the earlier snapshot had; `was_final` marks figures that had been reported as final. Withheld figures are left
        out.

    Examples
    --------
    >>> base = {"kpi": ["k"], "department": ["D"], "period": ["2026-01"], "n": [10.0], "mature": [True], "status": ["ok"]}
    >>> found = revisions(pd.DataFrame({**base, "value": [0.5]}), pd.DataFrame({**base, "value": [0.6]}), "D")
    >>> found[["then", "now", "was_final"]].values.tolist()
    [[0.5, 0.6, True]]
    """
    mine = now[now["department"] == department]
    latest = sorted(mine["period"].unique())[-periods:]
    columns = [*_KEY, "value", "n", "mature", "status"]
    both = mine.loc[mine["period"].isin(latest), columns].merge(then[columns], on=_KEY, suffixes=("_now", "_then"))
    both = both[(both["status_now"] != "withheld") & (both["status_then"] != "withheld")]
    known = both["value_then"].notna()
    same = np.isclose(both["value_now"], both["value_then"], rtol=1e-9, atol=1e-12, equal_nan=True)
    changed = both[known & ~(same & (both["n_now"] == both["n_then"]))]
    return pd.DataFrame(
        {
            "kpi": changed["kpi"],
            "period": changed["period"],
            "then": changed["value_then"],
            "now": changed["value_now"],
            "then_n": changed["n_then"],
            "now_n": changed["n_now"],
            "was_final": changed["mature_then"].astype(bool),
        }
    ).reset_index(drop=True)
