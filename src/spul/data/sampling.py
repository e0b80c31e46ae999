"""Which rows a batch holds: deterministic, resumable at any epoch, with an explicit share of forget rows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal

from spul.errors import ConfigError

__all__ = ["ForgetRetainSampler"]

POOL_BATCHES = 50
"""Batches whose rows are sorted by length together: enough for little padding, few enough to keep epochs different."""


class ForgetRetainSampler:
    """Batches of row numbers; those below ``num_forget`` are forget rows, the others retain rows.

    With a ratio, every batch holds ``round(forget_ratio · batch_size)`` forget rows, which stand first; each side goes
    through its rows in a shuffled order and then through another one, across epochs too, so no row is seen twice more
    often than another. With ``"natural"`` an epoch is one shuffled pass over all rows together, as in the reference
    implementation, and its last batch may be short.

    An epoch depends on nothing but the arguments and its number: a resumed run asks for the same batches again.

    Args:
        num_forget, num_retain: rows of either side.
        batch_size: rows of a batch.
        forget_ratio: share of forget rows in every batch, or ``"natural"``.
        seed: of every order.
        lengths: tokens of every row, forget rows first; needed to group.
        group_by_length: put rows of like length in one batch; the order of the batches stays random.

    Raises:
        ConfigError: the ratio leaves a batch without forget or without retain rows.
        ValueError: a ratio is given while one side has no rows, or lengths are missing (a programming error).
    """

    def __init__(
        self,
        num_forget: int,
        num_retain: int,
        batch_size: int,
        forget_ratio: float | Literal["natural"],
        seed: int,
        lengths: Sequence[int] | None = None,
        *,
        group_by_length: bool = False,
    ) -> None:
        if group_by_length and (lengths is None or len(lengths) != num_forget + num_retain):
            raise ValueError("group_by_length needs the length of every row")
        self.num_forget = num_forget
        self.num_retain = num_retain
        self.batch_size = batch_size
        self.seed = seed
        self._lengths = lengths if group_by_length else None
        self._forget_rows: int | None = None
        if forget_ratio != "natural":
            self._forget_rows = _forget_rows(forget_ratio, batch_size)
            if not (num_forget and num_retain):
                raise ValueError(f"a ratio needs rows on both sides, got {num_forget} forget and {num_retain} retain")

    @property
    def steps_per_epoch(self) -> int:
        """Return ceil((forget + retain rows) / batch size), whatever the ratio is."""
        return math.ceil((self.num_forget + self.num_retain) / self.batch_size)

    def batches_for(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch, counted from 0."""
        batches = self._natural(epoch) if self._forget_rows is None else self._balanced(epoch, self._forget_rows)
        if self._lengths is not None:
            self._rng("batches", epoch).shuffle(batches)
        return batches

    def _natural(self, epoch: int) -> list[list[int]]:
        order = self._order("rows", epoch, range(self.num_forget + self.num_retain))
        return self._cut(order, self.batch_size)

    def _balanced(self, epoch: int, k: int) -> list[list[int]]:
        retain_rows = range(self.num_forget, self.num_forget + self.num_retain)
        forget = self._cut(self._cycled("forget", epoch, range(self.num_forget), k), k)
        retain = self._cut(self._cycled("retain", epoch, retain_rows, self.batch_size - k), self.batch_size - k)
        return [[*f, *r] for f, r in zip(forget, retain, strict=True)]

    def _cycled(self, side: str, epoch: int, rows: range, rows_per_batch: int) -> list[int]:
        """Return an epoch's part of an endless stream of shuffled passes over one side's rows."""
        count = self.steps_per_epoch * rows_per_batch
        start = epoch * count
        first, last = start // len(rows), (start + count - 1) // len(rows)
        stream = [row for cycle in range(first, last + 1) for row in self._order(side, cycle, rows)]
        offset = start - first * len(rows)
        return stream[offset : offset + count]

    def _cut(self, order: list[int], size: int) -> list[list[int]]:
        """Cut rows into batches, within pools of batches by length where rows are grouped."""
        if self._lengths is not None:
            lengths, pool = self._lengths, POOL_BATCHES * size
            order = [
                row
                for start in range(0, len(order), pool)
                for row in sorted(order[start : start + pool], key=lengths.__getitem__)
            ]
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _order(self, purpose: str, number: int, rows: range) -> list[int]:
        order = list(rows)
        self._rng(purpose, number).shuffle(order)
        return order

    def _rng(self, purpose: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}:{purpose}:{number}")


def _forget_rows(ratio: float, batch_size: int) -> int:
    rows = round(ratio * batch_size)
    if not 0 < rows < batch_size:
        raise ConfigError(
            f"train.forget_ratio={ratio} of train.batch_size={batch_size} is {rows} forget rows a batch; expected at "
            f"least one and at most {batch_size - 1}. Change one of the two, or use forget_ratio=natural."
        )
    return rows
