"""Loading a base model and its tokenizer, from a local directory or a hub, without running code that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from spul.errors import MissingDependencyError, ModelError
from spul.files import expand_path
from spul.models.demo import demo_model_path
from spul.models.settings import ModelSettings

__all__ = [
    "LoadedBase",
    "context_length",
    "load_base",
    "load_outline",
    "pad_token_id",
    "resolve_device",
    "without_bars",
]

BUILTIN = "builtin:demo"
"""In place of a path: the small model that comes with the package."""


@dataclass(frozen=True)
class LoadedBase:
    """A base model in eval mode with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load_base(settings: ModelSettings, path: str | None = None) -> LoadedBase:
    """Load the base model that ``settings`` names, or the checkpoint at ``path`` with the same settings.

    The model is in eval mode (dropout off) on the chosen device. Weights are read from safetensors only.

    Raises:
        ModelError: nothing loadable is there, the architecture is no causal language model, or the tokenizer is not
            a fast one.
        MissingDependencyError: quantised loading without bitsandbytes.
    """
    source = _located(path or settings.path)
    device = resolve_device(settings.device)
    with _clear_errors(source), without_bars():
        config, tokenizer = _config_and_tokenizer(settings, source)
        model = AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            dtype=_dtype(settings, device),
            use_safetensors=True,
            **_quantization(settings, device),
            **_origin(settings),
        )
    if settings.quantization == "none":
        torch.nn.Module.to(model, device)
    _keep_differentiable(model)
    return LoadedBase(model.eval(), tokenizer)


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep transformers from drawing bars for what takes no time; those of downloads are the hub's own."""
    from transformers.utils import logging

    def nothing_drawn(_: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return logging.EmptyTqdm(*args, **options)

    before = logging.set_tqdm_hook(nothing_drawn)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def load_outline(settings: ModelSettings) -> LoadedBase:
    """Load tokenizer and shape of the base model without its weights (on the meta device): enough to pose data.

    Raises:
        ModelError: as :func:`load_base`.
    """
    source = _located(settings.path)
    with _clear_errors(source):
        config, tokenizer = _config_and_tokenizer(settings, source)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=settings.trust_remote_code)
    return LoadedBase(model.eval(), tokenizer)


def _located(path: str) -> str:
    return str(demo_model_path()) if path == BUILTIN else expand_path(path)


def _config_and_tokenizer(settings: ModelSettings, source: str) -> tuple[PreTrainedConfig, PreTrainedTokenizerFast]:
    if _is_path(source) and not Path(source).exists():
        here = "" if Path(source).is_absolute() else f" (seen from {Path.cwd()})"
        raise ModelError(f"expected a model directory at {source}, but there is nothing{here}. Check the path.")
    config = AutoConfig.from_pretrained(source, **_origin(settings))
    tokenizer = AutoTokenizer.from_pretrained(source, **_origin(settings))
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"expected a fast tokenizer at {source!r}, got {type(tokenizer).__name__}; convert it first")
    return config, tokenizer


def _is_path(source: str) -> bool:
    """Return whether it cannot be a hub id, which is a name or ``owner/name``."""
    return Path(source).is_absolute() or source.startswith(".") or source.count("/") > 1


def _origin(settings: ModelSettings) -> dict[str, Any]:
    return {"revision": settings.revision, "trust_remote_code": settings.trust_remote_code}


def _keep_differentiable(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking four-bit weights for inference, which it does in eval mode on some CPUs.

    The product of repacked weights has no derivative: gradients to a prompt in front would vanish there, and go on
    through the residual stream as if nothing were amiss.
    """
    module: Any
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.support_avx512bf16_for_cpu = False


@contextmanager
def _clear_errors(source: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"expected a causal language model (config, safetensors weights, tokenizer) at {source!r}, but it does not "
            f"load: {first_line}"
        ) from error


def resolve_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is the accelerator where there is one, else the CPU.

    Raises:
        ModelError: no such device.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator if accelerator is not None else torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"expected a device such as auto, cpu or cuda:0, got {name!r}") from error


def context_length(model: PreTrainedModel) -> int:
    """Return the most positions the model takes.

    Raises:
        ModelError: its configuration does not say.
    """
    config = model.config.get_text_config(decoder=True)
    # By attribute, not by key: configurations with other names for it (n_positions) map this one to theirs.
    length = getattr(config, "max_position_embeddings", None)
    if not isinstance(length, int):
        raise ModelError(f"the configuration of {type(model).__name__} names no context length; set task.max_length")
    return length


def pad_token_id(tokenizer: PreTrainedTokenizerFast) -> int:
    """Return an id to fill rows with.

    Padding is masked everywhere, so any id will do: the pad token's where there is one, else the end-of-sequence
    token's, else 0.
    """
    for token_id in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if isinstance(token_id, int):
            return token_id
    return 0


def _dtype(settings: ModelSettings, device: torch.device) -> torch.dtype | str:
    if settings.dtype != "auto":
        named: dict[str, torch.dtype] = {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }
        return named[settings.dtype]
    return torch.float32 if device.type == "cpu" else "auto"


def _quantization(settings: ModelSettings, device: torch.device) -> dict[str, Any]:
    if settings.quantization == "none":
        return {}
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError(
            f"model.quantization={settings.quantization!r} needs bitsandbytes: pip install 'spul[quantized]'"
        )
    from transformers import BitsAndBytesConfig

    # NF4 as in the QLoRA paper and the base stage of Bhaila et al. 2025.
    config = (
        BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
        if settings.quantization == "nf4"
        else BitsAndBytesConfig(load_in_8bit=True)
    )
    return {"quantization_config": config, "device_map": {"": str(device)}}
