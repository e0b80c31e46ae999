"""How well the scope gate's detector tells forget from retain examples, whatever its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from spul.metrics._base import METRICS, Bootstrap, Estimate, ModelMetric, Scored
from spul.metrics.generic_rate_length_matched import LEAST_MATCHED, match_by_length
from spul.stats import auc, auc_replicates, percentile_interval
from spul.types import AnswerSpace, Sample

__all__ = ["GateAuc"]


@METRICS.register("gate_auc")
@dataclass(frozen=True)
class GateAuc(ModelMetric):
    """AUC of the detector's score, forget against retain; and against retain examples of the forget examples' lengths.

    Where forget texts are longer than retain texts, a detector of length alone has a high AUC. Matched one to one by
    length, it has 0.5.

    Attributes:
        length_matched: which of the two.
    """

    name: ClassVar[str] = "gate_auc"
    unit: ClassVar[str] = "auc"
    higher_is_better: ClassVar[bool | None] = True
    gap_is_reported: ClassVar[bool] = False

    length_matched: bool = False

    @property
    def key(self) -> str:
        """The name, and ``:length_matched``."""
        return f"{self.name}:length_matched" if self.length_matched else self.name

    @classmethod
    def variants(cls) -> list[Self]:
        """Return both."""
        return [cls(), cls(length_matched=True)]

    def places(self, scored: Scored) -> list[str]:
        """Return the retain splits; each is told from the forget split of its side."""
        return [split for split in scored.splits if split.endswith("_retain")]

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return forget and retain samples of one side; ``None`` where no gate decided about them."""
        forget = scored.samples.get(f"{model}/{place.removesuffix('_retain')}_forget")
        retain = scored.samples.get(f"{model}/{place}")
        if forget is None or retain is None or any(s.scope_score is None for s in (*forget, *retain)):
            return None
        return [forget, retain]

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the AUC and its replicates."""
        forget, retain = groups
        if self.length_matched:
            rng = np.random.default_rng([bootstrap.seed, len(forget), len(retain)])
            chosen = match_by_length([s.input_tokens for s in forget], [s.input_tokens for s in retain], rng)
            if len(chosen) < LEAST_MATCHED * len(forget):
                return self.undefined(
                    f"only {len(chosen)} of {len(forget)} forget examples have a retain example of like length"
                )
            retain = [retain[i] for i in chosen]
        if not forget or not retain:
            return self.undefined(f"there are {len(forget)} forget and {len(retain)} retain examples to tell apart")
        inside, outside = (np.array([s.scope_score for s in side], dtype=np.float64) for side in (forget, retain))
        drawn = (bootstrap.draw_for(forget), bootstrap.draw_for(retain, stream=1))
        replicates = auc_replicates(inside, outside, drawn)
        n = len(inside) + len(outside)
        return Estimate(self.defined(auc(inside, outside), n, percentile_interval(replicates)), replicates)
