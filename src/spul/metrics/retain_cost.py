"""What unlearning costs on what was to be kept: accuracy lost against the base model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from spul.metrics._base import METRICS, Metric, Scored, join
from spul.metrics._comparison import difference
from spul.metrics.accuracy import Accuracy
from spul.types import MetricResult

__all__ = ["RetainCost"]


@METRICS.register("retain_cost")
class RetainCost(Metric):
    """Accuracy of the base model minus that of the unlearned model, on the retain splits, with a paired interval."""

    name: ClassVar[str] = "retain_cost"
    unit: ClassVar[str] = "share"
    higher_is_better: ClassVar[bool | None] = False

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the cost on every retain split, where both models were scored."""
        if not {"unlearned", "base"} <= set(scored.models):
            return
        for split in scored.splits:
            if split.endswith("_retain"):
                cost = difference(Accuracy(), scored, "base", "unlearned", split)
                yield join("unlearned", split), cost.result(self.unit, self.higher_is_better)
