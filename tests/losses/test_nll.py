"""Negative log-likelihood, worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch import Tensor

from spul.losses.nll import mean_nll, sequence_nll, sum_by_row


def logits_of(*rows: list[float]) -> Tensor:
    """Return logits whose softmax is the given probabilities."""
    return torch.tensor(rows).log()


LOGITS = logits_of([0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5])
LABELS = torch.tensor([0, 1, 0])


def test_one_token_answers() -> None:
    """p = 0.5, 0.8, 0.25, an example each: −ln 0.5 = 0.6931, −ln 0.8 = 0.2231, −ln 0.25 = 1.3863; mean 0.7675."""
    rows = torch.tensor([0, 1, 2])
    per_example = sequence_nll(LOGITS, LABELS, rows, 3)
    assert per_example.tolist() == pytest.approx([0.693147, 0.223144, 1.386294], abs=1e-5)
    assert mean_nll(LOGITS, LABELS, rows, 3).item() == pytest.approx(0.767528, abs=1e-5)


def test_an_answer_of_two_tokens_is_summed_and_then_averaged_over_examples() -> None:
    """Example 0 has tokens of p = 0.5 and 0.8: −ln 0.4 = 0.9163; example 1 one of p = 0.25: 1.3863.

    The mean is (0.9163 + 1.3863) / 2 = 1.1513, and not the mean over the three tokens, 0.7675.
    """
    rows = torch.tensor([0, 0, 1])
    assert sequence_nll(LOGITS, LABELS, rows, 2).tolist() == pytest.approx([0.916291, 1.386294], abs=1e-5)
    assert mean_nll(LOGITS, LABELS, rows, 2).item() == pytest.approx(1.151293, abs=1e-5)


def test_only_the_softmax_counts() -> None:
    """A constant on top of a row's logits changes nothing, however large: log-softmax is stable."""
    rows = torch.tensor([0, 1, 2])
    shifted = LOGITS + torch.tensor([[1e4], [-1e4], [3.0]])
    assert mean_nll(shifted, LABELS, rows, 3).item() == pytest.approx(0.767528, abs=1e-3)


def test_without_examples_it_is_zero_with_a_zero_gradient() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    loss = mean_nll(logits, none, none, 0)
    assert loss.item() == 0.0
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.shape == (0, 3)


def test_an_example_without_tokens_counts_in_the_mean() -> None:
    """Rows 0 and 2 of three have a token each: (0.6931 + 0 + 0.2231) / 3 = 0.3054."""
    loss = mean_nll(LOGITS[:2], LABELS[:2], torch.tensor([0, 2]), 3)
    assert loss.item() == pytest.approx(0.305430, abs=1e-5)


def test_the_gradient_is_softmax_minus_one_hot_over_the_number_of_examples() -> None:
    """Two examples, three tokens: (softmax(z) − e_label) / 2 for every token; the first is (−0.25, 0.125, 0.125)."""
    logits = LOGITS.clone().requires_grad_()
    mean_nll(logits, LABELS, torch.tensor([0, 0, 1]), 2).backward()
    expected = torch.tensor([[-0.25, 0.125, 0.125], [0.05, -0.1, 0.05], [-0.375, 0.125, 0.25]])
    assert logits.grad is not None
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_the_gradient_at_random_logits() -> None:
    """The same rule for three examples of one, two and one tokens."""
    logits = torch.randn(4, 5, requires_grad=True)
    labels = torch.tensor([0, 4, 2, 2])
    mean_nll(logits, labels, torch.tensor([0, 1, 1, 2]), 3).backward()
    expected = (logits.detach().softmax(dim=-1) - torch.eye(5)[labels]) / 3
    assert logits.grad is not None
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_half_precision_logits_are_reduced_in_float32() -> None:
    """2048 tokens of one example, ln 4 each: 2839.13; a bfloat16 sum would stall at 256 or so."""
    logits = torch.zeros(2048, 4, dtype=torch.bfloat16)
    zeros = torch.zeros(2048, dtype=torch.long)
    loss = mean_nll(logits, zeros, zeros, 1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2048 * math.log(4), rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 2**16))
def test_it_is_never_negative_and_the_order_of_tokens_does_not_matter(rows: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(rows), 6, generator=generator)
    labels = torch.randint(6, (len(rows),), generator=generator)
    order = torch.randperm(len(rows), generator=generator)
    index = torch.tensor(rows)
    loss = mean_nll(logits, labels, index, 4)
    assert loss.item() >= 0
    assert mean_nll(logits[order], labels[order], index[order], 4).item() == pytest.approx(loss.item(), rel=1e-5)


def test_sums_go_to_their_rows() -> None:
    """1 + 4 to row 0, 2 to row 2, 8 to row 3, nothing to row 1."""
    values, rows = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 2, 0, 3])
    assert sum_by_row(values, rows, 4).tolist() == [5.0, 0.0, 2.0, 8.0]
    assert sum_by_row(values[:0], rows[:0], 0).tolist() == []


def test_labels_that_do_not_line_up_are_refused_in_tests() -> None:
    with pytest.raises(TypeCheckError, match="labels"):
        mean_nll(LOGITS, LABELS[:2], torch.tensor([0, 1, 2]), 3)
