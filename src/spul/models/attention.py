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
    B, K, S, D = states.shape
    return states.unsqueeze(2).expand(B, K, shared, S, D).reshape(B, K * shared, S, D)


def _rows(states: Float[Tensor, "1 H S D"], group: Group) -> Float[Tensor, "R H L D"]:
    """Return a group's rows as a batch: a view."""
    return states[0, :, group.begin : group.end].unflatten(1, (group.rows, group.length)).transpose(0, 1)


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
    output; a zero vector holds its place in the matrix products.
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
            out, lse = _flash(
                _rows(query, group), _rows(key, group), _rows(value, group), 0.0, is_causal=True, scale=scale
            )
            outs.append(out)
            sums.append(lse.transpose(0, 1).flatten(1))
        own, own_lse = _end_to_end(outs)[0].transpose(0, 1), torch.cat(sums, dim=1)
        front_key, front_value = F.pad(front_key, (0, 0, 0, 1)), F.pad(front_value, (0, 0, 0, 1))
        scores = torch.bmm(query[0], (front_key * scale).transpose(1, 2))
        scores[..., -1] = own_lse
        probs = scores.softmax(dim=-1)
        out = torch.addcmul(torch.bmm(probs, front_value), own, probs[..., -1:]).transpose(0, 1)
        out = out.contiguous().unsqueeze(0)
        if any(ctx.needs_input_grad):
            lse = own_lse - probs[..., -1].log()
            ctx.save_for_backward(query, key, value, front_key, front_value, probs, out, lse)
            ctx.groups, ctx.scale = groups, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Float[Tensor, "1 S H D"]) -> tuple[Tensor | None, ...]:
        query, key, value, front_key, front_value, probs, out, lse = ctx.saved_tensors
        grad = gradients[0].contiguous()
        by_head = grad[0].transpose(0, 1)
        delta = (grad * out).sum(dim=-1)[0].t().unsqueeze(2)
        # The own row's place has a zero value, so that what stands there goes nowhere but into zero rows.
        to_scores = torch.bmm(by_head, front_value.transpose(1, 2)).sub_(delta).mul_(probs)
        to_front_value = torch.bmm(probs.transpose(1, 2), by_head)[:, :-1]
        to_front_key = torch.bmm(to_scores.transpose(1, 2), query[0])[:, :-1] * ctx.scale
        if not any(ctx.needs_input_grad[:3]):
            return None, None, None, to_front_key, to_front_value, None, None
        parts: list[list[Tensor]] = [[], [], []]
        for group in ctx.groups:
            found = _flash_backward(
                _rows(grad.transpose(1, 2), group),
                *(_rows(states, group) for states in (query, key, value, out.transpose(1, 2))),
                lse[:, group.begin : group.end].unflatten(1, (group.rows, group.length)).transpose(0, 1),
                0.0,
                True,
                scale=ctx.scale,
            )
            for part, gradient in zip(parts, found, strict=True):
                part.append(gradient)
        to_query, to_key, to_value = (_end_to_end(part).transpose(1, 2) for part in parts)
        to_query = torch.baddbmm(to_query[0], to_scores, front_key, alpha=ctx.scale).unsqueeze(0)
        return to_query, to_key, to_value, to_front_key, to_front_value, None, None


_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
