"""Learning is the truth's cross-entropy."""

from __future__ import annotations

import pytest
import torch

from spul.objectives import OBJECTIVES
from spul.objectives.learn import Learn
from spul.types import ForwardPass


def test_it_is_the_cross_entropy_to_the_true_answer() -> None:
    """p = 0.25 and 0.5, an example each: (ln 4 + ln 2) / 2 = 1.5 · ln 2 = 1.0397."""
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    forget = ForwardPass(logits, torch.tensor([0, 1]), torch.tensor([0, 1]), 2)
    assert Learn().loss(forget).item() == pytest.approx(1.039721, abs=1e-5)
    assert OBJECTIVES.get("learn") is Learn
    assert Learn.target == "true"
