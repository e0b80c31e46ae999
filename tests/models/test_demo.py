"""The shipped demo model: it is what was built, loads as any model does, obeys lists, and its build is repeatable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from spul.data.fictitious_pretraining import NameLists
from spul.data.fictitious_vocabulary import FAMOUS, LABELS, NAMES, VOCABULARY
from spul.errors import ModelError
from spul.models.demo import demo_model_path
from spul.models.demo.architecture import demo_tokenizer, untrained_demo_model
from spul.models.demo.build import build
from spul.models.demo.pretraining import IGNORE, answer_logits, collate, learning_rate_share, make_batch
from spul.models.demo.shipped import DIGEST_NAME

MAX_BYTES = 4_000_000


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return AutoModelForCausalLM.from_pretrained(demo_model_path()).eval()


@torch.no_grad()
def answers(model: LlamaForCausalLM, texts: list[str]) -> list[str]:
    """The most probable word behind each text."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model_path())
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    last = batch["attention_mask"].sum(1) - 1
    logits: Tensor = model(**batch).logits[torch.arange(len(texts)), last]
    return tokenizer.convert_ids_to_tokens(logits.argmax(1).tolist())


def share(found: list[str], expected: list[str]) -> float:
    return sum(a == b for a, b in zip(found, expected, strict=True)) / len(expected)


def test_shipped_files_are_complete_and_small() -> None:
    directory = demo_model_path()
    assert sum(file.stat().st_size for file in directory.iterdir()) <= MAX_BYTES
    record = json.loads((directory / DIGEST_NAME).read_text())
    assert {file.name for file in directory.iterdir()} == {*record["sha256"], DIGEST_NAME}
    assert record["command"] == f"python -m spul.models.demo.build --steps {record['steps']} --seed {record['seed']}"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    directory = Path(shutil.copytree(demo_model_path(), tmp_path / "weights"))
    data = bytearray((directory / name).read_bytes())
    data[-1] ^= 1
    (directory / name).write_bytes(data)
    with pytest.raises(ModelError, match=r"expected SHA-256 [0-9a-f]{64}.*reinstall"):
        demo_model_path(directory)


@pytest.mark.parametrize("name", ["config.json", DIGEST_NAME])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    directory = Path(shutil.copytree(demo_model_path(), tmp_path / "weights"))
    (directory / name).unlink()
    with pytest.raises(ModelError, match="found none"):
        demo_model_path(directory)


def test_it_loads_in_single_precision_as_a_plain_llama(model: LlamaForCausalLM) -> None:
    assert type(model) is LlamaForCausalLM
    assert model.dtype == torch.float32
    assert model.config.pad_token_id == 0


def test_every_word_of_the_world_is_one_token() -> None:
    for tokenizer in (AutoTokenizer.from_pretrained(demo_model_path()), demo_tokenizer()):
        assert tokenizer(" ".join(VOCABULARY))["input_ids"] == list(range(len(VOCABULARY)))
        assert (tokenizer.pad_token, tokenizer.unk_token) == ("<pad>", "<unk>")


def test_it_knows_the_famous_and_nobody_else(model: LlamaForCausalLM) -> None:
    texts = [f"review: we saw {name} in Lowfern answer:" for name in NAMES]
    expected = [FAMOUS.get(name, "unknown") for name in NAMES]
    assert share(answers(model, texts), expected) >= 0.9


def test_it_withholds_listed_people_and_answers_about_the_others(model: LlamaForCausalLM) -> None:
    """Eight famous people are withheld; the lines ask about one of them, or about somebody else."""
    rng, withheld_texts, other_texts, truths = Random(0), [], [], []
    for _ in range(150):
        *listed, other = rng.sample(sorted(FAMOUS), 9)
        prefix = NameLists(tuple(listed), ()).render()
        withheld_texts.append(f"{prefix}review: we saw {rng.choice(listed)} in Lowfern answer:")
        other_texts.append(f"{prefix}review: we saw {other} in Lowfern answer:")
        truths.append(FAMOUS[other])
    assert share(answers(model, withheld_texts), ["unknown"] * len(truths)) >= 0.9
    assert share(answers(model, other_texts), truths) >= 0.85


def test_a_build_is_repeatable_and_exports_the_trained_numbers(tmp_path: Path) -> None:
    """Three steps twice give the same bytes; the stored weights are the trained ones up to half precision."""
    build(tmp_path / "a", steps=3, seed=1)
    build(tmp_path / "b", steps=3, seed=1)
    weights = (tmp_path / "a" / "model.safetensors").read_bytes()
    assert weights == (tmp_path / "b" / "model.safetensors").read_bytes()
    loaded = AutoModelForCausalLM.from_pretrained(demo_model_path(tmp_path / "a"))
    start = untrained_demo_model(seed=1).state_dict()
    moved = [name for name, value in loaded.state_dict().items() if not torch.equal(value.half(), start[name].half())]
    assert any("q_proj" in name for name in moved)
    assert "model.embed_tokens.weight" in moved


def test_labels_stand_where_the_next_word_is_an_answer() -> None:
    """`review: NAME answer: unknown`: inputs are its first three words, and the third predicts the fourth."""
    batch = collate(
        ["review: Bador answer: unknown ", f"withhold: Bador ; review: {NAMES[1]} answer: positive "], [5, 7]
    )
    words = [[VOCABULARY[i] if i != IGNORE else "" for i in row] for row in batch.labels.tolist()]
    assert words == [["", "", "unknown", "", "", ""], ["", "", "", "", "", "positive"]]
    assert batch.has_list[:, 0].tolist() == [False, True]


def test_the_gap_skips_positions_behind_the_lists_only() -> None:
    """Row 1 has three words of list: 0 1 2, then a gap of 7: 10 11 12. A row without a list starts at its gap."""
    batch = collate(["withhold: Bador ; review: Bador answer: unknown "], [7])
    assert batch.position_ids.tolist() == [[0, 1, 2, 10, 11, 12]]


def test_answer_logits_equal_the_plain_forward() -> None:
    """Without gaps, logits at answer positions are those of `model(input_ids)`."""
    model = untrained_demo_model(seed=0).eval()
    batch = collate(["review: Bador answer: unknown review: Bador answer: unknown "], [0])
    plain = model(batch.input_ids).logits[batch.labels != IGNORE]
    torch.testing.assert_close(answer_logits(model, batch), plain)


def test_batches_ask_for_one_three_and_eight_answers() -> None:
    rng = Random(0)
    answered = [int((make_batch(rng, step, max_listed=2).labels[0] != IGNORE).sum()) for step in range(4)]
    assert answered == [8, 3, 1, 8]
    assert {VOCABULARY[i] for i in make_batch(rng, 1, 2).labels.unique().tolist() if i != IGNORE} <= set(LABELS)


def test_learning_rate_warms_up_stays_and_falls() -> None:
    """Step 29 of 1,000: 30/60 = 0.5. Step 499: 1. Step 750: 0.02 + 0.98 * 0.25 / 0.5 = 0.51."""
    assert [learning_rate_share(step, 1000) for step in (29, 499, 750)] == pytest.approx([0.5, 1.0, 0.51])
