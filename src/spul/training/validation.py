"""The rule that chooses the prompt that is kept: on parts of train that no gradient sees, never on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spul.models.prompted import PromptedModel
from spul.stats import harmonic_mean
from spul.tasks import Task, score_split
from spul.types import Query

__all__ = ["Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        forget_generic: share of validation-forget rows with a generic answer.
        retain_accuracy: accuracy on validation-retain rows.
        score: harmonic mean of the two: neither forgetting nor keeping can be traded away entirely.
    """

    forget_generic: float
    retain_accuracy: float
    score: float


def validate(model: PromptedModel, task: Task, forget: Sequence[Query], retain: Sequence[Query]) -> Validation:
    """Score both validation parts.

    Args:
        model: in its present state.
        task: reads the answers.
        forget, retain: posed validation rows, none empty.
    """
    forgotten = score_split(model, task, forget)
    kept = score_split(model, task, retain)
    generic = sum(sample.prediction in task.answers.generic for sample in forgotten) / len(forgotten)
    accuracy = sum(sample.prediction == sample.answer for sample in kept) / len(kept)
    return Validation(generic, accuracy, harmonic_mean([generic, accuracy]))
