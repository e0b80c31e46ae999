"""The formulation that this project does without, written out plainly.

Virtual tokens are concatenated in front of every row's embeddings, the model returns logits at every position, the
losses are the library's own over the whole sequence, and the teacher is a second forward pass at every step. It is what
prompt tuning in common libraries does, with the method's three terms on top.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from spul.losses.kl import mean_kl
from spul.types import Query

__all__ = ["NaivePrompt"]

IGNORED = -100


class NaivePrompt(nn.Module):
    """A prompt of p vectors in front of a frozen base model.

    Args:
        base: the frozen model.
        values: [p, d] the prompt's first values.
    """

    def __init__(self, base: PreTrainedModel, values: Float[Tensor, "p d"]) -> None:
        super().__init__()
        self.base = base
        self.prompt = nn.Parameter(values.clone())

    def loss(self, forget: list[Query], retain: list[Query], alpha: float, beta: float) -> Float[Tensor, ""]:
        """Return L_f + α·L_r + β·L_kl of one batch (Bhaila et al. 2025, eq. 1–4)."""
        device = self.prompt.device
        ids, mask, labels = (tensor.to(device) for tensor in _tensors([*forget, *retain]))
        B, p = len(ids), len(self.prompt)
        embeddings = torch.cat([self.prompt.to(self.base.dtype).expand(B, -1, -1), self._embed(ids)], dim=1)
        front = torch.ones(B, p, dtype=torch.long, device=device)
        logits = self.base(inputs_embeds=embeddings, attention_mask=torch.cat([front, mask], dim=1)).logits
        labels = torch.cat([IGNORED * front, labels], dim=1)
        k = len(forget)
        loss = _cross_entropy(logits[:k], labels[:k]) + alpha * _cross_entropy(logits[k:], labels[k:])
        with torch.no_grad():
            teacher = self.base(input_ids=ids[k:], attention_mask=mask[k:]).logits
        # The position before an answer's token predicts it; virtual tokens shift the student's by p.
        rows = torch.arange(B - k, device=device)
        at = (labels[k:, p:] != IGNORED).long().argmax(dim=1) - 1
        return loss + beta * mean_kl(teacher[rows, at], logits[k:][rows, p + at], rows, B - k)

    def _embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
        embeddings: Tensor = self.base.get_input_embeddings()(ids)
        return embeddings


def _cross_entropy(logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    return F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)


def _tensors(rows: list[Query]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Return token ids, mask and labels of rows with their answers, padded on the right."""
    width = max(len(row.prompt_ids) + len(row.answer_ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for i, row in enumerate(rows):
        n, m = len(row.prompt_ids), len(row.prompt_ids) + len(row.answer_ids)
        ids[i, :m] = torch.tensor([*row.prompt_ids, *row.answer_ids])
        mask[i, :m] = 1
        labels[i, n:m] = torch.tensor(row.answer_ids)
    return ids, mask, labels
