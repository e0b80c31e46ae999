"""KL divergence between a teacher's and a student's next-token distributions at the answer positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from spul.losses.nll import sum_by_row

__all__ = ["mean_kl"]


def mean_kl(
    teacher_logits: Float[Tensor, "N V"],
    student_logits: Float[Tensor, "N V"],
    rows: Int[Tensor, " N"],
    num_rows: int,
) -> Float[Tensor, ""]:
    """Return the mean over examples of KL(teacher ‖ student), in nats, summed over an answer's positions.

    Bhaila et al. 2025, eq. 4: the un-prompted base model teaches, the prompted one is the student. Both logits are
    those of the positions that *predict* the answer's tokens (the reference implementation takes the tokens' own
    positions for this term, which is a mistake). Computed in float32; zero (with a graph) without examples.
    """
    if num_rows == 0:
        return student_logits.float().sum() * 0.0
    teacher = F.log_softmax(teacher_logits.float(), dim=-1)
    student = F.log_softmax(student_logits.float(), dim=-1)
    token_kl = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=-1)
    return torch.mean(sum_by_row(token_kl, rows, num_rows))
