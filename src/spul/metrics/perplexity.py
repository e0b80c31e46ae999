"""Perplexity of the true answers, over all their tokens together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Bootstrap, Estimate
from spul.metrics._free_text import FreeTextMetric
from spul.types import AnswerSpace, Sample

__all__ = ["Perplexity"]

MOST = 700.0
"""Nats per token up to which the exponential is a float."""


@METRICS.register("perplexity")
class Perplexity(FreeTextMetric):
    """exp(−Σ_i log P(y_i | x_i) / Σ_i T_i): every token counts alike, so long answers count more than in ``nll``."""

    name: ClassVar[str] = "perplexity"
    unit: ClassVar[str] = "perplexity"
    higher_is_better: ClassVar[bool | None] = False
    measured: ClassVar[str] = "the log-probability of the answer"

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the answer was scored."""
        return sample.logprob is not None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 2"]:
        """Return loss and tokens of every answer."""
        return np.array([[-(sample.logprob or 0.0), sample.num_tokens] for sample in samples], dtype=np.float64)

    def of_means(self, means: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
        """Return the perplexity, at most e to the power of :data:`MOST`."""
        return np.asarray(np.exp(np.minimum(means[..., 0] / means[..., 1], MOST)))

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the number; undefined where no float holds it."""
        found = super().estimate(groups, answers, bootstrap)
        if found.result.value is not None and found.result.value >= np.exp(MOST):
            return self.undefined(f"it is above e^{MOST:g}; see the loss (nll)", found.result.n)
        return found
