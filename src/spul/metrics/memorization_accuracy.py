"""Memorisation accuracy over a whole text. Jang et al. 2023, "Knowledge unlearning" (arXiv:2210.01504), equation 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Scored
from spul.metrics._free_text import FreeTextMetric, free_text, inner_hits, splits_with
from spul.types import AnswerSpace, Sample

__all__ = ["MemorizationAccuracy"]


@METRICS.register("memorization_accuracy")
class MemorizationAccuracy(FreeTextMetric):
    """Mean over texts of 1/(T−1) Σ_t [arg-max p(· | x_<t) = x_t], over prefix and continuation together.

    Reported where the prefix was read too: for ``completion``.
    """

    name: ClassVar[str] = "memorization_accuracy"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    measured: ClassVar[str] = "the arg-max at every token of the whole text (text.context_hits, text.token_hits)"

    def places(self, scored: Scored) -> list[str]:
        """Return the splits whose prefixes were read."""
        return splits_with(scored, lambda text: text.context_hits is not None)

    def is_measured(self, sample: Sample) -> bool:
        """Return whether all tokens were compared."""
        return free_text(sample).context_hits is not None and bool(inner_hits(sample))

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every text's share."""
        hits = [(*(free_text(sample).context_hits or ()), *inner_hits(sample)) for sample in samples]
        return np.array([[sum(own) / len(own)] for own in hits])
