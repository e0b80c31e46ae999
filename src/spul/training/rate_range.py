"""The range test: one short training at a learning rate that rises all the while. Smith 2017 (arXiv:1506.01186).

Where the loss falls fastest a rate does most; a little later it diverges. The test costs one short run where a search
costs one a rate, and says less: it sees the training loss alone, and nothing of what is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers
from spul.training.chunks import pass_loss
from spul.training.plan import TrainingPlan
from spul.training.step import Objective

__all__ = ["RangeStep", "RangeTest", "range_test", "suggest_rate"]

SMOOTHING = 0.9
"""Share of the old mean in the running mean of the loss: single batches are too noisy to read."""
DIVERGED = 1.5
"""The test ends where the smoothed loss is that many times its least."""


@dataclass(frozen=True)
class RangeStep:
    """One step: its learning rate, and the loss before it, in nats, as it was and as a running mean."""

    learning_rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        steps: every step, the rates rising.
        suggestion: a peak rate to begin with; ``None`` where the loss never fell.
        diverged: whether the test ended because the loss rose, and not at its last rate.
    """

    steps: tuple[RangeStep, ...]
    suggestion: float | None
    diverged: bool


def range_test(
    model: PromptedModel,
    plan: TrainingPlan,
    objective: Objective,
    teacher: TeacherAnswers | None,
    *,
    lowest: float,
    highest: float,
    max_grad_norm: float,
    betas: tuple[float, float],
) -> RangeTest:
    """Train over the plan with AdamW at rates in equal ratios from ``lowest`` to ``highest``; the model is changed.

    Args:
        model: what requires a gradient is trained.
        plan: as many steps as there are rates.
        objective, teacher: as in training.
        lowest, highest: first and last rate.
        max_grad_norm: gradients are clipped to it, as in training.
        betas: decay rates of AdamW.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=lowest, betas=betas, weight_decay=0.0)
    steps: list[RangeStep] = []
    mean, diverged = 0.0, False
    for number in range(plan.num_steps):
        rate = lowest * (highest / lowest) ** (number / max(1, plan.num_steps - 1))
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss = 0.0
        for part in range(plan.passes_per_step):
            micro = plan[number * plan.passes_per_step + part].to(model.device)
            one = pass_loss(model, micro, objective, teacher).loss
            one.backward()
            loss += one.item()
        if not math.isfinite(loss):
            diverged = True
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        steps.append(RangeStep(rate, loss, mean / (1 - SMOOTHING ** (number + 1))))
        least = min(step.smoothed for step in steps)
        if steps[-1].smoothed > least + (DIVERGED - 1) * abs(least):
            diverged = True
            break
        torch.nn.utils.clip_grad_norm_(trained, max_grad_norm)
        optimiser.step()
    return RangeTest(tuple(steps), suggest_rate(steps), diverged)


def suggest_rate(steps: Sequence[RangeStep]) -> float | None:
    """Return the rate at which the smoothed loss falls fastest per ratio of rates; ``None`` where it never falls.

    The slope at a step is taken between its neighbours, so the two ends have none. What lies behind the least loss is
    left out: there the loss comes down, if at all, from where too high a rate has thrown it.
    """
    if len(steps) < 3:
        return None
    least = min(range(len(steps)), key=lambda i: steps[i].smoothed)
    slopes = {i: steps[i + 1].smoothed - steps[i - 1].smoothed for i in range(1, min(least + 1, len(steps) - 1))}
    steepest = min(slopes, key=slopes.__getitem__, default=None)
    return None if steepest is None or slopes[steepest] >= 0 else steps[steepest].learning_rate
