"""Which generic answer each forget example is given."""

from __future__ import annotations

import random
from collections.abc import Sequence

from spul.tasks import Task
from spul.types import Query

__all__ = ["with_generic_answers"]


def with_generic_answers(task: Task, queries: Sequence[Query], seed: int) -> list[Query]:
    """Return the queries with their answers replaced by generic ones.

    Each is drawn uniformly, once for each example from ``seed`` and the example's id, so it is the same at every epoch
    and does not depend on the other examples (Bhaila et al. 2025, section 3.2).
    """
    return [
        task.with_answer(query, random.Random(f"{seed}:{query.id}").choice(task.answers.generic)) for query in queries
    ]
