"""The paper's numbers, as a data file of the package: what a reproduction is compared with."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

__all__ = ["PaperCell", "paper_results", "paper_row"]


class PaperCell(NamedTuple):
    """One cell of a table of the paper, in per cent."""

    accuracy: float
    weighted_f1: float


@cache
def paper_results() -> dict[str, Any]:
    """Return everything that the paper reports (Bhaila et al. 2025, arXiv:2406.12038 v2), tables by name."""
    text = files("spul.benchmarks").joinpath("paper_results.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def paper_row(table: str, *keys: str) -> dict[str, PaperCell] | None:
    """Return a row of a table by split; ``None`` where the paper has no such row.

    Args:
        table: ``table2``, …, ``table5``.
        keys: what the row goes by: data and method in table 2, ``alpha,beta`` in table 3, the share in per cent in
            table 4, base and method in table 5.
    """
    found: Any = paper_results()["tables"][table]["rows"]
    for key in keys:
        if key not in found:
            return None
        found = found[key]
    return {split: PaperCell(*cell) for split, cell in zip(paper_results()["splits"], found, strict=True)}
