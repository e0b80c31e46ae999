"""A pass of many rows as several of like length, behind one run of the prompt: less padding, far less memory.

What stands in front of every row (the prompt, and the template's own beginning) is run once, at batch size 1. Its keys
and values, and what stands behind the texts, are cut out of the graph; chunk after chunk goes forward and backward with
them and leaves its gradient there; at the end these gradients go back through the prompt in one piece. The sums are
those of one large pass, the prompt costs no more than it does there, and only one chunk's activations are held at a
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from spul.data.batches import Batch
from spul.models.layout import split_by_length, split_by_size
from spul.models.passes import can_pack
from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers
from spul.training.step import LossTerms, MicroBatch, Objective, loss_terms

__all__ = ["PassLoss", "pass_loss"]

TOKENS_PER_CHUNK = 1024
"""Where rows go end to end, a chunk saves memory alone: large enough for matrix products at their full rate."""

OVERHEAD_ON_CPU = 64
"""What a further chunk costs beyond its tokens, in tokens."""
OVERHEAD_ELSEWHERE = 4096
"""There a chunk is launches of small kernels, so that only long rows are worth one."""


class PassLoss(NamedTuple):
    """A pass's loss, ready for ``backward``, and its terms, which are for the log alone."""

    loss: Float[Tensor, ""]
    terms: LossTerms


def pass_loss(
    model: PromptedModel,
    micro: MicroBatch,
    objective: Objective,
    teacher: TeacherAnswers | None,
    *,
    whole: bool = False,
) -> PassLoss:
    """Return the loss of one forward pass.

    Where a prompt is all that is trained the rows go through in chunks, whose own backward passes are done here: the
    loss that comes back has its value and the graph of the prompt alone.

    Args:
        model, micro, objective, teacher: as for :func:`spul.training.step.loss_terms`.
        whole: keep the whole graph in the loss (a gradient scaler must see all of it).
    """
    if whole or micro.batch is None or not _only_prompt_is_trained(model):
        terms = loss_terms(model, micro, objective, teacher)
        return PassLoss(objective.total(terms), terms)
    return _chunked(model, micro, micro.batch, objective, teacher)


def _chunked(
    model: PromptedModel, micro: MicroBatch, batch: Batch, objective: Objective, teacher: TeacherAnswers | None
) -> PassLoss:
    beginning = batch.common_beginning()
    shared = model.extended(model.surroundings(), beginning)
    leaves = shared.leaves()
    batch = batch.without_beginning(len(beginning))
    sums = LossTerms(*(torch.zeros((), device=model.device) for _ in LossTerms._fields))
    for rows in _split(model, batch.lengths.tolist()):
        terms = loss_terms(model, replace(micro, batch=_rows(batch, rows)), objective, teacher, leaves)
        objective.total(terms).backward()
        sums = LossTerms(*(total + term.detach() for total, term in zip(sums, terms, strict=True)))
    # Σ ⟨value, gradient⟩ sends the chunks' gradients back into the prompt; its own value is taken off again.
    pairs = zip(shared.tensors(), leaves.tensors(), strict=True)
    back = torch.stack([(value * leaf.grad).sum() for value, leaf in pairs if leaf.grad is not None]).sum()
    return PassLoss(objective.total(sums) + back - back.detach(), sums)


def _split(model: PromptedModel, lengths: list[int]) -> list[list[int]]:
    if can_pack(model.base):
        return split_by_size(lengths, TOKENS_PER_CHUNK)
    return split_by_length(lengths, OVERHEAD_ON_CPU if model.device.type == "cpu" else OVERHEAD_ELSEWHERE)


def _rows(batch: Batch, rows: Sequence[int]) -> Batch:
    keep = torch.zeros(len(batch), dtype=torch.bool, device=batch.is_forget.device)
    keep[list(rows)] = True
    return batch.select(keep).trimmed()


def _only_prompt_is_trained(model: PromptedModel) -> bool:
    return model.num_virtual_tokens > 0 and not any(weight.requires_grad for weight in model.base.parameters())
