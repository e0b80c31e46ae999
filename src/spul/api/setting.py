"""What a run stands on: its data, its base model and the task that both are posed by."""

from __future__ import annotations

from typing import NamedTuple

from spul.config import RunConfig
from spul.data.loading import load_splits
from spul.errors import ConfigError, RunError
from spul.models.identity import BaseIdentity, base_identity
from spul.models.loading import LoadedBase, context_length, load_base
from spul.prompts import PROMPTS
from spul.runs import Run
from spul.scopes import SCOPES
from spul.tasks import TASKS, Task, build_task
from spul.training.parts import TrainedPart, prompt_part, weights_part
from spul.types import Splits


class Setting(NamedTuple):
    """What a run stands on."""

    base: LoadedBase
    identity: BaseIdentity
    splits: Splits
    task: Task


def set_up(config: RunConfig) -> Setting:
    """Load the data and the base model that the configuration names.

    Raises:
        SpulError: settings, data or model that do not do.
    """
    # What cannot work is found before anything large is loaded.
    if config.trainable in ("all", "named") and config.model.quantization != "none":
        raise ConfigError("quantised weights cannot be trained; set trainable=lora (QLoRA), or model.quantization=none")
    PROMPTS.get(config.prompt.kind)
    SCOPES.get(config.scope.detector)
    TASKS.get(config.task.name)
    splits = splits_of(config)
    base = load_base(config.model)
    identity = base_identity(base.model, config.model.path)
    return Setting(base, identity, splits, task_of(config, base, splits))


def part_of(config: RunConfig, setting: Setting) -> TrainedPart:
    """Return what the configuration says is trained: a soft prompt, or weights."""
    if config.trainable == "prompt":
        return prompt_part(config, setting.base, setting.identity, setting.task.answers.generic)
    return weights_part(config, setting.base)


def splits_of(config: RunConfig) -> Splits:
    """Return the rows of the configuration, as its task wants them.

    Raises:
        DataError: they cannot be read, or do not do.
    """
    task = config.task
    return load_splits(
        config.data,
        fields=task.fields,
        generic=task.generic_answers,
        continued=task.continued,
        alternatives=task.is_free_text,
    )


def task_of(config: RunConfig, base: LoadedBase, splits: Splits) -> Task:
    """Return the task on the base model, with the room in the context that virtual tokens leave for text.

    Raises:
        ConfigError: there is no room for text, or the task's settings do not do.
        DataError: the answers in the data do not fit the settings.
    """
    context = context_length(base.model)
    wanted = config.task.max_length or context
    if wanted > context:
        raise ConfigError(f"task.max_length={wanted} exceeds the model's context of {context} tokens; lower it")
    virtual = config.prompt.num_virtual_tokens if config.trainable == "prompt" else 0
    if virtual >= wanted:
        raise ConfigError(
            f"{virtual} virtual tokens leave no room for text in {wanted} tokens; lower prompt.num_virtual_tokens"
        )
    answers = {example.answer for example in (*splits.train_forget, *splits.train_retain)}
    return build_task(config.task, base.tokenizer, max_length=wanted - virtual, labels=sorted(answers))


def check_data(run: Run, splits: Splits) -> None:
    """Check that these are the rows that the run was started on.

    Raises:
        RunError: a split has other rows.
    """
    found = splits.digests()
    recorded = run.manifest.split_digests
    changed = sorted(name for name in found.keys() | recorded.keys() if found.get(name) != recorded.get(name))
    if changed:
        raise RunError(
            f"the data of run {run.path} has changed since it was started ({', '.join(changed)}); restore it, or start "
            "a new run"
        )
