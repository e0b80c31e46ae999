"""The paper's parametrisation."""

from __future__ import annotations

import pytest
import torch

from spul.prompts import PromptInit, build_prompt
from spul.prompts.settings import PromptSettings
from tests.prompts.sources import build, count


@pytest.mark.parametrize(("d", "expected"), [(2048, 604_416), (4096, 1_192_192), (5120, 1_486_080)])
def test_the_paper_s_numbers_of_trained_parameters(d: int, expected: int) -> None:
    """p·d + (d·h + h) + (h·h + h) + (h·d + d) with p = 30, h = 128, for OPT-1.3B, LLaMA-2-7B and LLaMA-2-13B.

    d = 2048: 61 440 + 262 272 + 16 512 + 264 192 = 604 416.
    """
    offer = PromptInit(torch.zeros(1, d), None, lambda ids: ids, frozenset())
    assert count(build_prompt(PromptSettings(), offer, 0)) == expected


def test_the_formula_by_hand() -> None:
    """W₃·relu(W₂·relu(W₁·E + b₁) + b₂) + b₃, written out."""
    encoder = build("mlp")
    state = encoder.state_dict()
    hidden = state["embedding"]
    for layer in (0, 2):
        hidden = (hidden @ state[f"mlp.{layer}.weight"].T + state[f"mlp.{layer}.bias"]).clamp(min=0)
    expected = hidden @ state["mlp.4.weight"].T + state["mlp.4.bias"]
    assert torch.allclose(encoder(), expected, atol=1e-6)


def test_layers_start_as_torch_s_own_do() -> None:
    """U(−1/√inputs, 1/√inputs): within the bound, and its far ends reached."""
    offer = PromptInit(torch.zeros(1, 400), None, lambda ids: ids, frozenset())
    encoder = build_prompt(PromptSettings(), offer, 0)
    for name, inputs in (("mlp.0", 400), ("mlp.2", 128), ("mlp.4", 128)):
        bound = inputs**-0.5
        for part in ("weight", "bias"):
            largest = encoder.get_parameter(f"{name}.{part}").abs().max().item()
            assert 0.9 * bound < largest <= bound, (name, part)
