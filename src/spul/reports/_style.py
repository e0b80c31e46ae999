"""How pictures look: colours that colour-blind readers tell apart, text as shapes, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["INK", "MUTED", "OKABE_ITO", "Mark", "bare_axes", "canvas", "mark_of", "to_png", "to_svg"]

INK = "#1a1a1a"
MUTED = "#6b6b6b"
OKABE_ITO = {
    "blue": "#0072B2",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "grey": "#999999",
}
"""Okabe and Ito's palette (2008)."""

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "path",
    "svg.hashsalt": "spul",
}


class Mark(NamedTuple):
    """How a model is drawn: told apart by shape as well as by colour."""

    colour: str
    shape: str
    size: float = 9.0


_MARKS = {
    "base": Mark(OKABE_ITO["blue"], "o"),
    "retrained": Mark(OKABE_ITO["green"], "D"),
    "unlearned": Mark(OKABE_ITO["vermillion"], "s"),
    "unlearned_gated": Mark(OKABE_ITO["orange"], "P"),
    "pretrained": Mark(OKABE_ITO["purple"], "^"),
}
_CONSTANT = Mark(OKABE_ITO["grey"], "x", 7.0)


def mark_of(model: str) -> Mark:
    """Return how a model is drawn; constant predictors are crosses."""
    return _MARKS.get(model, _CONSTANT)


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of that many inches, with this style and no state outside the context."""
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def bare_axes(axes: Axes) -> None:
    """Leave only the left and lower edge, and light horizontal lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def to_svg(figure: Figure) -> bytes:
    """Return the figure as SVG, without a date; call within :func:`canvas`."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def to_png(figure: Figure) -> bytes:
    """Return the figure as PNG of 150 dots an inch; call within :func:`canvas`."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
