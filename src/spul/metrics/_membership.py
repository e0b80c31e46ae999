"""Members against non-members: can one tell, from a model's answers, which examples it was trained on?

Members are the forget set's training side, non-members its test side: the same kind of examples, never trained on. A
score is higher for what looks more like a member.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from spul.metrics._base import AnswerKind, Bootstrap, Estimate, ModelMetric, Scored, group_of
from spul.metrics._split import mean_logprobs
from spul.stats import Resamples, auc, auc_replicates, percentile_interval
from spul.types import AnswerSpace, MetricResult, Sample

__all__ = ["AucMetric", "MembershipMetric", "generic_score", "loss_score"]

MEMBERS, NON_MEMBERS = "train_forget", "test_forget"


def loss_score(samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
    """Return minus the loss: the log-probability of the truth, per token."""
    return mean_logprobs(samples)


def generic_score(samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
    """Return log P(generic): the log of the summed probability of the generic answers."""
    logprobs = np.array([[sample.candidate_logprobs[text] for text in answers.generic] for sample in samples])
    score: Float[np.ndarray, " n"] = np.logaddexp.reduce(logprobs, axis=1)
    return score


class MembershipMetric(ModelMetric):
    """A number of one model, from the scores of members and non-members.

    Attributes:
        by_generic: whether the score is that of the generic answers.
    """

    kinds: ClassVar[tuple[AnswerKind, ...]] = ("labels", "text")

    @property
    def by_generic(self) -> bool:
        """No, unless said."""
        return False

    @abstractmethod
    def score(self, samples: Sequence[Sample], answers: AnswerSpace) -> Float[np.ndarray, " n"]:
        """Return one score a sample."""

    @abstractmethod
    def of_scores(
        self, members: Float[np.ndarray, " M"], others: Float[np.ndarray, " N"], drawn: tuple[Resamples, Resamples]
    ) -> Estimate:
        """Return the number; neither side is empty."""

    def places(self, scored: Scored) -> list[str]:
        """Return that a model has one such number."""
        return [""]

    def groups(self, scored: Scored, model: str, place: str) -> list[Sequence[Sample]] | None:
        """Return members and non-members."""
        members, others = (scored.samples.get(f"{model}/{split}") for split in (MEMBERS, NON_MEMBERS))
        return None if members is None or others is None else [members, others]

    def estimate(self, groups: Sequence[Sequence[Sample]], answers: AnswerSpace, bootstrap: Bootstrap) -> Estimate:
        """Return the number and its replicates."""
        members, others = groups
        if not members or not others:
            return self.undefined(f"{MEMBERS} has {len(members)} examples, {NON_MEMBERS} has {len(others)}")
        both = [*members, *others]
        if any(s.logprob is None for s in both):
            return self.undefined("there are samples without the log-probability of the answer")
        generic = set(answers.generic)
        if self.by_generic and not (generic and all(generic <= s.candidate_logprobs.keys() for s in both)):
            return self.undefined("there are samples without the log-probabilities of generic answers")
        # Where both sides are about the same people, a person is drawn for both; else the sides are drawn apart.
        named = [{group_of(sample) for sample in side} for side in groups]
        stream = int(named[0] != named[1] or not members[0].group)
        drawn = (bootstrap.draw_for(members), bootstrap.draw_for(others, stream=stream))
        return self.of_scores(self.score(members, answers), self.score(others, answers), drawn)

    def compute(
        self, members: Sequence[Sample], others: Sequence[Sample], answers: AnswerSpace, bootstrap: Bootstrap
    ) -> MetricResult:
        """Return the number of one model's samples."""
        return self.estimate([members, others], answers, bootstrap).result


class AucMetric(MembershipMetric):
    """Probability that a random member scores above a random non-member: 0.5 where they cannot be told apart.

    Below 0.5 they can be told apart too, with the sign turned; so neither direction is better, and the aim is the
    retrained model's number.
    """

    unit: ClassVar[str] = "auc"
    higher_is_better: ClassVar[bool | None] = None

    def of_scores(
        self, members: Float[np.ndarray, " M"], others: Float[np.ndarray, " N"], drawn: tuple[Resamples, Resamples]
    ) -> Estimate:
        """Return the AUC."""
        replicates = auc_replicates(members, others, drawn)
        n = len(members) + len(others)
        interval = percentile_interval(replicates)
        return Estimate(self.defined(auc(members, others), n, interval, drawn[0].groups), replicates)
