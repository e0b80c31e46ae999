"""One step's loss: L = L_f + α·L_r + β·L_kl, each term the mean over its own examples of the whole step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spul.data.batches import Batch
from spul.losses.kl import mean_kl
from spul.losses.nll import mean_nll
from spul.models.prompted import PromptedModel
from spul.models.surroundings import Surroundings
from spul.models.teacher import TeacherAnswers
from spul.objectives import ForgetObjective
from spul.training.targets import Targets
from spul.types import ForwardPass

__all__ = ["LossTerms", "MicroBatch", "Objective", "loss_terms"]


@dataclass(frozen=True)
class MicroBatch:
    """Rows of one forward pass, and how many forget and retain rows the whole optimiser step has.

    The totals make gradient accumulation exact: 8 passes of 1 row give the gradient of 1 pass of 8 rows. A step with
    fewer rows than passes (the last of an epoch) has passes without a batch.
    """

    batch: Batch | None
    step_forget: int
    step_retain: int

    def to(self, device: torch.device) -> MicroBatch:
        """Return this with its tensors on ``device``."""
        return self if self.batch is None else replace(self, batch=self.batch.to(device))


@dataclass(frozen=True)
class Objective:
    """What is minimised: the forget objective, the weights of the retain terms, and targets where there are any."""

    forget: ForgetObjective | None
    alpha: float
    beta: float
    targets: Targets | None = None

    def total(self, terms: LossTerms) -> Float[Tensor, ""]:
        """Return L_f + α·L_r + β·L_kl."""
        return terms.forget + self.alpha * terms.retain + self.beta * terms.kl

    def scaled(self, multiplier: float) -> Objective:
        """Return the same with both retain weights multiplied."""
        return replace(self, alpha=multiplier * self.alpha, beta=multiplier * self.beta)


class LossTerms(NamedTuple):
    """The terms of one pass, in nats, scaled to their share of the step; they add up over the step's passes."""

    forget: Float[Tensor, ""]
    retain: Float[Tensor, ""]
    kl: Float[Tensor, ""]


def loss_terms(
    model: PromptedModel,
    micro: MicroBatch,
    objective: Objective,
    teacher: TeacherAnswers | None,
    surroundings: Surroundings | None = None,
) -> LossTerms:
    """Run one forward pass over forget and retain rows together and return its terms.

    Bhaila et al. 2025, eq. 1–4. A term whose weight is zero is not computed; one without examples is zero.
    ``surroundings`` are all that stands around the rows, where they are at hand.

    Raises:
        ValueError: the KL term is asked for without the teacher's answers (a programming error).
    """
    batch = micro.batch
    # With a graph of its own, so that a pass without any term has something to differentiate.
    zero = torch.zeros((), device=model.device, requires_grad=True)
    if batch is None:
        return LossTerms(zero, zero, zero)
    logits = model(batch, surroundings).logits
    forget = retain = kl = zero
    if objective.forget is not None and micro.step_forget:
        part = _select(batch, logits, batch.is_forget)
        if objective.targets is not None:
            part = replace(part, target=objective.targets.of(batch.select(batch.is_forget)))
        forget = objective.forget.loss(part) * (part.num_rows / micro.step_forget)
    if micro.step_retain and (objective.alpha or objective.beta):
        part = _select(batch, logits, ~batch.is_forget)
        share = part.num_rows / micro.step_retain
        if objective.alpha:
            retain = mean_nll(part.logits, part.labels, part.rows, part.num_rows) * share
        if objective.beta:
            if teacher is None:
                raise ValueError("beta > 0 needs the teacher's answers")
            kl = _kl_to_teacher(model, batch, part, teacher) * share
    return LossTerms(forget, retain, kl)


def _kl_to_teacher(model: PromptedModel, batch: Batch, part: ForwardPass, teacher: TeacherAnswers) -> Float[Tensor, ""]:
    if part.num_rows == 0:
        return mean_kl(part.logits, part.logits, part.rows, 0)
    kept = batch.select(~batch.is_forget)
    return mean_kl(teacher.logits(model, kept), part.logits, part.rows, part.num_rows)


def _select(batch: Batch, logits: Float[Tensor, "N V"], keep: Bool[Tensor, " B"]) -> ForwardPass:
    """Return the answer tokens of the rows in ``keep``, their rows numbered from 0."""
    tokens = keep[batch.rows]
    renumbered = keep.long().cumsum(dim=0) - 1
    return ForwardPass(
        logits=logits[tokens],
        labels=batch.labels[tokens],
        rows=renumbered[batch.rows[tokens]],
        num_rows=int(keep.sum()),
    )
