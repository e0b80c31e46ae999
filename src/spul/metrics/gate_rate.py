"""How often the scope gate applies the prompt: on forget splits what it catches, on retain splits what it touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from spul.metrics._base import METRICS, Scored
from spul.metrics._split import ShareMetric
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["GateRate"]


@METRICS.register("gate_rate")
class GateRate(ShareMetric):
    """Share of examples that the scope gate takes for in scope; of gated models only."""

    name: ClassVar[str] = "gate_rate"
    higher_is_better: ClassVar[bool | None] = False
    gap_is_reported: ClassVar[bool] = False

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return the split's samples; ``None`` where no gate decided about them."""
        samples = scored.samples.get(f"{model}/{place}")
        return None if samples is None or any(sample.in_scope is None for sample in samples) else [samples]

    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether the prompt was applied."""
        return bool(sample.in_scope)

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the rate of every gated model on every split: low is good on retain splits, high on forget splits."""
        for where, result in super().rows(scored):
            yield where, replace(result, higher_is_better=where.endswith("_forget"))
