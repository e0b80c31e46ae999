from __future__ import annotations

import math

import pytest
import torch

from spul.prompts import build_prompt
from spul.prompts.normalized import NormalizedPrompt
from spul.prompts.settings import PromptSettings
from tests.prompts.sources import D, build, count, source


def test_direction_and_length_by_hand() -> None:
    """(3, 4) has length 5; a direction of (0, 7) is (0, 1), whatever its size, so φ = (0, 5), and doubled (0, 10)."""
    prompt = NormalizedPrompt(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(prompt(), torch.tensor([[3.0, 4.0]]))
    with torch.no_grad():
        prompt.direction.copy_(torch.tensor([[0.0, 7.0]]))
        torch.testing.assert_close(prompt(), torch.tensor([[0.0, 5.0]]))
        prompt.log_length.add_(math.log(2))
    torch.testing.assert_close(prompt(), torch.tensor([[0.0, 10.0]]))


def test_a_step_along_the_token_itself_changes_nothing() -> None:
    """The gradient of the direction stands at right angles to it."""
    prompt = NormalizedPrompt(torch.tensor([[3.0, 4.0]]))
    (prompt() * torch.tensor([[1.0, -2.0]])).sum().backward()
    assert prompt.direction.grad is not None
    assert (prompt.direction.grad * prompt.direction).sum().item() == pytest.approx(0.0, abs=1e-5)


def test_it_starts_where_a_direct_prompt_does_and_has_a_length_a_token_more() -> None:
    settings = {"num_virtual_tokens": 5, "init": "vocab"}
    plain, normalized = (
        build_prompt(PromptSettings(kind=kind, **settings), source(), 3) for kind in ("direct", "normalized")
    )
    torch.testing.assert_close(plain(), normalized())
    assert count(build("normalized")) == 5 * (D + 1)
