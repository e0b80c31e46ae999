"""MUSE's VerbMem: how much of a text the model goes on with word by word. Shi et al. 2024 (arXiv:2407.06460)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Scored
from spul.metrics._free_text import WrittenMetric, free_text, rouge
from spul.types import AnswerSpace, Sample

__all__ = ["MuseRouge", "VerbMem"]


class MuseRouge(WrittenMetric):
    """Mean ROUGE-L F1 of what the model writes, words not stemmed, for one task alone.

    Attributes:
        task: the task that poses the examples so.
    """

    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    task: ClassVar[str]

    def places(self, scored: Scored) -> list[str]:
        """Return every split, where the task is the right one."""
        return scored.splits if scored.task == self.task else []

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every answer's number."""
        return np.array([[rouge("rougeL", s.answer, free_text(s).generated or "", False).f1] for s in samples])


@METRICS.register("verbmem")
class VerbMem(MuseRouge):
    """Mean ROUGE-L F1 of the greedy continuation against the text's own, for ``completion``; MUSE reports 100 times it.

    MUSE takes 128 new tokens: ``task.suffix_tokens=128 task.max_new_tokens=128``.
    """

    name: ClassVar[str] = "verbmem"
    task: ClassVar[str] = "completion"
