"""φ = MLP(biLSTM(E)), the first form of P-tuning. Liu et al. 2021 (arXiv:2103.10385)."""

from __future__ import annotations

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, fill_uniform, initial_rows, uniform_linear
from spul.prompts.settings import PromptSettings

__all__ = ["LSTMPrompt"]

NUM_LAYERS = 2
"""As in the reference implementation of P-tuning, and in PEFT."""


@PROMPTS.register("lstm")
class LSTMPrompt(TrainablePrompt):
    """The virtual tokens are made by a bidirectional LSTM and an MLP (the first form of P-tuning).

    E ∈ R^{p×d} goes through two LSTM layers of width h each way, then 2h → 2h → d with ReLU.

    Args:
        rows: [p, d] first values of E.
        hidden_size: h, of each direction.
        generator: for the layers' first values.
    """

    level: Level = "input"

    def __init__(self, rows: Float[Tensor, "p d"], hidden_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.num_virtual_tokens, width = rows.shape
        self.embedding = nn.Parameter(rows.clone())
        # Made on `meta`, since the constructor would draw from the global generator.
        lstm = nn.LSTM(width, hidden_size, NUM_LAYERS, bidirectional=True, device="meta", dtype=torch.float32)
        self.lstm = lstm.to_empty(device="cpu")
        fill_uniform(self.lstm, hidden_size**-0.5, generator)
        self.mlp = nn.Sequential(
            uniform_linear(2 * hidden_size, 2 * hidden_size, generator),
            nn.ReLU(),
            uniform_linear(2 * hidden_size, width, generator),
        )

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start E from noise, rows of the vocabulary, or a text's rows."""
        return cls(initial_rows(settings, source, generator), settings.encoder_hidden_size, generator)

    def encode(self) -> Float[Tensor, "p d"]:
        """Return MLP(biLSTM(E)); the p vectors are the LSTM's sequence."""
        states, _ = self.lstm(self.embedding)
        out: Tensor = self.mlp(states)
        return out
