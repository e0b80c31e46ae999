"""The metric ``written_words``: how long what the model writes is."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from spul.metrics import METRICS, WrittenMetric
from spul.types import AnswerSpace, Sample

__all__ = ["WrittenWords"]


@METRICS.register("written_words")
class WrittenWords(WrittenMetric):
    """Mean number of words, between white space, of the written answers."""

    name: ClassVar[str] = "written_words"
    unit: ClassVar[str] = "words"
    higher_is_better: ClassVar[bool | None] = None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> np.ndarray:
        """Return every answer's words, one row a sample."""
        return np.array([[float(len((sample.text.generated or "").split()))] for sample in samples if sample.text])
