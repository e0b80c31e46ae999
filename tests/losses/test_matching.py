from __future__ import annotations

from math import log

import pytest
import torch

from spul.losses.kl import mean_kl
from spul.losses.matching import mean_target_kl


def test_by_hand() -> None:
    """p uniform over 4 tokens; target 1/2 on token 0, 1/4 on token 1, 1/4 on the other two together.

    KL = 1/2 ln (1/2)/(1/4) + 1/4 ln (1/4)/(1/4) + 1/4 ln (1/4)/(1/2) = 1/2 ln 2 + 0 − 1/4 ln 2 = 1/4 ln 2.
    """
    found = mean_target_kl(
        torch.zeros(1, 4), torch.tensor([[0, 1]]), torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([0]), 1
    )
    assert found.item() == pytest.approx(log(2) / 4)


def test_a_second_token_counts_with_the_probability_of_being_reached() -> None:
    """Token 0 is right in distribution (KL 0); the second is reached with 1/2, where the target is sure and p is 1/4.

    KL = 0 + 1/2 ln 1/(1/4) = ln 2; over two examples, of which the other is matched, half of it.
    """
    logits = torch.zeros(3, 4)
    token_ids = torch.tensor([[0, 1], [2, 2], [0, 1]])
    mass = torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.0, 0.0], [0.25, 0.25, 0.5]])
    found = mean_target_kl(logits, token_ids, mass, torch.tensor([0, 0, 1]), 2)
    assert found.item() == pytest.approx(log(2) / 2)


def test_naming_every_token_gives_the_ordinary_kl() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = torch.randn(2, 5, 6, generator=generator)
    rows = torch.tensor([0, 0, 1, 2, 2])
    mass = torch.cat([teacher.softmax(-1), torch.zeros(5, 1)], dim=1)
    found = mean_target_kl(student, torch.arange(6).expand(5, 6), mass, rows, 3)
    torch.testing.assert_close(found, mean_kl(teacher, student, rows, 3))


def test_the_gradient_is_finite_where_nothing_is_left_for_other_tokens() -> None:
    """Every token is named, so the others' log-probability is −∞; an outcome without mass must not spoil the step."""
    logits = torch.zeros(1, 2, requires_grad=True)
    mean_target_kl(logits, torch.tensor([[0, 1]]), torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0]), 1).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.5, 0.5]]))


def test_without_examples_it_is_zero_and_has_a_graph() -> None:
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = mean_target_kl(logits, torch.zeros(0, 1, dtype=torch.long), torch.zeros(0, 2), torch.zeros(0).long(), 0)
    loss.backward()
    assert loss.item() == 0.0
