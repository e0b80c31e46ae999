"""Share of the answer that is given most often: near 1, the model has become a constant predictor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Bootstrap, Estimate
from spul.metrics._split import SplitMetric, has_label
from spul.stats import Interval, share_interval
from spul.types import AnswerSpace, Sample

__all__ = ["MostCommonAnswerRate"]

CANDIDATES = 20
"""So many of the most frequent answers may be the most frequent one of a resample."""


@METRICS.register("most_common_answer_rate")
class MostCommonAnswerRate(SplitMetric):
    """Share of examples with the most frequent answer, whatever it is; where the truths have at least two labels.

    What is neither a label nor a generic answer counts by its text. Gradient ascent ends there easily: a row of the
    paper's table 2 has the accuracies of a model that always answers ``positive``.
    """

    name: ClassVar[str] = "most_common_answer_rate"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = None
    gap_is_reported: ClassVar[bool] = False

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n c"]:
        """Return which of the most frequent answers every example got."""
        given = [_answer(sample) for sample in samples]
        frequent = [answer for answer, _ in Counter(given).most_common(CANDIDATES)]
        return np.array([[float(answer == candidate) for candidate in frequent] for answer in given])

    def of_means(self, means: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
        """Return the largest share."""
        return np.asarray(means.max(axis=-1))

    def interval(
        self, value: float, n: int, replicates: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the interval of a share."""
        return share_interval(round(value * n), n, replicates, groups)

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the number; undefined where the truths have fewer than two labels, so that one answer may be right."""
        (samples,) = groups
        labels = {sample.answer for sample in samples if has_label(sample, answers)}
        if len(labels) < 2:
            return self.undefined(
                f"the truths have {len(labels)} label(s); with fewer than two, one answer may be right"
            )
        return super().estimate(groups, answers, bootstrap)


def _answer(sample: Sample) -> tuple[bool, str]:
    # A label's text may be the arg-max without being read as the label, so the two are kept apart.
    return (True, sample.prediction) if sample.prediction is not None else (False, sample.prediction_text)
