"""Our settings in transformers' words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import TrainingArguments
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_available_reporting_integrations,
)

from spul.config import TrainSettings
from spul.errors import ConfigError, MissingDependencyError, unknown_name

__all__ = ["resolve_precision", "training_arguments"]


def training_arguments(
    settings: TrainSettings, directory: Path, *, num_steps: int, passes_per_step: int, seed: int, device: torch.device
) -> TrainingArguments:
    """Return the Trainer's arguments for a run of ``num_steps`` optimiser steps that checkpoints into ``directory``.

    Raises:
        ConfigError: half precision that the device does not have, or a tracker that transformers does not know.
        MissingDependencyError: a tracker that is not installed.
    """
    precision = resolve_precision(settings, device)
    _check_trackers(settings.report_to)
    eval_steps = settings.eval_steps or max(1, num_steps // 10)
    save_steps = settings.save_steps or eval_steps
    cosine = settings.schedule == "cosine"
    return TrainingArguments(
        output_dir=str(directory),
        max_steps=num_steps,
        per_device_train_batch_size=1,  # an item of the plan is a whole forward pass
        gradient_accumulation_steps=passes_per_step,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr" if cosine else settings.schedule,
        lr_scheduler_kwargs={"min_lr_rate": settings.min_lr_ratio} if cosine else {},
        warmup_steps=round(settings.warmup_ratio * num_steps),
        max_grad_norm=settings.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",
        eval_steps=eval_steps,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=2,
        seed=seed,
        report_to=list(settings.report_to),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )


def resolve_precision(settings: TrainSettings, device: torch.device) -> str:
    """Return ``fp32``, ``bf16`` or ``fp16``; ``auto`` is bf16 on an accelerator that has it, else fp32.

    Raises:
        ConfigError: half precision on a device without it.
    """
    bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if settings.precision == "auto":
        return "bf16" if bf16 else "fp32"
    if settings.precision == "fp16" and device.type == "cpu":
        raise ConfigError("train.precision=fp16 needs an accelerator; on a CPU use fp32")
    return settings.precision


def _check_trackers(names: Sequence[str]) -> None:
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise ConfigError(f"train.report_to: {unknown_name('tracker', name, INTEGRATION_TO_CALLBACK)}")
        if name not in get_available_reporting_integrations():
            raise MissingDependencyError(f"train.report_to={name} needs a package that is not here: pip install {name}")
