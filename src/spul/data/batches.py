"""Batches: queries of several lengths become tensors. The only place that says which position predicts which token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from spul.types import Query

__all__ = ["Batch", "LeftPadded", "collate", "left_pad", "length_sorted_batches", "pad_right"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B rows, each a prompt and its answer but for the answer's last token (nothing is read after it).

    The N answer tokens of all rows stand in row order; the token at ``positions[n]`` of row ``rows[n]`` predicts
    ``labels[n]``, which is the one after it: the shift by one is made here and nowhere else.

    Attributes:
        input_ids: [B, T], padded on the right.
        lengths: [B] tokens of a row without its padding.
        positions: [N] index into T of the token that predicts.
        rows: [N] row, ascending.
        labels: [N] the answer token that is predicted.
        is_forget: [B] whether a row is to be forgotten.
        ids: the examples' ids, one a row.
        token_index: [N] which token of its answer, from 0.
    """

    input_ids: Int[Tensor, "B T"]
    lengths: Int[Tensor, " B"]
    positions: Int[Tensor, " N"]
    rows: Int[Tensor, " N"]
    labels: Int[Tensor, " N"]
    is_forget: Bool[Tensor, " B"]
    ids: list[str]
    token_index: Int[Tensor, " N"]

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Batch:
        """Return this with its tensors on ``device``."""
        return Batch(
            input_ids=self.input_ids.to(device),
            lengths=self.lengths.to(device),
            positions=self.positions.to(device),
            rows=self.rows.to(device),
            labels=self.labels.to(device),
            is_forget=self.is_forget.to(device),
            ids=self.ids,
            token_index=self.token_index.to(device),
        )

    def select(self, keep: Bool[Tensor, " B"]) -> Batch:
        """Return the rows in ``keep``, numbered from 0; T stays as it is."""
        tokens = keep[self.rows]
        renumbered = keep.long().cumsum(dim=0) - 1
        return Batch(
            input_ids=self.input_ids[keep],
            lengths=self.lengths[keep],
            positions=self.positions[tokens],
            rows=renumbered[self.rows[tokens]],
            labels=self.labels[tokens],
            is_forget=self.is_forget[keep],
            ids=[row_id for row_id, kept in zip(self.ids, keep.tolist(), strict=True) if kept],
            token_index=self.token_index[tokens],
        )

    def trimmed(self) -> Batch:
        """Return this without the columns that are padding in every row."""
        return replace(self, input_ids=self.input_ids[:, : int(self.lengths.max())])

    def common_beginning(self) -> Int[Tensor, " n"]:
        """Return the tokens that every row begins with (a template's own), before any position that predicts."""
        limit = int(self.positions.min())
        differs = (self.input_ids[:, :limit] != self.input_ids[:1, :limit]).any(dim=0)
        n = int(differs.int().argmax()) if bool(differs.any()) else limit
        return self.input_ids[0, :n]

    def without_beginning(self, n: int) -> Batch:
        """Return this without the first ``n`` columns, which must lie before every position that predicts."""
        return replace(self, input_ids=self.input_ids[:, n:], lengths=self.lengths - n, positions=self.positions - n)


class LeftPadded(NamedTuple):
    """Token ids [B, T] padded on the left, and the mask [B, T] that is 1 where a token stands."""

    input_ids: Int[Tensor, "B T"]
    attention_mask: Int[Tensor, "B T"]


def collate(queries: Sequence[Query], is_forget: Sequence[bool], pad_id: int) -> Batch:
    """Put queries into one batch, padded on the right.

    Args:
        queries: at least one; their answers are what is predicted.
        is_forget: for each query, whether it is to be forgotten.
        pad_id: fills the rows; no loss ever reads it.

    Raises:
        ValueError: there are no queries, or not as many flags as queries (a programming error).
    """
    if not queries or len(queries) != len(is_forget):
        raise ValueError(f"expected one flag for each of at least one query, got {len(is_forget)} for {len(queries)}")
    sequences = [query.prompt_ids + query.answer_ids[:-1] for query in queries]
    tokens = [(row, t) for row, query in enumerate(queries) for t in range(len(query.answer_ids))]
    return Batch(
        input_ids=pad_right(sequences, pad_id),
        lengths=_ints(len(sequence) for sequence in sequences),
        positions=_ints(len(queries[row].prompt_ids) - 1 + t for row, t in tokens),
        rows=_ints(row for row, _ in tokens),
        labels=_ints(queries[row].answer_ids[t] for row, t in tokens),
        is_forget=torch.tensor(list(is_forget), dtype=torch.bool),
        ids=[query.id for query in queries],
        token_index=_ints(t for _, t in tokens),
    )


def pad_right(sequences: Sequence[Sequence[int]], pad_id: int) -> Int[Tensor, "B T"]:
    """Return the sequences as one tensor, filled up on the right to the longest."""
    width = max(map(len, sequences))
    return torch.tensor([[*ids, *[pad_id] * (width - len(ids))] for ids in sequences], dtype=torch.long)


def left_pad(sequences: Sequence[Sequence[int]], pad_id: int) -> LeftPadded:
    """Return the sequences as one tensor, filled up on the left to the longest, with the mask of what is real."""
    width = max(map(len, sequences))
    input_ids = [[*[pad_id] * (width - len(ids)), *ids] for ids in sequences]
    mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in sequences]
    return LeftPadded(torch.tensor(input_ids, dtype=torch.long), torch.tensor(mask, dtype=torch.long))


def length_sorted_batches(queries: Sequence[Query], batch_size: int) -> list[list[int]]:
    """Return the queries' indices in batches of like length, the longest first.

    Little of a batch is padding then, and if memory does not suffice, the first batch shows it.
    """
    order = sorted(range(len(queries)), key=lambda i: -len(queries[i].prompt_ids) - len(queries[i].answer_ids))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _ints(values: Iterable[int]) -> Int[Tensor, " N"]:
    return torch.tensor(list(values), dtype=torch.long)
