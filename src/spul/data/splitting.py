"""Splitting a part off, so that what is the same, nearly the same or part of one another stays on one side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from spul.data.duplicates import containing_pairs, normalise, similar_pairs, text_of
from spul.errors import DataError
from spul.types import Example

__all__ = ["Parts", "draw", "draw_share", "groups_of", "split_off"]


class Parts(NamedTuple):
    """The two sides of a split, each in the order of the input."""

    kept: tuple[Example, ...]
    split_off: tuple[Example, ...]


def split_off(examples: Sequence[Example], share: float, seed: int) -> Parts:
    """Split a share of the examples off, drawn by groups.

    A group is what :func:`groups_of` says; it goes to one side as a whole. The draw depends on the seed and on what the
    texts say, not on the order of the rows. Groups are drawn until the share is reached; one that is larger than what
    is still wanted is passed over, so the part comes out at most as large as asked for (but holds one group at least).

    Raises:
        DataError: there are not two groups.
    """
    groups = groups_of(examples)
    if len(groups) < 2:
        raise DataError(
            f"expected at least two unrelated texts to split a part off, but all rows ({len(examples)}) are the same, "
            "nearly the same or part of one another. Give the test side as a file of its own (data.test_forget, "
            "data.test_retain); where a validation part is split off, data.validation_share=0 leaves it out."
        )
    wanted = min(max(1, round(share * len(examples))), len(examples) - 1)
    order = sorted(groups, key=lambda group: _rank(seed, min(normalise(text_of(examples[i])) for i in group)))
    chosen: set[int] = set()
    for group in order:
        if len(chosen) + len(group) <= wanted:
            chosen.update(group)
    if not chosen:
        smallest = min(order, key=len)
        chosen.update(smallest)
    return Parts(
        kept=tuple(example for i, example in enumerate(examples) if i not in chosen),
        split_off=tuple(example for i, example in enumerate(examples) if i in chosen),
    )


def draw(examples: Sequence[Example], count: int, seed: int) -> tuple[Example, ...]:
    """Return ``count`` of the examples (all, if there are no more), in their order; drawn by seed and id."""
    drawn = sorted(range(len(examples)), key=lambda i: _rank(seed, examples[i].id))[:count]
    return tuple(examples[i] for i in sorted(drawn))


def draw_share(examples: Sequence[Example], share: float, seed: int) -> tuple[Example, ...]:
    """Return at most that share of the examples, in their order, drawn by whole groups (but one group at least).

    Groups are those the examples name (a person, say), or those of :func:`groups_of` where none does. They are drawn in
    an order that depends on seed and content alone, so a smaller share is a part of a larger one.

    Raises:
        DataError: there are not two groups to choose from.
    """
    named: defaultdict[str, list[int]] = defaultdict(list)
    for i, example in enumerate(examples):
        named[example.group or example.id].append(i)
    groups = list(named.values()) if any(example.group for example in examples) else groups_of(examples)
    if len(groups) < 2:
        raise DataError(
            f"expected at least two groups of rows to draw from, but all rows ({len(examples)}) belong together"
        )
    order = sorted(groups, key=lambda group: _rank(seed, min(normalise(text_of(examples[i])) for i in group)))
    chosen = set(order[0])
    for group in order[1:]:
        if len(chosen) + len(group) > round(share * len(examples)):
            break
        chosen.update(group)
    return tuple(example for i, example in enumerate(examples) if i in chosen)


def groups_of(examples: Sequence[Example]) -> list[list[int]]:
    """Return the examples' indices in groups that are connected by being the same, nearly the same or contained.

    Long texts are rarely connected. Phrases cut from one sentence are, through the sentence: a phrase in test whose
    sentence is in train would measure memory (see :mod:`spul.data.duplicates`).
    """
    same: defaultdict[str, list[int]] = defaultdict(list)
    for i, example in enumerate(examples):
        same[normalise(text_of(example))].append(i)
    texts = sorted(same)
    parent = _joined(len(texts), chain(similar_pairs(texts), containing_pairs(texts, texts)))
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number, text in enumerate(texts):
        groups[_root(parent, number)] += same[text]
    return [sorted(group) for group in groups.values()]


def _joined(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return the forest of a union-find structure over ``range(size)`` in which each pair is joined."""
    parent = list(range(size))
    for i, j in pairs:
        a, b = _root(parent, i), _root(parent, j)
        parent[max(a, b)] = min(a, b)
    return parent


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=16).digest()
