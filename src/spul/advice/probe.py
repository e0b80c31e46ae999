"""Looking at base and data, and short trainings: nothing is kept, no test row is looked at."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import torch

from spul.advice.facts import Facts, ProbeResult
from spul.config import RunConfig, TrainSettings
from spul.data.duplicates import text_of
from spul.data.splitting import draw, split_off
from spul.errors import ConfigError, DataError
from spul.models.identity import BaseIdentity
from spul.models.loading import LoadedBase
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.models.teacher import TeacherAnswers, compute_teacher
from spul.prompts import PROMPTS
from spul.prompts.settings import PromptSettings
from spul.scopes import SCOPES, learn_gate
from spul.scopes.settings import ScopeSettings
from spul.stats import auc
from spul.tasks import Task, score_split
from spul.training.chunks import pass_loss
from spul.training.parts import prompt_part
from spul.training.plan import TrainingPlan
from spul.training.step import Objective
from spul.training.train import pose_rows
from spul.types import Example, Sample, Splits

__all__ = ["FORMS", "look"]

logger = logging.getLogger(__name__)

FORMS = {"input": "direct", "deep": "prefix"}
SMALL_RATES = {"input": 0.03, "deep": 0.05}
"""What prompts want on bases of up to ``SMALL_BASE`` parameters (docs/LOG.md); of larger ones nothing was measured."""
SMALL_BASE = 100_000_000
MOST_TRAINED, MOST_SCORED = 600, 100
WARMUP_STEPS = 10
SHARE_HELD = 0.1
MOST_STEPS = 400


def look(
    config: RunConfig, base: LoadedBase, identity: BaseIdentity, task: Task, splits: Splits, seconds: float
) -> Facts:
    """Return the facts; about ``seconds`` by the clock go into the short trainings.

    Raises:
        ConfigError: the objective does not ask for generic answers, so there is nothing that the rules know of.
        DataError: too few rows to hold some back.
    """
    if config.objective is None or config.objective.target != "generic" or not task.answers.generic:
        raise ConfigError(
            "advice is about prompts that bring out a generic answer (method spul); got objective "
            f"{config.objective.name if config.objective else 'none'}"
        )
    splits = _with_validation(splits, config.data.seed)
    model = WithoutPrompt(PromptedModel(base.model, base.tokenizer, batch_size=config.evaluation.batch_size))

    def asked(rows: Sequence[Example]) -> list[Sample]:
        return score_split(model, task, task.pose_all(draw(rows, MOST_SCORED, config.seed)))

    known = [row for row in splits.train_retain if row.answer in task.answers.labels or not task.answers.labels]
    generic = [row for row in splits.train_retain if row.answer in task.answers.generic]
    seen, new, kept = asked(splits.train_forget), asked(splits.validation_forget), asked(splits.validation_retain)
    lengths = [[len(text_of(row).split()) for row in rows] for rows in (splits.train_forget, known)]
    caught, touched = _gate(config, splits, task)
    probes = tuple(_probe(config, form, base, identity, task, splits, seconds / len(FORMS)) for form in FORMS)
    return Facts(
        parameters=sum(parameter.numel() for parameter in base.model.parameters()),
        forget_rows=len(splits.train_forget) + len(splits.validation_forget),
        retain_rows=len(splits.train_retain) + len(splits.validation_retain),
        generic_retain_rows=len(generic),
        generic_logprob=fmean(max(row.candidate_logprobs[name] for name in task.answers.generic) for row in seen),
        generic_alive=_share(asked(generic), task.answers.generic) if generic else None,
        length_auc=auc(*(np.array(side, dtype=np.float64) for side in lengths)),
        right_train_forget=_right(seen),
        right_new_forget=_right(new),
        right_retain=_right(kept),
        gate_caught=caught,
        gate_touched=touched,
        gate_epsilon=config.scope.epsilon,
        gate_helped=bool(config.scope.retain) and config.data.contrast.retain_rows > 0,
        contrast=config.data.contrast.retain_rows > 0,
        probes=probes,
    )


def _probe(
    config: RunConfig, form: str, base: LoadedBase, identity: BaseIdentity, task: Task, splits: Splits, seconds: float
) -> ProbeResult:
    """Train a prompt of one form for so many seconds; getting ready, and scoring, come on top."""
    started = time.monotonic()
    short = _short(config, form)
    model = prompt_part(short, base, identity, task.answers.generic).model
    few = replace(
        splits,
        train_forget=draw(splits.train_forget, MOST_TRAINED, config.seed),
        train_retain=draw(splits.train_retain, MOST_TRAINED, config.seed),
        contrast_forget=draw(splits.contrast_forget, MOST_TRAINED, config.seed),
        contrast_retain=draw(splits.contrast_retain, MOST_TRAINED, config.seed),
        unseen_retain=draw(splits.unseen_retain, MOST_TRAINED, config.seed),
    )
    rows = pose_rows(short, model, task, few)
    plan = TrainingPlan(rows.forget, rows.retain, short.train, seed=config.seed, pad_id=model.pad_id)
    teacher = compute_teacher(model, rows.retain, identity.digest, batch_size=64) if config.retain.beta else None
    objective = Objective(config.objective, config.retain.alpha, config.retain.beta)
    losses = _train(model, plan, objective, teacher, short.train, until=time.monotonic() + seconds)
    tenth = max(1, len(losses) // 10)
    forget, retain = (
        score_split(model, task, task.pose_all(draw(splits[f"validation_{side}"], MOST_SCORED, config.seed)))
        for side in ("forget", "retain")
    )
    result = ProbeResult(
        form=form,
        steps=len(losses),
        seconds=time.monotonic() - started,
        learning_rate=short.train.learning_rate,
        first_loss=fmean(losses[:tenth]),
        last_loss=fmean(losses[-tenth:]),
        generic=_share(forget, task.answers.generic),
        retain=_right(retain),
        diverged=not math.isfinite(losses[-1]),
    )
    logger.info(
        "%s: %d steps, forget loss %.2f to %.2f nats; new rows: %.0f %% of forget generic, %.0f %% of retain right",
        *(form, result.steps, result.first_loss, result.last_loss, 100 * result.generic, 100 * result.retain),
    )
    return result


def _short(config: RunConfig, form: str) -> RunConfig:
    """Return the configuration of a short run of a form: the user's own where it is of that form."""
    kind = FORMS[form]
    if PROMPTS.get(config.prompt.kind).level == PROMPTS.get(kind).level:
        prompt, rate = config.prompt, config.train.learning_rate
    else:
        prompt = PromptSettings(kind=kind, num_virtual_tokens=config.prompt.num_virtual_tokens)
        rate = SMALL_RATES[form]
    train = config.train.model_copy(update={"max_steps": MOST_STEPS, "learning_rate": rate})
    return config.model_copy(update={"prompt": prompt, "train": train})


def _train(
    model: PromptedModel,
    plan: TrainingPlan,
    objective: Objective,
    teacher: TeacherAnswers | None,
    settings: TrainSettings,
    *,
    until: float,
) -> list[float]:
    """Train until a time by the monotonic clock, for a step at least; return the forget losses, in nats.

    The rate falls with the time that is left, as a whole run's falls with its steps. A loss that is not finite is the
    last one.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    betas = (settings.adam_beta1, settings.adam_beta2)
    optimiser = torch.optim.AdamW(trained, betas=betas, weight_decay=settings.weight_decay)
    started, losses = time.monotonic(), list[float]()
    for step in range(plan.num_steps):
        done = max((time.monotonic() - started) / max(until - started, 1e-9), step / plan.num_steps)
        if losses and (done >= 1 or not math.isfinite(losses[-1])):
            break
        share = min(1.0, (step + 1) / WARMUP_STEPS) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        optimiser.param_groups[0]["lr"] = settings.learning_rate * share
        optimiser.zero_grad(set_to_none=True)
        losses.append(0.0)
        for number in range(plan.passes_per_step):
            found = pass_loss(model, plan[step * plan.passes_per_step + number].to(model.device), objective, teacher)
            found.loss.backward()
            losses[-1] += found.terms.forget.item()
        torch.nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
        optimiser.step()
    return losses


def _gate(config: RunConfig, splits: Splits, task: Task) -> tuple[float | None, float | None]:
    """Return what a gate would catch of new forget rows and touch of new retain rows."""
    scope = config.scope if config.scope.name == "gate" else ScopeSettings(name="gate")
    if SCOPES.get(scope.detector).reads_base:
        return None, None
    held = replace(splits, validation_forget=(), validation_retain=())
    try:
        gate = learn_gate(scope, held, config.data, fields=config.task.fields, generic_answers=task.answers.generic)
    except DataError as error:
        logger.info("no gate: %s", error)
        return None, None
    shares = []
    for rows in (splits.validation_forget, splits.validation_retain):
        asked = [gate.text(row.fields) for row in rows if row.answer not in task.answers.generic]
        shares.append(fmean(map(float, gate.in_scope(asked))) if asked else None)
    return shares[0], shares[1]


def _with_validation(splits: Splits, seed: int) -> Splits:
    """Return the splits with validation parts, split off where there are none."""
    if not splits.validation_forget:
        parts = split_off(splits.train_forget, SHARE_HELD, seed)
        splits = replace(splits, train_forget=parts.kept, validation_forget=parts.split_off)
    if not splits.validation_retain:
        parts = split_off(splits.train_retain, SHARE_HELD, seed)
        splits = replace(splits, train_retain=parts.kept, validation_retain=parts.split_off)
    return splits


def _share(samples: Sequence[Sample], answers: Sequence[str]) -> float:
    return sum(sample.prediction in answers for sample in samples) / len(samples)


def _right(samples: Sequence[Sample]) -> float:
    return sum(sample.prediction == sample.answer for sample in samples) / len(samples)
