"""What stands in for workers: runs that are made in a moment, without a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spul.config import RunConfig
from spul.errors import RunError
from spul.runs import Run
from spul.studies.jobs import Job
from spul.studies.work import Phase
from spul.types import MetricResult

VALUES: dict[str, Any] = {"model": {"path": "nowhere"}, "data": {"builtin": "fictitious"}}


def config(*overrides: str, **values: Any) -> RunConfig:
    return RunConfig.build({**VALUES, **values}, overrides)


def job(name: str, *needs: str, seed: int | None = None) -> Job:
    """A job of its own seed, since equal ones are refused."""
    return Job(name, config(seed=sum(map(ord, name)) if seed is None else seed), needs)


class FakeWork:
    """Makes complete runs; fails where told to; remembers what it was asked for."""

    def __init__(
        self,
        failing: Mapping[str, str] | None = None,
        metrics: Callable[[Job], Mapping[str, MetricResult]] = lambda job: {},
    ) -> None:
        self.failing, self.metrics = dict(failing or {}), metrics
        self.done: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, job: Job, root: Path, evaluate: bool, tell: Callable[[Phase], object]) -> None:
        tell("training")
        if job.name in self.failing:
            raise RunError(self.failing[job.name])
        config = job.config.model_copy(update={"output_dir": str(root), "name": job.name})
        run = Run.create(config, job.kind, path=job.directory(root))
        if evaluate and job.evaluate:
            tell("evaluating")
            run.write_metrics(self.metrics(job))
        run.seal(status="complete")
        with self._lock:
            self.done.append(job.name)
