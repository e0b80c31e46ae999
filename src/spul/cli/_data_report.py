"""The data check's report for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from spul.data.report import DataReport, Lengths, SplitReport

__all__ = ["renderables"]

MOST_ANSWERS = 4
"""Answers of a split that are shown by name; the others are counted."""


def renderables(report: DataReport) -> Iterator[RenderableType]:
    """Yield the parts of the report in the order they are read: what there is, what is amiss with it, what follows."""
    for table in (_answers, _repetitions, _words, _tokens, _overlaps):
        yield table(report)
        yield ""
    if not report.warnings:
        yield "No warnings."
    for warning in report.warnings:
        # Text as such, and not markup: warnings quote what is in the data.
        yield Text.assemble(("warning: ", "bold yellow"), warning)


def _answers(report: DataReport) -> Table:
    table = _table("split", "rows", "answers")
    for name, split in report.splits.items():
        table.add_row(name, f"{split.rows:,}", Text(_shares(split)))
    return table


def _repetitions(report: DataReport) -> Table:
    table = _table("split", "repeated", "near-duplicates", "contradictory", "without text")
    for name, split in report.splits.items():
        counts = (split.repeated, split.near, split.conflicting, split.empty)
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table


def _words(report: DataReport) -> Table:
    table = _table("split", "words: median", "95 %", "longest")
    for name, split in report.splits.items():
        table.add_row(name, *_summary(split.words))
    return table


def _tokens(report: DataReport) -> RenderableType:
    if any(split.tokens is None for split in report.splits.values()):
        return "With --model: lengths in tokens, and what its context cuts off."
    table = _table("split", "tokens: median", "95 %", "longest", "cut off")
    for name, split in report.splits.items():
        if split.tokens is not None:
            table.add_row(name, *_summary(split.tokens), f"{split.truncated:,}")
    return table


def _overlaps(report: DataReport) -> Table:
    table = _table("rows of", "in", "rows", "the same", "nearly", "part of a text")
    for overlap in report.overlaps:
        part = f"{overlap.contained:,} of {overlap.long_enough:,}"
        table.add_row(
            overlap.rows_of, overlap.within, f"{overlap.rows:,}", f"{overlap.same:,}", f"{overlap.near:,}", part
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        textual = heading in {"split", "answers", "rows of", "in"}
        table.add_column(heading, justify="left" if textual else "right", no_wrap=heading != "answers")
    return table


def _shares(split: SplitReport) -> str:
    shown = list(split.answers.items())[:MOST_ANSWERS]
    parts = [f"{answer} {count / split.rows:.0%}" for answer, count in shown]
    if len(split.answers) > MOST_ANSWERS:
        parts.append(f"{len(split.answers) - MOST_ANSWERS} more")
    return ", ".join(parts)


def _summary(lengths: Lengths) -> tuple[str, ...]:
    return (f"{lengths.median:g}", f"{lengths.p95:g}", f"{lengths.max:,}")
