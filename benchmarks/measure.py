"""Time and memory of one case. Each formulation runs in a process of its own; the two take turns."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cases import Case

__all__ = ["Measured", "compare", "matmul_rate"]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Measured(NamedTuple):
    """What one formulation takes for one case.

    Attributes:
        seconds: CPU-seconds of one step, each repetition's mean over its steps.
        memory_bytes: the process's peak resident memory above what it held with the model loaded.
        peak_bytes: the process's peak resident memory.
        tokens: text tokens of a step, without padding and prompt.
        flops: floating-point operations that a step cannot do without; see :func:`useful_flops`.
        teacher_seconds: CPU-seconds that preparing the teacher's answers took, before the first step.
    """

    seconds: tuple[float, ...]
    memory_bytes: int
    peak_bytes: int
    tokens: float
    flops: float
    teacher_seconds: float


@dataclass
class Worker:
    """A formulation in a process of its own, which does one repetition whenever it is asked to."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, formulation: str, case: Case) -> Worker:
        """Start the process; it loads its model at once."""
        command = [sys.executable, "-m", "benchmarks.measure", formulation, json.dumps(dataclasses.asdict(case))]
        root = Path(__file__).parents[1]
        env = {**os.environ, **ONE_THREAD}
        return cls(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=env)
        )

    def ask(self, word: str) -> dict[str, Any]:
        """Send a word and return the answer.

        Raises:
            RuntimeError: the process has ended.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a measuring process ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def compare(case: Case, repetitions: int, formulations: tuple[str, ...] = ("naive", "ours")) -> dict[str, Measured]:
    """Measure the formulations in turns, so that both meet the same state of the machine.

    The first repetition of each warms up and does not count in the times; it is the one that memory is read after.
    """
    workers = {name: Worker.start(name, case) for name in formulations}
    try:
        first = {name: worker.ask("repeat") for name, worker in workers.items()}
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(repetitions):
            for name, worker in workers.items():
                seconds[name].append(worker.ask("repeat")["seconds"])
        return {
            name: Measured(
                tuple(seconds[name]),
                *(first[name][key] for key in ("memory_bytes", "peak_bytes", "tokens", "flops", "teacher_seconds")),
            )
            for name in workers
        }
    finally:
        for worker in workers.values():
            worker.stop()


def median_ratio(naive: Measured, ours: Measured) -> float:
    """Return the median over repetitions of the naive step's time over ours."""
    return statistics.median(a / b for a, b in zip(naive.seconds, ours.seconds, strict=True))


def useful_flops(case: Case, parameters: int, lengths: list[int]) -> float:
    """Return the operations of one pass over rows of the given lengths, padding and recomputation not counted.

    Forward and the gradient by the activations (2 + 2 for each of the body's weights that a token meets), attention's
    two products in both directions, and the head at one answer position a row. The prompt runs once a step.
    """
    d, p = case.hidden_size, case.num_virtual_tokens
    tokens = sum(lengths) + p
    scores = sum(n * p + n * (n + 1) / 2 for n in lengths) + p * (p + 1) / 2
    # Scores and their weighted sum: 2·2·d for each pair, once forward and twice backward.
    return 4.0 * parameters * tokens + 12.0 * d * case.num_layers * scores + 4.0 * d * case.vocab_size * len(lengths)


def matmul_rate(seconds: float = 2.0) -> float:
    """Return the floating-point operations a second of a large float32 product on one thread: the machine's limit."""
    import torch

    torch.set_num_threads(1)
    n = 1024
    a, b = torch.randn(n, n), torch.randn(n, n)
    rates = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 5:
        start = time.process_time()
        torch.mm(a, b)
        rates.append(2.0 * n**3 / (time.process_time() - start))
    return statistics.median(rates)


def _serve(formulation: str, case: Case) -> None:
    """Do a repetition for every line that comes in."""
    import torch
    from transformers.utils import logging

    from benchmarks.formulations import FORMULATIONS

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    work = FORMULATIONS[formulation](case)
    loaded = _resident_bytes()
    rows = [*work.rows]
    body = sum(p.numel() for n, p in work.base.named_parameters() if "embed" not in n and "lm_head" not in n)
    lengths = [len(row.prompt_ids) for row in rows]
    for _ in sys.stdin:
        start = time.process_time()
        for index in range(work.passes):
            work.step(index)
        spent = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {
            "seconds": spent / work.passes,
            "memory_bytes": peak - loaded,
            "peak_bytes": peak,
            "tokens": sum(lengths) / work.passes,
            "flops": useful_flops(case, body, lengths) / work.passes,
            "teacher_seconds": work.teacher_seconds,
        }
        print(json.dumps(answer), flush=True)


def _resident_bytes() -> int:
    """Return the memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    description = json.loads(sys.argv[2])
    description["text_tokens"] = tuple(description["text_tokens"])
    _serve(sys.argv[1], Case(**description))
