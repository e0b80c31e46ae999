"""From the runs of a benchmark to its numbers: every metric of every model, over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spul.benchmarks.catalogue import View
from spul.benchmarks.maker import TITLES, Arm, Maker, Row
from spul.benchmarks.summary import SeedMean, over_seeds
from spul.benchmarks.views import answers_of, samples_of_view
from spul.errors import RunError
from spul.evaluation import compute_metrics
from spul.evaluation.evaluate import ANSWERS_FACT
from spul.runs import Run
from spul.studies.jobs import Job
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["BASE", "GATED", "RETRAINED", "Scores", "score_runs"]

BASE, RETRAINED = "base", "retrained"
PRETRAINED = "pretrained"
GATED = "unlearned_gated"
PLAIN_TITLES = {PRETRAINED: "Not fine-tuned", BASE: "Base", RETRAINED: "Retrained without the forget set"}

Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True)
class Scores:
    """The numbers of a benchmark.

    Attributes:
        rows: models in the table's order; constant predictors and gated models are among them where there are any.
        numbers: by row key, place (a split, or ``""``) and metric.
        runs: the runs that are complete, by job name.
        missing: why jobs have no numbers, by job name.
    """

    rows: tuple[Row, ...]
    numbers: Mapping[tuple[str, str, str], SeedMean]
    runs: Mapping[str, Run]
    missing: Mapping[str, str] = field(default_factory=dict)

    def get(self, row: str, place: str, metric: str) -> SeedMean | None:
        """Return a number, ``None`` where no run has it."""
        return self.numbers.get((row, place, metric))


def score_runs(
    maker: Maker,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    jobs: Sequence[Job],
    failed: Mapping[str, str],
    views: Sequence[View] = (),
) -> Scores:
    """Return the numbers of the runs that are complete.

    Base, retrained and unlearned models were scored each in a run of its own; here their samples are put side by side,
    and metrics are computed from these, so that every model is compared with the same retrained one.

    Args:
        maker: what made the jobs.
        arms: what stands on the base.
        seeds: as in the jobs.
        jobs: all of them.
        failed: errors of jobs that are not complete, by name.
        views: what the models are scored on in place of their own splits.

    Raises:
        RunError: not one run is complete.
    """
    runs = {job.name: Run.open(job.directory(maker.root)) for job in jobs if job.name not in failed}
    if not runs:
        raise RunError("no run is complete: " + "; ".join(f"{name}: {why}" for name, why in failed.items()))
    found: dict[tuple[str, str], list[Mapping[str, MetricResult]]] = {}
    for seed in seeds if views else ():
        for key, metrics in _of_views(maker, arms, seed, runs, views).items():
            found.setdefault(key, []).append(metrics)
    for seed in () if views else seeds:
        of_arms = [runs.get(maker.job_name(arm.name, seed)) for arm in arms]
        first = _with_base([runs.get(maker.job_name(BASE, seed)), *of_arms])
        beside = {**_samples(first, BASE, PRETRAINED), **_samples(runs.get(maker.job_name(RETRAINED, seed)), RETRAINED)}
        if first is not None:
            metrics = _metrics(first, beside)
            for model in _models(metrics):
                found.setdefault((model, model), []).append(metrics)
        for arm, run in zip(arms, of_arms, strict=True):
            if run is None:
                continue
            compared = {where: rows for where, rows in beside.items() if not where.startswith(PRETRAINED)}
            metrics = _metrics(run, {**_samples(run, "unlearned", GATED), **compared})
            for model in ("unlearned", GATED):
                if any(key.startswith(f"{model}/") for key in metrics):
                    found.setdefault((arm.name, model), []).append(metrics)
    rows = [_row(arm, model, arms) for arm, model in found]
    numbers = {
        (row.key, *key.removeprefix(f"{row.model}/").rpartition("/")[::2]): over_seeds(
            [metrics[key] for metrics in tables if key in metrics]
        )
        for row, tables in zip(rows, found.values(), strict=True)
        for key in dict.fromkeys(key for metrics in tables for key in metrics if key.startswith(f"{row.model}/"))
    }
    return Scores(tuple(_ordered(rows, arms)), numbers, runs, dict(failed))


def _of_views(
    maker: Maker, arms: Sequence[Arm], seed: int, runs: Mapping[str, Run], views: Sequence[View]
) -> dict[tuple[str, str], dict[str, MetricResult]]:
    """Return the metrics of one seed's models on all views; a view's name stands before the split."""
    found: dict[tuple[str, str], dict[str, MetricResult]] = {}
    for view in views:
        own = {
            name: samples_of_view(runs[job], view, maker.root)
            for name in (BASE, RETRAINED, *(arm.name for arm in arms))
            if (job := maker.job_name(name, seed)) in runs
        }
        beside = {f"{name}/{split}": rows for name in (BASE, RETRAINED) for split, rows in own.get(name, {}).items()}
        for name, samples in own.items():
            model = name if name in (BASE, RETRAINED) else "unlearned"
            compared = beside | {f"{model}/{split}": rows for split, rows in samples.items()}
            run = runs[maker.job_name(name, seed)]
            metrics = compute_metrics(
                compared,
                answers_of(view.task),
                bootstrap=run.config.evaluation.bootstrap,
                seed=seed,
                task=str(view.task["name"]),
            )
            mine = found.setdefault((name, model), {})
            for key, result in metrics.items():
                whose, _, place = key.partition("/")
                mine[f"{whose}/{view.name}:{place}" if "/" in place else f"{whose}/{view.name}:/{place}"] = result
    return found


def _with_base(runs: Sequence[Run | None]) -> Run | None:
    """Return the first run in which the base was scored."""
    return next((run for run in runs if _samples(run, BASE)), None)


def _samples(run: Run | None, *models: str) -> dict[str, Sequence[Sample]]:
    """Return a run's stored samples of some of its models, by ``<model>/<split>``."""
    if run is None:
        return {}
    return {where: run.read_samples(where) for where in run.sample_places() if where.partition("/")[0] in models}


def _metrics(run: Run, samples: Samples) -> dict[str, MetricResult]:
    answers = run.manifest.facts[ANSWERS_FACT]
    config = run.config
    return compute_metrics(
        samples,
        AnswerSpace(tuple(answers["labels"]), tuple(answers["generic"])),
        bootstrap=config.evaluation.bootstrap,
        seed=config.seed,
        task=config.task.name,
    )


def _models(metrics: Mapping[str, MetricResult]) -> list[str]:
    return list(dict.fromkeys(key.partition("/")[0] for key in metrics))


def _row(arm: str, model: str, arms: Sequence[Arm]) -> Row:
    if model.startswith("constant:"):
        return Row(model, f"Always “{model.partition(':')[2]}”", BASE, model)
    if arm == model:
        return Row(model, PLAIN_TITLES[model], RETRAINED if model == RETRAINED else BASE, model)
    own = next((each for each in arms if each.name == arm), None)
    title = (own.title if own else "") or TITLES.get(arm, arm).removesuffix(" (ours)")
    short = own.short if own else ""
    if model == GATED:
        return Row(f"{arm}:gated", f"{title}, gated", arm, model, short=short and f"{short}, gated")
    return Row(arm, title, arm, model, short=short)


def _ordered(rows: Sequence[Row], arms: Sequence[Arm]) -> list[Row]:
    """Return models without unlearning first, then the arms in their order, constant predictors last."""
    names = [PRETRAINED, BASE, RETRAINED, *(arm.name for arm in arms)]

    def rank(row: Row) -> tuple[int, str]:
        key = row.key.removesuffix(":gated")
        return (names.index(key) if key in names else len(names), row.key)

    return sorted(rows, key=rank)
