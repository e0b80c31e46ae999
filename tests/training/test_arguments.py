"""Our settings in transformers' words, and what a machine cannot do."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from spul.config import TrainSettings
from spul.errors import ConfigError, MissingDependencyError
from spul.training.arguments import resolve_precision, training_arguments

CPU = torch.device("cpu")


def test_validations_and_checkpoints_are_a_tenth_of_the_run_unless_said(tmp_path: Path) -> None:
    made = training_arguments(TrainSettings(), tmp_path, num_steps=250, passes_per_step=4, seed=3, device=CPU)
    assert (made.eval_steps, made.save_steps, made.max_steps, made.warmup_steps) == (25, 25, 250, 25)
    assert (made.gradient_accumulation_steps, made.seed, made.use_cpu) == (4, 3, True)
    settings = TrainSettings(eval_steps=7, warmup_ratio=0)
    made = training_arguments(settings, tmp_path, num_steps=250, passes_per_step=1, seed=0, device=CPU)
    assert (made.eval_steps, made.save_steps, made.warmup_steps) == (7, 7, 0)


def test_precision() -> None:
    assert resolve_precision(TrainSettings(), CPU) == "fp32"
    assert resolve_precision(TrainSettings(precision="bf16"), CPU) == "bf16"
    with pytest.raises(ConfigError, match="needs an accelerator"):
        resolve_precision(TrainSettings(precision="fp16"), CPU)


def test_a_tracker_that_is_not_there_is_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'tensorboard'"):
        training_arguments(
            TrainSettings(report_to=("tensorbord",)), tmp_path, num_steps=1, passes_per_step=1, seed=0, device=CPU
        )
    if importlib.util.find_spec("mlflow") is None:
        with pytest.raises(MissingDependencyError, match="pip install mlflow"):
            training_arguments(
                TrainSettings(report_to=("mlflow",)), tmp_path, num_steps=1, passes_per_step=1, seed=0, device=CPU
            )
