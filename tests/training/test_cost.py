"""Costs by formula, worked by hand on the tiny Llama."""

from __future__ import annotations

import pytest

from spul.models.lora import add_lora
from spul.models.named import train_named
from spul.models.prompted import PromptedModel
from spul.models.settings import LoraSettings
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
    assert cost["accelerator_seconds"] == 0.0
    assert cost["trained_parameters"] == P * 32


@pytest.mark.parametrize("kind", [None, "prefix"])
def test_what_has_no_virtual_tokens_at_the_input_pays_for_the_text_alone(kind: str | None) -> None:
    model = PromptedModel(*tiny_model("llama")) if kind is None else prompted("llama", kind)
    cost = training_cost(model, LOG, steps_per_epoch=5, passes_per_step=2)
    assert cost["training_flops"] == (6 if kind is None else 4) * N * 180


def test_a_run_without_steps_has_no_rates() -> None:
    cost = training_cost(prompted("llama"), [], steps_per_epoch=5, passes_per_step=1)
    assert (cost["seconds_per_epoch"], cost["tokens_per_second"], cost["training_flops"]) == (None, None, 0)
