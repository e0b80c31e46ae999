"""Cross-entropy to a generic answer (SPUL's L_f; also the RL baseline). Bhaila et al. 2025, eq. 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from spul.losses.nll import mean_nll
from spul.objectives._base import OBJECTIVES, ForgetObjective, Sought, Target

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["GenericLabel"]


@OBJECTIVES.register("generic_label")
class GenericLabel(ForgetObjective):
    """Ask for an answer outside the task's labels, drawn once for each forget example from the run's seed."""

    name: str = "generic_label"
    target: ClassVar[Target] = "generic"
    sought: ClassVar[Sought] = "generic"

    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean over examples of −log p(generic answer), in nats."""
        return mean_nll(forget.logits, forget.labels, forget.rows, forget.num_rows)
