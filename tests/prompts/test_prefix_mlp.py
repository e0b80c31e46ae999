"""Deep prompts made by an MLP."""

from __future__ import annotations

import torch

from tests.prompts.sources import HEAD_DIM, HEADS, LAYERS, build, count, key_values


def test_the_number_of_trained_parameters() -> None:
    """p·d + (d·h + h) + (h·f + f) with p = 5, d = 8, h = 6, f = 3·2·2·4 = 48: 40 + 54 + 336 = 430."""
    assert LAYERS * 2 * HEADS * HEAD_DIM == 48
    assert count(build("prefix_mlp")) == 430


def test_the_formula_by_hand() -> None:
    """W₂·tanh(W₁·E + b₁) + b₂; output number ((2·layer + pair)·2 + head)·4 + dim is place (layer, pair, head, dim)."""
    encoder = build("prefix_mlp")
    state = encoder.state_dict()
    hidden = torch.tanh(state["embedding"] @ state["hidden.weight"].T + state["hidden.bias"])
    flat = hidden @ state["output.weight"].T + state["output.bias"]
    values = encoder()
    for layer, pair, head, token, dim in [(0, 0, 0, 0, 0), (2, 1, 1, 4, 3), (1, 0, 1, 2, 1)]:
        expected = flat[token, ((2 * layer + pair) * 2 + head) * 4 + dim]
        assert torch.isclose(values[layer, pair, head, token, dim], expected, atol=1e-6)


def test_with_a_text_it_starts_near_the_mean_of_the_base_s_keys_and_values() -> None:
    encoder = build("prefix_mlp", p=2, init="text", init_text="two words", text_ids=(2, 4))
    with torch.no_grad():
        encoder.get_parameter("output.weight").zero_()
    mean = key_values(torch.tensor([3])).expand(-1, -1, -1, 2, -1)
    assert torch.allclose(encoder(), mean)
