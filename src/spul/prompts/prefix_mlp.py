"""A deep prompt made by an MLP, which trains more steadily than a bare one. Li & Liang 2021, section 4.3."""

from __future__ import annotations

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, initial_ids, initial_rows, uniform_linear
from spul.prompts.prefix import key_value_shape
from spul.prompts.settings import PromptSettings

__all__ = ["PrefixMLPPrompt"]


@PROMPTS.register("prefix_mlp")
class PrefixMLPPrompt(TrainablePrompt):
    """Keys and values in front of every layer's own, made by an MLP (deep prompt, re-parametrised).

    E ∈ R^{p×d} goes through d → h → layers·2·heads·head_dim with tanh.

    Args:
        rows: [p, d] first values of E.
        hidden_size: h.
        shape: (layers, 2, heads, head_dim) of the base model's keys and values.
        generator: for the layers' first values.
    """

    level: Level = "deep"

    def __init__(
        self,
        rows: Float[Tensor, "p d"],
        hidden_size: int,
        shape: tuple[int, int, int, int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_virtual_tokens, width = rows.shape
        self.shape = shape
        layers, pair, heads, head_dim = shape
        self.embedding = nn.Parameter(rows.clone())
        self.hidden = uniform_linear(width, hidden_size, generator)
        self.output = uniform_linear(hidden_size, layers * pair * heads * head_dim, generator)

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start E from noise, or from the rows of drawn tokens or a text.

        With tokens the output's bias starts as the mean of the base model's own keys and values for them: real
        activations are a far better start than noise (Li & Liang 2021, section 7.4).
        """
        if settings.init == "normal":
            rows = initial_rows(settings, source, generator)
            return cls(rows, settings.encoder_hidden_size, key_value_shape(source), generator)
        ids = initial_ids(settings, source, generator)
        key_values = source.key_values(ids)
        layers, pair, heads, _, head_dim = key_values.shape
        shape = (layers, pair, heads, head_dim)
        encoder = cls(source.embeddings[ids].float(), settings.encoder_hidden_size, shape, generator)
        with torch.no_grad():
            encoder.output.bias.copy_(key_values.mean(dim=3).flatten())
        return encoder

    def encode(self) -> Float[Tensor, "layers 2 heads p head_dim"]:
        """Return the MLP's output, in the order of a cache."""
        layers, pair, heads, head_dim = self.shape
        flat: Tensor = self.output(torch.tanh(self.hidden(self.embedding)))
        return flat.view(-1, layers, pair, heads, head_dim).permute(1, 2, 3, 0, 4)
