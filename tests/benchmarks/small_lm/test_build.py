"""The small model at toy size: an ordinary checkpoint, a tokenizer fit for answers, the same weights after a stop."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zstandard
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from scripts import build_small_lm as command
from spul.benchmarks.small_lm.build import INPUTS, build
from spul.benchmarks.small_lm.embeddings import cooccurrence, ppmi, ppmi_svd_embeddings
from spul.benchmarks.small_lm.muon import orthogonalise
from spul.benchmarks.small_lm.preparation import token_stream
from spul.benchmarks.small_lm.pretraining import schedule
from spul.benchmarks.small_lm.recipe import Recipe
from spul.benchmarks.small_lm.tokenizer import ANSWERS, TEMPLATE_PARTS, fit_tokenizer
from spul.errors import DataError, RunError

TOY = Recipe(
    steps=6,
    vocab_size=320,
    hidden_size=16,
    layers=2,
    heads=2,
    intermediate_size=24,
    context=64,
    batch_size=2,
    sequence_length=16,
    warmup_steps=2,
    tokenizer_stride=1,
)
PROMPT = "### Text: {}\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment:"


def _silent(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a few lines of made-up text in the formats of the real one."""
    root = tmp_path_factory.mktemp("data")
    rng = random.Random(0)
    words = ["The", "film", "rain", "harbour", "old", "slow", "song", "was", "is", "And", "merry", "winter", "it's"]
    (root / "lm_text").mkdir()
    (root / "sst2_entity").mkdir()
    for split, lines in (("train", 60), ("valid", 6)):
        text = "".join(" ".join(rng.choices(words, k=40)) + "\n" for _ in range(lines))
        (root / "lm_text" / f"{split}.txt.zst").write_bytes(zstandard.ZstdCompressor().compress(text.encode()))
    with gzip.open(root / "sst2_entity" / "train_retain.csv.gz", "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "label_text"])
        writer.writerows(["a merry song", 1, "positive"] for _ in range(3))
    return root


@pytest.fixture(scope="module")
def built(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "small-lm"
    build(data, out, TOY, command="test", checkpoint_every=2, log=_silent)
    return out


def _weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model.safetensors")


def test_the_folder_is_an_ordinary_checkpoint(built: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(built)
    tokenizer = AutoTokenizer.from_pretrained(built)
    assert isinstance(model, LlamaForCausalLM)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert model.config.tie_word_embeddings
    assert len(tokenizer) == model.config.vocab_size == TOY.vocab_size
    names = ("pad_token_id", "bos_token_id", "eos_token_id")
    assert [tokenizer.pad_token, tokenizer.bos_token, tokenizer.eos_token] == ["<pad>", "<s>", "</s>"]
    for holder in (model.config, model.generation_config):
        assert [getattr(holder, name) for name in names] == [getattr(tokenizer, name) for name in names] == [0, 1, 2]
    assert tokenizer.padding_side == "right"
    assert tokenizer.model_max_length == model.config.max_position_embeddings == TOY.context
    prompt = tokenizer(PROMPT.format("the old film"), return_tensors="pt")
    assert model.generate(**prompt, max_new_tokens=2).shape[1] <= prompt["input_ids"].shape[1] + 2
    assert sorted(path.name for path in built.iterdir()) == [
        "build.json",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_the_record_says_how_it_was_made_and_what_it_measures(built: Path, data: Path) -> None:
    record = json.loads((built / "build.json").read_text(encoding="utf-8"))
    assert record["command"] == "test"
    assert record["recipe"]["seed"] == 0
    assert record["steps"] == 6
    assert record["training_tokens"] == 6 * 2 * 16
    assert set(record["inputs"]) == set(INPUTS)
    assert record["validation"]["perplexity"] == pytest.approx(np.exp(record["validation"]["nll"]))
    assert record["validation"]["nll"] < np.log(TOY.vocab_size)  # better than knowing nothing
    assert record["cpu_seconds"]["training"] > 0


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("text", ["the old film", "It's", "", "a\n\nb ", "### Text: twice", "Éé ½ 漢"])
def test_an_answer_is_one_id_after_the_ids_of_the_prompt(built: Path, text: str, answer: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)
    prompt = tokenizer(PROMPT.format(text))["input_ids"]
    both = tokenizer(PROMPT.format(text) + " " + answer)["input_ids"]
    assert both[:-1] == prompt
    assert tokenizer.decode(both[-1]) == " " + answer
    assert both[-1] not in tokenizer.all_special_ids
    assert prompt[0] == tokenizer.bos_token_id


def test_the_template_costs_two_ids_and_offsets_point_into_the_text_as_given(built: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)
    prompt = PROMPT.format("The OLD film")
    encoded = tokenizer(prompt, return_offsets_mapping=True)
    parts = tokenizer.convert_tokens_to_ids(list(TEMPLATE_PARTS))
    assert [encoded["input_ids"][1], encoded["input_ids"][-1]] == parts
    pieces = [prompt[first:last] for first, last in encoded["offset_mapping"][1:]]
    assert "".join(pieces) == prompt
    assert encoded["input_ids"][2:-1] == tokenizer(" the old film", add_special_tokens=False)["input_ids"]


def test_documents_become_one_stream_with_their_borders(built: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(built)
    film, rain = (tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in ("film", "rain"))
    assert token_stream(tokenizer, ["Film", "rain"]).tolist() == [1, *film, 2, 1, *rain, 2]


def test_a_vocabulary_too_small_or_text_too_short_is_an_error() -> None:
    with pytest.raises(DataError, match="too small"):
        fit_tokenizer(["film"], vocab_size=265)
    with pytest.raises(DataError, match="give more text or a smaller vocabulary"):
        fit_tokenizer(["film"], vocab_size=5_000)


class _PulledPlugError(Exception):
    """Stands for a kill."""


def _stop_at(word: str) -> Callable[[str], None]:
    def log(line: str) -> None:
        if line.startswith(word):
            raise _PulledPlugError(line)

    return log


@pytest.mark.parametrize("moment", ["tokenizer ready", "tokens ready", "step 2/", "step 4/", "step 6/"])
def test_stopped_and_continued_is_not_stopped(built: Path, data: Path, tmp_path: Path, moment: str) -> None:
    out = tmp_path / "small-lm"
    with pytest.raises(_PulledPlugError):
        build(data, out, TOY, command="test", checkpoint_every=2, log=_stop_at(moment))
    assert not (out / "build.json").exists()
    build(data, out, TOY, command="test", checkpoint_every=2, log=_silent)
    whole, pieced = _weights(built), _weights(out)
    assert whole.keys() == pieced.keys()
    assert all(torch.equal(whole[name], pieced[name]) for name in whole)
    assert (built / "tokenizer.json").read_bytes() == (out / "tokenizer.json").read_bytes()


def test_training_moves_every_weight_and_the_seed_decides(built: Path, data: Path, tmp_path: Path) -> None:
    variants: dict[str, dict[str, Any]] = {"unmoved": {"steps": 1}, "other_seed": {"seed": 1}}
    for name, change in variants.items():
        values = {field: getattr(TOY, field) for field in TOY.__dataclass_fields__} | change
        build(data, tmp_path / name, Recipe(**values), command="test", log=_silent)
    after = _weights(built)
    for name in variants:
        other = _weights(tmp_path / name)
        assert not any(torch.equal(after[key], other[key]) for key in after)


def test_a_finished_build_is_left_alone_and_another_plan_is_refused(built: Path, data: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in built.iterdir()}
    build(data, built, TOY, command="again", log=_silent)
    with pytest.raises(RunError, match=r"recipe\.steps is 6, asked for is 900"):
        build(data, built, Recipe(), command="again", log=_silent)
    assert before == {path.name: path.stat().st_mtime_ns for path in built.iterdir()}


def test_a_model_from_elsewhere_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match=r"came one without build\.json"):
        build(data, tmp_path, TOY, command="test", log=_silent)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_unfinished_build_of_another_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "small-lm"
    with pytest.raises(_PulledPlugError):
        build(data, out, TOY, command="test", log=_stop_at("tokenizer ready"))
    with pytest.raises(RunError, match="choose another --out or delete that folder"):
        build(data, out, Recipe(), command="test", log=_silent)


def test_a_broken_training_state_is_an_error_that_names_the_file(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "small-lm"
    with pytest.raises(_PulledPlugError):
        build(data, out, TOY, command="test", checkpoint_every=2, log=_stop_at("step 2/"))
    state = out / ".unfinished" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(RunError, match=r"state\.safetensors: expected a training state"):
        build(data, out, TOY, command="test", log=_silent)


def test_missing_data_end_with_code_2_and_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "set SPUL_DATA" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_learning_rate_climbs_stays_and_falls() -> None:
    """100 steps, 10 of them warm-up: 1/10, 5/10, 1; flat to 40; (1 − 0.7)/0.6 = 0.5 at 70; never under 0.03."""
    shares = [schedule(step, steps=100, warmup=10) for step in (0, 4, 9, 39, 70, 99)]
    assert shares == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.03])


def test_cooccurrence_counts_fall_with_distance() -> None:
    """Stream 0 1 2 0, window 2. Distance 1: (0,1) (1,2) (2,0), each 1. Distance 2: (0,2) (1,0), each 1/2.

    Both directions added: 0–1 is 1 + 1/2, 1–2 is 1, 0–2 is 1 + 1/2; no token stands by itself.
    """
    counts = cooccurrence(np.array([0, 1, 2, 0]), vocab_size=3, window=2)
    assert counts.tolist() == [[0, 1.5, 1.5], [1.5, 0, 1], [1.5, 1, 0]]


def test_ppmi_by_hand() -> None:
    """Counts [[0, 4], [4, 8]]: rows 4 and 12; contexts 4^¾ = 2.828 and 12^¾ = 6.447, as shares 0.3049 and 0.6951.

    Row 0, column 1: log(4 / (4 · 0.6951)) = 0.3637. Row 1, column 0: log(4 / (12 · 0.3049)) = 0.0890.
    Their mean is 0.2263. Row 1, column 1: log(8 / (12 · 0.6951)) = −0.0418, so 0. Never met: 0.
    """
    matrix = ppmi(np.array([[0, 4], [4, 8]], dtype=np.float32))
    assert matrix == pytest.approx(np.array([[0, 0.2263], [0.2263, 0]]), abs=2e-4)


def test_embeddings_put_words_of_like_neighbours_side_by_side() -> None:
    """Tokens 1 and 2 stand between the same neighbours, 3 and 4 between others; 5 never occurs."""
    rng = np.random.default_rng(0)
    stream = np.concatenate([[6, rng.choice([1, 2]), 7, 8, rng.choice([3, 4]), 9] for _ in range(400)])
    vectors = ppmi_svd_embeddings(stream, vocab_size=10, hidden_size=4, seed=0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors.shape == (10, 4)
    assert unit[1] @ unit[2] > 0.9 > unit[1] @ unit[3]
    assert np.isfinite(vectors).all() and np.linalg.norm(vectors[5]) > 0


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 12, 6), (2, 6, 12)])
def test_muon_makes_singular_values_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.6 and values.max() < 1.3
