"""Time and memory of one case. Each formulation runs in a process of its own; they take turns."""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.cases import Case

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Measured", "Sizes", "Work", "compare", "matmul_rate", "take_turns", "useful_flops"]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class Measured(NamedTuple):
    """What one formulation takes for one case.

    Attributes:
        seconds: CPU-seconds of one step, each repetition's mean over its steps.
        memory_bytes: the process's peak resident memory above what it held with the model loaded.
        peak_bytes: the process's peak resident memory.
        tokens: text tokens of a step, without padding and prompt.
        flops: floating-point operations that a step cannot do without; see :func:`useful_flops`.
    """

    seconds: tuple[float, ...]
    memory_bytes: int
    peak_bytes: int
    tokens: float
    flops: float


class Work(NamedTuple):
    """A formulation on a case."""

    formulation: str
    case: Case


def take_turns(works: Mapping[str, Work], repetitions: int) -> dict[str, Measured]:
    """Measure each in a process of its own, one repetition of each in turn, so that all meet the same machine.

    The first repetition of each warms up and does not count in the times; it is the one that memory is read after.
    Processes are forked from one that has everything imported and no model yet.
    """
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.formulations"])
    ends: dict[str, Connection] = {}
    processes = []
    try:
        for name, work in works.items():
            ends[name], theirs = context.Pipe()
            processes.append(context.Process(target=_serve, args=(theirs, *work), daemon=True))
            processes[-1].start()
            theirs.close()
        first = {name: _ask(end) for name, end in ends.items()}
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(repetitions):
            for name, end in ends.items():
                seconds[name].append(_ask(end)["seconds"])
        return {
            name: Measured(
                tuple(seconds[name]), *(first[name][key] for key in ("memory_bytes", "peak_bytes", "tokens", "flops"))
            )
            for name in works
        }
    finally:
        for process in processes:
            process.kill()
            process.join()


def compare(case: Case, repetitions: int) -> dict[str, Measured]:
    """Measure the naive formulation and ours on a case."""
    return take_turns({"naive": Work("naive", case), "ours": Work("ours", case)}, repetitions)


def _ask(end: Connection) -> dict[str, Any]:
    end.send("repeat")
    answer: dict[str, Any] = end.recv()
    return answer


class Sizes(NamedTuple):
    """Weights that a token meets, embeddings and head left aside.

    Attributes:
        body: all of them.
        first_inputs: the first block's projections to queries, keys and values: of a text's tokens no gradient passes.
        last_unread: the last block behind its queries, keys and values: only what is read has to pass.
    """

    body: int
    first_inputs: int
    last_unread: int

    @classmethod
    def of(cls, base: PreTrainedModel) -> Sizes:
        """Count a Llama's or an OPT's."""
        named = {n: p.numel() for n, p in base.named_parameters() if "embed" not in n and "lm_head" not in n}
        last = f"layers.{base.config.num_hidden_layers - 1}."
        inputs = ("q_proj.", "k_proj.", "v_proj.")
        return cls(
            sum(named.values()),
            sum(n for name, n in named.items() if "layers.0." in name and any(part in name for part in inputs)),
            sum(n for name, n in named.items() if last in name and not any(part in name for part in inputs)),
        )


def useful_flops(case: Case, sizes: Sizes, lengths: list[int], passes: int = 1) -> float:
    """Return the operations that ``passes`` passes over rows of the given lengths in all cannot do without.

    Forward and the gradient by the activations (2 + 2 for each weight that a token meets), attention's two products in
    both directions, and the head at one answer position a row. Prompt and template run once a pass, of a text's tokens
    the last block runs where an answer is predicted; padding and recomputation are not counted.
    """
    d, front = case.hidden_size, case.num_virtual_tokens + case.template_tokens
    own = [n - case.template_tokens for n in lengths]
    tokens, answers = sum(own) + passes * front, len(lengths)
    weights = 4.0 * (sizes.body * tokens - sizes.last_unread * (tokens - answers)) - 2.0 * sizes.first_inputs * sum(own)
    scores = sum(n * front + n * (n + 1) / 2 for n in own) + passes * front * (front + 1) / 2
    # Scores and their weighted sum: 2·2·d for each pair, once forward and twice backward.
    return weights + 12.0 * d * case.num_layers * scores + 4.0 * d * case.vocab_size * answers


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


def _serve(end: Connection, formulation: str, case: Case) -> None:
    """Do a repetition for every word that comes in."""
    import torch
    from transformers.utils import logging

    from benchmarks.formulations import FORMULATIONS

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    work = FORMULATIONS[formulation](case)
    loaded = _resident_bytes()
    lengths = [len(row.prompt_ids) for row in work.rows]
    while True:
        end.recv()
        start = time.process_time()
        for index in range(work.passes):
            work.step(index)
        spent = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        end.send(
            {
                "seconds": spent / work.passes,
                "memory_bytes": peak - loaded,
                "peak_bytes": peak,
                "tokens": sum(lengths) / work.passes,
                "flops": useful_flops(case, Sizes.of(work.base), lengths, work.passes) / work.passes,
            }
        )


def _resident_bytes() -> int:
    """Return the memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
