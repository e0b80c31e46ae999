"""Numbers too small to matter are taken for zero while training on a CPU.

Where a model is sure, its attention and its gradients hold numbers below 1e-38. A CPU computes with such denormals many
times more slowly than with others: the built-in demo's backward pass takes more than twice as long with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["flushed_denormals"]


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within the context, this thread takes denormal numbers for zero, where its processor can; then as before."""
    before = _flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushed() -> bool:
    # 1e-40 is below float32's smallest normal number.
    return (torch.tensor(1e-40) * 1.0).item() == 0.0
