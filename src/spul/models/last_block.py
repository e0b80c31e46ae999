"""The last block only where it is read: behind its attention no token moves another, so the others can be left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

__all__ = ["last_block_at"]

ATTENTION = ("self_attn", "attn", "attention")
"""What transformers' models call it."""


@contextmanager
def last_block_at(base: PreTrainedModel, at: Int[Tensor, " N"]) -> Iterator[None]:
    """Within the context the last block gives its output at the flat positions ``at`` of [B, T], and zeros elsewhere.

    Its attention reads the keys and values of all positions; its feed-forward part runs for those N, all distinct. What
    follows works position by position (a normalisation, the head). Nothing is left out where the model has no block of
    the known form.
    """
    block = _last_block(base)
    if block is None:
        yield
        return
    hooks = _Hooks(at)
    attention = next(child for name, child in block.named_children() if name in ATTENTION)
    handles = [block.register_forward_pre_hook(hooks.shorten, with_kwargs=True)]
    handles += [child.register_forward_pre_hook(hooks.lengthen, with_kwargs=True) for child in block.children()]
    handles += [attention.register_forward_hook(hooks.take), block.register_forward_hook(hooks.put_back)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Hooks:
    """What is done around the block's parts in one pass."""

    def __init__(self, at: Int[Tensor, " N"]) -> None:
        self.at = at
        self.whole: Tensor | None = None
        self.is_begun = False

    def shorten(self, _: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Give the block (and so its residual stream) the N positions only."""
        self.whole = args[0] if args else options["hidden_states"]
        return _with_states(args, options, self._taken(self.whole))

    def lengthen(self, _: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Give the block's first part (a normalisation, or the attention itself) all positions."""
        if self.is_begun:
            return None
        self.is_begun = True
        return _with_states(args, options, self.whole)

    def take(self, _: nn.Module, __: Any, output: Any) -> Any:
        """Hand on what the attention says at the N positions."""
        return (self._taken(output[0]), *output[1:]) if isinstance(output, tuple) else self._taken(output)

    def put_back(self, _: nn.Module, __: Any, output: Any) -> Any:
        """Give the block's output the shape that its input had."""
        assert self.whole is not None
        B, T, d = self.whole.shape
        states = output[0] if isinstance(output, tuple) else output
        states = states.new_zeros(B * T, d).index_copy(0, self.at, states[0]).view(B, T, d)
        return (states, *output[1:]) if isinstance(output, tuple) else states

    def _taken(self, states: Tensor) -> Tensor:
        return states.flatten(0, 1).index_select(0, self.at).unsqueeze(0)


def _with_states(args: tuple[Any, ...], options: dict[str, Any], states: Tensor | None) -> tuple[tuple[Any, ...], Any]:
    return ((states, *args[1:]), options) if args else (args, {**options, "hidden_states": states})


def _last_block(base: PreTrainedModel) -> nn.Module | None:
    layers = base.config.get_text_config(decoder=True).num_hidden_layers
    for module in base.modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            block = module[-1]
            if any(name in ATTENTION for name, _ in block.named_children()):
                return block
    return None
