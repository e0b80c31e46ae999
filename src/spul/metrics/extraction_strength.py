"""Extraction strength: how little of the answer has to be given for the rest to follow. Carlini et al. 2021."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import inner_hits
from spul.metrics.exact_memorization import ExactMemorization
from spul.types import AnswerSpace, Sample

__all__ = ["ExtractionStrength", "extraction_strength"]


def extraction_strength(hits: Sequence[bool]) -> float:
    """Return 1 − k*/T, k* the least k such that the arg-max is the token at every position t ≥ k (counted from 0).

    Nothing matches: 0. (open-unlearning's loop ends one short there and gives 1/T.)

    Raises:
        ValueError: there are no tokens.
    """
    if not hits:
        raise ValueError("expected the hits of at least one token")
    wrong = [t for t, hit in enumerate(hits) if not hit]
    return 1.0 - (wrong[-1] + 1 if wrong else 0) / len(hits)


@METRICS.register("extraction_strength")
class ExtractionStrength(ExactMemorization):
    """Mean over examples of 1 − k*/T, the end of the sequence left out (arXiv:2012.07805, as in open-unlearning)."""

    name: ClassVar[str] = "extraction_strength"

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's strength."""
        return np.array([[extraction_strength(inner_hits(sample))] for sample in samples])
