"""What is to be run: a job is a configuration with a name, a place that is known beforehand, and what it stands on."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spul.config import RunConfig
from spul.errors import ConfigError, unknown_name
from spul.methods import METHODS

__all__ = ["Job", "in_order"]

NAME = re.compile(r"[\w.-]+")
DIGITS = 8
NOT_THE_RUN = {"output_dir", "name"}
"""Settings that say where a run lies and what it is called, not what it does."""


@dataclass(frozen=True)
class Job:
    """One run that is wanted.

    A job's directory follows from what it does, so a later job's configuration can name it before it is there::

        base = Job("base", RunConfig.build({…, "method": "finetune"}), evaluate=False)
        hidden = Job("p-30", RunConfig.build({…, "model": {"path": str(base.model_dir(root))}}), needs=("base",))

    Attributes:
        name: unique among the jobs that are run together; readable, since the directory is called by it.
        config: what to do; its ``output_dir`` and ``name`` are replaced by the root and the job's name.
        needs: names of the jobs that must be complete before.
        evaluate: whether it is scored once it is trained.
        beside: whether the models to compare with are scored too, where its configuration names them; they need not be
            where another job has scored them on the same examples.

    Raises:
        ConfigError: a name that is no part of a path.
    """

    name: str
    config: RunConfig
    needs: tuple[str, ...] = ()
    evaluate: bool = True
    beside: bool = True

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"expected a job's name of letters, digits, `_`, `-` and `.`, got {self.name!r}")

    @property
    def kind(self) -> Literal["unlearn", "finetune"]:
        """Return which command does it; the stage of its method says so."""
        return "unlearn" if METHODS.get(self.config.method).stage == "unlearn" else "finetune"

    def digest(self, root: str | Path) -> str:
        """Return the SHA-256 of what the job does, in hexadecimal.

        Of everything in the resolved configuration but name and output directory. Environment variables in it are
        expanded, and the root is left out of paths, so that a study is called the same wherever it lies. What is as by
        default is left out, so that a run is still found by a later version that has more settings; where a default has
        changed meanwhile, the run's own file, which says everything, has another digest. Files are in it by their
        paths: what stands in them is checked by the run itself.
        """
        return config_digest(self.config, root)

    def directory(self, root: str | Path) -> Path:
        """Return the job's run directory, absolute: ``<root>/<name>-<first 8 digits of the digest>``.

        Where the same run lies under the root already, by whatever name, it is that one.
        """
        digits = self.digest(root)[:DIGITS]
        found = sorted(manifest.parent for manifest in Path(root).absolute().glob(f"*-{digits}/manifest.json"))
        return found[0] if found else Path(root).absolute() / f"{self.name}-{digits}"

    def model_dir(self, root: str | Path) -> Path:
        """Return where the job's trained weights will be: what a later job names as ``model.path`` or ``retrained``."""
        return self.directory(root) / "model"


def config_digest(config: RunConfig, root: str | Path) -> str:
    """Return the SHA-256 of what a run of that configuration does; see :meth:`Job.digest`."""
    values = config.model_dump(mode="json", exclude=NOT_THE_RUN, exclude_defaults=True)
    if config.objective is not None:
        # Its name is the default of its class.
        values["objective"] = {"name": config.objective.name, **values.get("objective", {})}
    text = json.dumps(_portable(values, str(Path(root).absolute())), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _portable(value: Any, root: str) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item, root) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item, root) for item in value]
    if not isinstance(value, str):
        return value
    text = os.path.expandvars(value)
    return "{root}" + text.removeprefix(root) if text.startswith(root + os.sep) else text


def in_order(jobs: Sequence[Job], root: str | Path) -> list[Job]:
    """Return the jobs so that each stands after those it needs, else as they were given.

    Raises:
        ConfigError: two jobs of one name or of one configuration, a need that is no job, or a circle of needs.
    """
    names = Counter(job.name for job in jobs)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ConfigError(f"expected every job's name once, got {', '.join(twice)} more than once")
    first: dict[str, str] = {}
    for job in jobs:
        other = first.setdefault(job.digest(root), job.name)
        if other != job.name:
            raise ConfigError(f"jobs {other!r} and {job.name!r} are one and the same run; keep one of them")
        for need in job.needs:
            if need not in names:
                raise ConfigError(f"job {job.name!r} needs {unknown_name('job', need, names)}")
    ordered: dict[str, Job] = {}
    waiting = list(jobs)
    while waiting:
        ready = [job for job in waiting if all(need in ordered for need in job.needs)]
        if not ready:
            raise ConfigError(f"jobs that need each other in a circle: {', '.join(job.name for job in waiting)}")
        ordered |= {job.name: job for job in ready}
        waiting = [job for job in waiting if job.name not in ordered]
    return list(ordered.values())
