"""SPUL's forget term."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from spul.objectives import OBJECTIVES
from spul.objectives.generic_label import GenericLabel
from spul.types import ForwardPass


def test_it_is_the_cross_entropy_to_the_answer_that_it_is_given() -> None:
    """p = 0.2 · 0.5 for an answer of two tokens, 0.4 for another: (−ln 0.1 − ln 0.4) / 2 = (2.3026 + 0.9163) / 2."""
    logits = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.4, 0.6]]).log()
    forget = ForwardPass(logits, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]), 2)
    assert GenericLabel().loss(forget).item() == pytest.approx(1.609438, abs=1e-5)


def test_a_batch_without_forget_rows_gives_zero_and_never_nan() -> None:
    logits = torch.zeros(0, 2, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = GenericLabel().loss(ForwardPass(logits, none, none, 0))
    assert loss.item() == 0.0
    loss.backward()


def test_it_asks_for_generic_answers_and_needs_no_reference() -> None:
    assert OBJECTIVES.get("generic_label") is GenericLabel
    assert GenericLabel.target == "generic"
    assert not GenericLabel.needs_reference


def test_it_has_no_settings_of_its_own() -> None:
    with pytest.raises(ValidationError, match="beta"):
        GenericLabel.model_validate({"name": "generic_label", "beta": 0.1})
