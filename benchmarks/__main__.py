"""Run the benchmarks one after the other: ``python -m benchmarks [--quick] [TOPIC ...]``."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path


def topics() -> list[str]:
    here = Path(__file__).parent
    modules = [path.stem for path in here.glob("*.py") if not path.stem.startswith("_")]
    packages = [path.parent.name for path in here.glob("*/__main__.py")]
    return sorted(modules + packages)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one of {', '.join(topics())}; all where left out")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    chosen = parser.parse_args()
    if unknown := set(chosen.topics) - set(topics()):
        parser.error(f"no such topic: {', '.join(sorted(unknown))}")
    # One BLAS thread: the simulations run side by side with nothing, and threads only blur the times.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}", flush=True
    )
    failed = []
    for topic in chosen.topics or topics():
        print(f"\n== {topic}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{topic}", *(["--quick"] if chosen.quick else [])]
        if subprocess.run(command, env=environment, check=False).returncode:
            failed.append(topic)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
