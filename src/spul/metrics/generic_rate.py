"""Share of generic answers (``neutral``, ``unknown``) where the truth is one of the task's labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spul.metrics._base import METRICS, AnswerKind, Bootstrap, Estimate
from spul.metrics._split import ShareMetric, has_label
from spul.types import AnswerSpace, Sample

__all__ = ["GenericRate"]


@METRICS.register("generic_rate")
class GenericRate(ShareMetric):
    """Share of examples that are given a generic answer, of those whose truth is not generic itself.

    Examples whose truth is a generic answer (plain facts labelled ``neutral``) are left out: there it is right.
    """

    name: ClassVar[str] = "generic_rate"
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")
    higher_is_better: ClassVar[bool | None] = False

    def select(self, samples: Sequence[Sample], answers: AnswerSpace) -> Sequence[Sample]:
        """Return the samples whose truth is not generic."""
        return [sample for sample in samples if has_label(sample, answers)]

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the share; undefined where no generic answer is known."""
        if not answers.generic:
            return self.undefined("no generic answer is known")
        return super().estimate(groups, answers, bootstrap)

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the answer is generic."""
        return sample.prediction in answers.generic
