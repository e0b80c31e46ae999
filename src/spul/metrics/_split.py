"""Metrics of one split: functions of the means of per-example columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from spul.metrics._base import Bootstrap, Estimate, ModelMetric, Scored
from spul.stats import Interval, percentile_interval, share_interval, wilson_interval
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["ShareMetric", "SplitMetric", "has_label", "mean_logprobs", "one_hot"]


class SplitMetric(ModelMetric):
    """A number of one model on one split.

    Attributes:
        for_constants: whether it is reported for the constant predictors too.
    """

    for_constants: ClassVar[bool] = False

    def select(self, samples: Sequence[Sample], answers: AnswerSpace) -> Sequence[Sample]:
        """Return the samples that the metric is about; all of them unless said."""
        return samples

    measured: ClassVar[str] = "what is needed"
    """What a sample must hold, in words."""

    def is_measured(self, sample: Sample) -> bool:
        """Return whether a selected sample holds what the metric needs; every one does unless said."""
        return True

    def nothing_selected(self, n: int) -> str:
        """Return why the number is undefined where none of ``n`` samples is selected."""
        return f"none of the {n} examples has a label as truth"

    @abstractmethod
    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n c"]:
        """Return what is averaged, one row a sample."""

    def of_means(self, means: Float[np.ndarray, "*b c"]) -> Float[np.ndarray, "*b"]:
        """Return the number from the columns' means; the first mean unless said."""
        return means[..., 0]

    def interval(
        self, value: float, n: int, replicates: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the number's interval; see :mod:`spul.stats`."""
        return percentile_interval(replicates)

    def places(self, scored: Scored) -> list[str]:
        """Return every split."""
        return scored.splits

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return the split's samples."""
        samples = scored.samples.get(f"{model}/{place}")
        return None if samples is None else [samples]

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the number of one group and its replicates."""
        (samples,) = groups
        selected = self.select(samples, answers)
        n = len(selected)
        if n == 0:
            return self.undefined(self.nothing_selected(len(samples)) if samples else "the split is empty")
        if lacking := sum(not self.is_measured(sample) for sample in selected):
            return self.undefined(f"{lacking} of {n} samples lack {self.measured}", n)
        columns = self.columns(selected, answers)
        value = float(self.of_means(columns.mean(axis=0)))
        drawn = bootstrap.draw_for(selected)
        replicates = self.of_means(drawn.means(columns))
        interval = self.interval(value, n, replicates, drawn.groups)
        return Estimate(self.defined(value, n, interval, drawn.groups), replicates)

    def compute(self, samples: Sequence[Sample], answers: AnswerSpace, bootstrap: Bootstrap) -> MetricResult:
        """Return the number of one split's samples."""
        return self.estimate([samples], answers, bootstrap).result

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the number of every model on every split.

        On a forget split neither direction is better as such: the aim is the retrained model's number.
        """
        rows = list(super().rows(scored))
        if self.for_constants:
            for where, samples in scored.constants.items():
                rows.append((where, self.compute(samples, scored.answers, scored.bootstrap)))
        for where, result in rows:
            yield where, replace(result, higher_is_better=None) if where.endswith("_forget") else result


class ShareMetric(SplitMetric):
    """The share of examples of which something holds."""

    unit: ClassVar[str] = "share"

    @abstractmethod
    def holds(self, sample: Sample, answers: AnswerSpace) -> bool:
        """Return whether it holds of one example."""

    def columns(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, "n 1"]:
        """Return 1 where it holds, else 0."""
        return np.array([[float(self.holds(sample, answers))] for sample in samples])

    def interval(
        self, value: float, n: int, replicates: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the interval of a share."""
        return share_interval(round(value * n), n, replicates, groups)

    def difference_interval(
        self, value: float, n: int, differences: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the interval of a difference of shares.

        Where the models differ by the same on every example, the bootstrap is a point. If they agree on all ``n``, say,
        they may still differ on as large a share of all examples as Wilson's interval of 0 in ``n`` allows.
        """
        interval = percentile_interval(differences)
        if interval is not None:
            return interval
        units = n if groups is None else groups
        low, high = wilson_interval(round(abs(value) * n) * units / n, units)
        if value == 0:
            return Interval(-high, high)
        return Interval(low, high) if value > 0 else Interval(-high, -low)


def has_label(sample: Sample, answers: AnswerSpace) -> bool:
    """Return whether the truth is a label or a free text, and not a generic answer (as of a plain fact)."""
    return sample.answer not in answers.generic


def one_hot(values: Sequence[str | None], classes: Sequence[str]) -> Bool[np.ndarray, "n c"]:
    """Return which class every value is; an empty row for a value outside ``classes``."""
    index = {name: i for i, name in enumerate(classes)}
    codes = np.array([-1 if value is None else index.get(value, -1) for value in values])
    found: Bool[np.ndarray, "n c"] = codes[:, np.newaxis] == np.arange(len(classes))
    return found


def mean_logprobs(samples: Sequence[Sample]) -> Float[np.ndarray, " n"]:
    """Return the log-probability of the truth of every sample, per token.

    Raises:
        ValueError: one was not measured (a programming error).
    """
    if any(sample.logprob is None for sample in samples):
        raise ValueError("expected samples whose answers were scored")
    totals = np.array([sample.logprob for sample in samples], dtype=np.float64)
    lengths = np.array([sample.num_tokens for sample in samples], dtype=np.float64)
    return np.asarray(totals / lengths)
