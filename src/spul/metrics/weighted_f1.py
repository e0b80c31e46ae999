"""F1 averaged over the classes, weighted by how often each is the truth. The paper's second number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._split import SplitMetric, one_hot
from spul.types import AnswerSpace, Sample

__all__ = ["WeightedF1"]


@METRICS.register("weighted_f1")
class WeightedF1(SplitMetric):
    """Σ_c (support_c / n) · 2 TP_c / (support_c + predicted_c).

    An answer outside the labels is wrong. It is a class of its own with no reference in it, so its weight is zero: it
    costs recall and nobody's precision. scikit-learn's ``f1_score(average="weighted")`` on the same strings agrees.
    """

    name: ClassVar[str] = "weighted_f1"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    for_constants: ClassVar[bool] = True

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n c"]:
        """Return, for every class that is ever the truth: a true positive? is the truth? is the answer?"""
        classes = sorted({sample.answer for sample in samples})
        truth = one_hot([sample.answer for sample in samples], classes)
        called = one_hot([sample.prediction for sample in samples], classes)
        return np.concatenate([truth & called, truth, called], axis=1).astype(np.float64)

    def of_means(self, means: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
        """Return the weighted F1; a class without a true or a called example in a resample has weight zero there."""
        positive, support, called = np.split(means, 3, axis=-1)
        f1 = np.divide(2 * positive, support + called, out=np.zeros_like(positive), where=support > 0)
        weighted: Float[np.ndarray, "*b"] = (support * f1).sum(axis=-1)
        return np.asarray(weighted)
