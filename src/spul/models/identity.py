"""Which base model an adapter was learned on: a digest of what the model computes with, not of how it is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spul.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["BaseIdentity", "base_identity", "model_digest"]

CONFIG_ESSENTIALS = (
    "model_type",
    "num_attention_heads",
    "n_head",
    "num_key_value_heads",
    "rope_parameters",
    "sliding_window",
    "layer_types",
    "attn_logit_softcapping",
    "final_logit_softcapping",
)
"""What changes the function and cannot be seen in the weights. A list of what to take, not of what to leave out: new
versions of transformers add settings, and an adapter must still find its base then."""

CONFIG_SIZES = (
    "vocab_size",
    "hidden_size",
    "n_embd",
    "word_embed_proj_dim",
    "intermediate_size",
    "ffn_dim",
    "num_hidden_layers",
    "n_layer",
    "head_dim",
)
"""What the shapes of the weights follow from; shapes themselves are packed away in quantised models."""

CHUNK_BYTES = 2**26
"""Weights on an accelerator are copied and hashed in pieces of that size."""


@dataclass(frozen=True)
class BaseIdentity:
    """What identifies a base model.

    Attributes:
        path: local directory or hub id that it was loaded from; for people, never compared.
        digest: :func:`model_digest`.
        structure: SHA-256 over the class, the sizes and the configuration's essentials, without any weight: the same
            for one model in two precisions.
        precision: dtype of the weights (``float32``), or how they are quantised (``bitsandbytes-4bit``).
        architecture: the model's class.
        hidden_size: d, width of the input embeddings, in which an input-level prompt lives.
        num_layers: how many layers have keys and values.
    """

    path: str
    digest: str
    structure: str
    precision: str
    architecture: str
    hidden_size: int
    num_layers: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; the inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> BaseIdentity:
        """Build from :meth:`to_json`'s mapping.

        Raises:
            TypeError: a key is missing or unknown.
        """
        return cls(**row)


def base_identity(model: PreTrainedModel, path: str) -> BaseIdentity:
    """Return the identity of a loaded base model; reads every weight once."""
    return BaseIdentity(
        path=path,
        digest=model_digest(model),
        structure=_structure_digest(model),
        precision=_precision(model),
        architecture=type(model).__name__,
        hidden_size=_embedding_width(model),
        num_layers=model.config.get_text_config(decoder=True).num_hidden_layers,
    )


def model_digest(model: PreTrainedModel) -> str:
    """Return a SHA-256 over names, shapes, dtypes and bytes of the weights, and the configuration's essentials.

    The same for one model however its files are cut into shards, on whatever device it is, and whether tied weights
    are stored once or twice. Not the same in another precision: other numbers are another model.
    """
    digest = hashlib.sha256(_settings(model, CONFIG_ESSENTIALS).encode())
    # Tied weights are one tensor under two names: hashed once, counted twice.
    seen: dict[tuple[Any, ...], str] = {}
    for name, tensor in _weights(model):
        key = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if key not in seen:
            seen[key] = _tensor_digest(tensor)
        digest.update(f"{name}\t{list(tensor.shape)}\t{_name(tensor.dtype)}\t{seen[key]}\n".encode())
    return digest.hexdigest()


def _structure_digest(model: PreTrainedModel) -> str:
    text = type(model).__name__ + _settings(model, CONFIG_ESSENTIALS + CONFIG_SIZES)
    return hashlib.sha256(text.encode()).hexdigest()


def _weights(model: PreTrainedModel) -> list[tuple[str, Tensor]]:
    # state_dict and not named_parameters: it holds both names of a tied weight, and the scales of a quantised one.
    return sorted((name, value.detach()) for name, value in model.state_dict().items() if isinstance(value, Tensor))


def _tensor_digest(tensor: Tensor) -> str:
    digest = hashlib.sha256()
    # As bytes, since numpy has no bfloat16.
    flat = tensor.reshape(-1).view(torch.uint8)
    for start in range(0, flat.numel(), CHUNK_BYTES):
        digest.update(flat[start : start + CHUNK_BYTES].cpu().numpy().data)
    return digest.hexdigest()


def _settings(model: PreTrainedModel, keys: tuple[str, ...]) -> str:
    config = model.config.get_text_config(decoder=True).to_dict()
    return json.dumps({key: config[key] for key in keys if key in config}, sort_keys=True)


def _precision(model: PreTrainedModel) -> str:
    quantization = model.config.to_dict().get("quantization_config")
    if quantization is None:
        return _name(model.dtype)
    from transformers.utils.quantization_config import QuantizationMethod

    method: str = QuantizationMethod(quantization["quant_method"]).value
    bits = "-4bit" if quantization.get("load_in_4bit") else "-8bit" if quantization.get("load_in_8bit") else ""
    return method + bits


def _embedding_width(model: PreTrainedModel) -> int:
    weight = model.get_input_embeddings().weight
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise ModelError(f"expected input embeddings [V, d] in {type(model).__name__}, got {type(weight).__name__}")
    return weight.shape[1]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
