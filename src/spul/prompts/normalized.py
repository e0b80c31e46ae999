"""Direction and length of every virtual token learned apart. Salimans & Kingma 2016 (arXiv:1602.07868), for prompts."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, initial_rows
from spul.prompts.settings import PromptSettings

__all__ = ["NormalizedPrompt"]


@PROMPTS.register("normalized")
class NormalizedPrompt(TrainablePrompt):
    """The virtual tokens, each as a direction and a length (normalised prompt tuning): p·(d + 1) parameters.

    φ_i = exp(s_i) · v_i / ‖v_i‖. A step then turns a token by an angle that its length has no part in, and cannot blow
    it up by the way.

    Args:
        rows: [p, d] first values; none is zero.
    """

    level: Level = "input"
    takes_values: ClassVar[bool] = True

    def __init__(self, rows: Float[Tensor, "p d"]) -> None:
        super().__init__()
        self.num_virtual_tokens = rows.shape[0]
        self.direction = nn.Parameter(F.normalize(rows, dim=1))
        self.log_length = nn.Parameter(torch.linalg.vector_norm(rows, dim=1).clamp_min(1e-6).log())

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start from rows of the vocabulary, a text's rows, another prompt, or normal noise."""
        return cls(initial_rows(settings, source, generator))

    def encode(self) -> Float[Tensor, "p d"]:
        """Return φ."""
        return F.normalize(self.direction, dim=1) * self.log_length.exp().unsqueeze(1)
