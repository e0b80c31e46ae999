"""KL divergence from the teacher to the student, worked by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.losses.kl import mean_kl

TEACHER = torch.tensor([[0.5, 0.5], [0.5, 0.5], [1 / 4, 3 / 4]]).log()
STUDENT = torch.tensor([[1 / 4, 3 / 4], [0.5, 0.5], [0.5, 0.5]]).log()


def test_one_token_answers() -> None:
    """KL(½,½ ‖ ¼,¾) = ½ ln 2 + ½ ln ⅔ = 0.143841; KL(p ‖ p) = 0; KL(¼,¾ ‖ ½,½) = ¼ ln ½ + ¾ ln 3/2 = 0.130812.

    Mean over three examples 0.091551. The two are not alike, so teacher and student cannot have changed places.
    """
    rows = torch.tensor([0, 1, 2])
    assert mean_kl(TEACHER, STUDENT, rows, 3).item() == pytest.approx(0.091551, abs=1e-5)
    assert mean_kl(TEACHER[:1], STUDENT[:1], rows[:1], 1).item() == pytest.approx(0.143841, abs=1e-5)
    assert mean_kl(TEACHER[2:], STUDENT[2:], rows[:1], 1).item() == pytest.approx(0.130812, abs=1e-5)


def test_an_answer_of_two_tokens_is_summed_and_then_averaged_over_examples() -> None:
    """(0.143841 + 0) and 0.130812: mean 0.137327, and not the mean over the three tokens."""
    rows = torch.tensor([0, 0, 1])
    assert mean_kl(TEACHER, STUDENT, rows, 2).item() == pytest.approx(0.137327, abs=1e-5)


def test_without_examples_it_is_zero_with_a_zero_gradient() -> None:
    student = torch.zeros(0, 3, requires_grad=True)
    loss = mean_kl(torch.zeros(0, 3), student, torch.zeros(0, dtype=torch.long), 0)
    assert loss.item() == 0.0
    loss.backward()
    assert student.grad is not None


def test_the_gradient_is_the_student_s_softmax_minus_the_teacher_s_over_the_number_of_examples() -> None:
    """∂/∂z_student = (q − p) / examples: first row (¼ − ½, ¾ − ½) / 2 = (−0.125, 0.125)."""
    student = STUDENT.clone().requires_grad_()
    mean_kl(TEACHER, student, torch.tensor([0, 0, 1]), 2).backward()
    expected = torch.tensor([[-0.125, 0.125], [0.0, 0.0], [0.125, -0.125]])
    assert student.grad is not None
    assert torch.allclose(student.grad, expected, atol=1e-6)


def test_the_gradient_at_random_logits() -> None:
    """The same rule for three examples of one, two and one tokens."""
    teacher, student = torch.randn(4, 5), torch.randn(4, 5, requires_grad=True)
    mean_kl(teacher, student, torch.tensor([0, 1, 1, 2]), 3).backward()
    expected = (student.detach().softmax(dim=-1) - teacher.softmax(dim=-1)) / 3
    assert student.grad is not None
    assert torch.allclose(student.grad, expected, atol=1e-6)


def test_a_token_that_the_teacher_rules_out_adds_nothing() -> None:
    """Teacher (½, ½, 0) by a logit of −10⁴, student uniform: KL = ln 3 − ln 2 = 0.405465, finite."""
    teacher = torch.tensor([[0.0, 0.0, -1e4]])
    student = torch.zeros(1, 3, requires_grad=True)
    loss = mean_kl(teacher, student, torch.tensor([0]), 1)
    assert loss.item() == pytest.approx(0.405465, abs=1e-5)
    loss.backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_half_precision_logits_are_reduced_in_float32() -> None:
    teacher, student = (torch.randn(8, 50).bfloat16() for _ in range(2))
    rows = torch.arange(8)
    loss = mean_kl(teacher, student, rows, 8)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(mean_kl(teacher.float(), student.float(), rows, 8).item(), rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**16), st.floats(-50, 50))
def test_it_is_zero_for_the_same_distribution_and_never_negative(n: int, seed: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, n, 7, generator=generator).unbind()
    rows = torch.arange(n)
    # A sum of seven float32 terms of both signs: zero up to rounding.
    assert mean_kl(teacher, teacher + shift, rows, n).item() == pytest.approx(0.0, abs=1e-5)
    assert mean_kl(teacher, student, rows, n).item() > 0
