from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spul.errors import ModelError
from spul.models.loading import context_length, load_base, load_outline
from spul.models.settings import ModelSettings
from tests.tiny import CONTEXT, tiny_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, tokenizer = tiny_model("llama")
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def test_base_is_in_eval_mode_and_keeps_its_weights(saved: Path) -> None:
    loaded = load_base(ModelSettings(path=str(saved)))
    assert not loaded.model.training
    expected = tiny_model("llama")[0].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.model.state_dict().items())


def test_outline_knows_context_and_tokens_and_holds_no_weights(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    outline = load_outline(ModelSettings(path=str(saved)))
    assert context_length(outline.model) == CONTEXT
    assert outline.tokenizer("good film").input_ids == tiny_model("llama")[1]("good film").input_ids
    assert all(parameter.is_meta for parameter in outline.model.parameters())


@pytest.mark.parametrize("load", [load_base, load_outline])
def test_nothing_there(load: Callable[[ModelSettings], object], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a model directory at .*there is nothing"):
        load(ModelSettings(path=str(tmp_path / "missing")))


@pytest.mark.parametrize("path", ["runs/somewhere/model", "./model"])
def test_a_relative_path_is_no_hub_id(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=rf"there is nothing \(seen from {tmp_path}\)"):
        load_base(ModelSettings(path=path))


def test_damaged_weights(saved: Path) -> None:
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"expected a causal language model.*does not load"):
        load_base(ModelSettings(path=str(saved)))


def test_damaged_configuration(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, "model_type": "no-such-model"}))
    with pytest.raises(ModelError, match="does not load"):
        load_outline(ModelSettings(path=str(saved)))


def test_unknown_device() -> None:
    with pytest.raises(ModelError, match="expected a device such as auto, cpu or cuda:0, got 'gpu'"):
        load_base(ModelSettings(path="x", device="gpu"))


def test_loading_draws_no_bars_and_leaves_those_of_others(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    load_base(ModelSettings(path=str(saved)))
    assert capfd.readouterr().err == ""
    list(logging.tqdm(range(2), desc="somebody else's"))
    assert "somebody else's" in capfd.readouterr().err
