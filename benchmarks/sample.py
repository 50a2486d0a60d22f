"""Does the sample hold what it says, whatever the seed? Its planted facts and plans, told from its tables alone.

Run ``python -m benchmarks.sample`` (20 seeds, about fifteen seconds) or with ``--quick`` (5 seeds). For each fact the
mean of its months in standard deviations of the months before, worse counted up; for each plan that can be judged
its step against its peers in standard errors, better counted up. Plans without effect lie within 1.96; so may the
bad quarter by chance that alarmed the managers, which is not to stand out of what chance does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from svclib.catalogue.load import load_catalogue
from svclib.catalogue.models import Action
from svclib.measure.autoregression import fit_ar1
from svclib.measure.periods import Period
from svclib.sample.cases import make_cases
from svclib.sample.organisation import CODES
from svclib.sample.plants import KPIS_OF_PROCESS, PLANS, planted
from svclib.sample.processes import processes
from svclib.sample.records import make_observations, make_outages, make_staffing
from svclib.sample.span import Span
from svclib.sample.surveys import make_surveys
from svclib.sample.write import LAST_MONTH, MONTHS, write_params

SPAN = Span(MONTHS, Period.parse(LAST_MONTH))
WORSE_HIGH = {"response_time", "resolution_time", "escalation_rate", "handoffs", "incidents", "complaints", "absence"}
ON_LOG_SCALE = {"resolution_time", "handoffs"}


def measure(seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """KPI to departments x months, and the cases or answers behind each department."""
    shifts = processes(SPAN, seed)
    cases = make_cases(SPAN, shifts, seed)
    answers = make_surveys(SPAN, cases, shifts, seed).dropna(subset=["responded_at"])
    hours = {name: (cases[name] - cases["opened_at"]).dt.total_seconds() / 3600 for name in _STAMPS}
    cases["response_time"] = hours["first_response_at"].fillna(72).clip(upper=72)
    cases["resolution_time"] = hours["resolved_at"].fillna(10_000)
    cases["first_contact_resolution"] = (cases["contacts"] == 1) & ~cases["reopened"]
    cases["escalation_rate"] = cases["escalated"]
    grouped = cases.groupby(["desk", "month"])
    kpis = {
        name: grouped[name].mean()
        for name in ("response_time", "first_contact_resolution", "escalation_rate", "handoffs")
    }
    kpis["resolution_time"] = grouped["resolution_time"].median()
    kpis["csat"] = (answers["score"].astype(int) >= 4).groupby([answers["desk"], answers["month"]]).mean()
    kpis |= _recorded(cases, shifts, seed)
    sizes = {"cases": cases["desk"].value_counts().sort_index(), "answers": answers["desk"].value_counts().sort_index()}
    return {name: _matrix(values) for name, values in kpis.items()}, {k: v.to_numpy() for k, v in sizes.items()}


_STAMPS = ("first_response_at", "resolved_at")


def _recorded(cases: pd.DataFrame, shifts: dict[str, np.ndarray], seed: int) -> dict[str, pd.Series]:
    outages = make_outages(SPAN, shifts["outages"], seed)
    outages = outages[outages["severity"] != "maintenance"]
    seconds = (outages["ended_at"] - outages["started_at"]).dt.total_seconds()
    place = [outages["desk"], _month(outages["started_at"])]
    trainings = make_observations(SPAN, shifts, seed).query("kind == 'training'")
    totals = make_staffing(SPAN, cases, shifts, seed)
    rate = (totals["numerator"] / totals["denominator"]).groupby(
        [totals["kpi"], totals["desk"], _month(totals["period"])]
    )
    rates = rate.sum()
    return {
        "uptime": 1 - seconds.groupby(place).sum() / (30.44 * 86400),
        "incidents": seconds.groupby(place).size(),
        "training_completed": trainings["passed"].groupby([trainings["desk"], _month(trainings["observed_at"])]).mean(),
        "complaints": rates["complaints"],
        "absence": rates["absence"],
    }


def _month(stamps: pd.Series) -> np.ndarray:
    return (stamps.to_numpy().astype("datetime64[M]") - SPAN.days[0].astype("datetime64[M]")).astype(int)


def _matrix(values: pd.Series) -> np.ndarray:
    """Departments x complete months; a month without an outage had none, and full availability."""
    empty = {True: 1.0, False: 0.0}[bool(values.between(0, 1).all())]
    index = pd.MultiIndex.from_product([range(len(CODES)), range(SPAN.months)])
    return values.reindex(index, fill_value=empty).to_numpy(float).reshape(len(CODES), SPAN.months)


def facts(kpis: dict[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    """Each planted change of one department: how far its months lie from those before."""
    offsets = range(1 - SPAN.months, 1)
    for plant in planted(SPAN):
        if plant.kind in ("plan_effect", "common_improvement"):
            continue
        kpi = KPIS_OF_PROCESS[plant.process][0]
        values = kpis[kpi][CODES.index(plant.department)]
        on = np.array([plant.share(offset) == 1 for offset in offsets])
        before = np.arange(SPAN.months) < SPAN.position(plant.first)
        before &= np.arange(SPAN.months) >= (SPAN.position(-20) if kpi == "training_completed" else 0)
        z = (values[on].mean() - values[before].mean()) / values[before].std(ddof=1)
        yield f"{plant.id} {plant.kind} {plant.department} {kpi}", z if kpi in WORSE_HIGH else -z


def plans(
    kpis: dict[str, np.ndarray], sizes: dict[str, np.ndarray], actions: list[Action]
) -> Iterator[tuple[str, float]]:
    """Each plan that can be judged: its step against its peers."""
    starts = np.array([SPAN.month(offset).start for offset in range(1 - SPAN.months, 1)], dtype="datetime64[D]")
    for action, plan in zip(actions, PLANS, strict=True):
        if plan.verdict == "too_early":
            continue
        values = np.log(kpis[action.kpi]) if action.kpi in ON_LOG_SCALE else kpis[action.kpi]
        peers = [i for i, code in enumerate(CODES) if code not in (action.department, *action.exclude_peers)]
        weights = sizes["answers" if action.kpi == "csat" else "cases"][peers]
        gap = values[CODES.index(action.department)] - np.average(values[peers], axis=0, weights=weights)
        after = starts >= np.datetime64(action.full_effect or date.max)
        used = after | (starts < np.datetime64(action.announced or action.start, "M"))
        design = np.column_stack([np.ones(used.sum()), after[used]])
        step = fit_ar1(gap[used], design, np.flatnonzero(used)).contrast([0, 1])
        z = step.mean / step.sd
        yield f"{action.id} {plan.verdict} {action.department} {action.kpi}", -z if action.kpi in WORSE_HIGH else z


def as_told(name: str, z: float) -> bool:
    """Whether a fact or plan lies on its side of 1.96."""
    if "chance_run" in name:
        return z > 0
    if "not_met" in name or "met_not_attributable" in name:
        return abs(z) < 1.96
    return z < -1.96 if "worsened" in name else z > 1.96


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sample", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5 seeds instead of 20")
    seeds = range(1, 6 if parser.parse_args().quick else 21)
    with tempfile.TemporaryDirectory() as folder:
        write_params(Path(folder), SPAN)
        actions = load_catalogue(folder).actions
    rows: dict[str, list[float]] = {}
    for seed in seeds:
        kpis, sizes = measure(seed)
        for name, z in (*facts(kpis), *plans(kpis, sizes, actions)):
            rows.setdefault(name, []).append(z)
    print(f"{'planted':64} {'least':>7} {'median':>7} {'most':>7}   ({len(seeds)} seeds)")
    wrong = 0
    for name, found in rows.items():
        print(f"{name:64} {min(found):7.1f} {np.median(found):7.1f} {max(found):7.1f}")
        wrong += sum(not as_told(name, z) for z in found)
    print(f"{wrong} of {len(rows) * len(seeds)} lie on the wrong side of 1.96")
    return 0


if __name__ == "__main__":
    sys.exit(main())
