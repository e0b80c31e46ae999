"""Ordinary cross-entropy to the true answer: not forgetting but learning, for the base and the retrained model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from spul.losses.nll import mean_nll
from spul.objectives._base import OBJECTIVES, ForgetObjective, Sought, Target

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["Learn"]


@OBJECTIVES.register("learn")
class Learn(ForgetObjective):
    """Ask for the truth."""

    name: str = "learn"
    target: ClassVar[Target] = "true"
    sought: ClassVar[Sought] = "right"

    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean over examples of −log p(true answer), in nats."""
        return mean_nll(forget.logits, forget.labels, forget.rows, forget.num_rows)
