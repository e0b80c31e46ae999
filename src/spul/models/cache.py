"""The prompt's keys and values, put in front of every row of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from spul.errors import ModelError

__all__ = ["KeyValues", "expanded_cache", "key_values_of", "map_cache"]

KeyValues = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of every layer, each [1, heads, p, head_dim]."""


def expanded_cache(key_values: KeyValues | None, batch_size: int) -> DynamicCache:
    """Return a cache that begins with the prompt in every row; an empty one without a prompt.

    A forward pass changes its cache, so each needs a new one. Expanding copies nothing, and gradients flow through it.
    """
    pairs = [(k.expand(batch_size, -1, -1, -1), v.expand(batch_size, -1, -1, -1)) for k, v in key_values or ()]
    return DynamicCache(pairs) if pairs else DynamicCache()


def key_values_of(cache: DynamicCache) -> KeyValues:
    """Return the keys and values that a forward pass has left in a cache.

    Raises:
        ModelError: the model keeps another kind of state (a recurrent one, say), which no prompt can be put into.
    """
    return tuple((layer.keys, layer.values) for layer in _attention_layers(cache))


def map_cache(cache: DynamicCache, change: Callable[[Tensor], Tensor]) -> None:
    """Replace every layer's keys and values by what ``change`` makes of them.

    Raises:
        ModelError: as for :func:`key_values_of`.
    """
    for layer in _attention_layers(cache):
        layer.keys, layer.values = change(layer.keys), change(layer.values)


class _Filled(DynamicLayer):
    """An attention layer's cache that holds something."""

    keys: Tensor
    values: Tensor


def _attention_layers(cache: DynamicCache) -> list[_Filled]:
    others = sorted({type(layer).__name__ for layer in cache.layers if not isinstance(layer, DynamicLayer)})
    if others:
        raise ModelError(f"expected a model whose layers all attend to keys and values; this one has {others} as well")
    return cast(list[_Filled], cache.layers)
