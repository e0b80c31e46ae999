"""What is done for one job, and how far it is: from nothing, or from wherever an earlier attempt was cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from spul.errors import RunError
from spul.runs import Run
from spul.studies.jobs import Job, config_digest

__all__ = ["Phase", "found_run", "is_complete", "work"]

Phase = Literal["training", "resuming", "evaluating"]


def found_run(job: Job, root: Path) -> Run | None:
    """Return the job's run as far as it is there, its files verified; ``None`` where it has not begun.

    Raises:
        RunError: the directory is no readable run, a file is missing or changed, or it is a run of something else.
    """
    directory = job.directory(root)
    if not (directory / "manifest.json").exists():
        return None
    run = Run.open(directory, incomplete=True)
    if run.manifest.kind != job.kind or config_digest(run.config, root) != job.digest(root):
        raise RunError(
            f"run {directory} has another configuration than job {job.name!r} asks for: it was edited, or moved here "
            "from elsewhere. Remove it, or use another directory."
        )
    return run


def is_complete(job: Job, root: Path, *, evaluate: bool) -> bool:
    """Return whether nothing is left to do for the job.

    Raises:
        RunError: as :func:`found_run`.
    """
    run = found_run(job, root)
    return run is not None and run.status == "complete" and (_is_evaluated(run, job) or not (evaluate and job.evaluate))


def work(job: Job, root: Path, *, evaluate: bool, tell: Callable[[Phase], object]) -> None:
    """Train and evaluate what is left of the job.

    Args:
        job: what to do.
        root: where runs lie.
        evaluate: whether jobs that ask for it are scored.
        tell: called as a phase begins.

    Raises:
        SpulError: whatever training or evaluation raise.
    """
    from spul import api

    run = found_run(job, root)
    do = api.unlearn if job.kind == "unlearn" else api.finetune
    if run is None:
        tell("training")
        config = job.config.model_copy(update={"output_dir": str(root), "name": job.name})
        run = do(config, directory=job.directory(root))
    elif run.status != "complete":
        tell("resuming")
        run = do(run.config, resume=run.path)
    if evaluate and job.evaluate and not _is_evaluated(run, job):
        tell("evaluating")
        api.evaluate(run, beside=job.beside)


def _is_evaluated(run: Run, job: Job) -> bool:
    # Evaluation takes its files out of the manifest first and puts them back last.
    if "metrics.json" not in run.manifest.files:
        return False
    # What was scored alone for another study may be wanted with its start beside it in this one.
    start = "base" if job.kind == "unlearn" else "pretrained"
    places = run.sample_places()
    return not (job.beside and places) or any(place.startswith(f"{start}/") for place in places)
