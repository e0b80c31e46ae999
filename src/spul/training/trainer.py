"""transformers' Trainer with our loss, our checkpoint contents and our validation; everything else is its own."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import IntervalStrategy, PrinterCallback, Trainer, TrainingArguments

from spul.config import TrainSettings
from spul.errors import DivergedError, RunError
from spul.models.prompted import PromptedModel
from spul.models.teacher import TeacherAnswers
from spul.training.averaging import LastAverage
from spul.training.budget import RetainBudget, rank
from spul.training.checkpoints import WEIGHTS, load_trained, save_trained
from spul.training.chunks import pass_loss
from spul.training.plan import TrainingPlan
from spul.training.step import MicroBatch, Objective
from spul.training.validation import Validation

__all__ = ["SpulTrainer"]

BEST = "best.safetensors"


class SpulTrainer(Trainer):
    """Minimises L_f + α·L_r + β·L_kl over a plan of batches.

    Args:
        model: the prompted model; what requires a gradient is trained.
        args: transformers' training arguments, made by :func:`spul.training.arguments.training_arguments`.
        plan: every forward pass of the run.
        objective: forget objective and retain weights.
        teacher: the base model's answers on retain, where β > 0.
        settings: learning rates and optimiser.
        validator: scores the validation parts; ``None`` if there are none.
        budget: moves the weights of the retain terms; ``None`` where they are fixed.
    """

    def __init__(
        self,
        model: PromptedModel,
        args: TrainingArguments,
        plan: TrainingPlan,
        objective: Objective,
        teacher: TeacherAnswers | None,
        settings: TrainSettings,
        validator: Callable[[], Validation] | None,
        budget: RetainBudget | None = None,
        **kwargs: Any,
    ) -> None:
        logging.getLogger("transformers.trainer_utils").addFilter(_is_news)
        self.prompted = model
        self.plan = plan
        self.minimised = objective
        self.teacher = teacher
        self.settings = settings
        self.validator = validator
        self.budget = budget
        self.best_score = -math.inf
        self.best_step = 0
        self.validations_since_best = 0
        self._terms: dict[str, float] = {}
        self._multiplier = 1.0
        if validator is not None:
            args.eval_strategy = IntervalStrategy.STEPS
        # The Trainer insists on a data set where it is to evaluate; our `evaluate` asks the validator.
        super().__init__(model=model, args=args, train_dataset=plan, eval_dataset=plan, **kwargs)
        self.remove_callback(PrinterCallback)
        if budget is not None:
            self.add_callback(budget)
        self.average = LastAverage(model, plan.num_steps - settings.average_last) if settings.average_last else None
        if self.average is not None:
            self.add_callback(self.average)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the plan's passes in order; a resumed run skips those that were done."""
        loader: DataLoader[Any] = DataLoader(self.plan, batch_size=1, shuffle=False, collate_fn=_only)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """Return the pass's share of the step's loss.

        Raises:
            DivergedError: the loss is not finite.
        """
        micro: MicroBatch = inputs["micro"].to(self.args.device)
        self._multiplier = 1.0 if self.budget is None else self.budget.multiplier
        objective = self.minimised.scaled(self._multiplier)
        # A gradient scaler must see the whole backward pass.
        with self.accelerator.autocast():
            loss, terms = pass_loss(model, micro, objective, self.teacher, whole=self.args.fp16)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is not finite at step {self.state.global_step + 1}; lower train.learning_rate or use a "
                "wider train.precision, then start anew"
            )
        self._count(terms.forget, terms.retain, terms.kl, micro)
        # The terms are shares of the step's means already, so undo the Trainer's division by the number of passes.
        return loss * self.current_gradient_accumulation_steps

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the loss terms of the step to the Trainer's log, and what its check of the budget found."""
        if "loss" in logs:
            logs = {**logs, **self._terms}
            self._terms = {}
            if self.budget is not None:
                logs |= {"multiplier": self._multiplier}
                logs |= {} if self.budget.last_excess is None else {"retain_excess": self.budget.last_excess}
        super().log(logs, start_time)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make AdamW; matrices decay, biases and gains do not; embeddings may have a learning rate of their own."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                self._parameter_groups(),
                lr=self.settings.learning_rate,
                betas=(self.settings.adam_beta1, self.settings.adam_beta2),
            )
        return self.optimizer

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate, and keep the parameters if they are the best so far."""
        assert self.validator is not None
        found = self.validator()
        excess = None if self.budget is None else self.budget.excess()
        if self._is_kept(rank(found.score, excess), self.state.global_step):
            save_trained(self.prompted, self._directory / BEST, score=found.score, step=self.best_step)
        rows = {
            "validation_score": found.score,
            "validation_forget_generic": found.forget_generic,
            "validation_forget_wrong": found.forget_wrong,
            "validation_retain_accuracy": found.retain_accuracy,
        }
        if found.forget_overlap is not None:
            rows["validation_forget_overlap"] = found.forget_overlap
        if excess is not None:
            rows["validation_retain_excess"] = excess
        self.log(dict(rows))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, rows)
        self.control.should_training_stop |= self.is_out_of_patience
        return rows

    def restore_validations(self, rows: list[dict[str, Any]]) -> None:
        """Take up the state of the validation rule from the log's rows, up to the step that is resumed from."""
        for row in rows:
            if "validation_score" in row:
                self._is_kept(rank(row["validation_score"], row.get("validation_retain_excess")), row["step"])

    def load_best(self) -> None:
        """Put the best validation's parameters into the model.

        Raises:
            RunError: they are missing, or of another step than the log says.
        """
        facts = load_trained(self.prompted, self._directory / BEST)
        if facts["step"] != self.best_step:
            raise RunError(
                f"{self._directory / BEST} is of step {facts['step']}, expected {self.best_step}; start anew"
            )

    @property
    def is_out_of_patience(self) -> bool:
        """Whether validations have stopped getting better for as long as the settings allow."""
        return self.settings.patience is not None and self.validations_since_best >= self.settings.patience

    @property
    def _directory(self) -> Path:
        return Path(str(self.args.output_dir))

    def _is_kept(self, score: float, step: int) -> bool:
        """Count a validation. Of equal ones the later is kept (it was trained longer), but that is no progress."""
        self.validations_since_best = 0 if score > self.best_score else self.validations_since_best + 1
        if score < self.best_score:
            return False
        self.best_score, self.best_step = score, step
        return True

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        facts = {} if self.budget is None else {"multiplier": self.budget.multiplier}
        directory = Path(output_dir or str(self.args.output_dir))
        save_trained(self.prompted, directory / WEIGHTS, **facts)
        if self.average is not None:
            self.average.save(directory / self.average.FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        facts = load_trained(self.prompted, Path(resume_from_checkpoint) / WEIGHTS)
        if self.budget is not None:
            self.budget.multiplier = facts["multiplier"]
        if self.average is not None:
            self.average.load(Path(resume_from_checkpoint) / self.average.FILE)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        settings = self.settings
        embedding = self.prompted.base.get_input_embeddings().weight
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for parameter in self.prompted.parameters():
            if parameter.requires_grad:
                is_embedding = parameter is embedding and settings.embedding_learning_rate is not None
                rate = settings.embedding_learning_rate if is_embedding else settings.learning_rate
                decay = settings.weight_decay if parameter.ndim >= 2 else 0.0
                assert rate is not None
                groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]

    def _count(self, forget: Tensor, retain: Tensor, kl: Tensor, micro: MicroBatch) -> None:
        seen = {
            "loss_forget": forget.item(),
            "loss_retain": retain.item(),
            "loss_kl": kl.item(),
            "tokens": self._count_tokens(micro),
        }
        for name, value in seen.items():
            self._terms[name] = self._terms.get(name, 0.0) + value

    def _count_tokens(self, micro: MicroBatch) -> float:
        """Return the tokens of a pass's rows, with the virtual ones that are run with every row."""
        if micro.batch is None:
            return 0.0
        encoder = self.prompted.encoder
        behind = encoder.num_virtual_tokens - encoder.num_front if encoder is not None else 0
        return float(micro.batch.lengths.sum()) + behind * len(micro.batch)


def _is_news(record: logging.LogRecord) -> bool:
    """Small models write checkpoints within a second of each other; that they go by their numbers then is wanted."""
    return "mtime may not be reliable" not in record.getMessage()


def _only(items: list[MicroBatch]) -> dict[str, MicroBatch]:
    """Return the one pass of a list of one, under a name (the Trainer hands mappings on as they are)."""
    return {"micro": items[0]}
