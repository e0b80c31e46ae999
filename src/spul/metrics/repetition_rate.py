"""Repetition in what the model writes: a sign of collapse. Welleck et al. 2020 (arXiv:1908.04319), seq-rep-4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import WrittenMetric, free_text
from spul.types import AnswerSpace, Sample

__all__ = ["RepetitionRate", "repetition"]

WORDS = 4


def repetition(text: str) -> float:
    """Return the share of a text's runs of four words that stand in it before; 0 with fewer than four words."""
    words = text.split()
    runs = [tuple(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)]
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


@METRICS.register("repetition_rate")
class RepetitionRate(WrittenMetric):
    """Mean over written answers of 1 − (distinct 4-grams / 4-grams), of words between white space."""

    name: ClassVar[str] = "repetition_rate"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's share."""
        return np.array([[repetition(free_text(sample).generated or "")] for sample in samples])
