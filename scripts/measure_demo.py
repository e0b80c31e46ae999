"""Measure the built-in demo over seeds: does it forget, does it keep, and within which time?

::

    python scripts/measure_demo.py --seeds 101-110 --runs studies/demo --csv docs/results/demo-seeds.csv

Every seed is other people, other films, another training. A seed whose run is there is not run again. On stdout a
table, one row a seed, and below it which of the aims each seed misses; the exit code is 1 where one does.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LEAST_GENERIC, MOST_LOST, MOST_SECONDS = 0.97, 0.02, 60.0
"""The aims: share of generic answers on test forget, accuracy lost on test retain, CPU-seconds of one core."""

RECORD = "demo.json"
NUMBERS = {
    "generic, train forget": "unlearned/train_forget/generic_rate",
    "generic, test forget": "unlearned/test_forget/generic_rate",
    "right, test forget": "unlearned/test_forget/accuracy",
    "right, test retain": "unlearned/test_retain/accuracy",
    "base, test forget": "base/test_forget/accuracy",
    "base, test retain": "base/test_retain/accuracy",
    "retrained, generic, test forget": "retrained/test_forget/generic_rate",
    "AUC, base": "base/membership_auc",
    "AUC, unlearned": "unlearned/membership_auc",
    "AUC, retrained": "retrained/membership_auc",
}


def measure(seed: int, root: Path) -> dict[str, float]:
    """Run the demo of one seed, or read what it gave; return its numbers."""
    folder = root / f"seed-{seed}"
    record = folder / RECORD
    if not record.exists():
        before = _seconds()
        command = [sys.executable, "-m", "spul", "demo", "--seed", str(seed), "--output-dir", str(folder), "--json"]
        found = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        record.write_text(json.dumps({"cpu_seconds": _seconds() - before, "runs": json.loads(found.stdout)}))
    known: dict[str, Any] = json.loads(record.read_text())
    metrics = known["runs"]["unlearned"]["metrics"]
    return {**{name: metrics[key]["value"] for name, key in NUMBERS.items()}, "CPU-seconds": known["cpu_seconds"]}


def missed(row: dict[str, float]) -> list[str]:
    """Return the aims that a seed misses, in words."""
    lost = row["base, test retain"] - row["right, test retain"]
    return [
        what
        for what, fails in {
            f"generic on test forget below {LEAST_GENERIC:.0%}": row["generic, test forget"] < LEAST_GENERIC,
            f"more than {MOST_LOST:.0%} lost on test retain": lost > MOST_LOST,
            f"more than {MOST_SECONDS:g} CPU-seconds": row["CPU-seconds"] > MOST_SECONDS,
        }.items()
        if fails
    ]


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if last else [int(part) for part in text.split(",")]


def _shown(name: str, value: float) -> str:
    return f"{value:.0f}" if name == "CPU-seconds" else f"{value:.3f}" if "AUC" in name else f"{100 * value:.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=_seeds, default=_seeds("101-110"), metavar="FIRST-LAST or A,B,…")
    parser.add_argument("--runs", type=Path, default=Path("studies/demo"), help="where the runs lie (%(default)s)")
    parser.add_argument("--csv", type=Path, help="write the rows there too")
    given = parser.parse_args(arguments)
    rows: dict[int, dict[str, float]] = {}
    for seed in given.seeds:
        rows[seed] = measure(seed, given.runs)
        sys.stderr.write(f"seed {seed}: {'; '.join(missed(rows[seed])) or 'all aims reached'}\n")
    names = [*NUMBERS, "CPU-seconds"]
    print(f"| seed | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
    for seed, row in rows.items():
        print(f"| {seed} | {' | '.join(_shown(name, row[name]) for name in names)} |")
    if given.csv is not None:
        given.csv.parent.mkdir(parents=True, exist_ok=True)
        with given.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["seed", *names])
            writer.writerows([seed, *(row[name] for name in names)] for seed, row in rows.items())
    return int(any(missed(row) for row in rows.values()))


if __name__ == "__main__":
    raise SystemExit(main())
