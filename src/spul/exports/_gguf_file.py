"""A GGUF file of a Llama-type model, written tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from spul.errors import ExportError, MissingDependencyError
from spul.exports._gguf_tokens import GgufVocabulary

if TYPE_CHECKING:
    import gguf

__all__ = ["check_architecture", "require_gguf", "write_gguf"]

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""Classes of transformers, and what llama.cpp calls them."""


def require_gguf() -> Any:
    """Return the package ``gguf``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingDependencyError("an export to gguf needs the package gguf: pip install 'spul[gguf]'") from error
    return gguf


def check_architecture(model: PreTrainedModel) -> None:
    """Refuse a model that :func:`write_gguf` cannot write, and name what can.

    Raises:
        ExportError: it is not of Llama's type, or uses what is not written here.
    """
    config = model.config.to_dict()
    name = type(model).__name__
    rope = config.get("rope_parameters") or {}
    windows = {kind for kind in config.get("layer_types") or () if kind != "full_attention"}
    problem = None
    if name not in ARCHITECTURES:
        problem = f"{name} is none of {', '.join(ARCHITECTURES)}"
    elif rope.get("rope_type", "default") != "default" or "partial_rotary_factor" in rope:
        problem = f"its rotary positions are of type {rope.get('rope_type')!r}"
    elif windows or (config["model_type"] == "mistral" and config.get("sliding_window") is not None):
        problem = "it attends within a sliding window"
    if problem is not None:
        raise ExportError(
            f"the base model cannot be written as GGUF here: {problem}. Export with --to baked, then run llama.cpp's "
            "own converter: python convert_hf_to_gguf.py DIRECTORY --outfile model.gguf; serve chats only with it."
        )


def write_gguf(
    file: Path, model: PreTrainedModel, vocabulary: GgufVocabulary, template: str, special: dict[str, int | None]
) -> None:
    """Write the model in its own precision.

    Args:
        file: where to.
        model: with the prompt in its embeddings already.
        vocabulary: one token a row of the embeddings.
        template: chat template with the soft tokens and whatever else stands in front of a text: nothing is added.
        special: ids by name (``bos``, ``eos``, ``unk``, ``pad``); what is missing is left out.
    """
    gguf = require_gguf()
    architecture = ARCHITECTURES[type(model).__name__]
    writer = gguf.GGUFWriter(str(file), architecture)
    _add_settings(writer, model)
    _add_vocabulary(writer, vocabulary, special)
    writer.add_chat_template(template)
    kind = _kind(model.dtype, gguf)
    writer.add_file_type(_file_type(model.dtype, gguf))
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, architecture.upper()), model.config.num_hidden_layers)
    for name, tensor in _weights(model, architecture):
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ExportError(f"llama.cpp has no place for the weight {name} in a {architecture} model")
        # llama.cpp wants vectors (norms, biases) in single precision.
        stored = gguf.GGMLQuantizationType.F32 if tensor.ndim == 1 else kind
        data = gguf.quants.quantize(tensor.float().cpu().numpy(), stored)
        writer.add_tensor(target, data, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_settings(writer: gguf.GGUFWriter, model: PreTrainedModel) -> None:
    config = model.config
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_name("spul")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(head_size)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: GgufVocabulary, special: dict[str, int | None]) -> None:
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.merges is not None:
        writer.add_token_merges(vocabulary.merges)
    if vocabulary.scores is not None:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
    for name, token_id in special.items():
        if token_id is not None:
            getattr(writer, f"add_{name}_token_id")(token_id)
    # Template and token ids bring all there is: what llama.cpp added would come before the prompt, or twice.
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)


def _weights(model: PreTrainedModel, architecture: str) -> Iterator[tuple[str, Tensor]]:
    config = model.config
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        # Tied weights are written once: llama.cpp takes the embeddings where there is no output.
        if tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        if architecture == "llama" and ".q_proj." in name:
            tensor = _interleaved(tensor, config.num_attention_heads)
        elif architecture == "llama" and ".k_proj." in name:
            tensor = _interleaved(tensor, config.num_key_value_heads)
        yield name, tensor


def _interleaved(tensor: Tensor, heads: int) -> Tensor:
    """Return the rows of each head in the order that llama.cpp's Llama rotates: the two halves by turns."""
    halves = tensor.view(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)


def _kind(dtype: torch.dtype, gguf: Any) -> Any:
    kinds = gguf.GGMLQuantizationType
    return {torch.float32: kinds.F32, torch.float16: kinds.F16, torch.bfloat16: kinds.BF16}[dtype]


def _file_type(dtype: torch.dtype, gguf: Any) -> Any:
    kinds = gguf.LlamaFileType
    return {torch.float32: kinds.ALL_F32, torch.float16: kinds.MOSTLY_F16, torch.bfloat16: kinds.MOSTLY_BF16}[dtype]
