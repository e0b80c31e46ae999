"""Batched generation under the prompt: left-padded, with the prompt's keys and values computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from spul.data.batches import left_pad
from spul.errors import DataError
from spul.models.loading import context_length

if TYPE_CHECKING:
    from spul.models.prompted import PromptedModel

__all__ = ["generate"]


@torch.inference_mode()
def generate(
    model: PromptedModel, texts: Sequence[str], *, max_new_tokens: int, temperature: float, top_p: float, seed: int
) -> list[str]:
    """Return each text's continuation; see :meth:`spul.models.prompted.PromptedModel.generate`.

    A row's continuation does not depend on the rows beside it (greedy), and ends before its end-of-sequence token.

    Raises:
        DataError: a text is empty, or too long for the context with the prompt and the new tokens.
    """
    encoded = [tuple(model.tokenizer(text)["input_ids"]) for text in texts]
    room = context_length(model.base) - model.num_virtual_tokens - max_new_tokens
    for text, ids in zip(texts, encoded, strict=True):
        if not 0 < len(ids) <= room:
            raise DataError(
                f"expected a text of 1 to {room} tokens ({model.num_virtual_tokens} virtual and {max_new_tokens} new "
                f"ones also need room), got {len(ids)}: {text[:60]!r}"
            )
    input_ids, mask = (tensor.to(model.device) for tensor in left_pad(encoded, model.pad_id))
    key_values = model.key_values()
    B, p = len(texts), model.num_virtual_tokens
    cache = DynamicCache([(k.expand(B, -1, -1, -1), v.expand(B, -1, -1, -1)) for k, v in key_values or ()])
    mask = F.pad(mask.long(), (p, 0), value=1)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, p:]
    generator = torch.Generator(device=model.device).manual_seed(seed)
    eos = model.tokenizer.eos_token_id
    done = torch.zeros(B, dtype=torch.bool, device=model.device)
    produced: list[Int[Tensor, " B"]] = []
    for _ in range(max_new_tokens):
        logits = model.base(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = _choose(logits, temperature, top_p, generator)
        if eos is not None:
            done |= chosen == eos
        produced.append(chosen.masked_fill(done, -1))
        if done.all():
            break
        input_ids = chosen.unsqueeze(1)
        mask = F.pad(mask, (0, 1), value=1)
        positions = positions[:, -1:] + 1
    columns = torch.stack(produced, dim=1).tolist()
    return [model.decode([token for token in row if token >= 0]) for row in columns]


def _choose(
    logits: Float[Tensor, "B V"], temperature: float, top_p: float, generator: torch.Generator
) -> Int[Tensor, " B"]:
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = F.softmax(logits.float() / temperature, dim=-1)
    ranked, order = probs.sort(dim=-1, descending=True)
    # A token stays if the mass before it is below top_p; so the most probable one always does.
    ranked = ranked.masked_fill(ranked.cumsum(dim=-1) - ranked >= top_p, 0.0)
    drawn = torch.multinomial(ranked, 1, generator=generator)
    return order.gather(1, drawn).squeeze(1)
