"""Attention of rows laid end to end that all see the same keys in front: these are never copied for every row.

What a token attends to falls apart in two: the keys in front, shared by all rows, and those of its own row. The first
part is one matrix product for all rows together, the second is torch's own flash attention, group by group. The two are
put together by their log-sum-exp, as flash attention puts its blocks together (Dao et al. 2022, arXiv:2205.14135), and
so is the way back: given the whole's output and log-sum-exp, each part's gradient is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from spul.errors import ModelError
from spul.models.cache import KeyValues
from spul.models.layout import Group

__all__ = ["laid_end_to_end"]

NAME = "spul_packed"
"""Under which transformers' models find it. It has no mask function there, so they make no masks."""


class _State(NamedTuple):
    groups: tuple[Group, ...]
    front: KeyValues | None


_STATE: ContextVar[_State] = ContextVar("packed rows")


@contextmanager
def laid_end_to_end(base: PreTrainedModel, groups: tuple[Group, ...], front: KeyValues | None) -> Iterator[None]:
    """Within the context the model takes one sequence [1, S] for rows in groups, behind what stands in front."""
    before = base.config._attn_implementation
    token = _STATE.set(_State(groups, front))
    base.config._attn_implementation = NAME
    try:
        yield
    finally:
        base.config._attn_implementation = before
        _STATE.reset(token)


def _attention(
    module: nn.Module,
    query: Float[Tensor, "1 H S D"],
    key: Float[Tensor, "1 K S D"],
    value: Float[Tensor, "1 K S D"],
    attention_mask: None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Float[Tensor, "1 S H D"], None]:
    """Return the attention's output; transformers' signature. K divides H where heads share keys."""
    state = _STATE.get()
    shared = query.shape[1] // key.shape[1]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if state.front is None:
        return _own_rows(query, _for_all_heads(key, shared), _for_all_heads(value, shared), state.groups, scale), None
    front_key, front_value = (_for_all_heads(part, shared)[0] for part in state.front[_index_of(module)])
    out: Tensor = _BehindFront.apply(  # type: ignore[no-untyped-call]
        query, _for_all_heads(key, shared), _for_all_heads(value, shared), front_key, front_value, state.groups, scale
    )
    return out, None


AttentionInterface.register(NAME, _attention)


def _index_of(module: nn.Module) -> int:
    index = getattr(module, "layer_idx", None)
    if not isinstance(index, int):
        raise ModelError(f"{type(module).__name__} does not say which layer it belongs to")
    return index


def _for_all_heads(states: Float[Tensor, "B K S D"], shared: int) -> Float[Tensor, "B H S D"]:
    if shared == 1:
        return states
    return states.repeat_interleave(shared, dim=1)


def _rows(states: Float[Tensor, "1 H S D"], group: Group) -> Float[Tensor, "R H L D"]:
    """Return a group's rows as a batch: a view."""
    rows: Tensor = states[0, :, group.begin : group.end].unflatten(1, (group.rows, group.length))
    return rows.transpose(0, 1)


def _end_to_end(rows: list[Float[Tensor, "_ H _ D"]]) -> Float[Tensor, "1 S H D"]:
    flat = [part.transpose(1, 2).flatten(0, 1) for part in rows]
    whole: Tensor = flat[0] if len(flat) == 1 else torch.cat(flat)
    return whole.unsqueeze(0)


def _own_rows(query: Tensor, key: Tensor, value: Tensor, groups: tuple[Group, ...], scale: float) -> Tensor:
    return _end_to_end(
        [
            F.scaled_dot_product_attention(
                _rows(query, group), _rows(key, group), _rows(value, group), is_causal=True, scale=scale
            )
            for group in groups
        ]
    )


class _BehindFront(torch.autograd.Function):
    """Attention to p keys in front, shared by all rows, and causally to those of a token's own row.

    The own row counts as one key more, behind the p, whose score is the row's log-sum-exp and whose value is the row's
    output. Scores stand as [H, p, S], so that what runs over the keys runs over long lines of tokens.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Float[Tensor, "1 H S D"],
        key: Float[Tensor, "1 H S D"],
        value: Float[Tensor, "1 H S D"],
        front_key: Float[Tensor, "H p D"],
        front_value: Float[Tensor, "H p D"],
        groups: tuple[Group, ...],
        scale: float,
    ) -> Float[Tensor, "1 S H D"]:
        outs, sums = [], []
        for group in groups:
            rows = (_rows(states, group) for states in (query, key, value))
            part, lse = _flash(*rows, 0.0, is_causal=True, scale=scale)
            outs.append(part)
            sums.append(lse.transpose(0, 1).flatten(1))
        own_lse = torch.cat(sums, dim=1)
        # A zero vector holds the own row's place in the product.
        scores = torch.bmm(F.pad(front_key * scale, (0, 0, 0, 1)), query[0].transpose(1, 2))
        scores[:, -1] = own_lse
        probs = scores.softmax(dim=1)
        out = _end_to_end(outs)
        out.mul_(probs[:, -1].t().unsqueeze(2))
        out[0].transpose(0, 1).baddbmm_(probs[:, :-1].transpose(1, 2), front_value)
        if any(ctx.needs_input_grad):
            # Where the own row's share underflows its log-sum-exp is infinite, and its gradient 0, as it should be.
            lse = own_lse - probs[:, -1].log()
            ctx.save_for_backward(query, key, value, front_key, front_value, probs, out, lse)
            ctx.groups, ctx.scale = groups, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "1 S H D"]) -> tuple[Tensor | None, ...]:
        query, key, value, front_key, front_value, probs, out, lse = ctx.saved_tensors
        grad = gradients[0].contiguous()
        by_head, probs = grad[0].transpose(0, 1), probs[:, :-1]
        delta = (grad * out).sum(dim=-1)[0].t().unsqueeze(1)
        to_scores = torch.bmm(front_value, by_head.transpose(1, 2)).sub_(delta).mul_(probs).mul_(ctx.scale)
        to_front = torch.bmm(to_scores, query[0]), torch.bmm(probs, by_head)
        if not any(ctx.needs_input_grad[:3]):
            return None, None, None, *to_front, None, None
        parts: list[list[Tensor]] = [[], [], []]
        for group in ctx.groups:
            states = [_rows(x, group) for x in (grad.transpose(1, 2), query, key, value, out.transpose(1, 2))]
            part_lse = lse[:, group.begin : group.end].unflatten(1, (group.rows, group.length)).transpose(0, 1)
            for part, found in zip(parts, _flash_backward(*states, part_lse, 0.0, True, scale=ctx.scale), strict=True):
                part.append(found)
        to_query, to_key, to_value = (_end_to_end(part).transpose(1, 2) for part in parts)
        to_query[0].baddbmm_(to_scores.transpose(1, 2), front_key)
        return to_query, to_key, to_value, *to_front, None, None


_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
