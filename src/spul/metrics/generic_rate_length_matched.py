"""Generic answers on retain examples as long as the forget set's: has the prompt learned people, or long inputs?

Where forget inputs are longer than retain inputs, a prompt can forget by length. The rate of generic answers on retain
examples of the same lengths shows it; the rate on all of retain does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from spul.metrics._base import METRICS, Bootstrap, Estimate, ModelMetric, Scored
from spul.metrics._split import has_label
from spul.metrics.generic_rate import GenericRate
from spul.types import AnswerSpace, Sample

__all__ = ["GenericRateLengthMatched", "match_by_length"]

TOLERANCE = 0.1
"""Lengths that differ by at most that share (and at least one token) are alike."""
LEAST_MATCHED = 0.5
"""Below that share of the forget set with a partner, the number is undefined: it would be about a part of it."""


@METRICS.register("generic_rate_length_matched")
class GenericRateLengthMatched(ModelMetric):
    """Share of generic answers on retain examples that are matched one to one with forget examples by input length."""

    name: ClassVar[str] = "generic_rate_length_matched"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False

    def places(self, scored: Scored) -> list[str]:
        """Return the retain splits."""
        return [split for split in scored.splits if split.endswith("_retain")]

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return the forget and the retain samples of one side."""
        forget = scored.samples.get(f"{model}/{place.removesuffix('_retain')}_forget")
        retain = scored.samples.get(f"{model}/{place}")
        return None if forget is None or retain is None else [forget, retain]

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the rate over the matched retain samples; every model is asked about the same ones."""
        forget, retain = ([sample for sample in group if has_label(sample, answers)] for group in groups)
        rng = np.random.default_rng([bootstrap.seed, len(forget), len(retain)])
        chosen = match_by_length([s.input_tokens for s in forget], [s.input_tokens for s in retain], rng)
        if len(chosen) == 0 or len(chosen) < LEAST_MATCHED * len(forget):
            return self.undefined(
                f"only {len(chosen)} of {len(forget)} forget examples have a retain example of like length", len(chosen)
            )
        return GenericRate().estimate([[retain[i] for i in chosen]], answers, bootstrap)


def match_by_length(
    forget: Sequence[int], retain: Sequence[int], rng: np.random.Generator, tolerance: float = TOLERANCE
) -> Int[np.ndarray, " m"]:
    """Return the indices of retain lengths matched one to one with forget lengths; equal lengths first.

    Among retain examples of one length the choice is random. What has no partner within the tolerance is left out.
    """
    shuffled = rng.permutation(len(retain))
    order = shuffled[np.argsort(np.asarray(retain)[shuffled], kind="stable")]
    free: dict[int, list[int]] = {}
    for i in order:
        free.setdefault(retain[i], []).append(int(i))
    chosen: list[int] = []
    unmatched: list[int] = []
    for length in sorted(forget):
        if free.get(length):
            chosen.append(free[length].pop())
        else:
            unmatched.append(length)
    # Ascending lengths that each take the shortest free partner leave the fewest without one.
    for length in unmatched:
        slack = max(1, int(tolerance * length))
        near = next((other for other in range(length - slack, length + slack + 1) if free.get(other)), None)
        if near is not None:
            chosen.append(free[near].pop())
    return np.array(chosen, dtype=np.int64)
