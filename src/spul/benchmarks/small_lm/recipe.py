"""Every number that decides what the small model becomes."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import LlamaConfig

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes, schedule and seed of one build; two builds of one recipe on the same data and machine are equal.

    Training is counted in steps, not in time. Learning rates are peaks; see ``pretraining.schedule``.
    """

    steps: int = 900
    seed: int = 0
    vocab_size: int = 6_000
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 512
    context: int = 512
    batch_size: int = 16
    sequence_length: int = 128
    matrix_lr: float = 0.012
    other_lr: float = 3e-3
    warmup_steps: int = 30
    # The tokenizer is fitted on every n-th document: merges of a quarter are those of the whole, four times sooner.
    tokenizer_stride: int = 4

    @property
    def tokens_per_step(self) -> int:
        """Positions that are predicted in one step."""
        return self.batch_size * self.sequence_length

    def model_config(self, *, pad: int, bos: int, eos: int) -> LlamaConfig:
        """Return the ordinary Llama configuration of these sizes, embeddings tied."""
        return LlamaConfig(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            intermediate_size=self.intermediate_size,
            max_position_embeddings=self.context,
            tie_word_embeddings=True,
            pad_token_id=pad,
            bos_token_id=bos,
            eos_token_id=eos,
        )
