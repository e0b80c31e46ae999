"""Negative log-likelihood of answers, summed over an answer's tokens and averaged over examples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["mean_nll", "sequence_nll", "sum_by_row"]


def sum_by_row(values: Float[Tensor, " N"], rows: Int[Tensor, " N"], num_rows: int) -> Float[Tensor, " R"]:
    """Sum token values into their examples.

    Args:
        values: one value an answer token.
        rows: the example that each token belongs to, in ``[0, num_rows)``.
        num_rows: R; may be 0.
    """
    return values.new_zeros(num_rows).index_add(0, rows, values)


def sequence_nll(
    logits: Float[Tensor, "N V"], labels: Int[Tensor, " N"], rows: Int[Tensor, " N"], num_rows: int
) -> Float[Tensor, " R"]:
    """Return −log p(answer) of every example, in nats, summed over its answer tokens. Computed in float32."""
    nll = F.cross_entropy(logits.float(), labels, reduction="none")
    return sum_by_row(nll, rows, num_rows)


def mean_nll(
    logits: Float[Tensor, "N V"], labels: Int[Tensor, " N"], rows: Int[Tensor, " N"], num_rows: int
) -> Float[Tensor, ""]:
    """Return the mean over examples of :func:`sequence_nll`; zero (with a graph) where there are no examples.

    Bhaila et al. 2025, eq. 2 and 3: L_f against the generic answer, L_r against the true one.
    """
    if num_rows == 0:
        return logits.float().sum() * 0.0
    return torch.mean(sequence_nll(logits, labels, rows, num_rows))
