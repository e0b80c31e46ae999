"""Samples on which every registered metric is defined: of labels and of free text, from a seed."""

from __future__ import annotations

from dataclasses import replace
from math import log
from random import Random
from typing import Any

from spul.data.tofu import UTILITY_SETS
from spul.metrics import METRICS, Bootstrap, Scored
from spul.metrics._base import AnswerKind
from spul.types import SPLIT_NAMES, AnswerSpace, MetricResult, Sample
from tests import fakes
from tests.metrics import free_text

__all__ = ["Places", "answers_of", "results", "world"]

Places = dict[str, list[Sample]]
MODELS = ("unlearned", "base", "retrained")
SPLITS = {"labels": SPLIT_NAMES, "text": ("train_forget", "test_forget", "holdout", *UTILITY_SETS)}
PLACES = ("rome", "oslo", "bern", "lima")
TASKS = {"labels": ("classification",), "text": ("qa", "completion")}
"""Tasks so that each metric of one task alone is computed by one of them."""


def answers_of(kind: AnswerKind) -> AnswerSpace:
    return fakes.ANSWERS if kind == "labels" else free_text.ANSWERS


def world(kind: AnswerKind, count: int, seed: int, *, silent: bool = False) -> Places:
    """Return ``count`` samples at every place: the same examples for every model, and scores of the model's own.

    Where the model is ``silent`` it writes nothing, and no answer is read from it.
    """
    rng = Random(seed)
    make = _of_labels if kind == "labels" else _of_text
    facts = {split: [_fact(kind, f"{split} {i}", i, rng) for i in range(count)] for split in SPLITS[kind]}
    places = {
        f"{model}/{split}": [make(fact, rng, silent) for fact in facts[split]]
        for model in MODELS
        for split in SPLITS[kind]
    }
    if kind == "labels":
        places |= {f"unlearned_gated/{split}": _gated(places[f"unlearned/{split}"], rng) for split in SPLITS[kind]}
    return places


def results(kind: AnswerKind, places: Places, resamples: int = 2) -> dict[str, MetricResult]:
    """Return every metric of that kind by the name of its file, ``/``, place and key; by the first task that has it."""
    found: dict[str, MetricResult] = {}
    for task in TASKS[kind]:
        scored = Scored(places, answers_of(kind), Bootstrap(resamples), task)
        for name in set(METRICS.names()) - {key.partition("/")[0] for key in found}:
            for metric in METRICS.get(name).variants():
                rows = metric.rows(scored) if kind in metric.kinds else ()
                found |= {f"{name}/{where}/{metric.key}": result for where, result in rows}
    return found


def _fact(kind: AnswerKind, id: str, number: int, rng: Random) -> dict[str, Any]:
    # As long as the example of that number on every other split, so that each has a partner of its length.
    base = {"id": id, "input_tokens": 10 + number, "num_tokens": rng.randint(1, 6)}
    if kind == "labels":
        return {**base, "num_tokens": 1, "answer": fakes.ANSWERS.labels[(number + rng.randint(0, 1)) % 2]}
    return {**base, "answer": f"anna was born in {rng.choice(PLACES)}", "false": rng.randint(1, 5)}


def _of_labels(fact: dict[str, Any], rng: Random, silent: bool) -> Sample:
    labels, generic = fakes.ANSWERS.labels, fakes.ANSWERS.generic
    said = None if silent else rng.choice((*labels, *generic, None))
    scores = {text: log(rng.uniform(0.01, 0.3)) for text in (*labels, *generic)}
    return Sample(
        **fact,
        prediction=said,
        prediction_text="" if silent else said or rng.choice(("??", "so")),
        restricted_prediction=rng.choice(labels),
        logprob=scores[fact["answer"]],
        candidate_logprobs=scores,
        readings={by: rng.choice(labels) for by in ("letter", "likelihood", "likelihood_per_token")},
    )


def _of_text(fact: dict[str, Any], rng: Random, silent: bool) -> Sample:
    tokens = [log(rng.uniform(0.01, 0.99)) for _ in range(fact["num_tokens"])]
    hits = tuple(rng.random() < 0.6 for _ in tokens)
    words = rng.choices(("anna", "was", "born", "in", *PLACES), k=rng.randint(0, 8))
    ids, cut = tuple(range(12)), rng.randint(2, 12)
    text = free_text.free_sample(
        fact["id"],
        answer=fact["answer"],
        generated="" if silent else " ".join(words * rng.randint(1, 2)),
        paraphrase=rng.uniform(0.01, 0.99),
        perturbed=[rng.uniform(0.01, 0.99) for _ in range(fact["false"])],
        token_logprobs=tokens,
        hits=hits,
        context=[rng.random() < 0.6 for _ in range(3)],
        text_ids=ids,
        continuations={1: ids[1:cut], 2: ids[2:]},
        similarity=rng.uniform(-1, 1),
    )
    said = None if silent else rng.choice((fact["answer"], *free_text.ANSWERS.generic, None))
    return replace(
        text,
        prediction=said,
        logprob=sum(tokens),
        num_tokens=len(tokens),
        input_tokens=fact["input_tokens"],
        candidate_logprobs={text: log(rng.uniform(0.01, 0.3)) for text in free_text.ANSWERS.generic},
    )


def _gated(samples: list[Sample], rng: Random) -> list[Sample]:
    scores = [rng.random() for _ in samples]
    return [replace(s, scope_score=score, in_scope=score > 0.5) for s, score in zip(samples, scores, strict=True)]
