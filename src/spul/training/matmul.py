"""The rate at which this machine multiplies matrices: what a training's operations are held against."""

from __future__ import annotations

import time
from functools import cache

import torch

__all__ = ["matmul_rate"]

SECONDS = 0.3
"""Time to measure for, the search for a size left out."""
LONG_ENOUGH = 0.01
"""A product that takes that many seconds is not dominated by what surrounds it."""
SMALLEST, LARGEST = 256, 8192


@cache
def matmul_rate(device: str, dtype: torch.dtype, threads: int) -> float:
    """Return the floating-point operations a second of the machine's matrix product, measured once a process.

    A product of two random square matrices of n rows counts 2·n³ operations, as a training's operations are counted;
    the fastest of those within 0.3 seconds gives the rate. n is the first power of two from 256 on whose product takes
    10 ms (8192 at most). It is what torch reaches in the state of the machine at that time, not what the maker says.

    Args:
        device: torch's name of it.
        dtype: of the matrices.
        threads: CPU threads that torch uses now; for the cache.

    Raises:
        RuntimeError: the device does not multiply matrices of this kind, or has no memory for them.
    """
    n = SMALLEST
    while True:
        first, second = (torch.randn(n, n, device=device, dtype=torch.float32).to(dtype) for _ in range(2))
        _seconds(first, second)
        best = _seconds(first, second)
        if best >= LONG_ENOUGH or n >= LARGEST:
            break
        n *= 2
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        best = min(best, _seconds(first, second))
    return 2 * n**3 / best


def _seconds(first: torch.Tensor, second: torch.Tensor) -> float:
    start = time.perf_counter()
    product = first @ second
    # Reading one number waits for an accelerator to be done.
    product[0, 0].item()
    return time.perf_counter() - start
