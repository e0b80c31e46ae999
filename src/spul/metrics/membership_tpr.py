"""Members found at few false alarms, where an attack does its harm. Carlini et al. 2022 (arXiv:2112.03570)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Estimate
from spul.metrics._membership import MembershipMetric, generic_score, loss_score
from spul.stats import Resamples, share_interval, tpr_at_fpr, tpr_at_fpr_replicates
from spul.types import AnswerSpace, Sample

__all__ = ["RATES", "SCORES", "MembershipTpr"]

SCORES = {"loss": loss_score, "generic": generic_score}
RATES = (0.001, 0.01, 0.05)
"""False-positive rates that are reported."""


@METRICS.register("membership_tpr")
@dataclass(frozen=True)
class MembershipTpr(MembershipMetric):
    """Share of train_forget that is found at a false-positive rate of at most ``fpr`` on test_forget.

    Undefined with fewer than 1 / ``fpr`` non-members: a rate below one false alarm among all of them cannot be seen.

    Attributes:
        by: the score, minus the ``loss`` or the probability of a ``generic`` answer.
        fpr: the false-positive rate.
    """

    name: ClassVar[str] = "membership_tpr"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False
    gap_is_reported: ClassVar[bool] = False

    by: Literal["loss", "generic"] = "loss"
    fpr: float = 0.01

    @property
    def key(self) -> str:
        """The name with the score and the rate."""
        return f"{self.name}:{self.by}@{self.fpr:g}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return both scores at every rate."""
        return [cls(by, fpr) for by in ("loss", "generic") for fpr in RATES]

    @property
    def by_generic(self) -> bool:
        """Whether the score is that of the generic answers."""
        return self.by == "generic"

    def score(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
        """Return the chosen score."""
        return SCORES[self.by](samples, answers)

    def of_scores(
        self, members: Float[np.ndarray, " M"], others: Float[np.ndarray, " N"], drawn: tuple[Resamples, Resamples]
    ) -> Estimate:
        """Return the true-positive rate."""
        n = len(members) + len(others)
        needed = round(1 / self.fpr)
        if len(others) < needed:
            return self.undefined(f"needs {needed:,} non-members, there are {len(others):,}", n)
        value = tpr_at_fpr(members, others, self.fpr)
        replicates = tpr_at_fpr_replicates(members, others, self.fpr, drawn)
        found, groups = round(value * len(members)), drawn[0].groups
        interval = share_interval(found, len(members), replicates, groups)
        return Estimate(self.defined(value, n, interval, groups), replicates)
