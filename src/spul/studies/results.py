"""What a study has found so far, read from its run directories alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spul.errors import ConfigError, RunError, unknown_name
from spul.files import write_bytes, write_json, write_text
from spul.reports.study import StudyRow, StudyTable, as_csv, as_markdown
from spul.reports.study_pictures import study_pareto, study_picture
from spul.runs import Run
from spul.stats import mean_interval
from spul.studies.jobs import Job
from spul.studies.plan import Plan
from spul.studies.settings import FORGET, RETAIN
from spul.studies.work import found_run
from spul.types import MetricResult

__all__ = ["Found", "over_seeds", "read_plan", "table_of", "write_results"]

SCHEMA_VERSION = 1
BESIDE = ("base", "retrained")


class Found(NamedTuple):
    """How far a job is: ``complete`` with its metrics, ``trained``, ``started``, ``failed`` or ``missing``."""

    status: str
    run: Run | None
    metrics: Mapping[str, MetricResult]
    reason: str | None = None


def read_plan(plan: Plan) -> dict[str, Found]:
    """Return how far every job is, by its name."""
    return {job.name: _read(job, plan.root) for job in plan.jobs}


def _read(job: Job, root: Path) -> Found:
    try:
        run = found_run(job, root)
    except RunError as error:
        return Found("failed", None, {}, str(error))
    if run is None:
        return Found("missing", None, {})
    if run.status != "complete":
        return Found(run.status, run, {}, run.manifest.reason)
    if not job.evaluate:
        return Found("complete", run, {})
    evaluated = "metrics.json" in run.manifest.files
    return Found("complete", run, dict(run.metrics)) if evaluated else Found("trained", run, {})


def over_seeds(results: Sequence[MetricResult]) -> MetricResult:
    """Return one seed's number as it is, or the mean over seeds with Student's t interval; n then counts seeds."""
    first = results[0]
    if len(results) == 1:
        return first
    values = [result.value for result in results if result.value is not None]
    if len(values) < len(results):
        reason = next(result.reason for result in results if result.value is None)
        return MetricResult(None, len(results), first.unit, first.higher_is_better, reason=f"of one seed: {reason}")
    interval = mean_interval(values)
    low, high = interval if interval is not None else (None, None)
    return MetricResult(sum(values) / len(values), len(values), first.unit, first.higher_is_better, low, high)


def table_of(plan: Plan, found: Mapping[str, Found]) -> StudyTable:
    """Return the study's table; numbers that are not there yet are left out.

    Raises:
        ConfigError: a metric that no run has.
    """
    names = tuple(dict.fromkeys((*plan.study.metrics, FORGET, RETAIN)))
    rows = []
    models: dict[str, dict[str, MetricResult]] = {}
    for point in plan.points:
        runs = [found[job.name].metrics for job in point.jobs.values() if found[job.name].status == "complete"]
        metrics = {name: over_seeds([_metric(run, name) for run in runs]) for name in names} if runs else {}
        rows.append(StudyRow(point.values, metrics, (len(runs), len(point.jobs))))
        for model in BESIDE:
            for name in names if runs and not models.get(model) else ():
                if (key := f"{model}/{name}") in runs[0]:
                    models.setdefault(model, {})[name] = runs[0][key]
    return StudyTable(plan.study.fields, plan.study.metrics, tuple(rows), models)


def _metric(metrics: Mapping[str, MetricResult], name: str) -> MetricResult:
    for key in (name, f"unlearned/{name}"):
        if key in metrics:
            return metrics[key]
    short = {key.removeprefix("unlearned/") for key in metrics}
    raise ConfigError(f"metrics: {unknown_name('metric', name, short)}")


def write_results(
    plan: Plan, out: Path, errors: Mapping[str, str], chosen: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write ``table.md``, ``table.csv``, the pictures and, last, ``study.json``; return what is in the last.

    Args:
        plan: the study.
        out: its directory.
        errors: what went wrong just now, by the job's name.
        chosen: what a search says of itself.

    Raises:
        ConfigError: a metric that no run has.
    """
    found = {name: _with_error(one, errors.get(name)) for name, one in read_plan(plan).items()}
    table = table_of(plan, found)
    write_text(out / "table.md", as_markdown(table))
    write_text(out / "table.csv", as_csv(table))
    drawn = {"picture": study_picture(table, FORGET, RETAIN), "pareto": study_pareto(table, FORGET, RETAIN)}
    for name, picture in drawn.items():
        if picture is not None and picture.png is not None:
            write_bytes(out / f"{name}.svg", picture.svg)
            write_bytes(out / f"{name}.png", picture.png)
    # Points that fail are what a search may find; a sweep wants every one.
    complete = table.is_complete if chosen is None else chosen["remaining"] == 0
    document = {
        "schema_version": SCHEMA_VERSION,
        "status": "complete" if complete else "incomplete",
        "runs": str(plan.root),
        "stages": [_job(job, found[job.name], plan.root) for job in plan.stages.values()],
        "points": [
            {
                "values": point.values,
                "runs": [{"seed": seed, **_job(job, found[job.name], plan.root)} for seed, job in point.jobs.items()],
                "metrics": {name: result.to_json() for name, result in row.metrics.items()} or None,
            }
            for point, row in zip(plan.points, table.rows, strict=True)
        ],
        **({} if chosen is None else {"search": dict(chosen)}),
    }
    write_json(out / "study.json", document)
    return document


def _with_error(found: Found, error: str | None) -> Found:
    return found if error is None else found._replace(status="failed", reason=error)


def _job(job: Job, found: Found, root: Path) -> dict[str, Any]:
    directory = job.directory(root).name
    return {"name": job.name, "run": directory, "status": found.status, "reason": found.reason}
