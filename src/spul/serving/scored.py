"""A text that is read behind its prompt, with the log-probability of each of its own tokens there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from spul.errors import ModelError
from spul.models.cache import expanded_cache
from spul.models.surroundings import Surroundings
from spul.serving.batch import MixedBatch, Started
from spul.serving.rows import Echo, TokenScore, token_names

__all__ = ["Scored", "read_scored"]

CHUNK = 256
"""Positions whose logits over the whole vocabulary are held at once."""


class Scored(NamedTuple):
    """A text that was read, ready to be continued, and the scores of its own tokens."""

    started: Started
    scores: tuple[TokenScore, ...]


@torch.inference_mode()
def read_scored(
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    ids: Sequence[int],
    prompt: Surroundings,
    echo: Echo,
    top: int,
) -> Scored:
    """Run one text behind its prompt and score its own tokens by teacher forcing; the first of them has no score.

    Args:
        base: the base model.
        tokenizer: names tokens.
        ids: what is read; it ends with the text's own tokens.
        prompt: what stands in front; an empty one for the plain base.
        echo: the text.
        top: how many of the likeliest tokens are reported beside each.

    Raises:
        ModelError: virtual tokens stand behind the text, so that its own tokens would be scored without them; or a
            logit is not finite.
    """
    if prompt.behind is not None:
        raise ModelError("a text in front of virtual tokens cannot be scored under them")
    p, n, own = prompt.num_front, len(ids), len(echo.offsets)
    cache = expanded_cache(prompt.front, 1)
    row = torch.tensor([list(ids)], device=base.device)
    mask = torch.ones(1, p + n, dtype=torch.long, device=base.device)
    scores = [TokenScore(name, None, (), echo.offsets[0]) for name in token_names(tokenizer, ids[n - own :][:1])]
    for begin in range(0, n, CHUNK):
        chunk = row[:, begin : begin + CHUNK]
        end = begin + chunk.shape[1]
        logits = base(
            input_ids=chunk,
            attention_mask=mask[:, : p + end],
            position_ids=torch.arange(p + begin, p + end, device=base.device).unsqueeze(0),
            past_key_values=cache,
            use_cache=True,
        ).logits[0]
        logprobs = logits.float().log_softmax(dim=-1)
        if not bool(logprobs.isfinite().all()):
            raise ModelError("the model's logits are not finite")
        # Position i predicts token i + 1; scored are the text's own tokens from the second on.
        first, last = max(begin, n - own), min(end, n - 1)
        if first < last:
            offsets = echo.offsets[first + 1 - (n - own) : last + 1 - (n - own)]
            asked = row[0, first + 1 : last + 1]
            scores += _scores(tokenizer, logprobs[first - begin : last - begin], asked, offsets, top)
    batch = MixedBatch(cache, mask, torch.tensor([p + n], device=base.device))
    return Scored(Started(batch, logits[-1:]), tuple(scores))


def _scores(
    tokenizer: PreTrainedTokenizerFast,
    logprobs: Float[Tensor, "T V"],
    ids: Int[Tensor, " T"],
    offsets: Sequence[int],
    top: int,
) -> Iterator[TokenScore]:
    picked = logprobs.gather(1, ids.unsqueeze(1)).squeeze(1).tolist()
    best = logprobs.topk(min(top, logprobs.shape[1]))
    rows = zip(
        token_names(tokenizer, ids.tolist()), picked, best.indices.tolist(), best.values.tolist(), offsets, strict=True
    )
    for name, logprob, others, values, offset in rows:
        yield TokenScore(name, logprob, tuple(zip(token_names(tokenizer, others), values, strict=True)), offset)
