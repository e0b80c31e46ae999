"""Putting the questions of a split to a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from spul.errors import ModelError
from spul.tasks._base import Task
from spul.types import Continuation, ContinuingModel, GeneratingModel, LanguageModel, Query, Sample

__all__ = ["Progress", "score_split"]

Progress = Callable[[int, int], None]
"""Called with the number of queries that are done and the number of all."""

QUERIES_A_CALL = 256
"""How many queries a model is given at once: enough for it to form full batches, few enough to show progress."""


def score_split(
    model: LanguageModel,
    task: Task,
    queries: Sequence[Query],
    progress: Progress | None = None,
    *,
    write: bool = False,
    seed: int = 0,
) -> list[Sample]:
    """Return one sample a query, in the queries' order.

    Queries of like length are put together, so that the model's batches hold little padding.

    Args:
        model: is given some queries at a time and forms its own batches.
        task: says which answers are scored, and reads the scores.
        queries: posed examples with their true answers.
        progress: told after every call to the model.
        write: let the model write its own answers too, where the task's answers are free.
        seed: of what it writes, where that is sampled.

    Raises:
        ModelError: it is to write, and cannot.
    """
    writes = write and task.generation is not None
    order = sorted(range(len(queries)), key=lambda i: len(queries[i].prompt_ids))
    samples: dict[int, Sample] = {}
    for start in range(0, len(order), QUERIES_A_CALL):
        chosen = order[start : start + QUERIES_A_CALL]
        options = [task.scored_answers(queries[i]) for i in chosen]
        scores = model.score([queries[i] for i in chosen], [list(option.values()) for option in options])
        for i, option, row in zip(chosen, options, scores, strict=True):
            samples[i] = task.read(queries[i], dict(zip(option, row, strict=True)), model.decode)
        if writes:
            asked = [queries[i] for i in chosen]
            samples |= zip(chosen, _written(model, task, asked, [samples[i] for i in chosen], seed), strict=True)
        if progress is not None:
            progress(len(samples), len(queries))
    return [samples[i] for i in range(len(queries))]


def _written(
    model: LanguageModel, task: Task, queries: Sequence[Query], samples: Sequence[Sample], seed: int
) -> list[Sample]:
    """Return the samples with what the model writes itself, and what it knows of the prompts where that is asked."""
    if not isinstance(model, GeneratingModel):
        raise ModelError(f"{task.name} needs a model that writes, and {type(model).__name__} only scores")
    assert task.generation is not None
    texts = model.complete([query.prompt_ids for query in queries], **task.generation._asdict(), seed=seed)
    contexts = _context_hits(model, queries) if task.scores_context else [None] * len(queries)
    out = []
    for sample, text, context in zip(samples, texts, contexts, strict=True):
        assert sample.text is not None
        out.append(replace(sample, text=replace(sample.text, generated=text, context_hits=context)))
    return _with_continuations(model, task, queries, out)


def _with_continuations(
    model: LanguageModel, task: Task, queries: Sequence[Query], samples: Sequence[Sample]
) -> list[Sample]:
    """Return the samples with what the model goes on with after beginnings of the text, where that is asked."""
    beginnings = [task.beginnings(query) for query in queries]
    if not any(beginnings):
        return list(samples)
    if not isinstance(model, ContinuingModel):
        raise ModelError(f"extraction likelihood needs a model that goes on with a text, not {type(model).__name__}")
    lengths = [
        own[-1][0] + (len(q.prompt_ids) + len(q.answer_ids) - len(own[-1][1])) if own else 0
        for q, own in zip(queries, beginnings, strict=True)
    ]
    most = max(length - own[0][0] for length, own in zip(lengths, beginnings, strict=True) if own)
    rows = iter(model.continue_greedily([ids for own in beginnings for _, ids in own], max_new_tokens=most))
    out = []
    for sample, query, own, length in zip(samples, queries, beginnings, lengths, strict=True):
        assert sample.text is not None
        found = tuple(Continuation(shown, next(rows)[: length - shown]) for shown, _ in own)
        ids = (query.prompt_ids + query.answer_ids)[-length:] if own else None
        out.append(replace(sample, text=replace(sample.text, text_ids=ids, continuations=found)))
    return out


def _context_hits(model: LanguageModel, queries: Sequence[Query]) -> list[tuple[bool, ...] | None]:
    """Return, for the tokens of every prompt after its first, whether they are the arg-max."""
    long = [query for query in queries if len(query.prompt_ids) > 1]
    rest = [query.prompt_ids[1:] for query in long]
    starts = [replace(query, prompt_ids=query.prompt_ids[:1]) for query in long]
    scores = model.score(starts, [[ids] for ids in rest])
    hits = {
        query.id: tuple(a == b for a, b in zip(score.argmax_ids, ids, strict=True))
        for query, ids, (score,) in zip(long, rest, scores, strict=True)
    }
    return [hits.get(query.id) for query in queries]
