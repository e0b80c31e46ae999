"""What is found out before a run is made: short trainings of which nothing is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from spul.advice import Advice, Facts, look, weigh
from spul.api.setting import part_of, set_up
from spul.config import RunConfig
from spul.errors import ConfigError
from spul.runs import Run
from spul.training.plan import TrainingPlan
from spul.training.rate_range import RangeTest, range_test
from spul.training.step import Objective
from spul.training.targets import prepare_targets
from spul.training.train import pose_rows, teacher_answers


class Advised(NamedTuple):
    """What was found, and what is advised because of it."""

    facts: Facts
    advice: Advice


def learning_rate_range(
    config: RunConfig, *, lowest: float = 1e-5, highest: float = 1.0, steps: int = 100
) -> RangeTest:
    """Train for some steps at a learning rate that rises from ``lowest`` to ``highest``, and keep nothing.

    The suggestion is where the training loss falls fastest; nothing is validated.

    Raises:
        ConfigError: the range is empty, or settings do not do.
    """
    if not 0 < lowest < highest:
        raise ConfigError(f"expected a first learning rate below the last one, got {lowest:g} and {highest:g}")
    setting = set_up(config)
    part = part_of(config, setting)
    short = config.train.model_copy(update={"max_steps": steps})
    rows = pose_rows(config, part.model, setting.task, setting.splits)
    plan = TrainingPlan(rows.forget, rows.retain, short, seed=config.seed, pad_id=part.model.pad_id)
    with tempfile.TemporaryDirectory() as directory:
        run = Run.create(config, "unlearn", path=Path(directory))
        targets = prepare_targets(run, part.model, setting.task, setting.splits)
        file = run.checkpoints_dir / "teacher.safetensors"
        digest = setting.identity.digest
        teacher = teacher_answers(file, config, part.model, rows.retain, digest) if config.retain.beta else None
        objective = Objective(config.objective, config.retain.alpha, config.retain.beta, targets)
        return range_test(
            part.model,
            plan,
            objective,
            teacher,
            lowest=lowest,
            highest=highest,
            max_grad_norm=short.max_grad_norm,
            betas=(short.adam_beta1, short.adam_beta2),
        )


def advise(config: RunConfig, *, seconds: float = 60.0) -> Advised:
    """Look at base and data, train short probes, and say which form of unlearning is likely to work.

    Nothing is kept, and no test row is looked at.

    Args:
        config: of the run that is meant; with a method that asks for generic answers.
        seconds: by the clock, for the probes together; looking and scoring come on top.

    Raises:
        SpulError: settings, data or model that do not do.
    """
    if seconds <= 0:
        raise ConfigError(f"expected seconds above 0 for the probes, got {seconds:g}")
    setting = set_up(config)
    facts = look(config, setting.base, setting.identity, setting.task, setting.splits, seconds)
    return Advised(facts, weigh(facts))
