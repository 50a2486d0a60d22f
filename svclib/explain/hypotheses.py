"""The bones of the Ishikawa diagram: suspected causes held against the gap's own cases and its onset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from svclib.catalogue.models import Hypothesis
from svclib.explain.crosstab import CrossTable
from svclib.explain.family import information, mean_of, signed_root
from svclib.explain.localise import Localisation
from svclib.explain.scan import Field, fit_shifts
from svclib.measure.change.happened import Happening
from svclib.measure.change.step import LevelChange

Status = Literal["supported", "not_supported", "untested"]
LEAST_CASES = 20
LEAST_LETTERS = 4  # of a value that is looked for in a hypothesis's words; shorter ones come up in any sentence


@dataclass(frozen=True)
class Bone:
    """A suspected cause and what the data say of it.

    Attributes
    ----------
    status : ``supported`` means only that its cases deteriorated beyond chance and explain a tenth of the gap, or that its
        event fell into the onset's interval and its words name no other part of the cases than the one found.
    why : ``cases``, ``event`` (how it was tested), ``other_part`` (the date fits, but its words name another part than the
        one found), or why not: ``no_test``, ``few_cases``, ``no_onset``, ``no_event``, ``no_cases`` (totals only),
        ``not_special`` (there is no special cause to hold it against), ``mix`` (the date fits, but the work did not get
        worse), ``expression``.
    share : of the gap that its cases explain; None unless supported, since it would put a figure on chance.
    p : one-sided, adjusted for the number of hypotheses tested (Holm).
    """

    code: str
    category: str
    cause: str
    status: Status
    why: str
    cases: float | None = None
    share: float | None = None
    p: float | None = None


def test_hypotheses(
    hypotheses: Sequence[Hypothesis],
    kpi: str,
    localisation: Localisation | None,
    rows: pd.DataFrame | None,
    current: str,
    onset: LevelChange | None,
    events: Sequence[Happening],
    *,
    explain: bool,
    mixed: bool,
) -> list[Bone]:
    """Hold every hypothesis that concerns the KPI against the data.

    Cases: the excess of the cases that the hypothesis speaks of, against the baseline and its swing as in the scan. Event:
    whether the declared event lies in the onset's interval. Where both are declared, both have to fit. A date alone
    supports no hypothesis whose words name a part of the cases (a value of a dimension), if the scan found other parts
    only. What has no test of either kind stays ``untested``.

    Parameters
    ----------
    rows : the slice's rows with the source's columns, for `where` conditions.
    mixed : the answer is another mix of cases: what is suspected of the work is not supported by a date.
    """
    bones, tests = [], []
    for hypothesis in hypotheses:
        if hypothesis.kpis != "all" and kpi not in hypothesis.kpis:
            continue
        bone, root = _judge(hypothesis, localisation, rows, current, onset, events, explain, mixed)
        bones.append(bone)
        tests.append(root)
    return _adjusted(bones, tests)


test_hypotheses.__test__ = False  # type: ignore[attr-defined]  # a verb of the field, no test of pytest's


def _judge(
    hypothesis: Hypothesis,
    localisation: Localisation | None,
    rows: pd.DataFrame | None,
    current: str,
    onset: LevelChange | None,
    events: Sequence[Happening],
    explain: bool,
    mixed: bool,
) -> tuple[Bone, float | None]:
    def bone(status: Status, why: str, **found: float | None) -> Bone:
        return Bone(hypothesis.code, hypothesis.category, hypothesis.cause, status, why, **found)

    if hypothesis.test is None and hypothesis.where is None and hypothesis.event is None:
        return bone("untested", "no_test"), None
    if not explain:
        return bone("untested", "not_special"), None
    if hypothesis.event is not None:
        named = [event for event in events if event.kind == "event" and event.title == hypothesis.event]
        if not named:
            return bone("untested", "no_event"), None
        if onset is None or not onset.dated:
            return bone("untested", "no_onset"), None
        if not any(e.near for e in named):
            return bone("not_supported", "event"), None
        if hypothesis.test is None and hypothesis.where is None:
            if localisation is not None and _names_another_part(hypothesis.cause, localisation):
                return bone("not_supported", "other_part"), None
            return (bone("untested", "mix") if mixed else bone("supported", "event")), None
    if localisation is None:
        return bone("untested", "no_cases"), None
    held = _leaf_shares(hypothesis, localisation, rows, current)
    if held is None:
        return bone("untested", "expression"), None
    cases = float(held @ localisation.field.exposure)
    if cases < LEAST_CASES and localisation.field.family == "binomial":
        return bone("untested", "few_cases", cases=cases), None
    level = _level_without(localisation, held)
    root = root_of(localisation.field, localisation.table.observed[-1], held, level)[0]
    excess = root_of(localisation.field, localisation.table.observed[-1], held)[1]
    total = float(np.sum(localisation.table.observed[-1]) - localisation.expected)
    share = excess / total if total else None
    return bone("not_supported", "cases", cases=cases, share=share), root


def _names_another_part(cause: str, localisation: Localisation) -> bool:
    """Whether the words name values of the dimensions, none of which is in a part that the scan found."""
    table = localisation.table
    named = {
        (name, value)
        for name, values in zip(table.dimensions, table.values, strict=True)
        for value in values
        if len(value) >= LEAST_LETTERS and re.search(rf"\b{re.escape(value)}", cause, re.IGNORECASE)
    }
    found = [set(segment.where) for segment in localisation.segments]
    return bool(found) and bool(named) and not any(named & where for where in found)


def _leaf_shares(
    hypothesis: Hypothesis, localisation: Localisation, rows: pd.DataFrame | None, current: str
) -> np.ndarray | None:
    """For each leaf 1 where its cases are meant; None where the hypothesis cannot be put in terms of the dimensions."""
    table = localisation.table
    held = np.ones(table.leaves)
    if hypothesis.test is not None:
        for name, wanted in hypothesis.test.items():
            if name not in table.dimensions:
                return None
            d = table.dimensions.index(name)
            values = {wanted} if isinstance(wanted, str) else set(wanted)
            held *= np.isin(table.codes[:, d], [i for i, value in enumerate(table.values[d]) if value in values])
        return held
    return _where_leaves(hypothesis.where or "", table, rows)


def _where_leaves(condition: str, table: CrossTable, rows: pd.DataFrame | None) -> np.ndarray | None:
    """Leaves all of whose cases meet an SQL condition; None where it cuts through leaves or cannot be evaluated."""
    import duckdb

    if rows is None:
        return None
    frame = rows[list(dict.fromkeys([*table.dimensions, *(c for c in rows if c in condition)]))]
    connection = duckdb.connect()
    try:
        connection.register("cases", frame)
        hit = connection.sql(f"select coalesce(cast(({condition}) as integer), 0) as hit from cases").df()["hit"]
    except duckdb.Error:
        return None
    finally:
        connection.close()
    means = frame.assign(hit=hit.to_numpy(dtype=float)).groupby(list(table.dimensions), dropna=False)["hit"].mean()
    if not means.isin([0.0, 1.0]).all():
        return None
    known = {
        tuple("" if pd.isna(part) else str(part) for part in (key if isinstance(key, tuple) else (key,))): hit
        for key, hit in means.items()
    }
    names = [tuple(table.values[d][code] for d, code in enumerate(codes)) for codes in table.codes]
    return np.array([known.get(name, 0.0) for name in names])


def _level_without(localisation: Localisation, held: np.ndarray) -> np.ndarray:
    """What the leaves should show if the general shift, the found segments and the leads were all, but not those meant here.

    Cases that overlap with such a segment would else be blamed for it; it counts as meant where the two share half of
    their cases (Jaccard).
    """
    field, fit = localisation.field, localisation.fit
    leads = [field.segments.where.index(lead.where) for lead in localisation.leads]
    chosen = []
    for c in dict.fromkeys((*fit.chosen, *leads)):
        member = field.segments.member[c]
        shared = float(field.exposure @ (held * member))
        if c == 0 or shared < 0.5 * float(field.exposure @ np.maximum(held, member)):
            chosen.append(c)
    return fit_shifts(field, localisation.table.observed[-1], tuple(chosen)).expected


def root_of(
    field: Field, observed: np.ndarray, held: np.ndarray, level: np.ndarray | None = None
) -> tuple[float, float]:
    """Signed root of the deviance of any set of leaves (positive: worse) and its excess, as the scan measures them.

    `level` is what each leaf is expected to show; the baseline where left out.
    """
    base, n = field.baseline, field.exposure
    level = mean_of(base.eta, base.family) if level is None else level
    weight = information(level, n, base.family, base.scale)
    cross = (held * weight * base.shrink) @ base.effects.matrix
    variance = float(held @ (weight + weight**2 * base.leaf_error) + cross @ base.error @ cross)
    scale = base.scale if base.family == "gaussian" else 1.0
    info, total, usual = float(held @ weight), float(held @ observed), float(held @ (n * level))
    exposure = float(held @ n)
    if exposure <= 0 or variance <= 0:
        return 0.0, 0.0
    root = signed_root(
        np.array([total / scale]), np.array([usual / scale]), np.array([exposure]), base.family, np.array([info])
    )[0]
    share = usual / exposure
    own = exposure * share * (1 - share) if base.family == "binomial" else info
    return float(field.bad * root * np.sqrt(own / variance)), total - usual


def _adjusted(bones: list[Bone], roots: list[float | None]) -> list[Bone]:
    """Holm's adjustment over the hypotheses that were tested on cases; support needs p < .05 and a tenth of the gap."""
    from dataclasses import replace

    from scipy.stats import norm

    tested = [i for i, root in enumerate(roots) if root is not None]
    if not tested:
        return bones
    least = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda i: -float(roots[i] or 0.0))):
        p = least = max(least, min(1.0, (len(tested) - rank) * float(norm.sf(roots[i]))))
        share = bones[i].share
        holds = p < 0.05 and share is not None and share >= 0.1
        status: Status = "supported" if holds else "not_supported"
        bones[i] = replace(bones[i], p=float(p), status=status, share=share if holds else None)
    return bones
