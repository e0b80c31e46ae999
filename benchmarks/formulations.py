"""The two formulations behind one face: go once over the case's rows, forward and backward, and say the gradient."""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.cases import Case, build_base, draw_rows, stub_tokenizer
from benchmarks.naive import NaivePrompt
from spul.config import TrainSettings
from spul.models.prompted import PromptedModel
from spul.models.teacher import compute_teacher
from spul.objectives.generic_label import GenericLabel
from spul.prompts import build_prompt
from spul.prompts.settings import PromptSettings
from spul.training.chunks import pass_loss
from spul.training.plan import TrainingPlan
from spul.training.step import Objective
from spul.types import Query

__all__ = ["FORMULATIONS", "Formulation", "Naive", "Ours"]

ALPHA = BETA = 1.0


class Formulation(Protocol):
    """What the benchmark measures."""

    passes: int
    base: PreTrainedModel
    rows: list[Query]

    def step(self, index: int) -> Float[Tensor, "p d"]:
        """Do the ``index``-th forward and backward pass and return the prompt's gradient."""


class Naive:
    """The naive formulation on the case's rows, in the order in which they are drawn."""

    def __init__(self, case: Case, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        self._forget, self._retain = draw_rows(case)
        self.rows = [*self._forget, *self._retain]
        self._half = case.batch_size // 2
        self.passes = case.batches
        self.base = build_base(case, device, dtype)
        self.model = NaivePrompt(self.base, _first_values(self.base, case))

    def step(self, index: int) -> Float[Tensor, "p d"]:
        """Go forward and backward over the ``index``-th batch."""
        rows = slice(index * self._half, (index + 1) * self._half)
        self.model.prompt.grad = None
        self.model.loss(self._forget[rows], self._retain[rows], ALPHA, BETA).backward()
        assert self.model.prompt.grad is not None
        return self.model.prompt.grad


class Ours:
    """The product's own step on the same rows: its sampler, its plan, its loss."""

    def __init__(self, case: Case, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        forget, retain = draw_rows(case)
        self.rows = [*forget, *retain]
        self.base = base = build_base(case, device, dtype)
        plain = PromptedModel(base, stub_tokenizer())
        settings = PromptSettings(kind="direct", num_virtual_tokens=case.num_virtual_tokens, init="normal")
        self.model = PromptedModel(base, stub_tokenizer(), build_prompt(settings, plain.prompt_init(), 0).to(device))
        with torch.no_grad():
            next(self.model.encoder.parameters()).copy_(_first_values(base, case))  # type: ignore[union-attr]
        train = TrainSettings(batch_size=case.batch_size, num_epochs=1)
        self.plan = TrainingPlan(forget, retain, train, seed=0, pad_id=0)
        self.passes = len(self.plan)
        self.teacher = compute_teacher(self.model, retain, "0" * 64, batch_size=case.batch_size)
        self.objective = Objective(GenericLabel(), ALPHA, BETA)

    def step(self, index: int) -> Float[Tensor, "p d"]:
        """Go forward and backward over the plan's ``index``-th pass."""
        self.model.zero_grad(set_to_none=True)
        loss, _ = pass_loss(self.model, self.plan[index].to(self.model.device), self.objective, self.teacher)
        loss.backward()
        gradient = next(self.model.encoder.parameters()).grad  # type: ignore[union-attr]
        assert gradient is not None
        return gradient


FORMULATIONS: dict[str, type[Naive] | type[Ours]] = {"naive": Naive, "ours": Ours}


def _first_values(base: torch.nn.Module, case: Case) -> Float[Tensor, "p d"]:
    rows: Tensor = base.get_input_embeddings().weight  # type: ignore[operator]
    return rows[4 : 4 + case.num_virtual_tokens].detach().float().clone()
