"""Operating characteristics of the segment scan: ``python -m benchmarks.root_cause [--quick] [--repetitions N]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from benchmarks.root_cause import planted
from benchmarks.root_cause.score import Score, score_design, score_video
from benchmarks.root_cause.tickets import Design

CAUSES = ("one", "one+two", "two")
#: Several causes look like a general shift to each of them alone.
SEVERAL = ("one+one", "two+two", "two siblings", "three siblings")
#: What breaks the home advantage: the baseline of the scan is additive in the logit, these are not.
VARIANTS = {
    "strong interactions (pairs .6, cells .4)": {"interaction": 0.6, "leaf": 0.4},
    "overdispersion (values swing by .25 a month)": {"shock": 0.25, "months": 6},
    "twelve months of history": {"months": 12},
    "times with open cases": {"kind": "duration"},
    "means (skewed)": {"kind": "mean"},
    "counts": {"kind": "count"},
    "counts, overdispersed": {"kind": "count", "shock": 0.15, "months": 6},
}


def row(label: str, score: Score) -> str:
    false, recall, three, f1, hit = score.false_alarms, score.recall, score.recall_in_three, score.f1, score.hit
    parts = [f"{label:58s} any false {false:.3f} ±{score.error(false):.3f}, with leads {score.astray:.3f}"]
    if score.planted:
        parts.append(f"recall named {recall:.3f} ±{score.error(recall, score.planted):.3f}")
        parts.append(f"recall@3 {three:.3f} ±{score.error(three, score.planted):.3f}  F1 {f1:.3f}  hit@1 {hit:.3f}")
    general = score.general / score.repetitions
    parts.append(f"general {general:.3f}  {np.median(score.seconds):.2f} s")
    return "  ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.root_cause", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 repetitions, no variants")
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SVCLIB_SHARED_DATA", "../shared/data")))
    chosen = parser.parse_args()
    count = 20 if chosen.quick else chosen.repetitions
    # The seeds below 100,000 were used while the scan was built; these were not.
    seeds = range(100_000, 100_000 + count)
    planted_seeds = range(200_000, 200_000 + count)
    few = planted_seeds[: max(count // 4, 10)]
    for cases in (600, 5000):
        print(f"\n{cases} cases a month, 3 months of history, {count} repetitions (± one standard error)")
        for cause in ("none", "mix"):
            print(row(f"  {cause}", score_design(Design(cases, cause), seeds)), flush=True)
        pooled = Score()
        for cause in CAUSES:
            score = score_design(Design(cases, cause), planted_seeds)
            pooled = pooled + score
            print(row(f"  +1 log-odds, {cause}", score), flush=True)
        print(row("  +1 log-odds, all", pooled), flush=True)
        print(row("  general, +.5", score_design(Design(cases, "general", effect=0.5), few)), flush=True)
    if not chosen.quick:
        print(f"\nVariants, 2000 cases a month, {len(few)} repetitions")
        for label, changes in VARIANTS.items():
            effect = 0.6 if changes.get("kind") in ("duration", "count", "mean") else 1.0
            for cause in ("none", "one+two"):
                score = score_design(
                    Design(2000, cause, effect=effect, **changes), planted_seeds if cause == "none" else few
                )
                print(row(f"  {label}: {cause}", score), flush=True)
        print(f"\nSeveral causes at once, six months of history, {len(few)} repetitions")
        for cause in SEVERAL:
            for cases, effect in ((600, 1.0), (5000, 1.0), (20_000, 2.0)):
                score = score_design(Design(cases, cause, effect=effect, months=6, leaf=0.1, shock=0.05), few)
                print(row(f"  {cause}, {cases} cases, +{effect:.0f}", score), flush=True)
        print(f"\nThe cause had been there before, 5000 cases a month, {len(few)} repetitions")
        for months, bursts in ((6, 1), (6, 2), (12, 2)):
            for cause in ("none", "one", "two"):
                score = score_design(Design(5000, cause, months=months, bursts=bursts, shock=0.1), few)
                print(row(f"  {cause}, in {bursts} of {months} months", score), flush=True)
        print("\nThe sample's planted causes")
        planted.main()
    folder = chosen.data / "root_cause" / "video_cdn"
    if folder.exists():
        for which in ("tune", "test"):
            print(row(f"\nvideo service, {which} half", score_video(folder, which)), flush=True)
    else:
        print(f"\nvideo service: not run, {folder} is not there")


if __name__ == "__main__":
    main()
