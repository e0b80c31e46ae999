"""What a metric is: a pure function of samples that says itself on which of the stored samples it is defined.

So a new file is all that a new metric needs. Undefined is ``None`` with a reason, never a default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float

from spul.registry import Registry
from spul.stats import Interval, Resamples, percentile_interval
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["METRICS", "UNLEARNED", "AnswerKind", "Bootstrap", "Estimate", "Metric", "ModelMetric", "Scored"]

AnswerKind = Literal["labels", "text"]
"""What answers are: one of the task's labels, or free text."""

UNLEARNED = ("unlearned", "unlearned_gated")
"""The models that unlearning has made: the prompt in front of every query, and in front of those in scope."""


class Bootstrap:
    """Draws resamples, once for every number of examples: equal examples get equal resamples, which pairs models.

    Args:
        resamples: how many resamples stand behind an interval. They are kept, one byte an example and resample.
        seed: equal seeds give equal intervals.
    """

    def __init__(self, resamples: int = 1000, seed: int = 0) -> None:
        self.resamples = resamples
        self.seed = seed
        self._drawn: dict[tuple[int, int], Resamples] = {}
        self._of_groups: dict[tuple[tuple[tuple[str, str], ...], int], Resamples] = {}

    def draw(self, n: int, stream: int = 0) -> Resamples:
        """Return resamples of ``n`` examples; groups that are resampled independently take different streams."""
        if (n, stream) not in self._drawn:
            rng = np.random.default_rng([self.seed, n, stream])
            self._drawn[n, stream] = Resamples(n, self.resamples, rng)
        return self._drawn[n, stream]

    def draw_for(self, samples: Sequence[Sample], stream: int = 0) -> Resamples:
        """Return resamples of samples: of their groups where they have any, else of the samples.

        A sample without a group among others is a group of its own. Groups are numbered in the order of their names, so
        the order of the samples does not matter.
        """
        if not any(sample.group for sample in samples):
            return self.draw(len(samples), stream)
        names = tuple(group_of(sample) for sample in samples)
        if (names, stream) not in self._of_groups:
            numbers = {name: i for i, name in enumerate(sorted(set(names)))}
            groups = np.array([numbers[name] for name in names])
            self._of_groups[names, stream] = self.draw(len(numbers), stream).of_members(groups)
        return self._of_groups[names, stream]


def group_of(sample: Sample) -> tuple[str, str]:
    """Return the name of the sample's group, or what stands for it where it has none."""
    return (sample.group, "") if sample.group else ("", sample.id)


def example_of(sample: Sample) -> tuple[str, str]:
    """Return what says whether two samples are about the same example: files of two models may number theirs alike."""
    return sample.id, sample.answer


@dataclass(frozen=True)
class Scored:
    """Everything that metrics are computed from.

    Attributes:
        samples: by ``<model>/<split>``.
        answers: what may be answered.
        bootstrap: what intervals are made with.
        task: the task's name, where it is known.
    """

    samples: Mapping[str, Sequence[Sample]]
    answers: AnswerSpace
    bootstrap: Bootstrap
    task: str | None = None
    _estimates: dict[tuple[str, str, str], Estimate] = field(default_factory=dict, init=False, repr=False)

    def estimate(self, metric: ModelMetric, model: str, place: str) -> Estimate | None:
        """Return a model's number at a place, computed once; ``None`` where the model was not scored there."""
        key = (metric.key, model, place)
        if key not in self._estimates:
            groups = metric.groups(self, model, place)
            if groups is None:
                return None
            self._estimates[key] = metric.estimate(groups, self.answers, self.bootstrap)
        return self._estimates[key]

    @property
    def kind(self) -> AnswerKind:
        """What the answers are: free text where there are no labels."""
        return "labels" if self.answers.labels else "text"

    @property
    def models(self) -> list[str]:
        """The models' names, in order of appearance."""
        return list(dict.fromkeys(where.partition("/")[0] for where in self.samples))

    @property
    def splits(self) -> list[str]:
        """The splits' names, in order of appearance."""
        return list(dict.fromkeys(where.partition("/")[2] for where in self.samples))

    @cached_property
    def constants(self) -> dict[str, list[Sample]]:
        """Samples of a predictor that answers one label whatever is asked, by ``constant:<label>/<split>``."""
        found: dict[str, list[Sample]] = {}
        for split in self.splits:
            examples = next(rows for where, rows in self.samples.items() if where.partition("/")[2] == split)
            for label in self.answers.labels:
                found[f"constant:{label}/{split}"] = [
                    replace(sample, prediction=label, prediction_text=label, restricted_prediction=label)
                    for sample in examples
                ]
        return found


@dataclass(frozen=True)
class Estimate:
    """A number and its bootstrap.

    Attributes:
        result: the number with its interval.
        replicates: [B] the number in every resample; ``None`` where it is undefined.
    """

    result: MetricResult
    replicates: Float[np.ndarray, " B"] | None = None


class Metric(ABC):
    """One number, by the name it is registered under.

    Attributes:
        name: the registered name.
        unit, higher_is_better: as in :class:`~spul.types.MetricResult`.
        kinds: what the answers may be that the metric is about.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    higher_is_better: ClassVar[bool | None]
    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels",)

    @property
    def key(self) -> str:
        """What the number is called in ``metrics.json``: the name, and the variant where there are several."""
        return self.name

    @classmethod
    def variants(cls) -> list[Self]:
        """Return every form of the metric that is reported."""
        return [cls()]

    @abstractmethod
    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield ``(where, result)`` for every place the metric is reported for."""


METRICS: Registry[type[Metric]] = Registry("metric", "spul.metrics")


class ModelMetric(Metric):
    """A number of one model, from one or more groups of samples, each resampled by itself.

    Attributes:
        gap_is_reported: whether the distance to the retrained model's number is a metric too.
    """

    gap_is_reported: ClassVar[bool] = True

    @abstractmethod
    def places(self, scored: Scored) -> list[str]:
        """Return where a model has this number: splits, or ``""`` for one number a model."""

    @abstractmethod
    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return the samples behind the number; ``None`` where the model was not scored on all of them."""

    @abstractmethod
    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the number and its replicates."""

    def difference_interval(
        self, value: float, n: int, differences: Float[np.ndarray, " B"], groups: int | None = None
    ) -> Interval | None:
        """Return the interval of a difference of two models on the same ``n`` examples, or so many groups of them."""
        return percentile_interval(differences)

    def rows(self, scored: Scored) -> Iterator[tuple[str, MetricResult]]:
        """Yield the number of every model at every place."""
        for model in scored.models:
            for place in self.places(scored):
                estimate = scored.estimate(self, model, place)
                if estimate is not None:
                    yield join(model, place), estimate.result

    def defined(self, value: float, n: int, interval: Interval | None, groups: int | None = None) -> MetricResult:
        """Return a number."""
        low, high = interval if interval is not None else (None, None)
        return MetricResult(value, n, self.unit, self.higher_is_better, low, high, groups=groups)

    def undefined(self, reason: str, n: int = 0) -> Estimate:
        """Return no number, and why."""
        return Estimate(MetricResult(None, n, self.unit, self.higher_is_better, reason=reason))


def join(model: str, place: str) -> str:
    """Return ``<model>/<split>``, or the model alone for what is no split's."""
    return f"{model}/{place}" if place else model
