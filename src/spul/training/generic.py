"""Which answers examples are given in place of their own: generic ones, or a model's."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spul.errors import ConfigError
from spul.tasks import Task, score_split
from spul.types import LanguageModel, Query

__all__ = ["with_answers_of", "with_generic_answers"]


def with_generic_answers(task: Task, queries: Sequence[Query], seed: int) -> list[Query]:
    """Return the queries with their answers replaced by generic ones.

    Each is drawn uniformly, once for each example from ``seed`` and the example's id, so it is the same at every epoch
    and does not depend on the other examples (Bhaila et al. 2025, section 3.2).
    """
    return [
        task.with_answer(query, random.Random(f"{seed}:{query.id}").choice(task.answers.generic)) for query in queries
    ]


def with_answers_of(model: LanguageModel, task: Task, queries: Sequence[Query]) -> list[Query]:
    """Return the queries with their answers replaced by the model's: the most probable of the task's answers.

    Raises:
        ConfigError: the task has no answers to choose from.
    """
    if not all(query.candidates for query in queries):
        raise ConfigError(
            "data.contrast.answers=base asks the base model for one of the task's answers, and this task answers in "
            "free text; set data.contrast.answers=own, or leave data.contrast out"
        )
    said = [sample.candidate_logprobs for sample in score_split(model, task, queries)]
    return [
        task.with_answer(query, max(logprobs, key=logprobs.__getitem__))
        for query, logprobs in zip(queries, said, strict=True)
    ]
