"""ROUGE of what the model writes against the true answer. Lin 2004; TOFU reports ROUGE-L recall of stemmed words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._free_text import WrittenMetric, free_text, rouge
from spul.types import AnswerSpace, Sample

__all__ = ["RougeMetric"]

Form = Literal["1_recall", "1_f1", "l_recall", "l_f1"]


@METRICS.register("rouge")
@dataclass(frozen=True)
class RougeMetric(WrittenMetric):
    """Mean ROUGE of the written answers, words Porter-stemmed, as the package rouge-score computes it.

    ROUGE-1 counts words that the two have in common, ROUGE-L the longest common subsequence; recall is against the true
    answer's words, F1 the harmonic mean with precision. An empty answer scores 0.

    Attributes:
        form: which of them.
    """

    name: ClassVar[str] = "rouge"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True

    form: Form = "l_recall"

    @property
    def key(self) -> str:
        """The name with the form."""
        return f"{self.name}:{self.form}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return every form."""
        return [cls(form) for form in get_args(Form)]

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's number."""
        kind, _, part = self.form.partition("_")
        name = {"1": "rouge1", "l": "rougeL"}[kind]
        found = [rouge(name, sample.answer, free_text(sample).generated or "", True) for sample in samples]
        return np.array([[each.recall if part == "recall" else each.f1] for each in found])
