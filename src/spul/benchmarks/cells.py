"""Numbers as cells of a table, by their unit."""

from __future__ import annotations

from collections.abc import Sequence

from spul.benchmarks.summary import SeedMean

__all__ = ["NOTHING", "bare", "markdown_table", "number", "rounded", "written"]

NOTHING = "–"


def written(value: float, unit: str) -> str:
    """Return a value: shares in per cent, areas and p-values as they are, everything else to three digits."""
    if unit == "auc":
        return f"{value:.3f}"
    if unit == "p-value":
        return f"{value:.2g}"
    if unit == "percent":
        return f"{value:.1f}"
    if unit in ("share", "points"):
        return f"{100 * value:.1f}"
    return f"{value:.3g}"


def bare(found: SeedMean | None) -> str:
    """Return the number without its interval; a dash where it is undefined."""
    return NOTHING if found is None or found.result.value is None else written(found.result.value, found.result.unit)


def number(found: SeedMean | None) -> str:
    """Return ``12.3 (10.1–14.5)``."""
    if found is None or found.result.value is None:
        return NOTHING
    result = found.result
    if result.low is None or result.high is None:
        return bare(found)
    low, high = written(result.low, result.unit), written(result.high, result.unit)
    return f"{bare(found)} ({low}{' to ' if low.startswith('-') or high.startswith('-') else '–'}{high})"


def rounded(value: float | None) -> float | str:
    """Return a value for a CSV file; nothing where it is undefined."""
    return "" if value is None else float(f"{value:.6g}")


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table, every column but the first set to the right."""
    rows = [list(head), ["---", *["---:"] * (len(head) - 1)], *[list(line) for line in lines]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
