"""A base that stays quantised while a prompt is learned on it, and QLoRA; the numbers need bitsandbytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spul
from spul.data.batches import collate
from spul.models.loading import _keep_differentiable, load_base
from spul.models.prompted import PromptedModel
from spul.models.settings import ModelSettings
from spul.prompts import build_prompt
from spul.prompts.settings import PromptSettings
from spul.training.step import MicroBatch, Objective, loss_terms
from spul.types import Query
from tests.training.setting import config_of, write_setting


class Linear4bit(nn.Linear):
    support_avx512bf16_for_cpu = True


def test_four_bit_weights_are_not_repacked_for_inference() -> None:
    model: Any = nn.Sequential(Linear4bit(2, 2), nn.Linear(2, 2))
    _keep_differentiable(model)
    assert model[0].support_avx512bf16_for_cpu is False


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    pytest.importorskip("bitsandbytes", reason="the extra spul[quantized] is not installed")
    return write_setting(tmp_path)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_gradients_reach_the_prompt_through_quantised_weights(values: dict[str, Any], quantization: str) -> None:
    """They are those of the same weights in plain numbers, but for rounding.

    A pass without gradients comes first, as validation and the teacher's do.
    """
    from bitsandbytes.functional import dequantize_4bit as dequantized

    query = Query("q", (5, 6, 7, 8), (9,), "x")
    found = []
    path = values["model"]["path"]
    quantised = load_base(ModelSettings(path=path, quantization=quantization))
    plain = load_base(ModelSettings(path=path))
    for name, module in quantised.model.named_modules():
        if type(module).__name__ == "Linear4bit":
            weight: Any = module.weight
            plain.model.get_submodule(name).weight.data = dequantized(weight.data, weight.quant_state).float()
    for base in (plain, quantised):
        settings = PromptSettings(kind="direct", num_virtual_tokens=4, init="vocab")
        encoder = build_prompt(settings, PromptedModel(base.model, base.tokenizer).prompt_init(), 0)
        model = PromptedModel(base.model, base.tokenizer, encoder)
        model.score([query], [[query.answer_ids]])
        micro = MicroBatch(collate([query], [False], model.pad_id), 0, 1)
        loss_terms(model, micro, Objective(None, 1.0, 0.0), None).retain.backward()
        found.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
    assert torch.cosine_similarity(found[0], found[1], dim=0) > 0.98
    assert 0.8 < found[1].norm() / found[0].norm() < 1.25


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_a_prompt_learned_on_a_quantised_base_gives_the_same_answers_when_loaded(
    values: dict[str, Any], quantization: str
) -> None:
    run = spul.unlearn(config_of(values, f"model.quantization={quantization}", "train.max_steps=4"))
    query = Query("q", (5, 6, 7, 8), (9, 10), "x")
    first, second = (spul.load_model(run.path).score([query], [[query.answer_ids]]) for _ in range(2))
    assert first == second
    assert spul.load_model(run.path).base.is_quantized
    evaluated, again = ([s.logprob for s in spul.evaluate(run).read_samples("unlearned/test_retain")] for _ in range(2))
    assert evaluated == again
    assert run.cost["matmul_share"] is None


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_qlora_is_merged_into_full_precision(values: dict[str, Any]) -> None:
    overrides = ("model.quantization=nf4", "trainable=lora", "train.max_steps=4", "train.keep=last")
    run = spul.finetune(config_of({**values, "method": "finetune"}, *overrides))
    merged = load_base(ModelSettings(path=str(run.model_dir))).model.state_dict()
    before = load_base(ModelSettings(path=values["model"]["path"])).model.state_dict()
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name], merged[name])}
    assert changed == {"q_proj", "v_proj"}
