"""The virtual tokens are the parameters themselves (prompt tuning). Lester et al. 2021 (arXiv:2104.08691)."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, initial_rows
from spul.prompts.settings import PromptSettings

__all__ = ["DirectPrompt"]


@PROMPTS.register("direct")
class DirectPrompt(TrainablePrompt):
    """The virtual tokens are the parameters themselves (prompt tuning): p·d of them.

    Args:
        rows: [p, d] first values.
    """

    level: Level = "input"
    takes_values: ClassVar[bool] = True

    def __init__(self, rows: Float[Tensor, "p d"]) -> None:
        super().__init__()
        self.num_virtual_tokens = rows.shape[0]
        self.embedding = nn.Parameter(rows.clone())

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start from rows of the vocabulary, a text's rows, another prompt, or normal noise."""
        return cls(initial_rows(settings, source, generator))

    def encode(self) -> Float[Tensor, "p d"]:
        """Return φ."""
        return self.embedding
