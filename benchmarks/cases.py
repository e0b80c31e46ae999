"""What is measured: shapes of models and of batches, with random weights and rows of drawn lengths."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from spul.types import Query

__all__ = ["CASES", "Case", "build_base", "draw_rows", "stub_tokenizer"]

FIRST_WORD = 4
"""Token ids below are special."""


@dataclass(frozen=True)
class Case:
    """One model shape with one shape of data.

    Attributes:
        name: unique.
        architecture: ``llama`` or ``opt``.
        vocab_size: V.
        hidden_size: d; heads are 64 wide.
        num_layers: transformer blocks.
        batch_size: B; half of the rows are to be forgotten.
        num_virtual_tokens: p.
        template_tokens: tokens that every row begins with (an instruction).
        text_tokens: shortest, usual and longest text of a row, in tokens; lengths are log-normal in between.
        batches: how many batches of rows are drawn; one repetition goes through all of them.
        speed_target: step time of the naive formulation over ours, at least; ``None`` where none is set.
        memory_target: our memory over the naive formulation's, at most.
    """

    name: str
    architecture: Literal["llama", "opt"] = "llama"
    vocab_size: int = 8_000
    hidden_size: int = 256
    num_layers: int = 4
    batch_size: int = 32
    num_virtual_tokens: int = 30
    template_tokens: int = 6
    text_tokens: tuple[int, int, int] = (3, 16, 42)
    batches: int = 4
    speed_target: float | None = None
    memory_target: float | None = None

    @property
    def longest(self) -> int:
        """Return the tokens of the longest row."""
        return self.template_tokens + self.text_tokens[2]


CASES = (
    Case(
        "authors' configuration",
        architecture="opt",
        vocab_size=50_272,
        template_tokens=24,
        text_tokens=(3, 16, 36),
        batches=2,
        speed_target=8.0,
        memory_target=1 / 4,
    ),
    Case(
        "the body dominates",
        hidden_size=512,
        num_layers=8,
        batches=2,
        speed_target=4.0,
        memory_target=1 / 3,
    ),
    Case(
        "long text",
        num_layers=6,
        batch_size=8,
        text_tokens=(480, 500, 506),
        batches=2,
        speed_target=1.3,
        memory_target=2 / 3,
    ),
)


def build_base(case: Case, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Return a random model of the case's shape, frozen."""
    torch.manual_seed(0)
    d = case.hidden_size
    shared = {
        "vocab_size": case.vocab_size,
        "hidden_size": d,
        "num_hidden_layers": case.num_layers,
        "num_attention_heads": max(1, d // 64),
        "max_position_embeddings": 1024,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    base: PreTrainedModel
    if case.architecture == "opt":
        base = OPTForCausalLM(OPTConfig(**shared, ffn_dim=4 * d, word_embed_proj_dim=d))
    else:
        base = LlamaForCausalLM(
            LlamaConfig(**shared, intermediate_size=8 * d // 3 // 64 * 64, tie_word_embeddings=True)
        )
    return base.to(device, dtype).eval().requires_grad_(False)


def draw_rows(case: Case, seed: int = 0) -> tuple[list[Query], list[Query]]:
    """Return forget and retain rows, half of every batch each; answers are one token."""
    rng = random.Random(seed)
    template = [rng.randrange(FIRST_WORD, case.vocab_size) for _ in range(case.template_tokens)]

    def row(name: str) -> Query:
        words = [rng.randrange(FIRST_WORD, case.vocab_size) for _ in range(_text_length(case, rng))]
        return Query(name, tuple(template + words), (rng.randrange(FIRST_WORD, case.vocab_size),), "")

    half = case.batches * case.batch_size // 2
    return [row(f"forget-{i}") for i in range(half)], [row(f"retain-{i}") for i in range(half)]


def stub_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the special tokens only: rows come as token ids."""
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def mean_length(rows: Sequence[Query]) -> float:
    """Return the mean tokens of the rows' prompts."""
    return sum(len(row.prompt_ids) for row in rows) / len(rows)


def _text_length(case: Case, rng: random.Random) -> int:
    low, usual, high = case.text_tokens
    return min(high, max(low, round(usual * rng.lognormvariate(0.0, 0.6))))
