"""Mean negative log-likelihood of the truth, in nats per answer token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, AnswerKind
from spul.metrics._split import SplitMetric, mean_logprobs
from spul.types import AnswerSpace, Sample

__all__ = ["NLL"]


@METRICS.register("nll")
class NLL(SplitMetric):
    """Mean over examples of −(1/T) Σ_t log p(y_t | x, y_<t), y the true answer of T tokens."""

    name: ClassVar[str] = "nll"
    unit: ClassVar[str] = "nats"
    higher_is_better: ClassVar[bool | None] = False

    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")
    measured: ClassVar[str] = "the log-probability of the answer"

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the answer was scored."""
        return sample.logprob is not None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return the loss of every example."""
        return -mean_logprobs(samples)[:, np.newaxis]
