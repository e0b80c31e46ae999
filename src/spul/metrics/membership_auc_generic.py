"""Membership inference by the generic answer: does "unknown" itself give away who was forgotten?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._membership import AucMetric, generic_score
from spul.types import AnswerSpace, Sample

__all__ = ["MembershipAucGeneric"]


@METRICS.register("membership_auc_generic")
class MembershipAucGeneric(AucMetric):
    """AUC of train_forget (members) against test_forget (non-members) by the probability of a generic answer."""

    name: ClassVar[str] = "membership_auc_generic"

    @property
    def by_generic(self) -> bool:
        """Yes."""
        return True

    def score(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
        """Return log P(generic)."""
        return generic_score(samples, answers)
