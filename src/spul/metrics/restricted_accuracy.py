"""Accuracy among the task's labels alone: a generic answer on top can hide knowledge that is untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spul.metrics._base import METRICS
from spul.metrics._split import ShareMetric, has_label
from spul.types import AnswerSpace, Sample

__all__ = ["RestrictedAccuracy"]


@METRICS.register("restricted_accuracy")
class RestrictedAccuracy(ShareMetric):
    """Share of examples whose most probable label is the truth, all other answers left out.

    Examples whose truth is a generic answer are left out too: among the labels nothing is right for them.
    """

    name: ClassVar[str] = "restricted_accuracy"
    higher_is_better: ClassVar[bool | None] = True

    def select(self, samples: Sequence[Sample], answers: AnswerSpace) -> Sequence[Sample]:
        """Return the samples whose truth is a label."""
        return [sample for sample in samples if has_label(sample, answers)]

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the best label is the truth."""
        return sample.restricted_prediction == sample.answer
