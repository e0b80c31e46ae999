"""The last block only where it is read: behind its attention no token moves another, so the others can be left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    attention = next(child for name, child in block.named_children() if name in ATTENTION)
    whole: list[Tensor] = []

    def shorten(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        whole.append(args[0] if args else options["hidden_states"])
        return _with_states(args, options, _taken(whole[0], at))

    def lengthen(_: nn.Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if len(whole) != 1:
            return None
        # The first part of the block (a normalisation, or the attention itself) still reads all positions.
        whole.append(whole[0])
        return _with_states(args, options, whole[0])

    def take(_: nn.Module, __: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (_taken(output[0], at), *output[1:])
        return _taken(output, at)

    def put_back(_: nn.Module, __: Any, output: Any) -> Any:
        states = output[0] if isinstance(output, tuple) else output
        B, T, d = whole[0].shape
        states = states.new_zeros(B * T, d).index_copy(0, at, states[0]).view(B, T, d)
        return (states, *output[1:]) if isinstance(output, tuple) else states

    with ExitStack() as hooks:
        handles = [block.register_forward_pre_hook(shorten, with_kwargs=True)]
        handles += [child.register_forward_pre_hook(lengthen, with_kwargs=True) for child in block.children()]
        handles += [attention.register_forward_hook(take), block.register_forward_hook(put_back)]
        for handle in handles:
            hooks.callback(handle.remove)
        yield


def _taken(states: Tensor, at: Tensor) -> Tensor:
    return states.flatten(0, 1).index_select(0, at).unsqueeze(0)


def _with_states(args: tuple[Any, ...], options: dict[str, Any], states: Tensor) -> tuple[tuple[Any, ...], Any]:
    return ((states, *args[1:]), options) if args else (args, {**options, "hidden_states": states})


def _last_block(base: PreTrainedModel) -> nn.Module | None:
    layers = base.config.get_text_config(decoder=True).num_hidden_layers
    for module in base.modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            block = module[-1]
            if any(name in ATTENTION for name, _ in block.named_children()):
                return block
    return None
