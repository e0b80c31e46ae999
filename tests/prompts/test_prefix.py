"""Deep prompts without an MLP."""

from __future__ import annotations

import torch

from tests.prompts.sources import HEAD_DIM, HEADS, LAYERS, build, count, key_values


def test_the_number_of_trained_parameters() -> None:
    """p · layers · 2 · heads · head_dim = 5 · 3 · 2 · 2 · 4 = 240."""
    assert count(build("prefix")) == 5 * LAYERS * 2 * HEADS * HEAD_DIM == 240


def test_it_starts_from_the_base_s_keys_and_values_for_the_text() -> None:
    encoder = build("prefix", init="text", init_text="three words here", text_ids=(7, 3, 5))
    assert torch.equal(encoder(), key_values(torch.tensor([7, 3, 5, 7, 3])))


def test_it_starts_from_the_base_s_keys_and_values_for_drawn_tokens() -> None:
    tokens = build("direct", seed=8, init="vocab")()[:, 0].long()
    assert torch.equal(build("prefix", seed=8, init="vocab")(), key_values(tokens))
