from __future__ import annotations

import pytest

from spul.errors import ConfigError
from spul.models.named import train_named
from tests.tiny import tiny_model


def test_what_fits_a_pattern_is_trained_and_nothing_else() -> None:
    model, _ = tiny_model("llama")
    train_named(model, ["*.1.mlp.*", "model.norm.weight"])
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    projections = {f"model.layers.1.mlp.{name}_proj.weight" for name in ("gate", "up", "down")}
    assert trained == {"model.norm.weight", *projections}


def test_a_pattern_that_fits_nothing_says_what_there_is_and_changes_nothing() -> None:
    model, _ = tiny_model("llama")
    with pytest.raises(ConfigError, match=r"'\*\.fc1\.\*' fits no parameter of LlamaForCausalLM.*model\.embed_tokens"):
        train_named(model, ["model.norm.weight", "*.fc1.*"])
    assert all(parameter.requires_grad for parameter in model.parameters())
