"""What unlearning costs on what was to be kept: accuracy lost against the base model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from spul.metrics._base import METRICS, UNLEARNED, Metric, Scored, join
from spul.metrics._comparison import difference
from spul.metrics.accuracy import Accuracy
from spul.types import MetricResult

__all__ = ["RetainCost"]


@METRICS.register("retain_cost")
class RetainCost(Metric):
    """Accuracy of the base model minus that of the unlearned model, on the retain splits, with a paired interval.

    The unlearned model behind its gate has a cost of its own.
    """

    name: ClassVar[str] = "retain_cost"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the cost on every retain split, where both models were scored."""
        if "base" not in scored.models:
            return
        for model in UNLEARNED:
            for split in scored.splits if model in scored.models else ():
                if split.endswith("_retain"):
                    cost = difference(Accuracy(), scored, "base", model, split)
                    yield join(model, split), cost.result(self.unit, self.higher_is_better)
