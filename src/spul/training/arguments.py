"""Our settings in transformers' words."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from spul.config import TrainSettings
from spul.errors import ConfigError

__all__ = ["resolve_precision", "training_arguments"]


def training_arguments(
    settings: TrainSettings, directory: Path, *, num_steps: int, passes_per_step: int, seed: int, device: torch.device
) -> TrainingArguments:
    """Return the Trainer's arguments for a run of ``num_steps`` optimiser steps that checkpoints into ``directory``.

    Raises:
        ConfigError: half precision that the device does not have.
    """
    precision = resolve_precision(settings, device)
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
