"""Truth ratio: how probable false answers are against the true one. Maini et al. 2024 (TOFU), equation 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np
from jaxtyping import Float

from spul.metrics._base import METRICS, Scored
from spul.metrics._free_text import PerturbedMetric, free_text
from spul.types import AnswerSpace, Sample

__all__ = ["Mean", "TruthRatio", "log_truth_ratios"]

Mean = Literal["geometric", "arithmetic"]


def log_truth_ratios(samples: Sequence[Sample], mean: Mean) -> Float[np.ndarray, " n"]:
    """Return log R of samples with perturbed answers; R is above 1 where the false answers are the more probable ones.

    R = mean_i P(ŷ_i) / P(ỹ), with P per token, ŷ_i the perturbed answers and ỹ the paraphrase (where there is none, the
    true answer itself, as TOFU does for real authors and world facts).
    """
    ratios = []
    for sample in samples:
        text = free_text(sample)
        false = np.array([wording.mean for wording in text.perturbed])
        assert sample.logprob is not None
        true = text.paraphrase.mean if text.paraphrase is not None else sample.logprob / sample.num_tokens
        of_false = false.mean() if mean == "geometric" else np.logaddexp.reduce(false) - np.log(len(false))
        ratios.append(float(of_false - true))
    return np.array(ratios)


@METRICS.register("truth_ratio")
@dataclass(frozen=True)
class TruthRatio(PerturbedMetric):
    """Mean of min(R, 1/R) on forget splits, and of max(0, 1 − R) everywhere else.

    The first is 1 where nothing tells true from false, the second where the false answers have no probability at all.
    Two definitions of R are in use and named: the ``arithmetic`` mean of the false answers' probabilities (the paper's
    equation 1) and the ``geometric`` one (its code, and open-unlearning).

    Attributes:
        mean: of the false answers' probabilities.
        of_forget: whether this is the form for forget splits, or that for all others.
    """

    name: ClassVar[str] = "truth_ratio"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True

    mean: Mean = "geometric"
    of_forget: bool = False

    @property
    def key(self) -> str:
        """The name with the mean."""
        return f"{self.name}:{self.mean}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return both means, in both forms; a split has one of the forms, so the two share their key."""
        return [cls(mean, of_forget) for mean in get_args(Mean) for of_forget in (True, False)]

    def places(self, scored: Scored) -> list[str]:
        """Return the splits that have this form."""
        return [split for split in scored.splits if split.endswith("_forget") is self.of_forget]

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return every example's part."""
        logs = log_truth_ratios(samples, self.mean)
        parts = np.exp(-np.abs(logs)) if self.of_forget else np.maximum(0.0, 1.0 - np.exp(np.minimum(logs, 0.0)))
        return np.asarray(parts)[:, np.newaxis]
