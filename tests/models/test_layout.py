"""Rows laid end to end: every token once, in the groups that cost least."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.models.layout import Group, packed_layout, split_by_length, split_by_size


def test_layout_worked_by_hand() -> None:
    """Rows of 4, 1 and 2 of 5 columns; {1 2}{4} costs 2·2 + 4 and two groups of 2 each: 12; all in one 12 + 2."""
    layout = packed_layout([4, 1, 2], 5, 2)
    assert layout.groups == (Group(0, 2, 2), Group(4, 1, 4))
    assert layout.source.tolist() == [5, 6, 10, 11, 0, 1, 2, 3]
    assert layout.offsets.tolist() == [0, 1, 0, 1, 0, 1, 2, 3]
    assert layout.starts.tolist() == [4, 0, 2]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_every_token_has_its_place(lengths: list[int], overhead: int) -> None:
    width = max(lengths)
    layout = packed_layout(lengths, width, overhead)
    assert layout.groups[-1].end == len(layout.source)
    for row, length in enumerate(lengths):
        at = int(layout.starts[row]) + torch.arange(length)
        assert layout.source[at].tolist() == [row * width + t for t in range(length)]
        assert layout.offsets[at].tolist() == list(range(length))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_parts_are_of_about_the_size(lengths: list[int], size: int) -> None:
    parts = split_by_size(lengths, size)
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    assert all(sum(lengths[row] for row in part) <= size + max(lengths) for part in parts)


def test_split_worked_by_hand() -> None:
    """Lengths 2 3 9 10: in one group 4·10 + 4 = 44; as {2 3}{9 10} 2·3 + 4 + 2·10 + 4 = 34; as four 24 + 16 = 40."""
    assert split_by_length([9, 2, 10, 3], 4) == [[1, 3], [0, 2]]
    assert split_by_length([9, 2, 10, 3], 100) == [[0, 1, 2, 3]]
    assert split_by_length([9, 2, 10, 3], 0) == [[1], [3], [0], [2]]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_no_split_of_the_ordered_rows_costs_less(lengths: list[int], overhead: int) -> None:
    found = split_by_length(lengths, overhead)
    assert sorted(row for group in found for row in group) == list(range(len(lengths)))

    def cost(split: list[list[int]]) -> int:
        return sum(len(group) * max(lengths[row] for row in group) + overhead for group in split)

    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    cuts = itertools.product([False, True], repeat=len(lengths) - 1)
    assert cost(found) == min(cost(_cut(order, cut)) for cut in cuts)


def _cut(order: list[int], cuts: tuple[bool, ...]) -> list[list[int]]:
    groups: list[list[int]] = [[order[0]]]
    for row, cut in zip(order[1:], cuts, strict=True):
        if cut:
            groups.append([])
        groups[-1].append(row)
    return groups
