"""Labels beside points that cover neither each other nor a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from spul.reports._style import MUTED

__all__ = ["Line", "PointLabel", "label_points"]

DISTANCES = (9.0, 16.0, 26.0, 40.0, 56.0, 74.0)
"""How far from its point a label may stand, in typographic points; near ones are tried first."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.7), (0.8, -0.7), (-0.8, 0.7), (-0.8, -0.7))
MARKER_RADIUS = 7.0
LEADER_FROM = 16.0
"""From that distance on, a thin line leads from the label to its point."""
FONT_SIZE = 9.5


Line = tuple[tuple[float, float], tuple[float, float]]
"""Lower or left end and upper or right end, in data coordinates."""


class PointLabel(NamedTuple):
    """A point in data coordinates, and what is written beside it."""

    x: float
    y: float
    text: str


class _Place(NamedTuple):
    """Where a label would stand: the offset from its point in typographic points, and its box in pixels."""

    distance: float
    dx: float
    dy: float
    box: Bbox


def label_points(axes: Axes, labels: Sequence[PointLabel], lines: Sequence[Line] = ()) -> None:
    """Write every label at the first free place near its point; where none is free, where it covers least.

    Args:
        axes: its limits must stand.
        labels: points and words.
        lines: upright or level lines that should not be covered either.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    # The layout moves the axes, so it is done before anything is measured.
    figure.canvas.draw()
    per_point = figure.dpi / 72
    frame = axes.get_window_extent()
    pixels = axes.transData.transform([(label.x, label.y) for label in labels])
    taken = [_around(x, y, x, y, MARKER_RADIUS * per_point) for x, y in pixels]
    for ends in lines:
        (x0, y0), (x1, y1) = axes.transData.transform(ends)
        taken.append(_around(x0, y0, x1, y1, per_point))
    for label in labels:
        places = list(_places(axes, label, per_point))
        costs = [_cost(place.box, taken, frame) for place in places]
        place = places[costs.index(min(costs))]
        taken.append(place.box)
        leader = {"arrowstyle": "-", "color": MUTED, "lw": 0.7, "shrinkA": 0, "shrinkB": 5}
        axes.annotate(
            label.text,
            (label.x, label.y),
            (place.dx, place.dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=FONT_SIZE,
            arrowprops=leader if place.distance >= LEADER_FROM else None,
        )


def _places(axes: Axes, label: PointLabel, per_point: float) -> Iterator[_Place]:
    x, y = axes.transData.transform((label.x, label.y))
    probe: Text = axes.text(0, 0, label.text, fontsize=FONT_SIZE)
    size = probe.get_window_extent()
    probe.remove()
    for distance, (right, up) in product(DISTANCES, DIRECTIONS):
        # The distance is from the point to the label's edge, so its half width and height come on top.
        dx = right * distance * per_point + _sign(right) * size.width / 2
        dy = up * distance * per_point + _sign(up) * size.height / 2
        box = Bbox.from_bounds(x + dx - size.width / 2, y + dy - size.height / 2, size.width, size.height)
        yield _Place(distance, dx / per_point, dy / per_point, box)


def _cost(box: Bbox, taken: Sequence[Bbox], frame: Bbox) -> float:
    outside = box.width * box.height - _common(box, frame)
    return 10 * outside + sum(_common(box, other) for other in taken)


def _common(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else float(both.width * both.height)


def _around(x0: float, y0: float, x1: float, y1: float, margin: float) -> Bbox:
    return Bbox.from_extents(x0 - margin, y0 - margin, x1 + margin, y1 + margin)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
