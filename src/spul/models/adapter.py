"""The artefact of an unlearning run: φ in PEFT's layout, and the record of the base model that it belongs to.

::

    adapter/
      adapter_config.json        PEFT's: PROMPT_TUNING at input level, PREFIX_TUNING for a deep prompt
      adapter_model.safetensors  PEFT's: one tensor, ``prompt_embeddings``, float32
      spul.json                  ours, written last: schema, level, base model, digest of the tensor file, the run's own

``peft.PeftModel.from_pretrained(base, directory)`` gives the same logits for single rows and right-padded batches. PEFT
puts padding on the left between prompt and text, and never looks at ``spul.json``.

PEFT knows no virtual tokens behind the text and would put all of them in front. Where some stand behind
(``prompt.placement``), ``adapter_config.json`` therefore names a type that PEFT refuses, SPUL_PLACED_PROMPT, the tensor
is in ``placed_prompt.safetensors``, and the record has a schema of its own, which older versions of spul refuse too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from spul.errors import AdapterError
from spul.files import file_digest, write_bytes, write_json
from spul.models.identity import BaseIdentity
from spul.prompts import Level, Placement

__all__ = ["Adapter", "adapter_weights", "check_base", "load_adapter", "save_adapter"]

SCHEMA, PLACED_SCHEMA = 1, 2
WEIGHTS_FILE, PLACED_WEIGHTS_FILE = "adapter_model.safetensors", "placed_prompt.safetensors"
CONFIG_FILE = "adapter_config.json"
RECORD_FILE = "spul.json"
TENSOR = "prompt_embeddings"
PEFT_TYPES: Mapping[Level, str] = {"input": "PROMPT_TUNING", "deep": "PREFIX_TUNING"}
PLACED_TYPE = "SPUL_PLACED_PROMPT"


@dataclass(frozen=True)
class Adapter:
    """A finished prompt and what it belongs to.

    Attributes:
        values: [p, d] at input level; [layers, 2, heads, p, head_dim] (keys, values) if deep; float32, on CPU.
        level: which of the two.
        base: the base model that it was learned on.
        info: what the run recorded (task, generic answers).
        placement: where the virtual tokens stand.
    """

    values: Tensor
    level: Level
    base: BaseIdentity
    info: Mapping[str, Any]
    placement: Placement = "front"


def save_adapter(
    directory: Path,
    values: Tensor,
    *,
    level: Level,
    base: BaseIdentity,
    info: Mapping[str, Any],
    placement: Placement = "front",
) -> None:
    """Write an adapter; each file is replaced atomically, and the record, which makes it valid, is the last.

    Args:
        directory: where to; made if it is not there.
        values: [p, d] at input level; [layers, 2, heads, p, head_dim] if deep.
        level: which of the two.
        base: the base model that the prompt was learned on.
        info: what else to record; JSON-ready.
        placement: where the virtual tokens stand.

    Raises:
        AdapterError: the values do not fit the base model, or are not finite.
        OSError: the files cannot be written; an adapter that was there is then still whole, or refused when loaded.
    """
    _check_values(values, level, base)
    values = values.detach().float().cpu()
    weights = adapter_weights(directory, placement)
    write_bytes(weights, save({TENSOR: _to_peft(values, level)}, metadata={"format": "pt"}))
    write_json(directory / CONFIG_FILE, _config(values, level, base, placement))
    record = {
        "schema": SCHEMA if placement == "front" else PLACED_SCHEMA,
        "level": level,
        **({} if placement == "front" else {"placement": placement}),
        "shape": list(values.shape),
        "sha256": file_digest(weights),
        "base": base.to_json(),
        "transformers": metadata.version("transformers"),
        "info": dict(info),
    }
    write_json(directory / RECORD_FILE, record)


def load_adapter(directory: Path) -> Adapter:
    """Read what :func:`save_adapter` wrote.

    Raises:
        AdapterError: a file is missing, unreadable, corrupt, or of a schema that this version does not know.
    """
    _check_is_there(directory, RECORD_FILE)
    record = _read_record(directory / RECORD_FILE)
    placement: Placement = record.get("placement", "front")
    if placement not in get_args(Placement):
        raise AdapterError(f"{directory / RECORD_FILE} is damaged: there is no placement {placement!r}")
    _check_is_there(directory, adapter_weights(directory, placement).name, CONFIG_FILE)
    try:
        level, shape, sha256, info = record["level"], record["shape"], record["sha256"], record["info"]
        base = BaseIdentity.from_json(record["base"])
        peft_type = PEFT_TYPES[level] if placement == "front" else PLACED_TYPE
    except (KeyError, TypeError) as error:
        raise AdapterError(f"{directory / RECORD_FILE} is damaged: {error} is missing, unknown or wrong") from error
    if _read_json(directory / CONFIG_FILE).get("peft_type") != peft_type:
        raise AdapterError(f"{directory / CONFIG_FILE} is not of type {peft_type}, which {RECORD_FILE} says it is")
    values = _from_peft(_read_tensor(adapter_weights(directory, placement), sha256), level, shape, directory)
    _check_values(values, level, base)
    return Adapter(values, level, base, info, placement)


def _check_is_there(directory: Path, *names: str) -> None:
    for name in names:
        if not (directory / name).is_file():
            raise AdapterError(
                f"expected an adapter in {directory}, but {name} is missing; give the directory that an unlearning run "
                "wrote (runs/…/adapter)"
            )


def adapter_weights(directory: Path, placement: Placement) -> Path:
    """Return the file in an adapter's directory that holds the tensor."""
    return directory / (WEIGHTS_FILE if placement == "front" else PLACED_WEIGHTS_FILE)


def check_base(adapter: Adapter, base: BaseIdentity, *, other_precision: bool = False) -> None:
    """Refuse a base model that the adapter was not learned on.

    Args:
        adapter: what was loaded.
        base: the model it is about to be put on.
        other_precision: accept the same architecture in another precision. Whether the weights are the same ones,
            rounded, cannot be told then.

    Raises:
        AdapterError: it is another model, or the same architecture in another precision and that was not asked for.
    """
    learned = adapter.base
    if learned.digest == base.digest:
        return
    if adapter.level == "input" and learned.hidden_size != base.hidden_size:
        raise AdapterError(
            f"the adapter's virtual tokens are {learned.hidden_size} wide, and the embeddings of {base.path} "
            f"({base.architecture}) are {base.hidden_size} wide; use the base model it was learned on, {learned.path}"
        )
    if learned.structure != base.structure:
        raise AdapterError(
            f"the adapter was learned on {learned.path} ({learned.architecture}), and {base.path} "
            f"({base.architecture}) is built differently; use the base model it was learned on"
        )
    if learned.precision == base.precision:
        raise AdapterError(
            f"the adapter was learned on {learned.path} (digest {learned.digest[:12]}), and {base.path} has other "
            f"weights (digest {base.digest[:12]}); use the base model it was learned on, or unlearn anew on this one"
        )
    if not other_precision:
        raise AdapterError(
            f"the adapter was learned on {learned.precision} weights, and {base.path} is loaded in {base.precision}; "
            "a prompt may not suppress in another precision what it suppresses in its own. Load the base model in "
            f"{learned.precision}"
        )


def _check_values(values: Tensor, level: Level, base: BaseIdentity) -> None:
    """Raise AdapterError unless the values are finite and have the shape that the base model asks for."""
    if level == "input":
        expected, fits = f"[p, {base.hidden_size}]", values.ndim == 2 and values.shape[1] == base.hidden_size
    else:
        expected = f"[{base.num_layers}, 2, heads, p, head_dim]"
        fits = values.ndim == 5 and tuple(values.shape[:2]) == (base.num_layers, 2)
    if not fits:
        raise AdapterError(
            f"expected a prompt of shape {expected} at level {level!r} for {base.path} ({base.architecture}), got "
            f"{list(values.shape)}"
        )
    if not torch.isfinite(values).all():
        raise AdapterError("the prompt holds values that are not finite; train with a lower learning rate")


def _to_peft(values: Tensor, level: Level) -> Float[Tensor, "p flat"]:
    """Return PEFT's tensor: [p, d], or [p, layers · 2 · heads · head_dim] with a layer's keys before its values."""
    if level == "input":
        return values.contiguous()
    p = values.shape[3]
    return values.permute(3, 0, 1, 2, 4).reshape(p, -1).contiguous()


def _from_peft(flat: Tensor, level: Level, shape: list[int], directory: Path) -> Tensor:
    try:
        if level == "input":
            return flat.view(shape)
        layers, pair, heads, p, head_dim = shape
        return flat.view(p, layers, pair, heads, head_dim).permute(1, 2, 3, 0, 4).contiguous()
    except (RuntimeError, ValueError, TypeError) as error:
        raise AdapterError(
            f"{directory / RECORD_FILE} says that the prompt has shape {shape}, and {WEIGHTS_FILE} holds "
            f"{list(flat.shape)}; one of them is damaged"
        ) from error


def _config(values: Tensor, level: Level, base: BaseIdentity, placement: Placement) -> dict[str, Any]:
    if placement == "front":
        return _peft_config(values, level, base)
    return {
        "peft_type": PLACED_TYPE,
        "note": "Virtual tokens stand behind the text, which PEFT cannot express. Load the run with spul.load_model.",
        "base_model_name_or_path": base.path,
        "placement": placement,
    }


def _peft_config(values: Tensor, level: Level, base: BaseIdentity) -> dict[str, Any]:
    common = {
        "task_type": "CAUSAL_LM",
        "peft_type": PEFT_TYPES[level],
        "base_model_name_or_path": base.path,
        "inference_mode": True,
        "num_transformer_submodules": 1,
    }
    if level == "input":
        p, d = values.shape
        return {**common, "num_virtual_tokens": p, "token_dim": d, "prompt_tuning_init": "RANDOM"}
    layers, _, heads, p, head_dim = values.shape
    # PEFT speaks of attention heads and means those of keys and values.
    sizes = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * head_dim}
    return {**common, **sizes, "num_virtual_tokens": p, "prefix_projection": False, "encoder_hidden_size": None}


def _read_record(path: Path) -> dict[str, Any]:
    record = _read_json(path)
    if record.get("schema") not in (SCHEMA, PLACED_SCHEMA):
        raise AdapterError(
            f"{path} has schema version {record.get('schema')!r}, and this version of spul reads {SCHEMA} and "
            f"{PLACED_SCHEMA}; use the version that wrote it, or a newer one"
        )
    return record


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AdapterError(f"expected JSON in {path}, but it cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise AdapterError(f"expected a JSON object in {path}, got {type(value).__name__}")
    return value


def _read_tensor(path: Path, sha256: str) -> Tensor:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AdapterError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise AdapterError(
            f"{path} is not the file that {RECORD_FILE} was written for (its SHA-256 differs): it is damaged, was "
            "changed, or saving was interrupted; restore it or unlearn anew"
        )
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise AdapterError(f"{path} is no readable safetensors file: {error}") from error
    if TENSOR not in tensors:
        raise AdapterError(f"expected the tensor {TENSOR!r} in {path}, found {sorted(tensors)}")
    return tensors[TENSOR].float()
