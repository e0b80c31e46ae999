"""Model utility: what is left of everything that was not to be forgotten. Maini et al. 2024 (TOFU), section 2.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from spul.data.tofu import UTILITY_SETS
from spul.metrics._base import METRICS, AnswerKind, Bootstrap, Estimate, ModelMetric, Scored
from spul.metrics._split import SplitMetric
from spul.metrics.normalised_probability import NormalisedProbability
from spul.metrics.probability import Probability
from spul.metrics.rouge import RougeMetric
from spul.metrics.truth_ratio import TruthRatio
from spul.stats import harmonic_mean, percentile_interval
from spul.types import AnswerSpace, Sample

__all__ = ["ModelUtility"]


@METRICS.register("model_utility")
class ModelUtility(ModelMetric):
    """Harmonic mean of nine numbers: probability, ROUGE-L recall and truth ratio on three sets.

    The sets are ``retain_perturbed``, ``real_authors`` and ``world_facts``. The probability is the plain one on the
    first, the normalised one on the others; the truth ratio is the geometric one, as max(0, 1 − R). One of the nine at
    zero makes the utility zero. Undefined where one of the sets was not scored.
    """

    name: ClassVar[str] = "model_utility"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = True
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("text",)

    def places(self, scored: Scored) -> list[str]:
        """Return that a model has one such number, where one of the sets at least was scored."""
        return [""] if set(UTILITY_SETS) & set(scored.splits) else []

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return the samples of the three sets; an empty list for one that was not scored."""
        found = [scored.samples.get(f"{model}/{name}", ()) for name in UTILITY_SETS]
        return found if any(found) else None

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the harmonic mean and its replicates, every set resampled by itself."""
        values: list[float] = []
        replicates: list[np.ndarray] = []
        for stream, (name, samples) in enumerate(zip(UTILITY_SETS, groups, strict=True)):
            plain = Probability() if name == UTILITY_SETS[0] else NormalisedProbability()
            for metric in (plain, RougeMetric("l_recall"), TruthRatio("geometric")):
                found = metric.compute(samples, answers, bootstrap)
                if found.value is None:
                    return self.undefined(f"{metric.key} on {name}: {found.reason}")
                values.append(found.value)
                replicates.append(_replicates(metric, samples, answers, bootstrap, stream))
        stacked = np.stack(replicates)
        means = np.array([harmonic_mean(column) for column in stacked.T.tolist()])
        n = sum(map(len, groups))
        return Estimate(self.defined(harmonic_mean(values), n, percentile_interval(means)), means)


def _replicates(
    metric: SplitMetric, samples: Sequence[Sample], answers: AnswerSpace, bootstrap: Bootstrap, stream: int
) -> np.ndarray:
    selected = metric.select(samples, answers)
    columns = metric.columns(selected, answers)
    return np.asarray(metric.of_means(bootstrap.draw_for(selected, stream).means(columns)))
