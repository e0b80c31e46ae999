"""What the sources of a target have in common: putting examples to a model, and which model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from spul.config import RunConfig
from spul.data.splitting import draw
from spul.errors import ConfigError
from spul.files import expand_path
from spul.models.identity import base_identity
from spul.models.loading import context_length, load_base
from spul.models.prompted import PromptedModel
from spul.runs import Run
from spul.tasks import Task, build_task, score_split
from spul.training.targets.store import Probabilities, probabilities_of
from spul.types import Example, LanguageModel, Splits

__all__ = ["Answered", "Made", "Setting", "ask", "load_other"]


@dataclass(frozen=True)
class Setting:
    """What a target is made from.

    Attributes:
        config: of the run.
        task: poses the examples to the base model.
        splits: the data.
        base: the base model, without a prompt.
        forget: the examples that want a target: those of training, then those of validation.
        num_trained: how many of them the base was trained on, the first ones.
        most_rows: at most that many other rows are looked at.
    """

    config: RunConfig
    task: Task
    splits: Splits
    base: LanguageModel
    forget: tuple[Example, ...]
    num_trained: int
    most_rows: int

    def some(self, examples: Sequence[Example]) -> Sequence[Example]:
        """Return at most ``most_rows`` of the examples whose truth is a label, drawn with the run's seed."""
        labelled = [example for example in examples if example.answer in self.task.answers.labels]
        return draw(labelled, self.most_rows, self.config.seed)


class Made(NamedTuple):
    """Targets in the order of ``Setting.forget``, and what the run's manifest says of them."""

    answers: Sequence[Probabilities]
    facts: dict[str, Any]


class Answered(NamedTuple):
    """A model's answers: [n, C + 1] probabilities of each name and of anything else, and the truths' columns."""

    names: tuple[str, ...]
    probabilities: Float[np.ndarray, "n C1"]
    truths: Int[np.ndarray, " n"]

    def rows(self, probabilities: Float[np.ndarray, "n C1"]) -> list[Probabilities]:
        """Return such rows as mappings, without what is left for anything else."""
        return [dict(zip(self.names, row, strict=False)) for row in probabilities.tolist()]


def ask(model: LanguageModel, task: Task, examples: Sequence[Example]) -> Answered:
    """Put examples to a model; an answer that is not open to an example has probability 0 there."""
    samples = score_split(model, task, task.pose_all(examples))
    names = tuple(dict.fromkeys(name for sample in samples for name in sample.candidate_logprobs))
    known = [probabilities_of(sample) for sample in samples]
    table = np.array([[row.get(name, 0.0) for name in names] for row in known])
    rest = np.clip(1 - table.sum(axis=1, keepdims=True), 0.0, 1.0)
    return Answered(names, np.hstack([table, rest]), np.array([names.index(sample.answer) for sample in samples]))


class Other(NamedTuple):
    """Another model, with the task in its tokens."""

    model: PromptedModel
    task: Task
    digest: str


def load_other(setting: Setting, path: str) -> Other:
    """Load the checkpoint at ``path``, or that of the run there.

    Raises:
        ConfigError: the run was trained on the forget set, or holds no checkpoint.
        ModelError: nothing loadable is there.
    """
    config = setting.config
    base = load_base(config.model, str(_checkpoint(expand_path(path))))
    room = min(context_length(base.model), config.task.max_length or context_length(base.model))
    labels = sorted({example.answer for example in (*setting.splits.train_forget, *setting.splits.train_retain)})
    task = build_task(config.task, base.tokenizer, max_length=room, labels=labels)
    model = PromptedModel(base.model, base.tokenizer, batch_size=config.evaluation.batch_size)
    return Other(model, task, base_identity(base.model, path).digest)


def _checkpoint(path: str) -> str | Path:
    if not (Path(path) / "manifest.json").exists():
        return path
    run = Run.open(path)
    if run.config.objective is not None:
        raise ConfigError(
            f"the run at {path} was trained on the forget set ({run.config.objective.name}), so it cannot say what a "
            "model says that never saw it; name one that was made with `spul finetune --retrain`"
        )
    if run.config.trainable == "prompt":
        raise ConfigError(f"the run at {path} holds a prompt, no model of its own; name a run of `spul finetune`")
    return run.model_dir
