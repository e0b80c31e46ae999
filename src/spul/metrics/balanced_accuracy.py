"""Mean over the classes of the share that is right: what a constant predictor cannot raise above 1 / classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._split import SplitMetric, one_hot
from spul.types import AnswerSpace, Sample

__all__ = ["BalancedAccuracy"]


@METRICS.register("balanced_accuracy")
class BalancedAccuracy(SplitMetric):
    """Mean recall over the classes that are the truth of at least one example."""

    name: ClassVar[str] = "balanced_accuracy"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    for_constants: ClassVar[bool] = True

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n c"]:
        """Return, for every class that is ever the truth: answered right? is the truth?"""
        classes = sorted({sample.answer for sample in samples})
        truth = one_hot([sample.answer for sample in samples], classes)
        right = np.array([[sample.prediction == sample.answer] for sample in samples])
        return np.concatenate([truth & right, truth], axis=1).astype(np.float64)

    def of_means(self, means: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
        """Return the mean recall over the classes that a resample holds."""
        positive, support = np.split(means, 2, axis=-1)
        recall = np.divide(positive, support, out=np.zeros_like(positive), where=support > 0)
        return np.asarray(recall.sum(axis=-1) / (support > 0).sum(axis=-1))
