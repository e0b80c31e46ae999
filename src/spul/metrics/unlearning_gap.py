"""Distance to the model retrained without the forget set, the gold standard: 0 is perfect unlearning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from spul.metrics._base import METRICS, UNLEARNED, AnswerKind, Metric, ModelMetric, Scored, join
from spul.metrics._comparison import Difference, difference
from spul.types import MetricResult

__all__ = ["UnlearningGap"]

RETRAINED = "retrained"


@METRICS.register("unlearning_gap")
@dataclass(frozen=True)
class UnlearningGap(Metric):
    """|metric(model) − metric(retrained)| on the same examples, for every metric of one model.

    The base model's gap is what there was to close. A forget accuracy far below the retrained model's is
    over-forgetting and counts like one far above it.

    Attributes:
        of: the metric that is compared.
    """

    name: ClassVar[str] = "unlearning_gap"
    unit: ClassVar[str] = "as the metric's"
    higher_is_better: ClassVar[bool | None] = False
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")
    models: ClassVar[tuple[str, ...]] = (*UNLEARNED, "base")

    of: ModelMetric

    @property
    def key(self) -> str:
        """The name with the compared metric's."""
        return f"{self.name}:{self.of.key}"

    @classmethod
    def variants(cls) -> list[Self]:
        """Return one for every registered metric of one model."""
        metrics = [metric for name in METRICS.names() for metric in _variants_of_models(METRICS.get(name))]
        return [cls(metric) for metric in metrics if metric.gap_is_reported]

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the gap of the unlearned model, gated and not, and of its base.

        Undefined where there is no retrained model.
        """
        if scored.kind not in self.of.kinds:
            return
        for model in self.models:
            for place in self.of.places(scored) if model in scored.models else ():
                if RETRAINED in scored.models:
                    gap = difference(self.of, scored, model, RETRAINED, place).distance()
                else:
                    gap = Difference(None, reason="no retrained model was evaluated; name it in model.retrained")
                yield join(model, place), gap.result(self.of.unit, self.higher_is_better)


def _variants_of_models(metric: type[Metric]) -> list[ModelMetric]:
    return list(metric.variants()) if issubclass(metric, ModelMetric) else []
