"""Extraction likelihood: how much of a text comes out after a beginning of it. Jang et al. 2023 (arXiv:2210.01504)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Scored
from spul.metrics._free_text import FreeTextMetric, free_text, splits_with
from spul.types import AnswerSpace, FreeText, Sample

__all__ = ["ExtractionLikelihood", "extraction_likelihood", "overlap"]

LENGTHS = (5, 10)


def overlap(n: int, written: Sequence[int], truth: Sequence[int]) -> float:
    """Return O_n: the share of ``written``'s n-grams that are in ``truth``; 0 where it has none (equation 2)."""
    grams = [tuple(written[i : i + n]) for i in range(len(written) - n + 1)]
    known = {tuple(truth[i : i + n]) for i in range(len(truth) - n + 1)}
    return sum(gram in known for gram in grams) / len(grams) if grams else 0.0


def extraction_likelihood(text: FreeText, n: int) -> float | None:
    """Return EL_n = 1/(T − n) Σ_t O_n(continuation of x_<t, x_≥t), t from 1 to T − n (equation 1).

    Where beginnings were taken at every k-th token only, it is the mean over these. ``None`` where there is none of
    them: the text has no more than n tokens, or nothing was measured.
    """
    ids = text.text_ids or ()
    found = [
        overlap(n, each.ids[: len(ids) - each.shown], ids[each.shown :])
        for each in text.continuations
        if each.shown <= len(ids) - n
    ]
    return sum(found) / len(found) if found else None


@METRICS.register("extraction_likelihood")
@dataclass(frozen=True)
class ExtractionLikelihood(FreeTextMetric):
    """Mean over texts of EL_n: what share of the n-grams of greedy continuations is in the rest of the text.

    Reported where continuations were measured: for ``completion`` with ``task.extraction_stride``.

    Attributes:
        n: length of the n-grams, in tokens.
    """

    name: ClassVar[str] = "extraction_likelihood"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    measured: ClassVar[str] = "continuations of a text of more tokens than the n-gram (text.continuations)"

    n: int = 10

    @property
    def key(self) -> str:
        """The name with the n-grams' length."""
        return f"{self.name}:{self.n}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return every length."""
        return [cls(n) for n in LENGTHS]

    def places(self, scored: Scored) -> list[str]:
        """Return the splits in which texts were continued."""
        return splits_with(scored, lambda text: bool(text.continuations))

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the text was continued, and is longer than an n-gram."""
        return extraction_likelihood(free_text(sample), self.n) is not None

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every text's number."""
        return np.array([[extraction_likelihood(free_text(sample), self.n)] for sample in samples], dtype=np.float64)
