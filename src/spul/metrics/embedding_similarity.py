"""Embedding similarity: whether the written answer means what the true one does. Reimers and Gurevych 2019."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Scored
from spul.metrics._free_text import FreeTextMetric, free_text, splits_with
from spul.types import AnswerSpace, Sample

__all__ = ["EmbeddingSimilarity"]


@METRICS.register("embedding_similarity")
class EmbeddingSimilarity(FreeTextMetric):
    """Mean cosine between sentence embeddings (arXiv:1908.10084) of the written and the true answer, from −1 to 1.

    Reported where it was measured, ``spul score SAMPLES --embedder MODEL``: which model embeds is part of the number.
    """

    name: ClassVar[str] = "embedding_similarity"
    unit: ClassVar[str] = "cosine"
    higher_is_better: ClassVar[bool | None] = True
    measured: ClassVar[str] = "the similarity of the written answer (text.similarity; --embedder)"

    def places(self, scored: Scored) -> list[str]:
        """Return the splits in which it was measured."""
        return splits_with(scored, lambda text: text.similarity is not None)

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the answer was embedded."""
        return free_text(sample).similarity is not None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's cosine."""
        return np.array([[free_text(sample).similarity] for sample in samples], dtype=np.float64)
