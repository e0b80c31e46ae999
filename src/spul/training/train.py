"""Training a run from its first step or from where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import TrainerCallback

from spul.config import RunConfig
from spul.errors import ConfigError
from spul.methods import METHODS
from spul.models.head import head_of
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.models.teacher import TeacherAnswers, compute_teacher
from spul.models.teacher_store import stored_teacher
from spul.runs import Run
from spul.tasks import Task
from spul.training.arguments import resolve_precision, training_arguments
from spul.training.budget import BUDGET_FACT, BudgetOutcome, RetainBudget
from spul.training.callbacks import CheckpointMarker, ProgressBar, TrainLog
from spul.training.checkpoints import latest_checkpoint
from spul.training.chunks import pass_loss
from spul.training.cost import training_cost
from spul.training.denormals import flushed_denormals
from spul.training.generic import with_answers_of, with_generic_answers
from spul.training.plan import TrainingPlan
from spul.training.step import Objective
from spul.training.targets import Targets
from spul.training.threads import choose_threads
from spul.training.trainer import SpulTrainer
from spul.training.validation import Validation, resolve_sought, rule_in_words, validate
from spul.types import Query, Splits

__all__ = ["PosedRows", "pose_rows", "teacher_answers", "train"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PosedRows:
    """The rows of a run as token ids; forget rows have the objective's target for an answer."""

    forget: list[Query]
    retain: list[Query]
    validation_forget: list[Query]
    validation_retain: list[Query]


def train(
    run: Run,
    model: PromptedModel,
    task: Task,
    splits: Splits,
    *,
    base_digest: str,
    resume: bool,
    learning_rate: float | None = None,
    teacher_file: Path | None = None,
    targets: Targets | None = None,
) -> None:
    """Train what ``model`` has to train, and leave it in the state that is to be kept.

    Writes ``train.jsonl`` and ``checkpoints/``, and the run's cost into its manifest.

    Args:
        run: an open run directory, locked by the caller.
        model: its trained parameters require gradients, all others do not.
        task: poses the examples.
        splits: the data.
        base_digest: binds the teacher's answers to the base model.
        resume: go on from the newest whole checkpoint, or from the start if there is none.
        learning_rate: in place of the configuration's, where it was searched for.
        teacher_file: where the teacher's answers are kept, if not with the checkpoints.
        targets: what forget rows are to be answered like, where the objective asks for it.

    Raises:
        ConfigError: settings that do not go together.
        DivergedError: the loss is not finite.
        RunError: a checkpoint does not read.
    """
    config = run.config
    settings = config.train
    if learning_rate is not None:
        settings = settings.model_copy(update={"learning_rate": learning_rate})
    rows = pose_rows(config, model, task, splits)
    plan = TrainingPlan(rows.forget, rows.retain, settings, seed=config.seed, pad_id=model.pad_id)
    objective = Objective(config.objective, config.retain.alpha, config.retain.beta, targets)
    teacher_file = teacher_file or run.checkpoints_dir / "teacher.safetensors"
    teacher = teacher_answers(teacher_file, config, model, rows.retain, base_digest) if config.retain.beta else None
    threads = _threads(run, model, plan, objective, teacher, resume=resume)
    validator = _validator(config, model, task, rows, targets)
    budget = _budget(config, model, rows.validation_retain, plan.num_steps)
    checkpoint = latest_checkpoint(run.checkpoints_dir) if resume else None
    run.truncate_train_log(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    arguments = training_arguments(
        settings,
        run.checkpoints_dir,
        num_steps=plan.num_steps,
        passes_per_step=plan.passes_per_step,
        seed=config.seed,
        device=model.device,
    )
    if arguments.world_size > 1:
        raise ConfigError("training on several processes is not supported yet; start one process")
    with closing(TrainLog(run.path / "train.jsonl")) as log, closing(ProgressBar(config.method)) as bar:
        callbacks: list[TrainerCallback] = [log, CheckpointMarker(), bar]
        trainer = SpulTrainer(
            model, arguments, plan, objective, teacher, settings, validator, budget, callbacks=callbacks
        )
        trainer.restore_validations(run.train_log())
        if not trainer.is_out_of_patience:
            with flushed_denormals():
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if validator is not None:
        trainer.load_best()
    if trainer.average is not None:
        trainer.average.put_into_model()
    _record(run, model, plan, threads, trainer)
    if budget is not None:
        _record_budget(run, budget.outcome(config.evaluation.bootstrap, config.seed))


def pose_rows(config: RunConfig, model: PromptedModel, task: Task, splits: Splits) -> PosedRows:
    """Return a run's rows as token ids; forget rows with the answers that the objective aims at.

    Contrast rows, and rows to keep that the base never saw, stand beside the others where something is unlearned;
    contrast rows to forget only where the aim is a generic answer.

    Args:
        config: of the run.
        model: not trained yet, so that without its prompt it is the base model.
        task: poses the examples.
        splits: the data.
    """
    objective = config.objective
    unlearns = METHODS.get(config.method).stage == "unlearn"
    forget: list[Query] = []
    if objective is not None:
        generic = objective.target == "generic"
        contrast = splits.contrast_forget if generic and unlearns else ()
        forget = task.pose_all([*splits.train_forget, *contrast])
        if generic:
            forget = with_generic_answers(task, forget, config.seed)
    retain: list[Query] = []
    # Rows that no term looks at would only take time; without them an epoch is one over the forget set (GA, RL).
    if config.retain.alpha or config.retain.beta:
        retain = task.pose_all(splits.train_retain)
        if unlearns:
            retain += _contrast_retain(config, model, task, splits) + _unseen_retain(model, task, splits)
    return PosedRows(forget, retain, task.pose_all(splits.validation_forget), task.pose_all(splits.validation_retain))


def _contrast_retain(config: RunConfig, model: PromptedModel, task: Task, splits: Splits) -> list[Query]:
    queries = task.pose_all(splits.contrast_retain)
    if config.data.contrast.answers == "own":
        return queries
    return with_answers_of(WithoutPrompt(model), task, queries)


def _unseen_retain(model: PromptedModel, task: Task, splits: Splits) -> list[Query]:
    queries = task.pose_all(splits.unseen_retain)
    # Of free answers only the KL term can say what the base does, along the row's own answer.
    return with_answers_of(WithoutPrompt(model), task, queries) if task.answers.labels else queries


def teacher_answers(
    path: Path, config: RunConfig, model: PromptedModel, retain: list[Query], base_digest: str
) -> TeacherAnswers:
    """Return the base model's answers to the retain rows: this run's own, those of an earlier run, or new ones."""
    if path.exists():
        teacher = TeacherAnswers.load(path, base_digest, retain)
    else:
        size = config.evaluation.batch_size

        def compute() -> TeacherAnswers:
            logger.info("computing the base model's answers on %d retain rows", len(retain))
            return compute_teacher(model, retain, base_digest, batch_size=size)

        teacher = stored_teacher(path, model, retain, base_digest, batch_size=size, compute=compute)
    head_is_trained = any(parameter.requires_grad for parameter in head_of(model.base).parameters())
    return teacher.with_head_of(model) if head_is_trained else teacher


def _threads(
    run: Run,
    model: PromptedModel,
    plan: TrainingPlan,
    objective: Objective,
    teacher: TeacherAnswers | None,
    *,
    resume: bool,
) -> int:
    if model.device.type != "cpu":
        return torch.get_num_threads()
    recorded = run.manifest.facts.get("num_threads")
    if resume and isinstance(recorded, int):
        # Sums in another order differ in the last bit, so a resumed run keeps the number it began with.
        torch.set_num_threads(recorded)
        return recorded

    def one_pass() -> None:
        loss = pass_loss(model, plan[0], objective, teacher).loss
        loss.backward()
        model.zero_grad(set_to_none=True)

    chosen = choose_threads(run.config.train, one_pass)
    logger.info("training with %d CPU thread(s)", chosen)
    run.record(facts={**run.manifest.facts, "num_threads": chosen})
    return chosen


def _validator(
    config: RunConfig, model: PromptedModel, task: Task, rows: PosedRows, targets: Targets | None
) -> Callable[[], Validation] | None:
    if config.train.keep == "last":
        return None
    if not rows.validation_forget or not rows.validation_retain:
        raise ConfigError(
            "train.keep=best chooses on validation parts of forget and retain, but at least one is empty: raise "
            "data.validation_share (the forget set may be too small for it), or set train.keep=last"
        )
    sought = resolve_sought(config)
    return partial(validate, model, task, rows.validation_forget, rows.validation_retain, sought, targets)


def _budget(
    config: RunConfig, model: PromptedModel, validation_retain: list[Query], num_steps: int
) -> RetainBudget | None:
    settings = config.retain
    if settings.budget is None:
        return None
    if not validation_retain:
        raise ConfigError(
            "retain.budget is measured on the validation part of retain, which is empty: raise data.validation_share"
        )
    return RetainBudget.of(model, validation_retain, settings.budget, every=settings.budget_steps, num_steps=num_steps)


def _record_budget(run: Run, outcome: BudgetOutcome) -> None:
    run.record(facts={**run.manifest.facts, BUDGET_FACT: outcome.to_json()})
    if not outcome.within:
        logger.warning(
            "the retain budget is not kept: the retain loss rose by %.4g nats per answer token, %.4g beyond the budget "
            "of %g (multiplier %.3g); train longer, at a lower rate or with more virtual tokens, or allow more",
            outcome.rise,
            outcome.rise - outcome.budget,
            outcome.budget,
            outcome.multiplier,
        )


def _rule(config: RunConfig) -> str:
    return rule_in_words(resolve_sought(config), budgeted=config.retain.budget is not None)


def _record(run: Run, model: PromptedModel, plan: TrainingPlan, threads: int, trainer: SpulTrainer) -> None:
    precision = resolve_precision(run.config.train, model.device)
    cost = training_cost(
        model,
        run.train_log(),
        steps_per_epoch=plan.steps_per_epoch,
        passes_per_step=plan.passes_per_step,
        precision=precision,
    )
    validated = trainer.validator is not None
    facts = {
        "num_threads": threads,
        "precision": precision,
        "kept_step": trainer.best_step if validated else cost["steps"],
        "averaged_steps": trainer.average.count if trainer.average is not None else None,
        "validation_rule": _rule(run.config) if validated else None,
    }
    run.record(cost={**run.manifest.cost, **cost}, facts={**run.manifest.facts, **facts})
