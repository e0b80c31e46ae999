"""Running the jobs behind a table, and what of them its page says."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from spul.files import write_json
from spul.runs import Run
from spul.studies.jobs import Job
from spul.studies.progress import job_lines
from spul.studies.runner import run_jobs

__all__ = ["environment_of", "run_plan", "times_of"]

TIMES = "times.json"


def run_plan(name: str, jobs: Sequence[Job], root: Path, processes: int) -> dict[str, str]:
    """Run jobs, add what they took to the record of times, and return the errors by job.

    Args:
        name: under which the times are recorded.
        jobs: see :func:`spul.studies.runner.run_jobs`.
        root: where the runs lie.
        processes: worker processes, of one thread each.
    """
    started, before = time.monotonic(), _seconds_of_children()
    with job_lines(jobs) as lines:
        outcomes = run_jobs(jobs, root, processes=processes, on_event=lines)
    if any(not outcome.skipped for outcome in outcomes.values()):
        times = _read_times(root)
        spent = times.get(name, {"wall_seconds": 0.0, "cpu_seconds": 0.0, "counted": 0.0})
        times[name] = {
            "counted": spent["counted"] + sum(not outcome.skipped for outcome in outcomes.values()),
            "wall_seconds": spent["wall_seconds"] + time.monotonic() - started,
            "cpu_seconds": spent["cpu_seconds"] + _seconds_of_children() - before,
        }
        write_json(root / TIMES, times)
    return {name: str(outcome.error) for name, outcome in outcomes.items() if outcome.status != "complete"}


def environment_of(runs: Iterable[Run]) -> dict[str, str | None]:
    """Return what the runs were made with, by whichever versions, not what this process has."""
    recorded = [run.manifest.environment for run in runs]
    commits = list(dict.fromkeys(found["git"] for found in recorded if found.get("git")))
    return {**recorded[0], "git": " and ".join(commit for commit in commits if commit) or None}


def times_of(name: str, root: Path) -> dict[str, float | None]:
    """Return what the runs of a table took in all attempts; nothing where another table's command made them."""
    found = _read_times(root).get(name, {})
    return {key: found.get(key) for key in ("wall_seconds", "cpu_seconds", "counted")}


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _read_times(root: Path) -> dict[str, dict[str, float]]:
    file = root / TIMES
    if not file.exists():
        return {}
    found: dict[str, dict[str, float]] = json.loads(file.read_text(encoding="utf-8"))
    return found
