"""Share of answers that are neither a label of the task nor a generic answer."""

from __future__ import annotations

from typing import ClassVar

from spul.metrics._base import METRICS
from spul.metrics._split import ShareMetric
from spul.types import AnswerSpace, Sample

__all__ = ["OutOfLabelRate"]


@METRICS.register("out_of_label_rate")
class OutOfLabelRate(ShareMetric):
    """Share of examples whose arg-max is anything else than a label or a generic answer."""

    name: ClassVar[str] = "out_of_label_rate"
    higher_is_better: ClassVar[bool | None] = False

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the answer is neither."""
        return sample.prediction is None
