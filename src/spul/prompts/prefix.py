"""Keys and values in front of every layer's own (deep prompt). Li & Liang 2021 (arXiv:2101.00190); Liu et al. 2022."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spul.prompts._base import PROMPTS, Level, PromptInit, TrainablePrompt, given_values, initial_ids
from spul.prompts.settings import PromptSettings

__all__ = ["PrefixPrompt"]


@PROMPTS.register("prefix")
class PrefixPrompt(TrainablePrompt):
    """Keys and values in front of every layer's own (deep prompt, prefix tuning).

    p · layers · 2 · heads · head_dim parameters; heads are those of keys and values (often fewer than the queries').

    Keys are trained as the cache holds them, after any rotation, so they carry no position.

    Args:
        key_values: [layers, 2, heads, p, head_dim] first values.
    """

    level: Level = "deep"
    takes_values: ClassVar[bool] = True

    def __init__(self, key_values: Float[Tensor, "layers 2 heads p head_dim"]) -> None:
        super().__init__()
        self.num_virtual_tokens = key_values.shape[3]
        self.embedding = nn.Parameter(key_values.clone())

    @classmethod
    def build(cls, settings: PromptSettings, source: PromptInit, generator: torch.Generator) -> Self:
        """Start from the base model's own keys and values for drawn tokens or a text, another prompt, or noise."""
        if settings.init == "run":
            return cls(given_values(source))
        if settings.init != "normal":
            return cls(source.key_values(initial_ids(settings, source, generator)))
        layers, pair, heads, head_dim = key_value_shape(source)
        shape = (layers, pair, heads, settings.num_virtual_tokens, head_dim)
        return cls(torch.randn(shape, generator=generator) * settings.init_std)

    def encode(self) -> Float[Tensor, "layers 2 heads p head_dim"]:
        """Return the keys and values."""
        return self.embedding


def key_value_shape(source: PromptInit) -> tuple[int, int, int, int]:
    """Return (layers, 2, heads, head_dim) of the base model, by asking it for one token's."""
    layers, pair, heads, _, head_dim = source.key_values(torch.zeros(1, dtype=torch.long)).shape
    return layers, pair, heads, head_dim
