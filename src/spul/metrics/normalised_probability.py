"""Probability of the true answer among the false ones. Maini et al. 2024 (TOFU), for real authors and world facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import PerturbedMetric, free_text
from spul.metrics._split import mean_logprobs
from spul.types import AnswerSpace, Sample

__all__ = ["NormalisedProbability"]


@METRICS.register("normalised_probability")
class NormalisedProbability(PerturbedMetric):
    """Mean over examples of P(y) / (P(y) + Σ_i P(ŷ_i)), each P per token as in ``probability``, ŷ_i perturbed."""

    name: ClassVar[str] = "normalised_probability"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's share."""
        truths = mean_logprobs(samples)
        # Differences of logarithms: with improbable answers on both sides the probabilities themselves are zero.
        others = [
            float(np.logaddexp.reduce([wording.mean for wording in free_text(sample).perturbed])) for sample in samples
        ]
        return np.asarray(np.exp(truths - np.logaddexp(truths, np.array(others)))[:, np.newaxis])
