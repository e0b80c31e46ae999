"""Denormal numbers are zero while training, and only then."""

from __future__ import annotations

import pytest
import torch

from spul.training.denormals import flushed_denormals


def tiny() -> float:
    """1e-40, a denormal number in float32, after one multiplication."""
    return (torch.tensor(1e-40) * 1.0).item()


@pytest.fixture(autouse=True)
def kept_as_it_was() -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot flush denormal numbers")


def test_denormals_are_zero_within_the_context_and_are_back_behind_it() -> None:
    assert tiny() > 0
    with flushed_denormals():
        assert tiny() == 0
    assert tiny() > 0


def test_an_error_brings_them_back_too() -> None:
    with pytest.raises(RuntimeError, match="planted"), flushed_denormals():
        raise RuntimeError("planted")
    assert tiny() > 0


def test_what_was_flushed_before_stays_flushed() -> None:
    with flushed_denormals():
        with flushed_denormals():
            pass
        assert tiny() == 0


def test_gradients_are_flushed_as_well() -> None:
    """The backward pass of 1e-30 · x with an incoming 1e-10: 1e-40, or 0 where it is flushed."""

    def gradient() -> float:
        x = torch.ones(1, requires_grad=True)
        (1e-30 * x).backward(torch.full((1,), 1e-10))
        assert x.grad is not None
        return float(x.grad)

    assert gradient() > 0
    with flushed_denormals():
        assert gradient() == 0
