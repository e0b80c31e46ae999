"""What a check of the data found, as a document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["DataReport", "LengthDifference", "Lengths", "Overlap", "SplitReport"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lengths(_Document):
    """How long the rows of a split are, in words of their text or in tokens of prompt and answer."""

    unit: Literal["words", "tokens"]
    median: float
    p95: float
    max: int


class SplitReport(_Document):
    """One split.

    Attributes:
        rows: how many.
        answers: answer → rows that have it, the most frequent first.
        empty: rows without any text.
        repeated: rows whose text an earlier row of the split has.
        near: rows that have a near-duplicate, but not the same text, in the split.
        conflicting: rows whose text has another answer elsewhere in the split.
        words: lengths of the texts.
        tokens: lengths as posed; ``None`` where no tokenizer was given.
        truncated: rows that are cut to fit the context; ``None`` where no tokenizer was given.
    """

    rows: int
    answers: dict[str, int]
    empty: int
    repeated: int
    near: int
    conflicting: int
    words: Lengths
    tokens: Lengths | None
    truncated: int | None


class Overlap(_Document):
    """How much of some rows stands in others.

    Attributes:
        rows_of: the split whose rows are looked up.
        within: where they are looked up: a split, or ``train`` for both training sides.
        rows: rows looked up.
        same: rows whose text is there.
        near: further rows that have a near-duplicate there.
        long_enough: rows of at least four words.
        contained: those of them whose words stand in a text there in one piece, the same texts included.
    """

    rows_of: str
    within: str
    rows: int
    same: int
    near: int
    long_enough: int
    contained: int


class LengthDifference(_Document):
    """Whether forget rows can be told from retain rows by their length alone.

    Attributes:
        unit: of the medians.
        forget_median, retain_median: of the training sides.
        auc: probability that a random forget row is longer than a random retain row, a tie counted half.
    """

    unit: Literal["words", "tokens"]
    forget_median: float
    retain_median: float
    auc: float


class DataReport(_Document):
    """Everything that the check found; ``warnings`` says in words what calls for attention.

    ``generic_answers`` are those outside the labels, whether any row has one as its truth or not.
    """

    splits: dict[str, SplitReport]
    generic_answers: tuple[str, ...] = ()
    overlaps: tuple[Overlap, ...]
    length_difference: LengthDifference
    warnings: tuple[str, ...]
