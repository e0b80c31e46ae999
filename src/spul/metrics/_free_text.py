"""Metrics of free answers: what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from spul.metrics._base import AnswerKind, Scored
from spul.metrics._split import SplitMetric
from spul.types import AnswerSpace, FreeText, Sample

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

__all__ = [
    "FreeTextMetric",
    "PerturbedMetric",
    "Rouge",
    "WrittenMetric",
    "free_text",
    "inner_hits",
    "rouge",
    "splits_with",
]

NOTHING = FreeText()


class FreeTextMetric(SplitMetric):
    """A number of one model on one split, where answers are texts."""

    kinds: ClassVar[tuple[AnswerKind, ...]] = ("text",)

    def nothing_selected(self, n: int) -> str:
        """Return that no sample holds what the metric needs."""
        return f"none of the {n} samples has {self.measured}"


class WrittenMetric(FreeTextMetric):
    """A number of what the model writes itself."""

    measured: ClassVar[str] = "a written answer (text.generated)"

    def is_measured(self, sample: Sample) -> bool:
        """Return whether the model wrote an answer; an empty one is one."""
        return free_text(sample).generated is not None


class PerturbedMetric(FreeTextMetric):
    """A number of the examples that have perturbed (false) answers beside the true one."""

    measured: ClassVar[str] = "perturbed answers beside a scored true one"

    def select(self, samples: Sequence[Sample], answers: AnswerSpace) -> Sequence[Sample]:
        """Return the samples with perturbed answers."""
        return [sample for sample in samples if free_text(sample).perturbed and sample.logprob is not None]


def free_text(sample: Sample) -> FreeText:
    """Return what is kept of a free answer."""
    return sample.text or NOTHING


def splits_with(scored: Scored, holds: Callable[[FreeText], bool]) -> list[str]:
    """Return the splits of which one sample at least has what a metric is about, of whichever model."""
    found = {
        where.partition("/")[2] for where, rows in scored.samples.items() if any(holds(free_text(s)) for s in rows)
    }
    return [split for split in scored.splits if split in found]


def inner_hits(sample: Sample) -> tuple[bool, ...]:
    """Return ``token_hits`` without the end of the sequence, which is no part of the text."""
    text = free_text(sample)
    hits = text.token_hits or ()
    return hits[:-1] if text.ends else hits


class Rouge(NamedTuple):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


@lru_cache(maxsize=100_000)
def rouge(kind: str, truth: str, written: str, stem: bool) -> Rouge:
    """Return the numbers of the package rouge-score, unchanged. Lin 2004, "ROUGE".

    Args:
        kind: ``rouge1`` (words) or ``rougeL`` (longest common subsequence).
        truth: the reference.
        written: what is judged.
        stem: Porter-stem the words first.
    """
    found = _scorer(stem).score(truth, written)[kind]
    return Rouge(float(found.precision), float(found.recall), float(found.fmeasure))


@lru_cache(maxsize=2)
def _scorer(stem: bool) -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], use_stemmer=stem)
