"""Tiny random models of every architecture that the tests cover, and a word-level tokenizer for them.

Weights are far larger than transformers' own initialisation makes them, so that attention is not flat and a prompt that
is lost, shifted or masked changes the logits by much more than any tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

__all__ = ["ARCHITECTURES", "WORDS", "tiny_model", "tiny_tokenizer"]

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
_TEXT = """
    the a of and to in was is he she it they we you i not very so but film book song play story actor actress
    director scene plot music dull bright sharp weak fine bad good great awful lovely boring funny sad long short warm
    cold old new first last positive negative neutral unknown what which who sentiment text answer question given :
    . , ? ! person city river mountain house garden train ship doctor teacher singer writer anna boris clara david emma
    felix greta henry
"""
WORDS = tuple(_TEXT.split())
VOCAB_SIZE = 100
HIDDEN_SIZE = 32
CONTEXT = 128

_TOKENS: dict[str, Any] = {"vocab_size": VOCAB_SIZE, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_SHAPE: dict[str, Any] = {
    "hidden_size": HIDDEN_SIZE,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
_GROUPED: dict[str, Any] = {"num_key_value_heads": 2}
# Two layers, so that one of each kind is there; the window is shorter than what the tests feed.
_SLIDING: dict[str, Any] = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}


def _llama() -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**_TOKENS, **_SHAPE, **_GROUPED))


def _llama_tied() -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**_TOKENS, **_SHAPE, **_GROUPED, tie_word_embeddings=True))


def _mistral() -> PreTrainedModel:
    return MistralForCausalLM(MistralConfig(**_TOKENS, **_SHAPE, **_GROUPED, sliding_window=None))


def _opt() -> PreTrainedModel:
    config = OPTConfig(
        **_TOKENS,
        hidden_size=HIDDEN_SIZE,
        word_embed_proj_dim=HIDDEN_SIZE,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
    )
    return OPTForCausalLM(config)


def _gpt2() -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(**_TOKENS, n_embd=HIDDEN_SIZE, n_layer=2, n_head=4, n_positions=CONTEXT))


def _gpt_neox() -> PreTrainedModel:
    return GPTNeoXForCausalLM(GPTNeoXConfig(**_TOKENS, **_SHAPE))


def _qwen2() -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**_TOKENS, **_SHAPE, **_GROUPED))


def _qwen3() -> PreTrainedModel:
    # As in the real ones, head_dim is not hidden_size / heads.
    return Qwen3ForCausalLM(Qwen3Config(**_TOKENS, **_SHAPE, **_GROUPED, head_dim=16))


def _gemma2() -> PreTrainedModel:
    config = Gemma2Config(
        **_TOKENS,
        **_SHAPE,
        **_GROUPED,
        **_SLIDING,
        head_dim=8,
        query_pre_attn_scalar=8,
        final_logit_softcapping=4.0,
        attn_logit_softcapping=5.0,
    )
    # Soft-capped attention needs the eager implementation.
    config._attn_implementation = "eager"
    return Gemma2ForCausalLM(config)


def _gemma3() -> PreTrainedModel:
    config = Gemma3TextConfig(**_TOKENS, **_SHAPE, **_GROUPED, **_SLIDING, head_dim=8, query_pre_attn_scalar=8)
    return Gemma3ForCausalLM(config)


_MAKERS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": _llama,
    "llama_tied": _llama_tied,
    "mistral": _mistral,
    "opt": _opt,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
}
ARCHITECTURES = tuple(_MAKERS)


def tiny_model(architecture: str = "llama", seed: int = 0) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Return a random float32 model in eval mode, fresh on every call, and its tokenizer.

    Vocabulary 100, hidden size 32, two layers, context 128. Weights depend on the seed alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _MAKERS[architecture]()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0.0, 0.2)
                else:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval(), tiny_tokenizer()


@cache
def _tokenizer_json() -> str:
    vocabulary = {word: i for i, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])])
    return tokenizer.to_str()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Return a word-level tokenizer: words split at white space, ``<s>`` in front; fresh on every call."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_tokenizer_json()),
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=CONTEXT,
    )
