"""Making a model's confidence that of one that never saw an example. Pure functions of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int

__all__ = ["VectorScaling", "fit_vector_scaling", "match_quantiles", "with_probability_of"]

RIDGE = 1e-4
"""Pull towards the scores as they are, so that scores which separate the classes entirely stay finite."""


class VectorScaling(NamedTuple):
    """p ∝ exp(scale · score + bias), class by class."""

    scale: Float[np.ndarray, " C"]
    bias: Float[np.ndarray, " C"]

    def __call__(self, scores: Float[np.ndarray, "n C"]) -> Float[np.ndarray, "n C"]:
        """Return the calibrated probabilities; a row sums to one."""
        logits = torch.from_numpy(scores * self.scale + self.bias)
        calibrated: Float[np.ndarray, "n C"] = F.softmax(logits, dim=1).numpy()
        return calibrated


def fit_vector_scaling(scores: Float[np.ndarray, "n C"], truths: Int[np.ndarray, " n"]) -> VectorScaling:
    """Fit scale and bias of every class to held-out rows by maximum likelihood. Guo et al. 2017 (arXiv:1706.04599).

    Raises:
        ValueError: there are no rows, or a score is not finite.
    """
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("expected finite scores of at least one row")
    x, y = torch.from_numpy(np.asarray(scores, dtype=np.float64)), torch.from_numpy(np.asarray(truths))
    scale = torch.ones(x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros_like(scale, requires_grad=True)
    optimiser = torch.optim.LBFGS([scale, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        pull = ((scale - 1) ** 2).sum() + (bias**2).sum()
        value = F.cross_entropy(x * scale + bias, y) + RIDGE * pull
        value.backward()
        return value

    optimiser.step(loss)
    return VectorScaling(scale.detach().numpy(), bias.detach().numpy())


def match_quantiles(values: Float[np.ndarray, " n"], reference: Float[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    """Return, for every value, what stands at its rank in ``reference``: order is kept, the distribution is not.

    Equal values get equal results (their mean rank). Hazen's quantiles, so that as many values as references are
    mapped to exactly those.

    Raises:
        ValueError: there is no reference.
    """
    if not len(reference):
        raise ValueError("expected at least one reference value")
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[group]
    matched: Float[np.ndarray, " n"] = np.quantile(reference, (ranks + 0.5) / len(values), method="hazen")
    return matched


def with_probability_of(
    probabilities: Float[np.ndarray, "n C"], chosen: Int[np.ndarray, " n"], wanted: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n C"]:
    """Return the rows with ``wanted`` in the chosen column, and the others in their old proportions."""
    rows = np.arange(len(probabilities))
    others = probabilities.copy()
    others[rows, chosen] = 0.0
    total = others.sum(axis=1, keepdims=True)
    width = probabilities.shape[1]
    # A model that is sure beyond a float's precision leaves no proportions; the others then share evenly.
    even = np.full_like(others, 1 / (width - 1))
    even[rows, chosen] = 0.0
    shares = np.where(total > 0, others / np.where(total > 0, total, 1.0), even)
    changed: Float[np.ndarray, "n C"] = shares * (1 - wanted)[:, np.newaxis]
    changed[rows, chosen] = wanted
    return changed
