"""How many CPU threads to train with: for small models one is often faster than all, so measure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch

from spul.config import TrainSettings

__all__ = ["choose_threads"]

CLEARLY_FASTER = 1.2
"""All threads are taken only if they are that many times as fast: a choice on the edge would not repeat."""


def choose_threads(settings: TrainSettings, one_pass: Callable[[], object]) -> int:
    """Return the number of threads to use, and set it.

    Args:
        settings: a fixed number, or ``auto``.
        one_pass: a forward and backward pass without side effects, timed with one thread and with all.
    """
    if settings.num_threads != "auto":
        torch.set_num_threads(settings.num_threads)
        return settings.num_threads
    everything = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    chosen = 1
    if everything > 1 and _seconds(one_pass, 1) > CLEARLY_FASTER * _seconds(one_pass, everything):
        chosen = everything
    torch.set_num_threads(chosen)
    return chosen


def _seconds(one_pass: Callable[[], object], threads: int) -> float:
    torch.set_num_threads(threads)
    one_pass()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        one_pass()
        best = min(best, time.perf_counter() - start)
    return best
