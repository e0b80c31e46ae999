from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from spul.registry import Registry
from spul.settings import Settings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["OBJECTIVES", "ForgetObjective", "Sought", "Target"]

Target = Literal["true", "generic"]
"""Which answer the forward pass is aligned with: the true one or a seeded generic one."""
Sought = Literal["generic", "wrong", "right", "matched"]
"""Which answers to forget rows are a success: generic ones, any but the truth, the truth, or those of a target."""


class ForgetObjective(Settings, ABC):
    """What is asked of the model on the forget set; its fields are its settings.

    Attributes:
        name: the registered name.
        target: which answer the forward pass is aligned with.
        sought: which answers validation counts as a success, unless the configuration says otherwise.
        needs_reference: whether the loss reads the reference model's logits.
        needs_target: whether the loss reads a target distribution, prepared before training.
    """

    name: str
    target: ClassVar[Target]
    sought: ClassVar[Sought]
    needs_reference: ClassVar[bool] = False
    needs_target: ClassVar[bool] = False

    @abstractmethod
    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean loss over the forget examples of a batch, in nats; zero, never NaN, without examples."""


OBJECTIVES: Registry[type[ForgetObjective]] = Registry("objective", "spul.objectives")
