"""KL divergence from a target over a few tokens, and everything else as one more outcome."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from spul.losses.nll import sum_by_row

__all__ = ["mean_target_kl"]


def mean_target_kl(
    logits: Float[Tensor, "N V"],
    token_ids: Int[Tensor, "N K"],
    mass: Float[Tensor, "N K1"],
    rows: Int[Tensor, " N"],
    num_rows: int,
) -> Float[Tensor, ""]:
    """Return the mean over examples of KL(target ‖ p), in nats, summed over an answer's positions.

    A position has K + 1 outcomes: each named token, and any token but these. Their mass m need not add up to one: by
    the chain rule a position counts with the probability M = Σ m of being reached at all, so its share is
    Σ_k m_k (log m_k/M − log p_k). An outcome without mass adds nothing. Computed in float32; zero (with a graph)
    without examples.

    Args:
        logits: what is to become like the target.
        token_ids: the named tokens, each once a row; a place that is not needed has no mass and any id.
        mass: of the named tokens, and in the last column of all others together.
        rows: the example that each position belongs to.
        num_rows: how many examples there are.
    """
    if num_rows == 0:
        return logits.float().sum() * 0.0
    logprobs = F.log_softmax(logits.float(), dim=-1)
    used = mass[:, :-1] > 0
    named = torch.zeros_like(logprobs, dtype=torch.bool)
    named[torch.arange(len(named), device=named.device)[:, None].expand_as(used)[used], token_ids[used]] = True
    rest = logprobs.masked_fill(named, -torch.inf).logsumexp(dim=-1, keepdim=True)
    outcomes = torch.cat([logprobs.gather(1, token_ids), rest], dim=1)
    reached = mass.sum(dim=1, keepdim=True)
    # Outcomes without mass are taken out before the product: 0 · −∞ is no number, and neither is its gradient.
    target = torch.where(mass > 0, mass / reached.clamp_min(1e-30), torch.ones_like(mass))
    difference = torch.where(mass > 0, target.log() - outcomes, torch.zeros_like(outcomes))
    return torch.mean(sum_by_row((mass * difference).sum(dim=1), rows, num_rows))
