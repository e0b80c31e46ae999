"""Rows of different prompts in one batch are written as each of them alone, token for token."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from spul.models.prompted import PromptedModel
from spul.models.surroundings import Surroundings
from spul.prompts import FixedPrompt, Placement
from spul.serving.batch import MixedBatch, read
from tests.tiny import ARCHITECTURES, HIDDEN_SIZE, tiny_model

TEXTS = [
    "the film was dull",
    "a",
    "she is a good writer and he was not very funny but we play the old song",
    "who was in the book ?",
    "it",
]
NEW = 8


def prompts_of(base_model: PromptedModel) -> list[PromptedModel]:
    """Five models on one set of weights: none, three lengths of prompts in front, a deep one."""
    base, tokenizer, init = base_model.base, base_model.tokenizer, base_model.prompt_init()
    deep = FixedPrompt(init.key_values(torch.arange(5, 9)), "deep")
    fronts = [FixedPrompt(init.embeddings[a:b] * 2, "input") for a, b in ((5, 10), (30, 42), (60, 61))]
    return [base_model, *(PromptedModel(base, tokenizer, encoder) for encoder in (*fronts, deep))]


@torch.inference_mode()
def written(
    models: Sequence[PromptedModel], texts: Sequence[str], arrivals: Sequence[int], leave_after: Sequence[int]
) -> list[list[int]]:
    """Write greedily; row i arrives before step ``arrivals[i]`` and leaves when it has ``leave_after[i]`` tokens."""
    base, tokenizer = models[0].base, models[0].tokenizer
    rows: list[list[int]] = [[] for _ in texts]
    running: list[int] = []
    batch: MixedBatch | None = None
    for step in range(100):
        new = [i for i, when in enumerate(arrivals) if when == step]
        logits: list[Tensor] = []
        if batch is not None:
            logits.append(batch.step(base, torch.tensor([rows[i][-1] for i in running])))
        if new:
            started = read(
                base, [tokenizer(texts[i])["input_ids"] for i in new], [models[i].surroundings() for i in new], 0
            )
            batch = started.batch if batch is None else batch.joined(started.batch)
            logits.append(started.logits)
            running += new
        for i, row in zip(running, torch.cat(logits), strict=True):
            rows[i].append(int(row.argmax()))
        kept = [n for n, i in enumerate(running) if len(rows[i]) < leave_after[i]]
        running = [running[n] for n in kept]
        batch = batch.keep(kept) if batch is not None and kept else None
        if not running and step >= max(arrivals):
            return rows
    raise AssertionError("never done")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_that_come_and_go_are_written_as_alone(architecture: str) -> None:
    """Five prompts, texts of 1 to 17 tokens (beyond every window), three arrive later, two leave early."""
    models = prompts_of(PromptedModel(*tiny_model(architecture)))
    lengths = [NEW, 3, NEW, 5, NEW]
    together = written(models, TEXTS, arrivals=[0, 0, 2, 2, 3], leave_after=lengths)
    alone = [
        written([model], [text], arrivals=[0], leave_after=[length])[0]
        for model, text, length in zip(models, TEXTS, lengths, strict=True)
    ]
    assert together == alone
    for model, text, ids, length in zip(models, TEXTS, together, lengths, strict=True):
        eos = model.tokenizer.eos_token_id
        own = ids[: ids.index(eos)] if eos in ids else ids
        assert model.decode(own) == model.generate(text, max_new_tokens=length)[0], "the project's own generation"


def test_a_text_reads_its_own_prompt_only() -> None:
    """The same text behind five prompts in one batch: five answers, in whichever order they stand."""
    models = prompts_of(PromptedModel(*tiny_model("llama")))
    rows = written(models, [TEXTS[0]] * 5, [0] * 5, [NEW] * 5)
    assert len({tuple(row) for row in rows}) == 5
    assert written(models[::-1], [TEXTS[0]] * 5, [0] * 5, [NEW] * 5) == rows[::-1]


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3"])
@pytest.mark.parametrize("placement", ["suffix", "both"])
def test_virtual_tokens_behind_a_text(architecture: str, placement: Placement) -> None:
    bare = PromptedModel(*tiny_model(architecture))
    values = torch.randn(5, HIDDEN_SIZE, generator=torch.Generator().manual_seed(2))
    placed = PromptedModel(bare.base, bare.tokenizer, FixedPrompt(values, "input", placement))
    front = prompts_of(bare)[1]
    rows = written([placed, front, bare], TEXTS[:3], [0] * 3, [NEW] * 3)
    for model, text, ids in zip([placed, front, bare], TEXTS, rows, strict=False):
        eos = model.tokenizer.eos_token_id
        own = ids[: ids.index(eos)] if eos in ids else ids
        assert model.decode(own) == model.generate(text, max_new_tokens=NEW)[0]
    assert rows[0] != written([bare], TEXTS[:1], [0], [NEW])[0]


def test_columns_that_only_rows_that_left_had_filled_are_dropped() -> None:
    bare = PromptedModel(*tiny_model("llama"))
    texts = [bare.tokenizer(text)["input_ids"] for text in TEXTS[:3]]
    batch = read(bare.base, texts, [Surroundings()] * 3, 0).batch
    assert batch.mask.shape[1] == max(map(len, texts))
    kept = batch.keep([1])
    assert kept.mask.tolist() == [[1] * len(texts[1])]
    assert kept.cache.get_seq_length() == len(texts[1])
    with pytest.raises(ValueError, match="at least one row"):
        kept.keep([])
