"""From models and data to a run's samples, and from samples to its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from math import isfinite
from random import Random

from spul.errors import DataError, RunError
from spul.metrics import METRICS, Bootstrap, Scored
from spul.runs import Run
from spul.scopes import Gate
from spul.tasks import Task, score_split
from spul.types import SPLIT_NAMES, AnswerSpace, Example, FreeText, LanguageModel, MetricResult, Sample, Splits

__all__ = ["ANSWERS_FACT", "GATED", "compute_metrics", "evaluate_run", "recompute_metrics", "write_gated_samples"]

GATED = "unlearned_gated"
"""What the unlearned model behind its scope gate is called, beside ``unlearned``, which is never gated."""

REPLACED = "test_forget_replaced"

ANSWERS_FACT = "answers"
"""Key of the manifest's facts under which the answer space stands, so that metrics recompute without data or model."""

Progress = Callable[[str, int, int], None]
"""Called with ``<model>/<split>``, the number of examples that are done and the number of all."""


def compute_metrics(
    samples: Mapping[str, Sequence[Sample]],
    answers: AnswerSpace,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
    task: str | None = None,
) -> dict[str, MetricResult]:
    """Return every registered metric by ``<model>/<split>/<metric>`` (``<model>/<metric>`` for what is no split's).

    Left out are metrics that are not about answers of this kind: of labels, or of free text where there are no labels.

    Constant predictors stand beside the models as ``constant:<label>``.

    Args:
        samples: by ``<model>/<split>``.
        answers: what may be answered; no labels where answers are free text.
        bootstrap: resamples behind every interval.
        seed: equal seeds give equal intervals.
        task: the task's name; a metric that belongs to one task is left out without it.

    Raises:
        DataError: a sample holds a score that is no finite number.
    """
    for where, rows in samples.items():
        for sample in rows:
            _check_finite(sample, where)
    scored = Scored(samples, answers, Bootstrap(bootstrap, seed), task)
    return {
        f"{where}/{metric.key}": result
        for name in METRICS.names()
        for metric in METRICS.get(name).variants()
        if scored.kind in metric.kinds
        for where, result in metric.rows(scored)
    }


def evaluate_run(
    run: Run,
    models: Mapping[str, LanguageModel],
    task: Task,
    splits: Splits,
    progress: Progress | None = None,
    gate: Gate | None = None,
) -> dict[str, MetricResult]:
    """Score the models on the four splits; write samples and metrics into the run, and return the metrics.

    Where answers are free, the models write them, and further sets and the holdout are scored as well.

    Args:
        run: locked, and unsealed, by the caller.
        models: ``unlearned``, ``base`` (the same with the prompt disabled), ``retrained``, ``pretrained``: those there
            are.
        task: poses the examples and reads the answers.
        splits: the data; at most ``evaluation.max_rows`` of every split are scored, drawn with the run's seed.
        progress: told how far it is.
        gate: where there is one, the gated model stands beside them as ``unlearned_gated``.
    """
    settings = run.config.evaluation
    more = [name for name in ("holdout", *splits.extra) if splits[name]] if task.generation is not None else []
    for split in (*_splits_of_all(splits), *more):
        queries = task.pose_all(_draw(splits[split], settings.max_rows, f"{run.config.seed} {split}"))
        for name, model in models.items():
            where = f"{name}/{split}"
            samples = score_split(model, task, queries, _at(progress, where), write=True, seed=run.config.seed)
            run.write_samples(where, samples)
    if gate is not None:
        write_gated_samples(run, gate, splits)
    answers = {"labels": list(task.answers.labels), "generic": list(task.answers.generic)}
    run.record(facts={**run.manifest.facts, ANSWERS_FACT: answers})
    return recompute_metrics(run)


def write_gated_samples(run: Run, gate: Gate, splits: Splits) -> None:
    """Write the gated model's samples: in scope the unlearned model's, out of it the base model's.

    Both are stored already, so no model runs, and what is out of scope is the base's bit for bit.

    Args:
        run: evaluated; locked, and unsealed, by the caller.
        gate: decides.
        splits: the data that the run was evaluated on.
    """
    for split in _splits_of_all(splits):
        fields = {example.id: example.fields for example in splits[split]}
        prompted, plain = (run.read_samples(f"{model}/{split}") for model in ("unlearned", "base"))
        scores = gate.scores([gate.text(fields[sample.id]) for sample in prompted])
        inside = gate.calibration.in_scope(scores)
        rows = zip(prompted, plain, scores.tolist(), inside, strict=True)
        run.write_samples(
            f"{GATED}/{split}",
            [replace(one if within else other, scope_score=s, in_scope=within) for one, other, s, within in rows],
        )


def recompute_metrics(run: Run) -> dict[str, MetricResult]:
    """Compute the metrics from the run's stored samples, without model or data, write and return them.

    Raises:
        RunError: the run was not evaluated.
    """
    answers = run.manifest.facts.get(ANSWERS_FACT)
    places = run.sample_places()
    if answers is None or not places:
        raise RunError(f"run {run.path} has no samples to compute metrics from; evaluate it with `spul evaluate`")
    metrics = compute_metrics(
        {where: run.read_samples(where) for where in places},
        AnswerSpace(tuple(answers["labels"]), tuple(answers["generic"])),
        bootstrap=run.config.evaluation.bootstrap,
        seed=run.config.seed,
        task=run.config.task.name,
    )
    run.write_metrics(metrics)
    return metrics


def _check_finite(sample: Sample, where: str) -> None:
    text = sample.text or FreeText()
    wordings = (*([text.paraphrase] if text.paraphrase else []), *text.perturbed)
    single = [number for number in (sample.logprob, sample.scope_score, text.similarity) if number is not None]
    for number in chain(
        single, sample.candidate_logprobs.values(), text.token_logprobs or (), (each.logprob for each in wordings)
    ):
        if not isinstance(number, int | float) or not isfinite(number):
            raise DataError(
                f"{where}, example {sample.id}: expected finite numbers as scores, got {number!r}. Score it again "
                "(in float32, where a model overflows), or leave out what was not measured."
            )


def _splits_of_all(splits: Splits) -> list[str]:
    """Return the splits that every model is asked about: the four, and the forget rows with other names in them."""
    return [*SPLIT_NAMES, *([REPLACED] if splits.test_forget_replaced else [])]


def _draw(examples: Sequence[Example], most: int | None, seed: str) -> Sequence[Example]:
    """Return at most that many examples, in their order."""
    if most is None or len(examples) <= most:
        return examples
    return [examples[i] for i in sorted(Random(seed).sample(range(len(examples)), most))]


def _at(progress: Progress | None, where: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(where, done, total)
