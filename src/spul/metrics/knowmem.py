"""MUSE's KnowMem: what the model still answers about a text. Shi et al. 2024 (arXiv:2407.06460)."""

from __future__ import annotations

from typing import ClassVar

from spul.metrics._base import METRICS
from spul.metrics.verbmem import MuseRouge

__all__ = ["KnowMem"]


@METRICS.register("knowmem")
class KnowMem(MuseRouge):
    """Mean ROUGE-L F1 of the written answers, for ``qa``; MUSE reports 100 times it.

    MUSE takes 32 new tokens (``task.max_new_tokens=32``) and questions with worked examples in front: write those into
    ``task.template``.
    """

    name: ClassVar[str] = "knowmem"
    task: ClassVar[str] = "qa"
