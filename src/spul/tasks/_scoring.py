"""Putting the questions of a split to a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spul.tasks._base import Task
from spul.types import LanguageModel, Query, Sample

__all__ = ["Progress", "score_split"]

Progress = Callable[[int, int], None]
"""Called with the number of queries that are done and the number of all."""

QUERIES_A_CALL = 256
"""How many queries a model is given at once: enough for it to form full batches, few enough to show progress."""


def score_split(
    model: LanguageModel, task: Task, queries: Sequence[Query], progress: Progress | None = None
) -> list[Sample]:
    """Return one sample a query, in the queries' order.

    Queries of like length are put together, so that the model's batches hold little padding.

    Args:
        model: is given some queries at a time and forms its own batches.
        task: says which answers are scored, and reads the scores.
        queries: posed examples with their true answers.
        progress: told after every call to the model.
    """
    order = sorted(range(len(queries)), key=lambda i: len(queries[i].prompt_ids))
    samples: dict[int, Sample] = {}
    for start in range(0, len(order), QUERIES_A_CALL):
        chosen = order[start : start + QUERIES_A_CALL]
        options = [task.scored_answers(queries[i]) for i in chosen]
        scores = model.score([queries[i] for i in chosen], [list(option.values()) for option in options])
        for i, option, row in zip(chosen, options, scores, strict=True):
            samples[i] = task.read(queries[i], dict(zip(option, row, strict=True)), model.decode)
        if progress is not None:
            progress(len(samples), len(queries))
    return [samples[i] for i in range(len(queries))]
