"""Costs by formula, worked by hand on the tiny Llama."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from spul.models.lora import add_lora
from spul.models.named import train_named
from spul.models.prompted import PromptedModel
from spul.models.settings import LoraSettings
from spul.training import cost as cost_module
from spul.training import matmul
from spul.training.cost import flops_per_token, training_cost
from tests.models.test_prompted import P, prompted
from tests.tiny import tiny_model

LAYER = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64 + 2 * 32
"""Query, key and value, output, the three matrices of the MLP, two gains."""
N = 2 * LAYER + 32
"""Two layers and the last gain; embeddings and head (100 × 32 each) do not count."""


def test_all_weights_cost_six_operations_a_parameter_and_token() -> None:
    model, _ = tiny_model("llama")
    assert flops_per_token(model) == 6 * N == 6 * 18592


def test_frozen_weights_cost_four() -> None:
    assert flops_per_token(prompted("llama").base) == 4 * N


def test_a_part_of_the_weights_costs_four_and_two_for_what_is_trained() -> None:
    model, _ = tiny_model("llama")
    train_named(model, ["*.1.mlp.up_proj.weight", "model.embed_tokens.weight"])
    assert flops_per_token(model) == 4 * N + 2 * 32 * 64


def test_lora_matrices_count_with_the_weights() -> None:
    """Rank 2 on q (32 → 32) and v (32 → 16) of two layers."""
    model, _ = tiny_model("llama")
    add_lora(model, LoraSettings(r=2))
    matrices = 2 * 2 * (32 + 32 + 32 + 16)
    assert flops_per_token(model) == 4 * (N + matrices) + 2 * matrices


def test_a_tied_head_is_no_second_matrix() -> None:
    model, _ = tiny_model("gpt2")
    embeddings = (100 + 128) * 32
    assert flops_per_token(model) == 6 * (sum(p.numel() for p in model.parameters()) - embeddings)


LOG = [
    {"step": 1, "loss": 1.0, "seconds": 2.0, "tokens_per_second": 50.0},
    {"step": 2, "loss": 1.0, "seconds": 1.0, "tokens_per_second": 80.0},
    {"step": 2, "validation_score": 0.5, "seconds": 4.0},
]


def test_validations_count_as_time_and_not_as_training() -> None:
    """100 and 80 tokens in 3 seconds; an epoch of 5 steps takes 5 · 1.5; the prompt runs once in each of 4 passes."""
    cost = training_cost(prompted("llama"), LOG, steps_per_epoch=5, passes_per_step=2)
    assert (cost["seconds"], cost["seconds_per_epoch"], cost["steps"]) == (7.0, 7.5, 2)
    assert (cost["tokens"], cost["tokens_per_second"]) == (180, 60.0)
    assert cost["training_flops"] == 4 * N * (180 + 4 * P)
    assert (cost["accelerator_seconds"], cost["accelerator_seconds_per_epoch"]) == (0.0, 0.0)
    assert cost["trained_parameters"] == P * 32


def test_the_share_is_of_the_measured_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """4·N·(180 + 4·P) operations in 3 seconds, on a machine that does 10⁶ a second."""
    asked: list[tuple[str, torch.dtype, int]] = []
    monkeypatch.setattr(cost_module, "matmul_rate", lambda *of: asked.append(of) or 1e6)
    found = training_cost(prompted("llama"), LOG, steps_per_epoch=5, passes_per_step=2, precision="bf16")
    assert found["matmul_share"] == pytest.approx(4 * N * (180 + 4 * P) / 3 / 1e6)
    assert (found["matmul_flops_per_second"], found["matmul_reason"]) == (1e6, None)
    assert asked == [("cpu", torch.bfloat16, torch.get_num_threads())]
    assert found["matmul_dtype"] == "bfloat16"


def test_a_rate_that_cannot_be_measured_is_null_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> float:
        raise RuntimeError("no such product")

    monkeypatch.setattr(cost_module, "matmul_rate", refuses)
    model = prompted("llama")
    found = training_cost(model, LOG, steps_per_epoch=5, passes_per_step=1)
    assert (found["matmul_share"], found["matmul_reason"]) == (None, "it cannot be measured here: no such product")
    monkeypatch.setattr(model.base, "quantization_method", "bitsandbytes", raising=False)
    found = training_cost(model, LOG, steps_per_epoch=5, passes_per_step=1)
    assert found["matmul_share"] is None
    assert "quantised" in str(found["matmul_reason"])


def test_the_rate_is_measured_in_less_than_a_second_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every product takes 20 ms: the smallest size will do, and 2·256³ operations in that time."""
    ticks = itertools.count()
    monkeypatch.setattr(matmul.time, "perf_counter", lambda: 0.02 * next(ticks))
    matmul.matmul_rate.cache_clear()
    rate = matmul.matmul_rate("cpu", torch.float32, 1)
    assert rate == pytest.approx(2 * 256**3 / 0.02)
    used = next(ticks)
    assert 0.02 * used < 1
    assert matmul.matmul_rate("cpu", torch.float32, 1) == rate
    assert next(ticks) == used + 1
    matmul.matmul_rate.cache_clear()


@pytest.mark.parametrize("kind", [None, "prefix"])
def test_what_has_no_virtual_tokens_at_the_input_pays_for_the_text_alone(kind: str | None) -> None:
    model = PromptedModel(*tiny_model("llama")) if kind is None else prompted("llama", kind)
    cost = training_cost(model, LOG, steps_per_epoch=5, passes_per_step=2)
    assert cost["training_flops"] == (6 if kind is None else 4) * N * 180


def test_a_run_without_steps_has_no_rates() -> None:
    cost = training_cost(prompted("llama"), [], steps_per_epoch=5, passes_per_step=1)
    assert (cost["seconds_per_epoch"], cost["tokens_per_second"], cost["training_flops"]) == (None, None, 0)
    assert (cost["matmul_share"], cost["matmul_reason"]) == (None, "no step was trained")
