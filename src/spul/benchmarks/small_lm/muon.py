"""Muon in float32, matrices of one shape stacked.

Torch's own works in bfloat16, for which many CPUs have no units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonalise"]

# Newton-Schulz steps with coefficients of their own, from steep to gentle, so that four are enough.
_COEFFICIENTS = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Return U·Vᵀ of each matrix's SVD, approximately: singular values end near 1.

    Args:
        matrices: shape [k, m, n].

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-7)
    for a, b, c in _COEFFICIENTS:
        gram = x @ x.mT
        x = torch.baddbmm(x, b * gram + c * gram @ gram, x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose step is made orthogonal, for matrices only.

    Args:
        params: parameters of two dimensions, each with a gradient at every step.
        lr: size of a step; multiplied by √max(1, rows / columns).
        momentum: share of the past in the running mean of gradients.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step. ``closure`` is part of torch's signature and must be None."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            by_shape: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                by_shape[parameter.shape].append(parameter)
            for same in by_shape.values():
                self._step_stack(same, lr=group["lr"], momentum=group["momentum"])

    def _step_stack(self, parameters: list[Tensor], *, lr: float, momentum: float) -> None:
        updates = []
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None:
                raise ValueError(f"Muon expected a gradient for a parameter of shape {tuple(parameter.shape)}")
            state = self.state[parameter]
            if not state:
                state["mean"] = torch.zeros_like(parameter)
            state["mean"].lerp_(gradient, 1 - momentum)
            updates.append(gradient.lerp(state["mean"], momentum))
        rows, columns = parameters[0].shape
        scale = lr * max(1.0, rows / columns) ** 0.5
        for parameter, direction in zip(parameters, orthogonalise(torch.stack(updates)), strict=True):
            parameter.sub_(direction, alpha=scale)
