"""How far the losses lie from those of the model that never saw the forget set, as a whole distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from spul.metrics._base import METRICS, AnswerKind, Bootstrap, Metric, Scored, example_of, join
from spul.metrics._membership import loss_score
from spul.stats import ks_distance, ks_distance_replicates, percentile_interval
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["LossKs"]

RETRAINED = "retrained"


@METRICS.register("loss_ks")
class LossKs(Metric):
    """Two-sample Kolmogorov–Smirnov distance between the losses of a model and those of the retrained one, by split.

    The loss is −log p of the truth per answer token. 0: the same distribution; 1: all of one lie above the other's.
    A mean that fits can hide losses that are all alike; this cannot. Resamples of a largest gap lean upwards, so the
    interval is drawn down to the number itself where it would lie above it.
    """

    name: ClassVar[str] = "loss_ks"
    unit: ClassVar[str] = "distance"
    higher_is_better: ClassVar[bool | None] = False
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")
    models: ClassVar[tuple[str, ...]] = ("unlearned", "base")

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the distance of the unlearned model and of its base; undefined where there is no retrained model."""
        for model in self.models:
            for split in scored.splits if model in scored.models else ():
                ours, aim = (scored.samples.get(f"{name}/{split}") for name in (model, RETRAINED))
                if ours is not None:
                    yield join(model, split), self.compute(ours, aim, scored.answers, scored.bootstrap)

    def compute(
        self, ours: Sequence[Sample], aim: Sequence[Sample] | None, answers: AnswerSpace, bootstrap: Bootstrap
    ) -> MetricResult:
        """Return the distance between two models' losses on the same examples."""
        if aim is None:
            return self._undefined("no retrained model was evaluated there; name it in model.retrained")
        if list(map(example_of, ours)) != list(map(example_of, aim)):
            return self._undefined("the two models were scored on different examples")
        n = len(ours)
        if n == 0:
            return self._undefined("the split is empty")
        if any(sample.logprob is None for sample in (*ours, *aim)):
            return self._undefined("there are samples without the log-probability of the answer")
        first, second = loss_score(ours, answers), loss_score(aim, answers)
        value = ks_distance(first, second)
        drawn = bootstrap.draw_for(ours)
        low, high = percentile_interval(ks_distance_replicates(first, second, drawn)) or (None, None)
        low = None if low is None else min(low, value)
        high = None if high is None else max(high, value)
        return MetricResult(value, n, self.unit, self.higher_is_better, low, high, groups=drawn.groups)

    def _undefined(self, reason: str) -> MetricResult:
        return MetricResult(None, 0, self.unit, self.higher_is_better, reason=reason)
