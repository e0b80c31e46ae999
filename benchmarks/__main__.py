"""``make bench``: the step, its growth, and scoring, measured on this machine; a report in ``docs/results``.

Each formulation has a process and one thread of its own; times are CPU-seconds, so that other work on the machine
disturbs them little, and the two formulations take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import CASES, Case
from benchmarks.measure import Work, compare, matmul_rate, take_turns
from benchmarks.scoring import SHAPE, WIDE, measure_scoring
from benchmarks.tables import Row, draw_growth, markdown_table, row_of, write_csv

STEP = Case("growth", text_tokens=(42, 42, 42), batches=1)
"""Rows of one length, so that growth is that of one size alone."""

PROMPTS = (8, 16, 32, 64)
"""Virtual tokens whose steps are compared in turns."""
SHAPES = (
    Case("growth in p", template_tokens=0, text_tokens=(48, 48, 48), batches=1),
    Case("growth in p", template_tokens=0, text_tokens=(48, 48, 48), batches=1, hidden_size=512, num_layers=8),
)

GROWTH: dict[str, tuple[str, tuple[int, ...]]] = {
    "virtual tokens p": ("num_virtual_tokens", PROMPTS),
    "rows B": ("batch_size", (8, 32, 128)),
    "text tokens": ("text_tokens", (16, 42, 128)),
    "layers": ("num_layers", (2, 4, 8)),
    "vocabulary V": ("vocab_size", (2_000, 8_000, 32_000)),
}

SPEED = ("case", "V", "d", "layers", "B", "p", "longest row", "naive s", "ours s", "times faster", "least ratio")
MEMORY = ("case", "naive MB", "ours MB", "memory ratio", "memory target", "process ratio")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="where the report goes")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of every case")
    parser.add_argument("--quick", action="store_true", help="small shapes only: shows that everything runs")
    chosen = parser.parse_args(arguments)
    start = time.perf_counter()
    rate = matmul_rate(0.1 if chosen.quick else 2.0)
    cases = tuple(_small(case) for case in CASES) if chosen.quick else CASES
    step = _small(STEP) if chosen.quick else STEP
    rows = []
    for case in cases:
        _say(case.name)
        rows.append(row_of(case, compare(case, chosen.repetitions), rate))
    growth: dict[str, list[tuple[float, Row]]] = {}
    for name, (field, sizes) in GROWTH.items():
        growth[name] = []
        for size in sizes[:2] if chosen.quick else sizes:
            _say(f"{name} {size}")
            value = (size, size, size) if field == "text_tokens" else size
            case = dataclasses.replace(step, **{field: value, "name": f"{name} = {size}"})
            growth[name].append((float(size), row_of(case, compare(case, chosen.repetitions), rate)))
    prompts = [row for shape in SHAPES for row in _growth_in_p(_small(shape) if chosen.quick else shape, chosen)]
    scoring: list[Row] = []
    for shape, number in ((SHAPE, 1_000), (WIDE, 250)):
        _say(f"scoring at d = {shape.hidden_size}")
        scoring += measure_scoring(shape, 100 if chosen.quick else number, chosen.repetitions)
    chosen.out.mkdir(parents=True, exist_ok=True)
    every = [*rows, *(row for points in growth.values() for _, row in points)]
    write_csv(chosen.out / "performance.csv", every)
    draw_growth(chosen.out / "performance_growth.png", growth)
    seconds = time.perf_counter() - start
    grown = [row for points in growth.values() for _, row in points]
    report = _report(rows, grown, prompts, scoring, rate, seconds, chosen)
    (chosen.out / "performance.md").write_text(report)
    print(report)


def _growth_in_p(shape: Case, chosen: argparse.Namespace) -> list[Row]:
    """Measure our step at several numbers of virtual tokens in turns; beside it, how the operations themselves grow."""
    _say(f"growth in p at d = {shape.hidden_size}")
    works = {str(p): Work("ours", dataclasses.replace(shape, num_virtual_tokens=p)) for p in PROMPTS}
    found = take_turns(works, 2 * chosen.repetitions)
    least = found[str(PROMPTS[0])]
    return [
        {
            "d": shape.hidden_size,
            "layers": shape.num_layers,
            "p": p,
            "ours s": statistics.median(found[str(p)].seconds),
            "time over p = 8": statistics.median(
                a / b for a, b in zip(found[str(p)].seconds, least.seconds, strict=True)
            ),
            "operations over p = 8": found[str(p)].flops / least.flops,
        }
        for p in PROMPTS
    ]


def _report(
    rows: list[Row],
    growth: list[Row],
    prompts: list[Row],
    scoring: list[Row],
    rate: float,
    seconds: float,
    chosen: argparse.Namespace,
) -> str:
    import torch
    import transformers

    small = " Small shapes (`--quick`): these numbers mean nothing." if chosen.quick else ""
    return "\n".join(
        [
            "# Speed and memory",
            "",
            f"Made by `make bench` (`python -m benchmarks`) in {seconds / 60:.1f} minutes: {platform.machine()},",
            f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__},",
            f"one thread. A float32 product of 1,024² matrices runs at {rate / 1e9:.0f} GFLOP/s here. Times are",
            f"CPU-seconds of one step (forward and backward), medians of {chosen.repetitions} repetitions in turns.",
            f"Memory is the peak above the loaded model; `process ratio` is that of the whole processes' peaks.{small}",
            "",
            "## The step against the naive formulation",
            "",
            markdown_table(rows, (*SPEED, "speed target")),
            markdown_table(rows, MEMORY),
            markdown_table(rows, ("case", "naive tokens/s", "ours tokens/s", "share of matmul rate")),
            "## Growth",
            "",
            "![step time against sizes](performance_growth.png)",
            "",
            markdown_table(growth, ("case", "naive s", "ours s", "times faster", "memory ratio")),
            "## Growth in the number of virtual tokens",
            "",
            "Our step at B = 32 rows of 48 tokens, all p in turns.",
            "",
            markdown_table(prompts, tuple(prompts[0])),
            "## Without gradients",
            "",
            "Rows of 64 tokens, p = 30, all ways in turns.",
            "",
            markdown_table(scoring, tuple(scoring[0])),
        ]
    )


def _small(case: Case) -> Case:
    return dataclasses.replace(
        case, vocab_size=200, hidden_size=64, num_layers=1, batch_size=4, text_tokens=(2, 4, 8), batches=1
    )


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
