"""The rule that chooses what is kept, and the learning rate: on parts of train that no gradient sees, never on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spul.config import RunConfig
from spul.models.prompted import PromptedModel
from spul.objectives import Sought
from spul.stats import harmonic_mean
from spul.tasks import Task, score_split
from spul.training.targets import Targets
from spul.training.targets.store import overlap
from spul.types import Query, Sample

__all__ = ["Validation", "resolve_sought", "rule_in_words", "validate"]


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        forget_generic: share of validation-forget rows with a generic answer.
        forget_wrong: share of validation-forget rows whose answer is not the true one.
        retain_accuracy: accuracy on validation-retain rows. Of free texts, what counts as right is the share of their
            tokens that are the arg-max, here and in ``forget_wrong``.
        score: harmonic mean of the share of forget rows that are answered as sought and the retain accuracy: neither
            forgetting nor keeping can be traded away entirely. Where nothing is sought, the retain accuracy.
        forget_overlap: mean over validation-forget rows of Σ min(target, p) over their answers, one minus the total
            variation distance; ``None`` without targets. Where targets are sought it stands for the share.
    """

    forget_generic: float
    forget_wrong: float
    retain_accuracy: float
    score: float
    forget_overlap: float | None = None


def validate(
    model: PromptedModel,
    task: Task,
    forget: Sequence[Query],
    retain: Sequence[Query],
    sought: Sought | None,
    targets: Targets | None = None,
) -> Validation:
    """Score both validation parts.

    Args:
        model: in its present state.
        task: reads the answers.
        forget, retain: posed validation rows, none empty.
        sought: which answers to forget rows are a success; ``None`` where the forget set plays no part.
        targets: of the forget rows, where they are to be matched.
    """
    was_training = model.training
    # Dropout in weights that are trained would make the score a matter of chance.
    model.eval()
    forgotten = score_split(model, task, forget)
    kept = score_split(model, task, retain)
    model.train(was_training)
    generic = sum(sample.prediction in task.answers.generic for sample in forgotten) / len(forgotten)
    wrong = 1 - sum(_right(sample) for sample in forgotten) / len(forgotten)
    accuracy = sum(_right(sample) for sample in kept) / len(kept)
    shares: dict[Sought | None, float] = {"generic": generic, "wrong": wrong, "right": 1 - wrong}
    matched = None
    if targets is not None:
        matched = sum(overlap(sample, targets.answers[sample.id]) for sample in forgotten) / len(forgotten)
        shares["matched"] = matched
    score = accuracy if sought is None else harmonic_mean([shares[sought], accuracy])
    return Validation(generic, wrong, accuracy, score, matched)


def _right(sample: Sample) -> float:
    """Return 1 for a right answer and 0 for a wrong one; of a free text the share of its tokens that are the arg-max.

    Long texts are hardly ever right word by word, and a rule that finds none of them right chooses nothing.
    """
    hits = sample.text.token_hits if sample.text is not None else None
    return float(sample.prediction == sample.answer) if hits is None else sum(hits) / len(hits)


def resolve_sought(config: RunConfig) -> Sought | None:
    """Return which answers to validation-forget rows are a success; ``None`` where the forget set plays no part."""
    if config.train.validate_forget != "auto":
        return config.train.validate_forget
    return None if config.objective is None else config.objective.sought


def rule_in_words(sought: Sought | None, *, budgeted: bool = False) -> str:
    """Return the score's definition, as the manifest records it, and what comes before it where there is a budget."""
    retain = "accuracy on validation_retain"
    first = "within the retain budget, else least beyond it; then " if budgeted else ""
    if sought is None:
        return f"{first}{retain}"
    if sought == "matched":
        return f"{first}harmonic mean of the overlap of answers with their targets on validation_forget and {retain}"
    return f"{first}harmonic mean of the share of {sought} answers on validation_forget and {retain}"
