"""From a study to the jobs that it is made of, all validated before the first one runs."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from spul.config import RunConfig
from spul.errors import ConfigError, unknown_name
from spul.metrics import METRICS
from spul.studies.jobs import Job, config_digest
from spul.studies.ranges import Choice, draw, parse_range
from spul.studies.settings import VALIDATION, StudyConfig

__all__ = ["Plan", "Point", "add_point", "make_plan"]

STAGE = "stage:"
SHARED = ("data", "task", "evaluation", "seed")
"""Parts of the run's configuration that its stages have too."""
LONGEST_NAME = 80

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Point:
    """One setting of the swept fields.

    Attributes:
        values: field → value, as the configuration understood it.
        jobs: seed → the job that runs the point with it.
    """

    values: dict[str, Value]
    jobs: dict[int, Job]


@dataclass(frozen=True)
class Plan:
    """The points of a study and everything that is to be run for them."""

    study: StudyConfig
    root: Path
    points: list[Point]
    stages: dict[str, Job]

    @property
    def jobs(self) -> list[Job]:
        """Return all jobs, stages first."""
        return [*self.stages.values(), *(job for point in self.points for job in point.jobs.values())]


def make_plan(study: StudyConfig, root: str | Path) -> Plan:
    """Return the study's points and jobs; of a search, no points yet.

    Raises:
        ConfigError: a field that does not exist, a value that does not do, a stage that is not there, or two points
            that are the same.
    """
    plan = Plan(study, Path(root).absolute(), [], {})
    _check_metrics(study.metrics)
    if study.search is None:
        for values in _combinations(study):
            add_point(plan, values)
    else:
        _check_corners(study)
    _refuse_twins(plan.points, plan.root)
    return plan


def add_point(plan: Plan, values: Mapping[str, Any]) -> Point:
    """Add a point to the plan, with what it stands on, and return it.

    Raises:
        ConfigError: it does not validate.
    """
    study = plan.study
    name = _name(values, taken={job.name for job in plan.jobs})
    jobs: dict[int, Job] = {}
    shown: dict[str, Value] = {}
    for seed in study.seeds or (None,):
        all_values = {**values, **({} if seed is None else {"seed": seed})}
        needs: list[str] = []
        config = _build(_resolved(study.run, plan, all_values, needs), all_values)
        shown = {field: _value_at(config, field, given) for field, given in values.items()}
        jobs[config.seed] = Job(f"{name}_seed-{config.seed}" if name else f"seed-{config.seed}", config, tuple(needs))
    point = Point(shown, jobs)
    plan.points.append(point)
    return point


def _combinations(study: StudyConfig) -> Iterator[dict[str, Any]]:
    grid = [dict(zip(study.grid, combination, strict=True)) for combination in itertools.product(*study.grid.values())]
    spaces = {field: parse_range(field, text) for field, text in study.random.items()}
    drawn = [
        {field: draw(space, Random(f"{study.draw_seed}:{i}:{field}")) for field, space in spaces.items()}
        for i in range(study.samples or 1)
    ]
    for parts in itertools.product(study.list or ({},), grid, drawn):
        yield {field: value for part in parts for field, value in part.items()}


def _check_metrics(names: Sequence[str]) -> None:
    known = [metric.key for name in METRICS.names() for metric in METRICS.get(name).variants()]
    for name in names:
        if (last := name.rpartition("/")[2]) not in known:
            raise ConfigError(f"metrics: {name}: {unknown_name('metric', last, known)}")


def _check_corners(study: StudyConfig) -> None:
    """Refuse a search whose ranges leave what the settings allow, before it has begun."""
    for low in (True, False):
        values: dict[str, Any] = {}
        for field, text in study.random.items():
            space = parse_range(field, text)
            if isinstance(space, Choice):
                values[field] = space.values[0 if low else -1]
            else:
                end = space.low if low else space.high
                values[field] = int(end) if space.kind == "int" else end
        config = _build(study.run, values)
        goal = study.search.goal if study.search is not None else ""
        validates = config.train.keep == "best" and config.data.validation_share > 0
        if VALIDATION in goal and not (validates or config.data.folder):
            raise ConfigError(
                f"the goal {goal!r} is of a validation, but the run makes none: it needs data.validation_share above "
                "0 and train.keep=best"
            )


def _build(run: Mapping[str, Any], values: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.build(run, [f"{field}={json.dumps(value)}" for field, value in values.items()])
    except ConfigError as error:
        where = ", ".join(f"{field}={value}" for field, value in values.items()) or "the run"
        raise ConfigError(f"point {where}: {error}") from error


def _resolved(value: Any, plan: Plan, point: Mapping[str, Any], needs: list[str]) -> Any:
    """Return the run's values with ``stage:NAME`` replaced by where that stage's model will be; note what is needed."""
    if isinstance(value, Mapping):
        return {key: _resolved(item, plan, point, needs) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_resolved(item, plan, point, needs) for item in value]
    if not (isinstance(value, str) and value.startswith(STAGE)):
        return value
    job = _stage(value.removeprefix(STAGE), plan, point)
    if job.name not in needs:
        needs.append(job.name)
    return str(job.model_dir(plan.root))


def _stage(name: str, plan: Plan, point: Mapping[str, Any]) -> Job:
    study = plan.study
    if name not in study.stages:
        raise ConfigError(unknown_name("stage", name, study.stages))
    follows = {field: value for field, value in point.items() if field in study.stages_follow}
    full_name = _name(follows, prefix=name)
    if full_name not in plan.stages:
        shared = {key: study.run[key] for key in SHARED if key in study.run}
        own = study.stages[name]
        parts = {key: {**_mapping(shared.get(key)), **_mapping(own.get(key))} for key in ("data", "task", "evaluation")}
        job = Job(full_name, _build({**shared, **own, **parts}, follows), evaluate=False)
        if job.kind != "finetune":
            raise ConfigError(f"stage {name!r}: expected method finetune or retrain, got {job.config.method!r}")
        plan.stages[full_name] = job
    return plan.stages[full_name]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _refuse_twins(points: Sequence[Point], root: Path) -> None:
    seen: dict[str, Point] = {}
    for point in points:
        for job in point.jobs.values():
            other = seen.setdefault(config_digest(job.config, root), point)
            if other is not point:
                raise ConfigError(
                    f"the points {_words(other)} and {_words(point)} are one and the same run: a value is given twice, "
                    "or a field does not matter there. Keep one."
                )


def _words(point: Point) -> str:
    return ", ".join(f"{field}={value}" for field, value in point.values.items()) or "of equal seeds"


def _value_at(config: RunConfig, field: str, given: Any) -> Value:
    """Return a field's value as the configuration has it: a number where the YAML said ``1e-3``, which is a text."""
    value: Any = config.model_dump(mode="json")
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Value):
        return value
    return given if isinstance(given, Value) else json.dumps(given, ensure_ascii=False)


def _name(values: Mapping[str, Any], prefix: str = "", taken: set[str] | frozenset[str] = frozenset()) -> str:
    """Return a readable name for a point: the last part of every field, and its value."""
    shown = {field: f"{value:.4g}" if isinstance(value, float) else value for field, value in values.items()}
    parts = [f"{field.rpartition('.')[2]}-{value}" for field, value in shown.items()]
    name = re.sub(r"[^\w.-]+", "-", "_".join([*([prefix] if prefix else []), *parts]))[:LONGEST_NAME]
    names = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
    return next(name for name in names if not any(job == name or job.startswith(f"{name}_seed-") for job in taken))
