"""The prompt's keys and values, put in front of every row of a batch."""

from __future__ import annotations

from torch import Tensor
from transformers import DynamicCache

__all__ = ["KeyValues", "expanded_cache"]

KeyValues = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of every layer, each [1, heads, p, head_dim]."""


def expanded_cache(key_values: KeyValues | None, batch_size: int) -> DynamicCache:
    """Return a cache that begins with the prompt in every row; an empty one without a prompt.

    A forward pass changes its cache, so each needs a new one. Expanding copies nothing, and gradients flow through it.
    """
    pairs = [(k.expand(batch_size, -1, -1, -1), v.expand(batch_size, -1, -1, -1)) for k, v in key_values or ()]
    return DynamicCache(pairs) if pairs else DynamicCache()
