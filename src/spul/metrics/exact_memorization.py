"""Exact memorisation: the share of the true answer that is the arg-max, token by token. Tirumala et al. 2022."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import FreeTextMetric, inner_hits
from spul.types import AnswerSpace, Sample

__all__ = ["ExactMemorization"]


@METRICS.register("exact_memorization")
class ExactMemorization(FreeTextMetric):
    """Mean over examples of (1/T) Σ_t [arg-max p(· | x, y_<t) = y_t], the end of the sequence left out.

    open-unlearning's name (arXiv:2205.10770 defines it as memorisation). The true answer so far is always given.
    """

    name: ClassVar[str] = "exact_memorization"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    measured: ClassVar[str] = "the arg-max at every token of the answer (text.token_hits)"

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the answer's tokens were compared."""
        return bool(inner_hits(sample))

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's share."""
        return np.array([[sum(inner_hits(sample)) / len(inner_hits(sample))] for sample in samples])
