"""What each shortcut of a pass is worth: ``python -m benchmarks.ideas``. One process, one thread, all ways in turns."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Sequence

import torch

from benchmarks.cases import CASES
from benchmarks.formulations import Ours
from benchmarks.tables import Row, markdown_table
from spul.models import passes
from spul.models.passes import Shortcuts
from spul.training import chunks

__all__ = ["main"]

USUAL = chunks.TOKENS_PER_CHUNK
WAYS = {
    "padded, whole last block": (Shortcuts(last_block=False, padding=False), USUAL),
    "padded, last block where read": (Shortcuts(last_block=True, padding=False), USUAL),
    "end to end, whole last block": (Shortcuts(last_block=False, padding=True), USUAL),
    "end to end, last block where read": (Shortcuts(last_block=True, padding=True), USUAL),
    "the same in chunks of 256 tokens": (Shortcuts(last_block=True, padding=True), 256),
    "the same in chunks of 4096 tokens": (Shortcuts(last_block=True, padding=True), 4096),
}


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print the table and return its rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ideas", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a small shape only: shows that everything runs")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    toy = {"vocab_size": 200, "hidden_size": 64, "num_layers": 2, "batch_size": 4, "batches": 1}
    cases = [dataclasses.replace(CASES[0], **toy)] if chosen.quick else list(CASES)
    rows = [row for case in cases for row in _measure(case.name, Ours(case), chosen.repetitions)]
    print(markdown_table(rows, tuple(rows[0])))
    return rows


def _measure(name: str, work: Ours, repetitions: int) -> list[Row]:
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    try:
        for repetition in range(repetitions + 1):
            for way, (shortcuts, tokens) in WAYS.items():
                passes._FOUND[work.base], chunks.TOKENS_PER_CHUNK = shortcuts, tokens
                start = time.process_time()
                for index in range(work.passes):
                    work.step(index)
                if repetition:  # the first warms up
                    seconds[way].append((time.process_time() - start) / work.passes)
    finally:
        chunks.TOKENS_PER_CHUNK = USUAL
    plain = next(iter(seconds.values()))
    return [
        {
            "case": name,
            "way": way,
            "CPU-s a step": statistics.median(found),
            "times faster": statistics.median(a / b for a, b in zip(plain, found, strict=True)),
        }
        for way, found in seconds.items()
    ]


if __name__ == "__main__":
    main()
