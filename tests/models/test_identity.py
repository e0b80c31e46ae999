"""A base model's identity follows what it computes with, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from spul.models.identity import BaseIdentity, base_identity, model_digest
from spul.models.loading import load_base
from spul.models.settings import ModelSettings
from tests.tiny import ARCHITECTURES, tiny_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saving_in_shards_and_loading_keeps_the_identity(architecture: str, tmp_path: Path) -> None:
    model, _ = tiny_model(architecture)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1

    again = AutoModelForCausalLM.from_pretrained(tmp_path)

    assert base_identity(again, "here") == base_identity(model, "here")


def test_weights_of_several_pieces_have_the_digest_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model()
    whole = model_digest(model)
    monkeypatch.setattr("spul.models.identity.CHUNK_BYTES", 1000)
    assert model_digest(model) == whole


def test_architectures_and_seeds_have_digests_of_their_own() -> None:
    digests = {model_digest(tiny_model(architecture)[0]) for architecture in ARCHITECTURES}
    # Llama and Mistral without a window compute the same from the same weights; the model type still tells them apart.
    assert len(digests) == len(ARCHITECTURES)
    assert model_digest(tiny_model(seed=1)[0]) not in digests


def test_the_smallest_change_of_a_weight_is_seen() -> None:
    model, _ = tiny_model()
    before = base_identity(model, "here")
    weight = model.get_parameter("model.layers.1.mlp.up_proj.weight")
    with torch.no_grad():
        weight[3, 5] = torch.nextafter(weight[3, 5], torch.tensor(torch.inf))
    after = base_identity(model, "here")
    assert after.digest != before.digest
    assert after.structure == before.structure


def test_two_weights_that_change_places_are_seen() -> None:
    model, _ = tiny_model()
    before = model_digest(model)
    first, second = (model.get_parameter(f"model.layers.{i}.mlp.up_proj.weight") for i in (0, 1))
    with torch.no_grad():
        kept = first.clone()
        first.copy_(second)
        second.copy_(kept)
    assert model_digest(model) != before


def test_tied_and_untied_models_of_equal_weights_are_one_model() -> None:
    tied, _ = tiny_model("llama_tied")
    untied, _ = tiny_model("llama")
    missing = untied.load_state_dict(tied.state_dict())
    assert not missing.missing_keys
    assert untied.lm_head.weight.data_ptr() != untied.model.embed_tokens.weight.data_ptr()
    assert model_digest(untied) == model_digest(tied)


def test_storage_layout_does_not_matter() -> None:
    model, _ = tiny_model()
    before = model_digest(model)
    weight = model.get_parameter("model.layers.0.mlp.up_proj.weight")
    weight.data = weight.data.t().contiguous().t()
    assert not weight.is_contiguous()
    assert model_digest(model) == before


def test_another_precision_is_another_digest_of_the_same_structure() -> None:
    model, _ = tiny_model()
    single = base_identity(model, "here")
    half = base_identity(model.to(torch.bfloat16), "here")
    assert (single.precision, half.precision) == ("float32", "bfloat16")
    assert half.digest != single.digest
    assert half.structure == single.structure


def test_a_setting_that_changes_the_function_is_seen_and_one_that_does_not_is_not() -> None:
    model, _ = tiny_model()
    digest = model_digest(model)

    def digest_with(**changes: object) -> str:
        other = LlamaForCausalLM(LlamaConfig(**{**model.config.to_dict(), **changes}))
        other.load_state_dict(model.state_dict())
        return model_digest(other)

    assert digest_with() == digest
    assert digest_with(use_cache=False, attention_dropout=0.5, eos_token_id=7) == digest
    rope = {"rope_type": "default", "rope_theta": 500.0}
    assert digest_with(rope_parameters=rope) != digest


def test_a_weight_of_another_name_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = tiny_model()
    digest, weights = model_digest(model), model.state_dict()
    monkeypatch.setattr(model, "state_dict", lambda: {f"{name}.": value for name, value in weights.items()})
    assert model_digest(model) != digest


def test_a_layer_more_is_another_structure() -> None:
    model, _ = tiny_model()
    more = LlamaForCausalLM(LlamaConfig(**{**model.config.to_dict(), "num_hidden_layers": 3}))
    assert base_identity(more, "here").structure != base_identity(model, "here").structure


@pytest.mark.parametrize(("setting", "precision"), [("nf4", "bitsandbytes-4bit"), ("int8", "bitsandbytes-8bit")])
def test_a_quantised_model_is_the_same_structure_in_another_precision(
    setting: Literal["nf4", "int8"], precision: str, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes", reason="needs spul[quantized]")
    model, tokenizer = tiny_model()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    settings = ModelSettings(path=str(tmp_path), quantization=setting)

    whole = base_identity(model, "here")
    first, second = (base_identity(load_base(settings).model, "here") for _ in range(2))

    assert first == second
    assert first.precision == precision
    assert first.structure == whole.structure
    assert first.digest != whole.digest


def test_width_is_that_of_the_embeddings_and_json_keeps_everything() -> None:
    identity = base_identity(tiny_model("qwen3")[0], "somewhere")
    assert (identity.hidden_size, identity.num_layers, identity.architecture) == (32, 2, "Qwen3ForCausalLM")
    assert BaseIdentity.from_json(identity.to_json()) == identity


@pytest.mark.gpu
def test_the_device_does_not_matter() -> None:
    model, _ = tiny_model()
    before = model_digest(model)
    assert model_digest(model.to("cuda")) == before
