"""Share of examples to which the model writes nothing at all: silence can pass for forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import WrittenMetric, free_text
from spul.stats import Interval, share_interval
from spul.types import AnswerSpace, Sample

__all__ = ["EmptyAnswerRate"]


@METRICS.register("empty_answer_rate")
class EmptyAnswerRate(WrittenMetric):
    """Share of written answers that are empty or white space."""

    name: ClassVar[str] = "empty_answer_rate"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return 1 where nothing is written, else 0."""
        return np.array([[float(not (free_text(sample).generated or "").strip())] for sample in samples])

    def interval(
        self, value: float, n: int, replicates: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the interval of a share."""
        return share_interval(round(value * n), n, replicates, groups)
