"""Batched generation under the prompt, whose keys and values are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from spul.data.batches import pad_right
from spul.data.chat import chat_frame
from spul.data.posing import encode_prompts
from spul.errors import DataError
from spul.models.cache import expanded_cache, map_cache
from spul.models.head import select_positions
from spul.models.loading import context_length

if TYPE_CHECKING:
    from spul.models.prompted import PromptedModel

__all__ = ["choose", "complete", "continue_greedily", "generate"]

COLDEST = 1e-6
"""Temperatures below are greedy: logits divided by them are no finite numbers, or differ by thousands."""


def generate(
    model: PromptedModel,
    texts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    stop: Sequence[str] = (),
) -> list[str]:
    """Return each text's continuation; see :meth:`spul.models.prompted.PromptedModel.generate`.

    Raises:
        ConfigError: texts are to go through a chat template, and the tokenizer has none.
        DataError: a text is empty, or too long for the context with the prompt and the new tokens.
    """
    encoded = encode_prompts(model.tokenizer, texts, chat_frame(model.tokenizer) if model.chat else None)
    _check_room(model, encoded, texts, max_new_tokens)
    rows = _continued(model, encoded, max_new_tokens, temperature, top_p, stop, seed)
    return [_before(model.decode(row), stop) for row in rows]


def complete(
    model: PromptedModel,
    prompts: Sequence[Sequence[int]],
    *,
    batch_size: int,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    stop: Sequence[str],
    seed: int,
) -> list[str]:
    """Return the continuation of every prompt (token ids), in batches of like length.

    Raises:
        DataError: a prompt is empty, or too long for the context with the virtual and the new tokens.
    """
    rows = _in_batches(model, prompts, batch_size, max_new_tokens, temperature, top_p, stop, seed)
    return [_before(model.decode(row), stop) for row in rows]


def continue_greedily(
    model: PromptedModel, prompts: Sequence[Sequence[int]], *, batch_size: int, max_new_tokens: int
) -> list[tuple[int, ...]]:
    """Return the most probable continuation of every prompt as token ids, the end of the sequence left out.

    Raises:
        DataError: a prompt is empty, or too long for the context with the virtual and the new tokens.
    """
    return _in_batches(model, prompts, batch_size, max_new_tokens, 0.0, 1.0, (), 0)


def _in_batches(
    model: PromptedModel,
    prompts: Sequence[Sequence[int]],
    batch_size: int,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    stop: Sequence[str],
    seed: int,
) -> list[tuple[int, ...]]:
    _check_room(model, prompts, [model.decode(ids[:50]) for ids in prompts], max_new_tokens)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    written: dict[int, tuple[int, ...]] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        # Batches that drew from one seed would write alike; the first takes the seed itself.
        ids = _continued(
            model, [prompts[i] for i in rows], max_new_tokens, temperature, top_p, stop, seed + start // batch_size
        )
        written |= zip(rows, ids, strict=True)
    return [written[i] for i in range(len(prompts))]


def _check_room(
    model: PromptedModel, encoded: Sequence[Sequence[int]], texts: Sequence[str], max_new_tokens: int
) -> None:
    room = context_length(model.base) - model.num_virtual_tokens - max_new_tokens
    for text, ids in zip(texts, encoded, strict=True):
        if not 0 < len(ids) <= room:
            raise DataError(
                f"expected a text of 1 to {room} tokens ({model.num_virtual_tokens} virtual and {max_new_tokens} new "
                f"ones also need room), got {len(ids)}: {text[:60]!r}"
            )


@torch.inference_mode()
def _continued(
    model: PromptedModel,
    encoded: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    stop: Sequence[str],
    seed: int,
) -> list[tuple[int, ...]]:
    """Return the continuations of one batch as token ids.

    A row's continuation does not depend on the rows beside it (greedy). It ends before its end-of-sequence token and
    with the token that completes a ``stop`` text, and is at most ``max_new_tokens`` long.
    """
    cache, mask, positions, logits = _read_texts(model, encoded)
    generator = torch.Generator(device=model.device).manual_seed(seed)
    eos = model.tokenizer.eos_token_id
    done = torch.zeros(len(encoded), dtype=torch.bool, device=model.device)
    produced: list[Int[Tensor, " B"]] = []
    while True:
        chosen = choose(logits, temperature, top_p, generator)
        if eos is not None:
            done |= chosen == eos
        produced.append(chosen.masked_fill(done, -1))
        if stop:
            done |= _stopped(model, produced, stop).to(done.device)
        if len(produced) == max_new_tokens or done.all():
            break
        mask = F.pad(mask, (0, 1), value=1)
        logits = model.base(
            input_ids=chosen.unsqueeze(1),
            attention_mask=mask,
            position_ids=positions.unsqueeze(1),
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        positions = positions + 1
    return _rows_of(produced)


def _rows_of(produced: Sequence[Int[Tensor, " B"]]) -> list[tuple[int, ...]]:
    columns = torch.stack(list(produced), dim=1).tolist()
    return [tuple(token for token in row if token >= 0) for row in columns]


def _stopped(model: PromptedModel, produced: Sequence[Int[Tensor, " B"]], stop: Sequence[str]) -> Bool[Tensor, " B"]:
    return torch.tensor([any(mark in model.decode(row) for mark in stop) for row in _rows_of(produced)])


def _before(text: str, stop: Sequence[str]) -> str:
    ends = [text.index(mark) for mark in stop if mark in text]
    return text[: min(ends)] if ends else text


class _Started(NamedTuple):
    """The state after reading the texts: S cached positions a row, filled from the right."""

    cache: DynamicCache
    mask: Int[Tensor, "B S"]
    positions: Int[Tensor, " B"]
    logits: Float[Tensor, "B V"]


def _read_texts(model: PromptedModel, encoded: Sequence[Sequence[int]]) -> _Started:
    """Run the texts behind the prompt and lay their cache out as ``[pad][prompt][text]``.

    The texts are read padded on the right, ``[prompt][text][pad]``, which needs no mask; then every row of the cache is
    rotated, so that its padding stands first. Prompt, text and what is generated are contiguous then, which a sliding
    window counts on: padding in between would push the prompt out of it. Keys carry their positions already. Virtual
    tokens behind a text are read with it.
    """
    device = model.device
    input_ids = pad_right(encoded, model.pad_id).to(device)
    B, T = input_ids.shape
    lengths = torch.tensor([len(ids) for ids in encoded], device=device)
    around = model.surroundings()
    inputs = model.inputs(input_ids, lengths, around)
    T, lengths = T + around.num_behind, lengths + around.num_behind
    p = around.num_front
    cache = expanded_cache(around.front, B)
    with select_positions(model.base, torch.arange(B, device=device), lengths - 1):
        logits = model.base(
            **inputs,
            position_ids=torch.arange(p, p + T, device=device).expand(B, T),
            past_key_values=cache,
            use_cache=True,
        ).logits[0]
    padding = (T - lengths).unsqueeze(1)
    slots = torch.arange(p + T, device=device).expand(B, -1)
    source = (slots - padding) % (p + T)
    map_cache(cache, lambda states: _rotated(states, source))
    return _Started(cache, (slots >= padding).long(), p + lengths, logits)


def _rotated(states: Float[Tensor, "B H S D"], source: Int[Tensor, "B S"]) -> Float[Tensor, "B H S D"]:
    return states.gather(2, source[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3]))


def choose(
    logits: Float[Tensor, "B V"], temperature: float, top_p: float, generator: torch.Generator
) -> Int[Tensor, " B"]:
    """Return the next token of every row: drawn from the top ``top_p``, or the most probable if that is all of it."""
    if temperature < COLDEST:
        return logits.argmax(dim=-1)
    probs = F.softmax(logits.float() / temperature, dim=-1)
    ranked, order = probs.sort(dim=-1, descending=True)
    # A token stays if the mass before it is below top_p, and the most probable one also where top_p rounds to 0.
    beyond = ranked.cumsum(dim=-1) - ranked >= top_p
    beyond[:, 0] = False
    ranked = ranked.masked_fill(beyond, 0.0)
    drawn = torch.multinomial(ranked, 1, generator=generator)
    return order.gather(1, drawn).squeeze(1)
