"""What was measured as Markdown, CSV and pictures."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import Measured

__all__ = ["Row", "draw_growth", "markdown_table", "row_of", "write_csv"]

Row = dict[str, Any]


def row_of(case: Case, found: Mapping[str, Measured], rate: float) -> Row:
    """Return one case's numbers; times are medians over repetitions, the ratio is the median of paired ratios."""
    naive, ours = found["naive"], found["ours"]
    ratios = [a / b for a, b in zip(naive.seconds, ours.seconds, strict=True)]
    seconds = statistics.median(ours.seconds)
    return {
        "case": case.name,
        "architecture": case.architecture,
        "V": case.vocab_size,
        "d": case.hidden_size,
        "layers": case.num_layers,
        "B": case.batch_size,
        "p": case.num_virtual_tokens,
        "longest row": case.longest,
        "naive s": statistics.median(naive.seconds),
        "ours s": seconds,
        "times faster": statistics.median(ratios),
        "least ratio": min(ratios),
        "speed target": case.speed_target,
        "naive MB": naive.memory_bytes / 1e6,
        "ours MB": ours.memory_bytes / 1e6,
        "memory ratio": ours.memory_bytes / naive.memory_bytes,
        "process ratio": ours.peak_bytes / naive.peak_bytes,
        "memory target": case.memory_target,
        "naive tokens/s": naive.tokens / statistics.median(naive.seconds),
        "ours tokens/s": ours.tokens / seconds,
        "share of matmul rate": ours.flops / seconds / rate,
    }


def markdown_table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the rows' chosen columns as a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write every column of every row."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


TICKS = tuple(step * 10.0**power for power in range(-4, 4) for step in (1, 2, 5))


def draw_growth(path: Path, rows: Sequence[Row]) -> None:
    """Draw step time against each of the sizes, both formulations, on logarithmic axes."""
    from matplotlib.figure import Figure

    growth: dict[str, list[tuple[float, Row]]] = {}
    for row in rows:
        growth.setdefault(row["size"], []).append((row["value"], row))
    figure = Figure(figsize=(3.2 * len(growth), 3.2), layout="constrained")
    panels = figure.subplots(1, len(growth), squeeze=False, sharey=True)[0]
    for axes, (name, points) in zip(panels, growth.items(), strict=True):
        sizes = [size for size, _ in points]
        for key, label, marker in (("naive s", "naive", "o"), ("ours s", "ours", "s")):
            axes.plot(sizes, [row[key] for _, row in points], marker=marker, label=label)
        axes.set(xlabel=name, xscale="log", yscale="log", xticks=sizes)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    seconds = [row[key] for row in rows for key in ("naive s", "ours s")]
    shown = [tick for tick in TICKS if min(seconds) / 2 <= tick <= max(seconds) * 2]
    figure.axes[0].set_yticks(shown, [f"{tick:g}" for tick in shown])
    figure.axes[0].set_ylabel("CPU-seconds a step")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
