"""What is trained: a soft prompt in front of a frozen base model, or weights of the base model itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from spul.config import RunConfig
from spul.errors import ConfigError, DivergedError
from spul.files import expand_path
from spul.models.adapter import adapter_weights, check_base, load_adapter, save_adapter
from spul.models.identity import BaseIdentity
from spul.models.loading import LoadedBase, load_base, without_bars
from spul.models.lora import add_lora, merge_lora, merge_lora_into
from spul.models.named import train_named
from spul.models.prompted import PromptedModel
from spul.prompts import PROMPTS, FixedPrompt, build_prompt
from spul.prompts.settings import PromptSettings
from spul.runs import Run

__all__ = ["TrainedPart", "prompt_part", "weights_part"]


class TrainedPart(NamedTuple):
    """A model whose trainable part alone requires gradients.

    Attributes:
        model: to be trained.
        keep: writes what was learned into a run and returns the file or directory that holds it.
    """

    model: PromptedModel
    keep: Callable[[Run], Path]


def prompt_part(
    config: RunConfig, base: LoadedBase, identity: BaseIdentity, generic_answers: Sequence[str]
) -> TrainedPart:
    """Return the base model, frozen, behind a new soft prompt, kept as an adapter.

    Raises:
        ConfigError: the prompt cannot be made as asked.
    """
    init = PromptedModel(base.model, base.tokenizer).prompt_init(config.prompt.init_text)
    if config.prompt.init_run is not None:
        init = replace(init, values=_other_prompt(config.prompt, config.prompt.init_run, identity))
    encoder = build_prompt(config.prompt, init, config.seed).to(base.model.device)

    def keep(run: Run) -> Path:
        with torch.no_grad():
            values = encoder()
        info = {"task": config.task.name, "generic_answers": list(generic_answers)}
        save_adapter(
            run.adapter_dir, values, level=encoder.level, base=identity, info=info, placement=encoder.placement
        )
        return adapter_weights(run.adapter_dir, encoder.placement)

    return TrainedPart(
        PromptedModel(base.model, base.tokenizer, encoder, batch_size=config.evaluation.batch_size), keep
    )


def _other_prompt(settings: PromptSettings, path: str, base: BaseIdentity) -> Tensor:
    """Return the values of another request's prompt.

    Raises:
        AdapterError: there is no prompt, or one of another base model.
        ConfigError: it has another size, level or placement than the one that is to start from it.
    """
    adapter = load_adapter(Run.open(expand_path(path)).adapter_dir)
    check_base(adapter, base)
    other = FixedPrompt(adapter.values, adapter.level, adapter.placement)
    found = (other.num_virtual_tokens, other.level, other.placement)
    wanted = (settings.num_virtual_tokens, PROMPTS.get(settings.kind).level, settings.placement)
    if found != wanted:
        raise ConfigError(
            "prompt.init_run: expected a prompt of {} virtual tokens, level {}, placement {}, ".format(*wanted)
            + f"and that of {path} has "
            + "{}, {}, {}. Change one of them.".format(*found)
        )
    return adapter.values


def weights_part(config: RunConfig, base: LoadedBase) -> TrainedPart:
    """Return the base model with all, some or LoRA weights to train, kept as an ordinary checkpoint.

    Weights that are trained are held in float32 whatever ``model.dtype`` says (PEFT does so with LoRA's): in half
    precision an update of less than a 256th of a weight is rounded away. ``train.precision`` says what is computed in.

    Raises:
        ConfigError: there are no weights of the names asked for.
    """
    torch.manual_seed(config.seed)
    if config.trainable in ("all", "named"):
        base.model.float()
    adapted = add_lora(base.model, config.lora) if config.trainable == "lora" else None
    if config.trainable == "named":
        train_named(base.model, config.trainable_names)

    def keep(run: Run) -> Path:
        if not all(torch.isfinite(p).all() for p in base.model.parameters() if p.requires_grad):
            raise DivergedError("the trained weights are not finite; lower train.learning_rate, then start anew")
        whole = base.model if adapted is None else _merged(config, adapted)
        with without_bars():
            whole.save_pretrained(run.model_dir)
        base.tokenizer.save_pretrained(run.model_dir)
        return run.model_dir

    return TrainedPart(PromptedModel(base.model, base.tokenizer, batch_size=config.evaluation.batch_size), keep)


def _merged(config: RunConfig, adapted: PeftModel) -> PreTrainedModel:
    if config.model.quantization == "none":
        return merge_lora(adapted)
    whole = load_base(config.model.model_copy(update={"quantization": "none"}))
    return merge_lora_into(whole.model, adapted, config.lora)
