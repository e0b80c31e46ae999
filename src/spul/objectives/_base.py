from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from spul.registry import Registry
from spul.settings import Settings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["OBJECTIVES", "ForgetObjective"]


class ForgetObjective(Settings, ABC):
    """What is asked of the model on the forget set; its fields are its settings.

    Attributes:
        name: the registered name.
        target: which answer the forward pass is aligned with: the ``true`` one or a seeded ``generic`` one.
        needs_reference: whether the loss reads the reference model's logits.
    """

    name: str
    target: ClassVar[Literal["true", "generic"]]
    needs_reference: ClassVar[bool] = False

    @abstractmethod
    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean loss over the forget examples of a batch, in nats; zero, never NaN, without examples."""


OBJECTIVES: Registry[type[ForgetObjective]] = Registry("objective", "spul.objectives")
