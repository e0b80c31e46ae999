"""Membership inference by the loss of the truth. Yeom et al. 2018 (arXiv:1709.01604)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS
from spul.metrics._membership import AucMetric, loss_score
from spul.types import AnswerSpace, Sample

__all__ = ["MembershipAuc"]


@METRICS.register("membership_auc")
class MembershipAuc(AucMetric):
    """AUC of train_forget (members) against test_forget (non-members) by the log-probability of the truth."""

    name: ClassVar[str] = "membership_auc"

    def score(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
        """Return minus the loss."""
        return loss_score(samples, answers)
