"""Gradient ascent is learning with its sign turned."""

from __future__ import annotations

import pytest
import torch

from spul.objectives import OBJECTIVES
from spul.objectives.gradient_ascent import GradientAscent
from spul.types import ForwardPass


def test_it_is_the_log_probability_of_the_true_answer() -> None:
    """p = 0.2 · 0.5 for an answer of two tokens, 0.4 for another: (ln 0.1 + ln 0.4) / 2 = −(2.3026 + 0.9163) / 2."""
    logits = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.4, 0.6]]).log()
    forget = ForwardPass(logits, torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1]), 2)
    assert GradientAscent().loss(forget).item() == pytest.approx(-1.609438, abs=1e-5)


def test_a_step_down_the_loss_makes_the_truth_less_probable() -> None:
    """At p = (0.5, 0.5) the gradient of ln p(0) is (1 − 0.5, −0.5), so descent lowers the truth's logit by 0.5."""
    logits = torch.zeros(1, 2, requires_grad=True)
    GradientAscent().loss(ForwardPass(logits, torch.tensor([0]), torch.tensor([0]), 1)).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.5, -0.5]]


def test_a_batch_without_forget_rows_gives_zero_and_never_nan() -> None:
    logits = torch.zeros(0, 2, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = GradientAscent().loss(ForwardPass(logits, none, none, 0))
    assert loss.item() == 0.0
    loss.backward()


def test_it_is_aligned_with_the_true_answer_and_seeks_any_other() -> None:
    assert OBJECTIVES.get("gradient_ascent") is GradientAscent
    assert (GradientAscent.target, GradientAscent.sought) == ("true", "wrong")
