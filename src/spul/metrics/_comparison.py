"""Differences between two models on the same examples, with paired intervals."""

from __future__ import annotations

from dataclasses import dataclass

from spul.metrics._base import ModelMetric, Scored, example_of
from spul.stats import Interval
from spul.types import MetricResult

__all__ = ["Difference", "difference"]


@dataclass(frozen=True)
class Difference:
    """One model's number minus another's.

    Attributes:
        value: the difference, or ``None`` where it is undefined (then ``reason`` says why).
        n: examples behind the first number.
        interval: its 95 % interval, from resamples that are the same for both models: what makes an example hard for
            both cancels.
        groups: how many groups of examples the interval was drawn over; ``None`` where it was over examples.
    """

    value: float | None
    n: int = 0
    interval: Interval | None = None
    reason: str | None = None
    groups: int | None = None

    def distance(self) -> Difference:
        """Return the absolute difference; its interval reaches down to 0 where that of the difference holds 0."""
        if self.value is None or self.interval is None:
            return self if self.value is None else Difference(abs(self.value), self.n, groups=self.groups)
        low, high = self.interval
        folded = Interval(0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
        return Difference(abs(self.value), self.n, folded, groups=self.groups)

    def result(self, unit: str, higher_is_better: bool | None) -> MetricResult:
        """Return the difference as a metric's result."""
        low, high = self.interval if self.interval is not None else (None, None)
        return MetricResult(self.value, self.n, unit, higher_is_better, low, high, self.reason, self.groups)


def difference(metric: ModelMetric, scored: Scored, first: str, second: str, place: str) -> Difference:
    """Return ``first``'s number minus ``second``'s at ``place``."""
    ours, theirs = metric.groups(scored, first, place), metric.groups(scored, second, place)
    if ours is None or theirs is None:
        return Difference(None, reason=f"the {first if ours is None else second} model was not scored there")
    if [list(map(example_of, group)) for group in ours] != [list(map(example_of, group)) for group in theirs]:
        return Difference(None, reason=f"{first} and {second} were scored on different examples")
    minuend, subtrahend = scored.estimate(metric, first, place), scored.estimate(metric, second, place)
    assert minuend is not None and subtrahend is not None
    if minuend.result.value is None or subtrahend.result.value is None:
        return Difference(None, reason=minuend.result.reason or subtrahend.result.reason)
    assert minuend.replicates is not None and subtrahend.replicates is not None
    value, n, drawn = minuend.result.value - subtrahend.result.value, minuend.result.n, minuend.result.groups
    interval = metric.difference_interval(value, n, minuend.replicates - subtrahend.replicates, drawn)
    return Difference(value, n, interval, groups=drawn)
