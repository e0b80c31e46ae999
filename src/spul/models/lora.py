"""LoRA on a base model, and merging it in again."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import PreTrainedModel

from spul.errors import ConfigError
from spul.models.settings import LoraSettings

__all__ = ["add_lora", "merge_lora", "merge_lora_into"]


def add_lora(base: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """Put low-rank adapters into ``base`` (in place) and leave only them trainable. Hu et al. 2022 (arXiv:2106.09685).

    Raises:
        ConfigError: the model has no modules of the names asked for.
    """
    config = LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        linear = sorted({name.rpartition(".")[2] for name, module in base.named_modules() if _is_linear(module)})
        raise ConfigError(
            f"lora.target_modules {list(settings.target_modules)} are not in {type(base).__name__}; it has {linear}"
        ) from error


def merge_lora(adapted: PeftModel) -> PreTrainedModel:
    """Return the base model with the adapters merged into its weights."""
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged


def merge_lora_into(base: PreTrainedModel, adapted: PeftModel, settings: LoraSettings) -> PreTrainedModel:
    """Return ``base`` with the adapters of another copy of it merged in.

    What QLoRA leaves is merged into weights in full precision: merging into four bits would round the adapters away.
    """
    fresh = add_lora(base, settings)
    set_peft_model_state_dict(fresh, get_peft_model_state_dict(adapted))
    return merge_lora(fresh)


def _is_linear(module: Any) -> bool:
    return "Linear" in type(module).__name__ or type(module).__name__ == "Conv1D"
