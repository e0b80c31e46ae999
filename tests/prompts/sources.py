"""A base model's offer of first values, made up: no model needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spul.prompts import PromptEncoder, PromptInit, build_prompt
from spul.prompts.settings import PromptSettings

KINDS = ("direct", "lstm", "mlp", "normalized", "prefix", "prefix_mlp")
INPUT_KINDS = ("direct", "lstm", "mlp", "normalized")
DEEP_KINDS = ("prefix", "prefix_mlp")
V, D = 20, 8
LAYERS, HEADS, HEAD_DIM = 3, 2, 4
SPECIAL = frozenset({0, 1, 19})


def key_values(ids: Tensor) -> Tensor:
    """Return values that tell where they stand: 10000·token + 1000·layer + 100·(key or value) + 10·head + dimension."""
    layer, pair, head, dim = torch.meshgrid(
        torch.arange(LAYERS), torch.arange(2), torch.arange(HEADS), torch.arange(HEAD_DIM), indexing="ij"
    )
    place = 1000 * layer + 100 * pair + 10 * head + dim
    return (place.unsqueeze(3) + 10000 * ids.view(1, 1, 1, -1, 1)).float()


def source(text_ids: tuple[int, ...] | None = None, special: frozenset[int] = SPECIAL) -> PromptInit:
    """Return an offer in which row i of the embeddings is filled with i."""
    rows = torch.arange(V, dtype=torch.float32).unsqueeze(1).expand(V, D)
    return PromptInit(embeddings=rows, text_ids=text_ids, key_values=key_values, special_ids=special)


def build(kind: str, p: int = 5, seed: int = 0, text_ids: tuple[int, ...] | None = None, **more: Any) -> PromptEncoder:
    """Return an encoder on the made-up offer."""
    settings = PromptSettings(kind=kind, num_virtual_tokens=p, encoder_hidden_size=6, **more)
    return build_prompt(settings, source(text_ids), seed)


def count(encoder: PromptEncoder) -> int:
    """Return how many numbers are trained."""
    return sum(parameter.numel() for parameter in encoder.parameters() if parameter.requires_grad)
