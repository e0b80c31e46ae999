"""Where the tokens of a batch stand when its rows are laid end to end, with hardly any padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Group", "Layout", "packed_layout", "split_by_length", "split_by_size"]


class Group(NamedTuple):
    """``rows`` rows of ``length`` tokens each, one after the other from position ``begin`` on."""

    begin: int
    rows: int
    length: int

    @property
    def end(self) -> int:
        """The first position behind the group."""
        return self.begin + self.rows * self.length


class Layout(NamedTuple):
    """The rows of a batch [B, T] in one sequence of S positions: groups of like length, padded within a group alone.

    Attributes:
        groups: in order; together they fill the sequence.
        source: [S] which of the B·T tokens stands at a position.
        offsets: [S] how many tokens of its own row stand before a position.
        starts: [B] the position of every row's first token.
    """

    groups: tuple[Group, ...]
    source: Int[Tensor, " S"]
    offsets: Int[Tensor, " S"]
    starts: Int[Tensor, " B"]


def packed_layout(lengths: Sequence[int], width: int, overhead: int, device: torch.device | str = "cpu") -> Layout:
    """Lay out rows of the given lengths, each at most ``width``; ``overhead`` is what a group costs, in tokens."""
    groups: list[Group] = []
    source: list[Tensor] = []
    offsets: list[Tensor] = []
    starts = [0] * len(lengths)
    begin = 0
    for rows in split_by_length(lengths, overhead):
        group = Group(begin, len(rows), max(lengths[row] for row in rows))
        within = torch.arange(group.length)
        source.append((torch.tensor(rows).unsqueeze(1) * width + within).flatten())
        offsets.append(within.repeat(group.rows))
        for i, row in enumerate(rows):
            starts[row] = begin + i * group.length
        groups.append(group)
        begin = group.end
    return Layout(
        tuple(groups), torch.cat(source).to(device), torch.cat(offsets).to(device), torch.tensor(starts, device=device)
    )


def split_by_length(lengths: Sequence[int], overhead: int) -> list[list[int]]:
    """Return the rows' numbers in groups that together cost least, those of the shortest rows first.

    A group costs its rows times its longest row, and ``overhead`` for being one. The best split of the rows in order of
    length is found exactly, from the best splits of the shorter ones; rows of one length are never parted.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    # Positions in the order at which a group may end: behind the last row of a length.
    ends = [i + 1 for i, row in enumerate(order) if i + 1 == len(order) or lengths[order[i + 1]] != lengths[row]]
    cuts = [0, *ends]
    best, begins = [0], [0]
    for j, end in enumerate(ends, start=1):
        longest = lengths[order[end - 1]]
        cost, first = min((best[i] + (end - cuts[i]) * longest + overhead, i) for i in range(j))
        best.append(cost)
        begins.append(first)
    groups: list[list[int]] = []
    j = len(ends)
    while j:
        groups.append(sorted(order[cuts[begins[j]] : cuts[j]]))
        j = begins[j]
    return groups[::-1]


def split_by_size(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Return the rows' numbers in parts of about equally many tokens, at most about ``size``, shortest rows first."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    total = sum(lengths)
    count = -(-total // size)
    parts: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for row in order:
        # By where the middle of the row falls.
        parts[min(count - 1, int((before + lengths[row] / 2) * count / max(total, 1)))].append(row)
        before += lengths[row]
    return [sorted(part) for part in parts if part]
