"""Multiple choice read in every way there is: by letter, and by the likelihood of the options' texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from spul.metrics._base import METRICS, Scored
from spul.metrics._split import ShareMetric, has_label
from spul.types import AnswerSpace, Sample

__all__ = ["ChoiceAccuracy"]

Reading = Literal["letter", "likelihood", "likelihood_per_token"]


@METRICS.register("choice_accuracy")
@dataclass(frozen=True)
class ChoiceAccuracy(ShareMetric):
    """Share of questions of which the right option is the most probable one, generic answers left out.

    Reported where a sample was read in that way: a prompt that lists no letters has no reading by letter.

    Attributes:
        by: the ``letter``'s probability, the ``likelihood`` of the option's text, or its mean log-probability a token.
    """

    name: ClassVar[str] = "choice_accuracy"
    higher_is_better: ClassVar[bool | None] = True

    by: Reading = "letter"

    @property
    def key(self) -> str:
        """The name with the reading."""
        return f"{self.name}:{self.by}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return every reading."""
        return [cls(by) for by in get_args(Reading)]

    def places(self, scored: Scored) -> list[str]:
        """Return the splits that were read in this way."""
        read = {place for place, samples in scored.samples.items() if any(self.by in s.readings for s in samples)}
        return [split for split in scored.splits if any(place.endswith(f"/{split}") for place in read)]

    def select(self, samples: Sequence[Sample], answers: AnswerSpace) -> Sequence[Sample]:
        """Return the samples whose truth is an option."""
        return [sample for sample in samples if has_label(sample, answers)]

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the best option is the right one."""
        return sample.readings.get(self.by) == sample.answer
