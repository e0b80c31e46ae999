"""``make bench``: the step, its growth, and scoring, measured on this machine; a report in ``docs/results``.

Each formulation has a process and one thread of its own; times are CPU-seconds, so that other work on the machine
disturbs them little, and the two formulations take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.measure import Work, compare, matmul_rate, take_turns
from benchmarks.scoring import SHAPE, WIDE, measure_scoring
from benchmarks.tables import Row, draw_growth, markdown_table, row_of, write_csv
from spul.files import write_json

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


PARTS = ("cases", "prompts", "scoring", "growth")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the report of all parts that were measured, now or before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="where the report goes")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of every case")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these, keep the others")
    parser.add_argument("--quick", action="store_true", help="small shapes only: shows that everything runs")
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    file = chosen.out / "performance.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() and set(chosen.parts) != set(PARTS) else {}
    for part in chosen.parts:
        start = time.perf_counter()
        rate = matmul_rate(0.1 if chosen.quick else 2.0)
        rows = _MEASURE[part](chosen, rate)
        found[part] = {"rows": rows, "rate": rate, "minutes": (time.perf_counter() - start) / 60}
        # After every part, so that what was measured is kept whatever comes.
        write_json(file, found)
        _write(chosen.out, found, chosen)
    print((chosen.out / "performance.md").read_text())


def _cases(chosen: argparse.Namespace, rate: float) -> list[Row]:
    rows = []
    for case in CASES:
        _say(case.name)
        rows.append(_row(_small(case) if chosen.quick else case, chosen.repetitions, rate))
    return rows


def _growth(chosen: argparse.Namespace, rate: float) -> list[Row]:
    rows = []
    for name, (field, sizes) in GROWTH.items():
        for size in sizes[:2] if chosen.quick else sizes:
            _say(f"{name} {size}")
            value = (size, size, size) if field == "text_tokens" else size
            step = _small(STEP) if chosen.quick else STEP
            case = dataclasses.replace(step, **{field: value, "name": f"{name} = {size}"})
            rows.append({"size": name, "value": size, **_row(case, max(1, chosen.repetitions - 1), rate)})
    return rows


def _row(case: Case, repetitions: int, rate: float) -> Row:
    return row_of(case, compare(case, repetitions), rate)


def _prompts(chosen: argparse.Namespace, _: float) -> list[Row]:
    return [row for shape in SHAPES for row in _growth_in_p(_small(shape) if chosen.quick else shape, chosen)]


def _scoring(chosen: argparse.Namespace, _: float) -> list[Row]:
    rows: list[Row] = []
    for shape, number in ((SHAPE, 1_000), (WIDE, 250)):
        _say(f"scoring at d = {shape.hidden_size}")
        shape = _small(shape) if chosen.quick else shape
        rows += measure_scoring(shape, 100 if chosen.quick else number, chosen.repetitions)
    return rows


_MEASURE: dict[str, Callable[[argparse.Namespace, float], list[Row]]] = {
    "cases": _cases,
    "prompts": _prompts,
    "scoring": _scoring,
    "growth": _growth,
}


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


def _write(out: Path, found: dict[str, Any], chosen: argparse.Namespace) -> None:
    """Write report, table and picture of the parts that are there."""
    (out / "performance.md").write_text(_report(found, chosen))
    tables = [row for part in ("cases", "growth") if part in found for row in found[part]["rows"]]
    if tables:
        write_csv(out / "performance.csv", tables)
    if "growth" in found:
        draw_growth(out / "performance_growth.png", found["growth"]["rows"])


def _report(found: dict[str, Any], chosen: argparse.Namespace) -> str:
    import torch
    import transformers

    small = " Small shapes (`--quick`): these numbers mean nothing." if chosen.quick else ""
    rates = sorted(part["rate"] / 1e9 for part in found.values())
    minutes = sum(part["minutes"] for part in found.values())
    lines = [
        "# Speed and memory",
        "",
        f"Made by `make bench` (`python -m benchmarks`) in {minutes:.1f} minutes: {platform.machine()},",
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__},",
        "one thread. A float32 product of 1,024² matrices, measured before every part, ran at",
        f"{rates[0]:.0f} to {rates[-1]:.0f} GFLOP/s. Times are CPU-seconds of one step (forward and backward), medians",
        f"of {chosen.repetitions} repetitions in turns (growth: one fewer). Memory is the peak above the loaded model;",
        f"`process ratio` is that of the whole processes' peaks.{small}",
        "",
    ]
    for part, text in _SECTIONS.items():
        if part in found:
            lines += text(found[part]["rows"])
    return "\n".join(lines)


def _cases_in_words(rows: list[Row]) -> list[str]:
    return [
        "## The step against the naive formulation",
        "",
        markdown_table(rows, (*SPEED, "speed target")),
        markdown_table(rows, MEMORY),
        markdown_table(rows, ("case", "naive tokens/s", "ours tokens/s", "share of matmul rate")),
    ]


def _prompts_in_words(rows: list[Row]) -> list[str]:
    return [
        "## Growth in the number of virtual tokens",
        "",
        "Our step at B = 32 rows of 48 tokens, all p in turns; beside it, how the operations that it needs grow.",
        "",
        markdown_table(rows, tuple(rows[0])),
    ]


def _scoring_in_words(rows: list[Row]) -> list[str]:
    return [
        "## Without gradients",
        "",
        "Rows of 64 tokens, p = 30, all ways in turns.",
        "",
        markdown_table(rows, tuple(rows[0])),
    ]


def _growth_in_words(rows: list[Row]) -> list[str]:
    return [
        "## Growth",
        "",
        "![step time against sizes](performance_growth.png)",
        "",
        markdown_table(rows, ("case", "naive s", "ours s", "times faster", "memory ratio")),
    ]


_SECTIONS: dict[str, Callable[[list[Row]], list[str]]] = {
    "cases": _cases_in_words,
    "growth": _growth_in_words,
    "prompts": _prompts_in_words,
    "scoring": _scoring_in_words,
}


def _small(case: Case) -> Case:
    return dataclasses.replace(
        case, vocab_size=200, hidden_size=64, num_layers=1, batch_size=4, text_tokens=(2, 4, 8), batches=1
    )


def _say(what: str) -> None:
    print(f"measuring {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
