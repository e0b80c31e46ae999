"""A search by Optuna: the next points follow from what was found; its state is a data base in the study's directory."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spul.errors import ConfigError, MissingDependencyError, RunError
from spul.studies.jobs import Job
from spul.studies.plan import Plan, Point, add_point
from spul.studies.ranges import Choice, parse_range
from spul.studies.runner import Outcome
from spul.studies.settings import VALIDATION
from spul.studies.work import found_run

if TYPE_CHECKING:
    import optuna

__all__ = ["check_goal", "goal_value", "search", "state", "tried"]

DATABASE = "search.db"
NAME = "spul"
ON_TRAIN = ("train_forget", "train_retain")


def check_goal(goal: str, *, on_test: bool) -> None:
    """Refuse a goal that looks at test.

    Raises:
        ConfigError: it does, and that was not asked for.
    """
    key = goal.partition(":")[2]
    if on_test or key.startswith(VALIDATION) or key.removeprefix("unlearned/").partition("/")[0] in ON_TRAIN:
        return
    raise ConfigError(
        f"a search for {goal!r} would tune on test rows, and what it finds would measure nothing there. Search on "
        "validation parts of train (max:validation/score), or ask for it by --search-on-test."
    )


def search(plan: Plan, out: Path, go: Callable[[list[Job]], Mapping[str, Outcome]], processes: int) -> None:
    """Try points until there are as many as the study asks for; those that were cut off are finished first.

    Points are asked for ``processes`` at a time, so their number is a part of what the search finds.

    Raises:
        ConfigError: the goal is on test, or is no number of these runs.
        MissingDependencyError: Optuna is not installed.
    """
    import optuna

    study = _open(plan, out)
    open_trials = []
    for begun in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        if _is_whole(begun, plan):
            open_trials.append((begun.number, dict(begun.params)))
        else:
            # It was cut off before its values stood; another one takes its place.
            study.tell(begun.number, state=optuna.trial.TrialState.FAIL)
    while True:
        batch = open_trials[:processes]
        open_trials = open_trials[processes:]
        while len(batch) < processes and _begun(study.trials, plan) < (plan.study.samples or 0):
            trial = study.ask()
            batch.append((trial.number, _suggest(trial, plan)))
        if not batch:
            return
        points = [(number, _point(plan, params)) for number, params in batch]
        outcomes = go([*plan.stages.values(), *(job for _, point in points for job in point.jobs.values())])
        for number, point in points:
            _tell(study, number, point, outcomes, plan)


def tried(plan: Plan, out: Path) -> None:
    """Add the points to the plan that were tried before.

    Raises:
        ConfigError: the goal is on test.
        MissingDependencyError: Optuna is not installed.
    """
    _optuna(plan)
    for trial in _open(plan, out).trials if (out / DATABASE).exists() else ():
        if _is_whole(trial, plan):
            _point(plan, trial.params)


def state(plan: Plan, out: Path) -> dict[str, Any]:
    """Return how far the search is, and the best point so far."""
    goal = _optuna(plan)
    trials = _open(plan, out).trials if (out / DATABASE).exists() else []
    finished = [trial for trial in trials if trial.state.is_finished() and _is_whole(trial, plan)]
    valued = [trial for trial in finished if trial.value is not None]
    sign = 1 if goal.startswith("max") else -1
    best = max(valued, key=lambda trial: sign * (trial.value or 0.0), default=None)
    return {
        "goal": goal,
        "remaining": (plan.study.samples or 0) - len(finished),
        "failed": len(finished) - len(valued),
        "best": None if best is None else {"point": dict(best.params), "value": best.value},
    }


def goal_value(point: Point, goal: str, root: Path) -> float:
    """Return the goal of a complete point, the mean over its seeds.

    Raises:
        ConfigError: the runs have no such number, or it is undefined.
        RunError: a run is not complete.
    """
    key = goal.partition(":")[2]
    return sum(_of_run(job, key, root) for job in point.jobs.values()) / len(point.jobs)


def _of_run(job: Job, key: str, root: Path) -> float:
    run = found_run(job, root)
    if run is None or run.status != "complete":
        raise RunError(f"job {job.name!r} is not complete")
    if not key.startswith(VALIDATION):
        result = run.metrics[key]
        if result.value is None:
            raise ConfigError(f"{key} of {run.path} is undefined: {result.reason}")
        return result.value
    name = key.replace("/", "_")
    rows = [row for row in run.train_log() if name in row]
    if not rows:
        raise ConfigError(
            f"the goal {key!r} is no number of {run.path}: there was no validation, or none of that name. It needs "
            "data.validation_share above 0 and train.keep=best."
        )
    kept = run.manifest.facts.get("kept_step")
    value = next((row[name] for row in rows if row["step"] == kept), rows[-1][name])
    return float(value)


def _optuna(plan: Plan) -> str:
    """Check that the search can be made, and return its goal."""
    if plan.study.search is None:
        raise ConfigError("expected a study with a search")
    check_goal(plan.study.search.goal, on_test=plan.study.search.on_test)
    if importlib.util.find_spec("optuna") is None:
        raise MissingDependencyError("a search needs Optuna: pip install 'spul[search]'")
    return plan.study.search.goal


def _open(plan: Plan, out: Path) -> optuna.Study:
    goal = _optuna(plan)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{out.absolute() / DATABASE}")
    direction = optuna.study.StudyDirection.MINIMIZE if goal.startswith("min") else optuna.study.StudyDirection.MAXIMIZE
    study = optuna.create_study(storage=storage, study_name=NAME, direction=direction, load_if_exists=True)
    # The sampler's state is not stored. With how many there are in its seed, it goes on instead of beginning again.
    study.sampler = optuna.samplers.TPESampler(seed=plan.study.draw_seed + len(study.trials))
    return study


def _is_whole(trial: optuna.trial.FrozenTrial, plan: Plan) -> bool:
    return trial.params.keys() == plan.study.random.keys()


def _begun(trials: Sequence[optuna.trial.FrozenTrial], plan: Plan) -> int:
    return sum(_is_whole(trial, plan) for trial in trials)


def _suggest(trial: optuna.Trial, plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, text in plan.study.random.items():
        space = parse_range(field, text)
        if isinstance(space, Choice):
            values[field] = trial.suggest_categorical(field, space.values)
        elif space.kind == "int":
            values[field] = trial.suggest_int(field, int(space.low), int(space.high))
        else:
            values[field] = trial.suggest_float(field, space.low, space.high, log=space.kind == "log")
    return values


def _point(plan: Plan, params: Mapping[str, Any]) -> Point:
    """Return the plan's point of these values; one that is tried twice is run once."""
    known = [point for point in plan.points if point.values == dict(params)]
    return known[0] if known else add_point(plan, params)


def _tell(study: optuna.Study, number: int, point: Point, outcomes: Mapping[str, Outcome], plan: Plan) -> None:
    import optuna

    failed = [job.name for job in point.jobs.values() if outcomes[job.name].status != "complete"]
    if failed or plan.study.search is None:
        study.tell(number, state=optuna.trial.TrialState.FAIL)
        return
    study.tell(number, goal_value(point, plan.study.search.goal, plan.root))
