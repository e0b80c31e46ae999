"""The demo model before training: an ordinary Llama of 0.8 M parameters and its word-level tokenizer."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from spul.data.fictitious_vocabulary import PAD_TOKEN, UNK_TOKEN, VOCABULARY

MAX_POSITIONS = 512

EMBEDDING_STD = 0.08
OUTPUT_GAIN = 0.1
"""Small output matrices let every block start near the identity."""

MATCHING_LAYER = 1


def demo_config() -> LlamaConfig:
    """Two heads of 64 in three layers; a large RoPE base keeps matching of names independent of their distance."""
    return LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
        tie_word_embeddings=True,
        pad_token_id=VOCABULARY.index(PAD_TOKEN),
        bos_token_id=None,
        eos_token_id=None,
        dtype="float32",
    )


def demo_tokenizer() -> PreTrainedTokenizerFast:
    """One token per blank-separated word; nothing is put in front of or behind the text."""
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token=UNK_TOKEN))
    backend.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD_TOKEN,
        unk_token=UNK_TOKEN,
        model_max_length=MAX_POSITIONS,
        padding_side="right",
    )


def untrained_demo_model(seed: int) -> LlamaForCausalLM:
    """The model at step 0.

    The first head of layer 1 starts with equal query and key matrices: it attends to earlier occurrences of the token
    that it stands on, which is what obeying a list of names needs. Training finds this by itself, but late.
    """
    model = LlamaForCausalLM(demo_config())
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            continue
        std = EMBEDDING_STD if "embed_tokens" in name else parameter.shape[1] ** -0.5
        gain = OUTPUT_GAIN if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
        torch.nn.init.normal_(parameter, std=std * gain, generator=generator)
    with torch.no_grad():
        first = model.model.layers[0].self_attn
        first.q_proj.weight.mul_(0.5)
        first.k_proj.weight.mul_(0.5)
        matching, half = model.model.layers[MATCHING_LAYER].self_attn, model.config.hidden_size // 2
        matching.k_proj.weight[:half] = matching.q_proj.weight[:half]
    return model
