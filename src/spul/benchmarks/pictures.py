"""The figures as PNG, in the style of the reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes

from spul.benchmarks.hidden import Embedded
from spul.benchmarks.maker import Row
from spul.benchmarks.scores import GATED
from spul.benchmarks.summary import Results, SeedMean
from spul.files import write_bytes, write_text
from spul.reports._style import OKABE_ITO, bare_axes, canvas, to_png, to_svg
from spul.reports.pareto import TradeOff, pareto_picture
from spul.reports.pictures import Picture

__all__ = ["lengths_picture", "states_picture", "trade_off_picture", "write_page"]

COLOURS = (OKABE_ITO["vermillion"], OKABE_ITO["blue"], OKABE_ITO["green"], OKABE_ITO["orange"])
LINES = (
    ("test_retain", "test retain", OKABE_ITO["blue"], "o"),
    ("test_forget", "test forget", OKABE_ITO["vermillion"], "s"),
    ("train_retain", "train retain", OKABE_ITO["sky"], "D"),
    ("train_forget", "train forget", OKABE_ITO["orange"], "^"),
)

SHORT = {"base": "fine-tuned base", "retrained": "retrained", "spul": "SPUL, input", "spul_deep": "SPUL, deep"}
"""Titles that are too long for a picture."""
COMPARED = ("unlearned", GATED)


class Numbers(Protocol):
    """Rows, and what they came to: of a table of the paper or of a benchmark."""

    @property
    def rows(self) -> Sequence[Row]:
        """Models, in the table's order."""

    def get(self, row: str, place: str, metric: str, /) -> SeedMean | None:
        """Return a number, ``None`` where no run has it."""


def states_picture(found: Embedded, title: str) -> bytes:
    """Return figure 1: points before and after; colour is the true answer, circles are to forget, crosses to keep."""
    answers = sorted(set(found.answers))
    with canvas(8.4, 4.4) as figure:
        panels = figure.subplots(1, 2)
        told = ((found.before, "without the prompt", found.told_before), (found.after, "with it", found.told_after))
        for axes, (points, name, share) in zip(panels, told, strict=True):
            for answer, colour in zip(answers, COLOURS * (1 + len(answers) // len(COLOURS)), strict=False):
                mine = np.array([own == answer for own in found.answers])
                for chosen, kind, mark in ((found.is_forget, "forget", "o"), (~found.is_forget, "retain", "x")):
                    here = points[mine & chosen]
                    axes.scatter(*here.T, s=14, marker=mark, color=colour, linewidths=0.9, label=f"{kind}, {answer}")
            axes.set_title(f"{name}: {100 * share:.0f} % told apart by neighbours", fontsize=9.5, loc="left")
            axes.set_xticks([])
            axes.set_yticks([])
        figure.suptitle(title, fontsize=10.5)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        return to_png(figure)


def lengths_picture(results: Results) -> Picture:
    """Return figure 2: accuracy on the four splits by the number of virtual tokens, bars the interval over seeds."""
    rows = [row for row in results.rows if row.model == "unlearned"]
    with canvas(5.8, 3.8) as figure:
        axes = figure.subplots()
        bare_axes(axes)
        for i, (split, name, colour, mark) in enumerate(LINES):
            # Side by side, so that no interval hides another.
            shift = 0.07 * (i - (len(LINES) - 1) / 2)
            _line(axes, results, {row.key: x + shift for x, row in enumerate(rows)}, split, name, colour, mark)
        axes.set_xticks(range(len(rows)), [row.title for row in rows])
        axes.set_ylim(0, 102)
        axes.set_xlabel("number of virtual tokens (not to scale)")
        axes.set_ylabel("right answers, %")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        alt = "Right answers in per cent on the four splits, as in the table, by the number of virtual tokens."
        return Picture(to_svg(figure), alt, to_png(figure))


def trade_off_picture(
    numbers: Numbers, metric: str = "accuracy", side: str = "test", what: str = "right answers"
) -> Picture | None:
    """Return forget against retain for every method, means over seeds; ``None`` where no method has both.

    Args:
        numbers: rows, and what they came to.
        metric: a share.
        side: ``train`` or ``test``.
        what: the metric in words.
    """
    points = []
    for row in numbers.rows:
        model = row.key if row.key in ("base", "retrained") else "unlearned" if row.model in COMPARED else ""
        found = [numbers.get(row.key, f"{side}_{part}", metric) for part in ("forget", "retain")]
        if model and all(one and one.result.value is not None for one in found):
            forget, retain = (one.result for one in found if one is not None)
            points.append(TradeOff(row.short or SHORT.get(row.key, row.title), forget, retain, model))
    return pareto_picture(points, side, what)


def write_page(
    out: Path, name: str, table: str, drawn: Picture | None, page: Callable[[tuple[str, str] | None], str]
) -> list[Path]:
    """Write a page (Markdown), its numbers (CSV) and its picture (PNG) if there is one; return the files, page first.

    Args:
        out: directory.
        name: of the files.
        table: the numbers.
        drawn: the picture.
        page: returns the page, given the picture's file name and what it shows.
    """
    file, numbers, picture = (out / f"{name}{suffix}" for suffix in (".md", ".csv", ".png"))
    write_text(numbers, table)
    if drawn is None or drawn.png is None:
        write_text(file, page(None))
        return [file, numbers]
    write_bytes(picture, drawn.png)
    write_text(file, page((picture.name, drawn.alt)))
    return [file, numbers, picture]


def _line(
    axes: Axes, results: Results, places: Mapping[str, float], split: str, name: str, colour: str, mark: str
) -> None:
    """Draw a line through a split's numbers, every row's at its place."""
    points = []
    for key, x in places.items():
        found = results.get(key, split, "accuracy")
        if found is None or found.result.value is None:
            continue
        value = found.result.value
        low = value if found.result.low is None else found.result.low
        high = value if found.result.high is None else found.result.high
        points.append((x, 100 * value, 100 * (value - low), 100 * (high - value)))
    if points:
        x, y, below, above = np.array(points).T
        axes.errorbar(x, y, yerr=[below, above], color=colour, marker=mark, markersize=5, capsize=3, label=name)
