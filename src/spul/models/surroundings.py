"""What stands around the texts of a batch: keys and values in front of every row, virtual tokens behind its text.

``[front][text][behind][answer]``: what stands in front is the same for every row and is run once; what stands behind
reads the text, so it runs with every row. Rows have different lengths, so it is set into each at a place of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spul.models.cache import KeyValues

__all__ = ["Surroundings", "insert_behind", "text_lengths"]


class Surroundings(NamedTuple):
    """A prompt in the two forms that a forward pass takes.

    Attributes:
        front: keys and values of what stands in front; ``None`` where nothing does.
        behind: [s, d] embeddings of what stands between text and answer; ``None`` where nothing does.
    """

    front: KeyValues | None = None
    behind: Float[Tensor, "s d"] | None = None

    @property
    def num_front(self) -> int:
        """How many positions stand in front."""
        return self.front[0][0].shape[2] if self.front is not None else 0

    @property
    def num_behind(self) -> int:
        """How many positions stand behind a text."""
        return len(self.behind) if self.behind is not None else 0

    def tensors(self) -> list[Tensor]:
        """Return everything that is here."""
        front = [tensor for pair in self.front or () for tensor in pair]
        return front if self.behind is None else [*front, self.behind]

    def leaves(self) -> Surroundings:
        """Return the same values cut out of their graph, ready to gather gradients where the originals have one."""

        def leaf(tensor: Tensor) -> Tensor:
            return tensor.detach().requires_grad_(tensor.requires_grad)

        front = None if self.front is None else tuple((leaf(key), leaf(value)) for key, value in self.front)
        return Surroundings(front, None if self.behind is None else leaf(self.behind))


def text_lengths(rows: Int[Tensor, " N"], positions: Int[Tensor, " N"], num_rows: int) -> Int[Tensor, " B"]:
    """Return how many tokens every row has before its answer: one more than its first position that predicts."""
    none_yet = torch.full((num_rows,), torch.iinfo(positions.dtype).max, device=positions.device)
    return none_yet.scatter_reduce(0, rows, positions, "amin") + 1


def insert_behind(
    embeddings: Float[Tensor, "B T d"], lengths: Int[Tensor, " B"], behind: Float[Tensor, "s d"]
) -> Float[Tensor, "B T+s d"]:
    """Return the rows with ``behind`` set in after the first ``lengths[b]`` positions of row b."""
    B, T, d = embeddings.shape
    s = len(behind)
    both = torch.cat([embeddings, behind.to(embeddings.dtype).expand(B, s, d)], dim=1)
    slots = torch.arange(T + s, device=embeddings.device).expand(B, -1)
    begins = lengths.unsqueeze(1)
    after = slots >= begins + s
    source = torch.where(slots < begins, slots, torch.where(after, slots - s, slots - begins + T))
    return both.gather(1, source.unsqueeze(2).expand(-1, -1, d))
