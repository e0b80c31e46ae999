"""The prompt is the parameter."""

from __future__ import annotations

import torch

from spul.prompts import build_prompt
from spul.prompts.settings import PromptSettings
from tests.prompts.sources import D, build, count, source


def test_the_parameter_is_the_prompt() -> None:
    encoder = build("direct")
    assert count(encoder) == 5 * D
    with torch.no_grad():
        encoder.get_parameter("embedding").fill_(3.0)
    assert torch.equal(encoder(), torch.full((5, D), 3.0))


def test_training_it_leaves_the_base_s_embeddings_alone() -> None:
    """The first values are a copy: the base model's rows must never be written to."""
    offer = source()
    embeddings = offer.embeddings.clone()
    settings = PromptSettings(kind="direct", num_virtual_tokens=3, init="vocab")
    encoder = build_prompt(settings, type(offer)(embeddings, None, offer.key_values, frozenset()), 0)
    with torch.no_grad():
        encoder.get_parameter("embedding").add_(1.0)
    assert torch.equal(embeddings, offer.embeddings)
