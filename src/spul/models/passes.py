"""One pass of a frozen base model over rows of text behind a prompt, and its logits where an answer is predicted.

There are two ways, with the same result. *Padded*: a batch [B, T] behind a cache that holds the prompt in every row;
it works for every model that transformers gives a cache. *Packed*: the rows end to end in one sequence, without padding
and without copies of the prompt (:mod:`spul.models.attention`); :func:`can_pack` says for which models.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from spul.models.attention import laid_end_to_end
from spul.models.cache import KeyValues, expanded_cache, key_values_of
from spul.models.head import select_positions
from spul.models.last_block import last_block_at
from spul.models.layout import packed_layout

__all__ = [
    "AnswerLogits",
    "Rows",
    "Shortcuts",
    "answer_pass",
    "can_pack",
    "front_pass",
    "packed_pass",
    "padded_pass",
    "shortcuts",
]

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference between the logits of the two ways, against the largest logit, in float32."""
HALF_TOLERANCE = 2e-2
GROUP_FLOPS = 2e7
"""What a group of rows costs in one layer beyond its tokens (calls of small kernels), in operations on weights."""


class AnswerLogits(NamedTuple):
    """Logits [N, V] at the positions that predict the answers' tokens, and the hidden states [N, d] behind them."""

    logits: Float[Tensor, "N V"]
    hidden: Float[Tensor, "N d"]


class Rows(NamedTuple):
    """What the model reads behind the front.

    Attributes:
        inputs: ``input_ids`` [B, T] or ``inputs_embeds`` [B, T, d], padded on the right.
        lengths: [B] positions of a row without its padding.
        rows, positions: [N] where an answer's token is predicted; no position twice.
    """

    inputs: Mapping[str, Tensor]
    lengths: Int[Tensor, " B"]
    rows: Int[Tensor, " N"]
    positions: Int[Tensor, " N"]


def answer_pass(base: PreTrainedModel, rows: Rows, front: KeyValues | None) -> AnswerLogits:
    """Run the model over the rows in the cheaper of the two ways that are open to it."""
    longest = int(rows.lengths.max()) + (front[0][0].shape[2] if front is not None else 0)
    if can_pack(base) and longest <= _window(base):
        return packed_pass(base, rows, front)
    return padded_pass(base, rows, front)


def padded_pass(base: PreTrainedModel, rows: Rows, front: KeyValues | None) -> AnswerLogits:
    """Run the model on right-padded rows; under causal attention these need no mask."""
    B, T = next(iter(rows.inputs.values())).shape[:2]
    behind: dict[str, object] = {"use_cache": False}
    if front is not None:
        p = front[0][0].shape[2]
        positions = torch.arange(p, p + T, device=rows.lengths.device).expand(B, -1)
        behind = {"position_ids": positions, "past_key_values": expanded_cache(front, B), "use_cache": True}
    return _run(base, {**rows.inputs, **behind}, rows.rows, rows.positions, T, B * T)


def packed_pass(base: PreTrainedModel, rows: Rows, front: KeyValues | None) -> AnswerLogits:
    """Run the model on the rows laid end to end; for models of which :func:`can_pack` says so."""
    T = next(iter(rows.inputs.values())).shape[1]
    layout = packed_layout(rows.lengths.tolist(), T, _group_overhead(base), rows.lengths.device)
    inputs = {name: values.flatten(0, 1)[layout.source].unsqueeze(0) for name, values in rows.inputs.items()}
    p = front[0][0].shape[2] if front is not None else 0
    inputs["position_ids"] = (p + layout.offsets).unsqueeze(0)
    at = layout.starts[rows.rows] + rows.positions
    total = len(layout.source)
    with laid_end_to_end(base, layout.groups, front):
        return _run(base, {**inputs, "use_cache": False}, torch.zeros_like(at), at, total, total)


def front_pass(base: PreTrainedModel, cache: DynamicCache | None = None, **inputs: Tensor) -> KeyValues:
    """Run what stands in front of every row, once, behind what ``cache`` holds; return the keys and values of all."""
    cache = DynamicCache() if cache is None else cache
    # The last hidden states predict nothing, so one position is enough for the last block and for the head.
    with _last_block(base, torch.zeros(1, dtype=torch.long, device=base.device)):
        base(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return key_values_of(cache)


class Shortcuts(NamedTuple):
    """What can be left out of a pass without changing it.

    Attributes:
        last_block: the last block's feed-forward part, where nothing is read.
        padding: all of it, and the copies of the front: rows go end to end.
    """

    last_block: bool
    padding: bool


def can_pack(base: PreTrainedModel) -> bool:
    """Return whether rows may go end to end: float32 on a CPU, frozen, with plain attention, and the same logits."""
    if base.training or base.dtype != torch.float32 or base.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    return base.config._attn_implementation == "sdpa" and shortcuts(base).padding


def shortcuts(base: PreTrainedModel) -> Shortcuts:
    """Return what can be left out of a model's passes: found out once and remembered as long as the model lives.

    Models differ in more than can be listed, so each is tried on two short rows behind two tokens: the logits decide.
    """
    if base not in _FOUND:
        # While they are tried, nothing is left out but what is tried.
        _FOUND[base] = Shortcuts(False, False)
        _FOUND[base] = _tried(base)
        logger.debug("%s: %s", type(base).__name__, _FOUND[base])
    return _FOUND[base]


_FOUND: WeakKeyDictionary[PreTrainedModel, Shortcuts] = WeakKeyDictionary()


@torch.no_grad()
def _tried(base: PreTrainedModel) -> Shortcuts:
    ids = (torch.arange(4, 16) % base.config.get_text_config(decoder=True).vocab_size).to(base.device)
    lengths, last = (torch.tensor(values, device=base.device) for values in ([3, 5], [2, 4]))
    rows = Rows({"input_ids": ids[:10].view(2, 5)}, lengths, torch.arange(2, device=base.device), last)
    front = front_pass(base, input_ids=ids[10:].unsqueeze(0))
    plain = padded_pass(base, rows, front).logits
    found = Shortcuts(False, False)
    for name, way in (("last_block", padded_pass), ("padding", packed_pass)):
        if name == "padding" and (base.device.type != "cpu" or base.config._attn_implementation != "sdpa"):
            continue
        with_it = found._replace(**{name: True})
        _FOUND[base] = with_it
        try:
            logits = way(base, rows, front).logits
        except (RuntimeError, TypeError, ValueError) as error:
            logger.debug("%s does without the shortcut %s: %s", type(base).__name__, name, error)
            continue
        tolerance = TOLERANCE if logits.dtype == torch.float32 else HALF_TOLERANCE
        if (logits - plain).abs().max() <= tolerance * plain.abs().max().clamp(min=1.0):
            found = with_it
    return found


def _run(
    base: PreTrainedModel, inputs: Mapping[str, object], rows: Tensor, positions: Tensor, width: int, total: int
) -> AnswerLogits:
    # Where many positions are read, taking them out and putting them back costs more than it saves.
    at = rows * width + positions if 2 * len(rows) <= total else None
    shortened = _last_block(base, at)
    with select_positions(base, rows, positions) as head, shortened:
        logits = base(**inputs).logits
    assert head.hidden is not None
    return AnswerLogits(logits[0], head.hidden)


def _last_block(base: PreTrainedModel, at: Int[Tensor, " N"] | None) -> AbstractContextManager[None]:
    return (
        last_block_at(base, at)
        if at is not None and not base.training and shortcuts(base).last_block
        else nullcontext()
    )


def _group_overhead(base: PreTrainedModel) -> int:
    """Return what a group of rows costs in tokens: much where a token's own cost is small."""
    width: int = base.config.get_text_config(decoder=True).hidden_size
    return round(GROUP_FLOPS / (48 * width**2))


def _window(base: PreTrainedModel) -> float:
    """Return the positions that a layer sees at least; what is longer would need a mask."""
    config = base.config.get_text_config(decoder=True)
    limits = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size", "window_size")]
    return min((limit for limit in limits if isinstance(limit, int)), default=float("inf"))
