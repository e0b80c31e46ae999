"""Probability of the true answer, per token. Maini et al. 2024 (TOFU, arXiv:2401.06121), section 2.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import FreeTextMetric
from spul.metrics._split import mean_logprobs
from spul.types import AnswerSpace, Sample

__all__ = ["Probability"]


@METRICS.register("probability")
class Probability(FreeTextMetric):
    """Mean over examples of P(y | x)^(1/T) = exp((1/T) Σ_t log p(y_t | x, y_<t)), y of T tokens, the end included."""

    name: ClassVar[str] = "probability"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    measured: ClassVar[str] = "the log-probability of the answer"

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the answer was scored."""
        return sample.logprob is not None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's probability."""
        return np.asarray(np.exp(mean_logprobs(samples))[:, np.newaxis])
