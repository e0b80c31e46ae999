"""A sweep: every point of a study is run, and what was found is written beside the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spul.errors import ConfigError
from spul.files import write_text
from spul.studies.jobs import Job
from spul.studies.plan import Plan, make_plan
from spul.studies.results import write_results
from spul.studies.runner import Do, Event, Outcome, locked, run_jobs
from spul.studies.settings import StudyConfig

__all__ = ["STUDY_FILE", "open_study", "plan_of", "run_sweep", "status_of"]

STUDY_FILE = "study.yaml"

OnEvent = Callable[[Event], object]


def open_study(out: Path, given: StudyConfig | None) -> StudyConfig:
    """Return the study of a directory: the one given, or the one that lies there.

    Raises:
        ConfigError: neither is there, or they differ.
    """
    file = out / STUDY_FILE
    if not file.exists():
        if given is None:
            raise ConfigError(
                f"expected a study: a file with a run's configuration and what to vary (--grid, --random, --list, "
                f"--seeds), or a directory that has a {STUDY_FILE}; {out} has none"
            )
        return given
    there = StudyConfig.read(file, {})
    if given is not None and given != there:
        raise ConfigError(
            f"{out} holds another study. Go on with that one by `spul sweep --out {out}`, or give this one a directory "
            f"of its own; with `--runs {out / 'runs'}` it takes over the runs that they share."
        )
    return there


def plan_of(study: StudyConfig, out: Path) -> Plan:
    """Return the study's plan; of a search, with the points that were tried.

    Raises:
        ConfigError: a point that does not validate.
    """
    plan = make_plan(study, study.runs or out / "runs")
    if study.search is not None:
        from spul.studies.search import tried

        tried(plan, out)
    return plan


def run_sweep(
    study: StudyConfig,
    out: Path,
    *,
    processes: int = 1,
    on_event: OnEvent | None = None,
    do: Do | None = None,
) -> dict[str, Any]:
    """Run what is left of a study and write its results; they are written too where it is interrupted.

    Args:
        study: what to run; it is validated as a whole before anything runs.
        out: the study's directory; ``study.yaml`` in it is written first.
        processes: jobs at a time.
        on_event: told what happens to the jobs.
        do: does one job; by default in worker processes.

    Returns:
        What ``study.json`` holds.

    Raises:
        ConfigError: the study does not validate, or the directory holds another one.
        MissingDependencyError: a search without Optuna.
        RunError: another process works on it.
    """
    open_study(out, study)
    plan = plan_of(study, out)
    outcomes: dict[str, Outcome] = {}

    def go(jobs: list[Job]) -> Mapping[str, Outcome]:
        found = run_jobs(jobs, plan.root, processes=processes, on_event=on_event, do=do)
        outcomes.update(found)
        return found

    with locked(out):
        write_text(out / STUDY_FILE, study.to_yaml())
        try:
            if study.search is None:
                go(plan.jobs)
            else:
                from spul.studies.search import search

                search(plan, out, go, processes)
        finally:
            document = _write(plan, out, outcomes)
    return document


def status_of(study: StudyConfig, out: Path) -> dict[str, Any]:
    """Return how far a study is, from its runs; its table and pictures are written anew, and nothing is run.

    Raises:
        ConfigError: there is no such study.
    """
    if not (out / STUDY_FILE).exists():
        raise ConfigError(f"expected a study in {out}, but it has no {STUDY_FILE}: it was never begun. Check --out.")
    return _write(plan_of(study, out), out, {})


def _write(plan: Plan, out: Path, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    errors = {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}
    if plan.study.search is None:
        return write_results(plan, out, errors)
    from spul.studies.search import state

    return write_results(plan, out, errors, state(plan, out))
