"""The step on an accelerator, on a model of OPT-1.3B's shape in bfloat16: ``python -m benchmarks.gpu``.

Weights are random, since they do not change the time. One table: time of a step, tokens a second, peak memory, and the
share of the device's measured matrix-product rate, for the naive formulation and for ours. ``--quick`` is a toy that
runs on any device and shows that the script does.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from benchmarks.cases import Case
from benchmarks.formulations import FORMULATIONS
from benchmarks.measure import Sizes, useful_flops
from benchmarks.tables import Row, markdown_table

__all__ = ["main"]

OPT_1B3 = Case(
    "OPT-1.3B's shape",
    architecture="opt",
    vocab_size=50_272,
    hidden_size=2048,
    num_layers=24,
    batch_size=64,
    template_tokens=24,
    text_tokens=(3, 16, 36),
    batches=4,
)
LONGEST_S = 60.0
"""With this nothing takes longer than making two models and three measurements."""
COLUMNS = ("formulation", "ms a step", "tokens/s", "peak GB", "share of matmul rate")


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print the table and return its rows.

    Raises:
        SystemExit: there is no accelerator and the run is no quick one.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not chosen.quick:
        parser.error("expected an accelerator, found none; --quick shows on any machine that the script runs")
    toy = {"vocab_size": 200, "hidden_size": 64, "num_layers": 1, "batch_size": 4, "batches": 1}
    case = dataclasses.replace(OPT_1B3, **toy) if chosen.quick else OPT_1B3
    rate = _matmul_rate(device, 256 if chosen.quick else 8192)
    rows = [_measure(name, case, device, chosen.repetitions, rate) for name in FORMULATIONS]
    print(f"{case.name}, B = {case.batch_size}, p = {case.num_virtual_tokens}, on {_device_name(device)}")
    print(f"bfloat16 matrix products: {rate / 1e12:.3g} TFLOP/s\n")
    print(markdown_table(rows, COLUMNS))
    print(f"tokens/s over the naive formulation's: {rows[1]['tokens/s'] / rows[0]['tokens/s']:.2f}")
    return rows


def _measure(name: str, case: Case, device: str, repetitions: int, rate: float) -> Row:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    work = FORMULATIONS[name](case, device, torch.bfloat16)
    seconds = _median(lambda: [work.step(i) for i in range(work.passes)], device, repetitions) / work.passes
    lengths = [len(row.prompt_ids) for row in work.rows]
    return {
        "formulation": name,
        "ms a step": 1e3 * seconds,
        "tokens/s": sum(lengths) / work.passes / seconds,
        "peak GB": torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None,
        "share of matmul rate": useful_flops(case, Sizes.of(work.base), lengths, work.passes)
        / work.passes
        / seconds
        / rate,
    }


def _median(work: Callable[[], object], device: str, repetitions: int) -> float:
    """Return the median seconds of the repetitions; of those, at least one, that begin within ``LONGEST_S``."""
    seconds: list[float] = []
    begin = time.perf_counter()
    for repetition in range(repetitions + 1):
        if seconds and time.perf_counter() - begin > LONGEST_S:
            break
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        if repetition:  # the first warms up
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _matmul_rate(device: str, n: int) -> float:
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2.0 * n**3 / _median(lambda: torch.mm(a, b), device, 10)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "the CPU"


if __name__ == "__main__":
    main()
