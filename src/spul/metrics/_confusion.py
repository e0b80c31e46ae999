"""Answers by truth: what the shares are made of. For reports; a table is not a number with an interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spul.types import AnswerSpace, Sample

__all__ = ["OTHER", "Confusion", "confusion"]

OTHER = "(anything else)"
"""Column of the answers that are neither a label nor generic; no answer is called so, since answers are plain words."""


@dataclass(frozen=True)
class Confusion:
    """Counts of answers by truth.

    Attributes:
        truths: rows; every true answer that occurs, labels first.
        predictions: columns; every label, every generic answer, then :data:`OTHER`.
        counts: one row a truth, one column a prediction.
    """

    truths: tuple[str, ...]
    predictions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def confusion(samples: Sequence[Sample], answers: AnswerSpace) -> Confusion:
    """Count answers by truth."""
    seen = Counter((s.answer, OTHER if s.prediction is None else s.prediction) for s in samples)
    known = (*answers.labels, *answers.generic)
    occurring = {truth for truth, _ in seen}
    truths = (*(answer for answer in known if answer in occurring), *sorted(occurring - set(known)))
    predictions = (*known, *sorted({p for _, p in seen} - {*known, OTHER}), OTHER)
    return Confusion(truths, predictions, tuple(tuple(seen[t, p] for p in predictions) for t in truths))
