"""Rows of different prompts in one batch: each begins with its own prompt's keys and values, padded on the left.

::

    [pad][prompt of row 0][text][written]
    [pad]  [prompt of row 1][text][written]
    [pad]                     [text][written]     no prompt: the plain base

What a row holds is contiguous, as a sliding window counts on, and has the positions that it has alone; the mask hides
what stands before it. So a row's answer is the one that it gets in a batch of its own (up to rounding of sums),
whatever stands beside it, and rows come and go between two steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from spul.data.batches import pad_right
from spul.models.cache import KeyValues, key_values_of, map_cache
from spul.models.head import select_positions
from spul.models.surroundings import Surroundings

__all__ = ["MixedBatch", "Started", "read"]

Ids = Sequence[int]


class Started(NamedTuple):
    """Rows that were read, and what the base model says comes next."""

    batch: MixedBatch
    logits: Float[Tensor, "B V"]


class MixedBatch:
    """B rows of S cached positions, filled from the right.

    Args:
        cache: keys and values, each [B, heads, S, head_dim].
        mask: [B, S] 1 where there is something.
        positions: [B] position of the token that comes next.
    """

    def __init__(self, cache: DynamicCache, mask: Int[Tensor, "B S"], positions: Int[Tensor, " B"]) -> None:
        self.cache = cache
        self.mask = mask
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    def step(self, base: PreTrainedModel, tokens: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        """Append one token to every row and return the logits behind it."""
        self.mask = F.pad(self.mask, (0, 1), value=1)
        logits: Tensor = base(
            input_ids=tokens.unsqueeze(1),
            attention_mask=self.mask,
            position_ids=self.positions.unsqueeze(1),
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        self.positions = self.positions + 1
        return logits

    def keep(self, rows: Sequence[int]) -> MixedBatch:
        """Return the batch of these rows, without the columns that only others filled.

        Raises:
            ValueError: none is left (a programming error).
        """
        if not rows:
            raise ValueError("expected at least one row to keep")
        chosen = torch.tensor(rows, device=self.positions.device)
        mask = self.mask[chosen]
        begin = int(mask.argmax(dim=1).min())
        map_cache(self.cache, lambda states: states[chosen, :, begin:])
        return MixedBatch(self.cache, mask[:, begin:], self.positions[chosen])

    def joined(self, other: MixedBatch) -> MixedBatch:
        """Return the rows of both, this one's first."""
        S = max(self.mask.shape[1], other.mask.shape[1])
        first, second = (_widened(key_values_of(batch.cache), S) for batch in (self, other))
        pairs = [(torch.cat([a, c]), torch.cat([b, d])) for (a, b), (c, d) in zip(first, second, strict=True)]
        masks = [F.pad(batch.mask, (S - batch.mask.shape[1], 0)) for batch in (self, other)]
        return MixedBatch(DynamicCache(pairs), torch.cat(masks), torch.cat([self.positions, other.positions]))


@torch.inference_mode()
def read(base: PreTrainedModel, texts: Sequence[Ids], prompts: Sequence[Surroundings], pad_id: int) -> Started:
    """Run every text behind its own prompt, all in one forward pass.

    Args:
        base: the base model.
        texts: token ids; none is empty.
        prompts: one a text; an empty one for the plain base.
        pad_id: any token.
    """
    device = base.device
    B = len(texts)
    fronts = torch.tensor([prompt.num_front for prompt in prompts], device=device)
    lengths = torch.tensor(
        [len(ids) + prompt.num_behind for ids, prompt in zip(texts, prompts, strict=True)], device=device
    )
    P, T = int(fronts.max()), int(lengths.max())
    # Prompts end, and texts begin, in the same column: [pad][prompt][text][pad].
    slots = torch.arange(P + T, device=device).expand(B, -1)
    begins, ends = (P - fronts).unsqueeze(1), P + lengths.unsqueeze(1)
    mask = ((slots >= begins) & (slots < ends)).long()
    positions = fronts.unsqueeze(1) + torch.arange(T, device=device)
    cache = _cache_of(prompts, P)
    with select_positions(base, torch.arange(B, device=device), lengths - 1):
        logits = base(
            **_inputs(base, texts, prompts, pad_id),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).logits[0]
    # The padding behind a text goes to the front of its row; keys carry their positions already.
    padding = (T - lengths).unsqueeze(1)
    source = (slots - padding) % (P + T)
    map_cache(cache, lambda states: _gathered(states, source))
    batch = MixedBatch(cache, mask.gather(1, source), fronts + lengths)
    return Started(batch.keep(range(B)), logits)


def _inputs(
    base: PreTrainedModel, texts: Sequence[Ids], prompts: Sequence[Surroundings], pad_id: int
) -> dict[str, Tensor]:
    """Return token ids padded on the right, or embeddings where virtual tokens stand behind a text."""
    if all(prompt.behind is None for prompt in prompts):
        return {"input_ids": pad_right(list(texts), pad_id).to(base.device)}
    embed = base.get_input_embeddings()
    rows = []
    for ids, prompt in zip(texts, prompts, strict=True):
        row = embed(torch.tensor([list(ids)], device=base.device))[0]
        rows.append(row if prompt.behind is None else torch.cat([row, prompt.behind.to(row)]))
    return {"inputs_embeds": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)}


def _cache_of(prompts: Sequence[Surroundings], columns: int) -> DynamicCache:
    """Return a cache of so many columns that end with each row's own prompt; an empty one where no row has any."""
    known = next((prompt.front for prompt in prompts if prompt.front is not None), None)
    if known is None:
        return DynamicCache()
    layers = []
    for layer in range(len(known)):
        pair = []
        for part in (0, 1):
            nothing = known[layer][part][:, :, :0]
            rows = [nothing if prompt.front is None else prompt.front[layer][part] for prompt in prompts]
            pair.append(torch.cat([_left(states, columns) for states in rows]))
        layers.append((pair[0], pair[1]))
    return DynamicCache(layers)


def _widened(pairs: KeyValues, columns: int) -> KeyValues:
    return tuple((_left(keys, columns), _left(values, columns)) for keys, values in pairs)


def _left(states: Float[Tensor, "B H S D"], columns: int) -> Tensor:
    return F.pad(states, (0, 0, columns - states.shape[2], 0))


def _gathered(states: Float[Tensor, "B H S D"], source: Int[Tensor, "B S"]) -> Float[Tensor, "B H S D"]:
    return states.gather(2, source[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3]))
