"""φ = MLP(E), the paper's parametrisation. P-tuning: Liu et al. 2021 (arXiv:2103.10385); Bhaila et al. 2025."""

from __future__ import annotations

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, initial_rows, uniform_linear
from spul.prompts.settings import PromptSettings

__all__ = ["MLPPrompt"]


@PROMPTS.register("mlp")
class MLPPrompt(TrainablePrompt):
    """The virtual tokens are an MLP's output (P-tuning, the paper's default).

    E ∈ R^{p×d} goes through d → h → h → d with ReLU: p·d + 2dh + h² + 2h + d parameters.

    Args:
        rows: [p, d] first values of E.
        hidden_size: h.
        generator: for the layers' first values.
    """

    level: Level = "input"

    def __init__(self, rows: Float[Tensor, "p d"], hidden_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.num_virtual_tokens, width = rows.shape
        self.embedding = nn.Parameter(rows.clone())
        self.mlp = nn.Sequential(
            uniform_linear(width, hidden_size, generator),
            nn.ReLU(),
            uniform_linear(hidden_size, hidden_size, generator),
            nn.ReLU(),
            uniform_linear(hidden_size, width, generator),
        )

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start E from noise (the paper's way), rows of the vocabulary, or a text's rows."""
        return cls(initial_rows(settings, source, generator), settings.encoder_hidden_size, generator)

    def encode(self) -> Float[Tensor, "p d"]:
        """Return MLP(E)."""
        out: Tensor = self.mlp(self.embedding)
        return out
