"""Gradient ascent on the true answer (GA). Jang et al. 2023 (arXiv:2210.01504); Yao et al. 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from spul.losses.nll import mean_nll
from spul.objectives._base import OBJECTIVES, ForgetObjective, Sought, Target

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["GradientAscent"]


@OBJECTIVES.register("gradient_ascent")
class GradientAscent(ForgetObjective):
    """Push the true answer away, and say nothing of what is to be answered instead.

    The loss has no lower bound: trained long or fast enough, the model ends as a constant predictor or in gibberish.
    """

    name: str = "gradient_ascent"
    target: ClassVar[Target] = "true"
    sought: ClassVar[Sought] = "wrong"

    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean over examples of log p(true answer), in nats: the cross-entropy with its sign turned."""
        return -mean_nll(forget.logits, forget.labels, forget.rows, forget.num_rows)
