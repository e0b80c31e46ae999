"""Logits at chosen positions only: the output head is the widest matrix, and most positions predict nothing we use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from spul.errors import ModelError

__all__ = ["HeadInput", "apply_head", "head_of", "select_positions"]


class HeadInput:
    """What went into the head in the last forward pass: the hidden states at the selected positions."""

    hidden: Float[Tensor, "N d"] | None = None


def head_of(base: PreTrainedModel) -> nn.Module:
    """Return the module that turns hidden states into logits.

    Raises:
        ModelError: the model has none, so it is no causal language model.
    """
    head: nn.Module | None = base.get_output_embeddings()
    if head is None:
        raise ModelError(f"{type(base).__name__} has no output embeddings; expected a causal language model")
    return head


@contextmanager
def select_positions(
    base: PreTrainedModel, rows: Int[Tensor, " N"], positions: Int[Tensor, " N"]
) -> Iterator[HeadInput]:
    """Within the context, the model's head sees only the hidden states at ``(rows, positions)``.

    The forward pass then returns logits ``[1, N, V]``, with whatever the architecture does after its head (soft caps,
    scales) done to them. This works for every architecture, since it needs to know nothing but the head.
    """
    seen = HeadInput()
    handle = head_of(base).register_forward_pre_hook(partial(_gather, seen, rows, positions))
    try:
        yield seen
    finally:
        handle.remove()


def _gather(
    seen: HeadInput, rows: Int[Tensor, " N"], positions: Int[Tensor, " N"], _: nn.Module, args: tuple[Any, ...]
) -> tuple[Any, ...]:
    seen.hidden = args[0][rows, positions]
    return (seen.hidden.unsqueeze(0), *args[1:])


def apply_head(
    base: PreTrainedModel, hidden: Float[Tensor, "N d"], head: nn.Module | None = None
) -> Float[Tensor, "N V"]:
    """Return the logits of stored hidden states, as the model's own forward pass would.

    ``head`` stands in for the model's own where that one is being trained and the states are from before.

    Covers what transformers' causal models do after their head: a scale (Cohere), a divisor (Granite) and a soft cap
    (Gemma 2). Whether that is all a given model does is for the caller to check once against its forward pass.
    """
    logits: Tensor = (head or head_of(base))(hidden)
    options = base.config.get_text_config(decoder=True).to_dict()
    if (scale := options.get("logit_scale")) is not None:
        logits = logits * scale
    if (divisor := options.get("logits_scaling")) is not None:
        logits = logits / divisor
    if (cap := options.get("final_logit_softcapping")) is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits
