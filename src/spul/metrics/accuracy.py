"""Share of right answers over the full vocabulary: anything but the truth is wrong. Bhaila et al. 2025, section 4."""

from __future__ import annotations

from typing import ClassVar

from spul.metrics._base import METRICS, AnswerKind
from spul.metrics._split import ShareMetric
from spul.types import AnswerSpace, Sample

__all__ = ["Accuracy"]


@METRICS.register("accuracy")
class Accuracy(ShareMetric):
    """Share of examples whose arg-max answer over the full vocabulary is the truth."""

    name: ClassVar[str] = "accuracy"
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")
    higher_is_better: ClassVar[bool | None] = True
    for_constants: ClassVar[bool] = True

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the answer is right."""
        return sample.prediction == sample.answer
