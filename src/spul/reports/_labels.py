"""Labels beside points that, where there is room, cover nothing, and whose leaders cross nothing that is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.text import Text

from spul.reports._geometry import Box, Segment
from spul.reports._style import MUTED

__all__ = ["Line", "PointLabel", "label_points"]

DISTANCES = (9.0, 16.0, 26.0, 40.0, 56.0, 74.0)
"""How far from its point a label may stand, in typographic points."""
DIRECTIONS = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.7), (0.8, -0.7), (-0.8, 0.7), (-0.8, -0.7)),
    *((0.3, 0.95), (0.3, -0.95), (-0.3, 0.95), (-0.3, -0.95)),
)
MARKER_RADIUS = 7.0
LEADER_FROM = 16.0
"""From that distance on, a thin line leads from the label to its point."""
FONT_SIZE = 9.5
FAR = 1.5
"""What a point of distance costs, in square points of a line that are covered: near places before far ones."""
UNCLEAR = 0.3
"""What a leader costs that crosses something, or a label without one that is near two points: a share of its area."""
ROUNDS = 4
"""How often every label may move again once all are placed."""


Line = tuple[tuple[float, float], tuple[float, float]]
"""Lower or left end and upper or right end, in data coordinates."""


class PointLabel(NamedTuple):
    """A point in data coordinates, and what is written beside it."""

    x: float
    y: float
    text: str


class _Place(NamedTuple):
    """Where a label would stand: distance and offset from its point in typographic points; the rest in pixels."""

    distance: float
    dx: float
    dy: float
    box: Box
    leader: Segment

    @property
    def is_led(self) -> bool:
        """Return whether the leader is drawn."""
        return self.distance >= LEADER_FROM


class _Option(NamedTuple):
    """A place, and what it costs whatever the other labels do."""

    cost: float
    place: _Place


def label_points(axes: Axes, labels: Sequence[PointLabel], lines: Sequence[Line] = ()) -> None:
    """Write every label near its point, where it covers least and is least unclear.

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
    pixels = axes.transData.transform([(label.x, label.y) for label in labels])
    frame = Box(*axes.get_window_extent().extents)
    markers = [Box(x, y, x, y).around(MARKER_RADIUS * per_point) for x, y in pixels]
    drawn = [Box(*axes.transData.transform(line).flat).around(per_point) for line in lines]
    options = []
    for label in labels:
        places = _places(axes, label, per_point)
        found = [_Option(_alone(place, markers, drawn, frame, per_point), place) for place in places]
        options.append(sorted(found, key=lambda option: option.cost))
    leader = {"arrowstyle": "-", "color": MUTED, "lw": 0.7, "shrinkA": 0, "shrinkB": 5}
    for label, place in zip(labels, _settled(options), strict=True):
        axes.annotate(
            label.text,
            (label.x, label.y),
            (place.dx, place.dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=FONT_SIZE,
            arrowprops=leader if place.is_led else None,
        )


def _settled(options: Sequence[Sequence[_Option]]) -> list[_Place]:
    """Return a place a label: each in turn the cheapest beside those placed, then again beside all others."""
    chosen: list[_Place] = []
    for mine in options:
        chosen.append(_cheapest(mine, chosen))
    for _ in range(ROUNDS):
        before = list(chosen)
        for i, mine in enumerate(options):
            chosen[i] = _cheapest(mine, [*chosen[:i], *chosen[i + 1 :]])
        if chosen == before:
            break
    return chosen


def _cheapest(options: Sequence[_Option], others: Sequence[_Place]) -> _Place:
    best, least = options[0].place, float("inf")
    for alone, place in options:
        if alone >= least:
            # They are in order, and others only add to it.
            break
        cost = alone + sum(_together(place, other) for other in others)
        if cost < least:
            best, least = place, cost
    return best


def _places(axes: Axes, label: PointLabel, per_point: float) -> Iterator[_Place]:
    x, y = axes.transData.transform((label.x, label.y))
    probe: Text = axes.text(0, 0, label.text, fontsize=FONT_SIZE)
    size = probe.get_window_extent()
    probe.remove()
    for distance, (right, up) in product(DISTANCES, DIRECTIONS):
        # The distance is from the point to the label's edge, so its half width and height come on top.
        dx = right * distance * per_point + _sign(right) * size.width / 2
        dy = up * distance * per_point + _sign(up) * size.height / 2
        half = size.width / 2, size.height / 2
        box = Box(x + dx - half[0], y + dy - half[1], x + dx + half[0], y + dy + half[1])
        yield _Place(distance, dx / per_point, dy / per_point, box, Segment(x, y, x + dx, y + dy))


def _alone(place: _Place, markers: Sequence[Box], lines: Sequence[Box], frame: Box, per_point: float) -> float:
    """Return what a place costs by itself, in square pixels."""
    box, leader = place.box, place.leader
    # Outside it would move the frame, on a point it would hide what is shown; a thin line can be read through.
    cost = 50 * (box.area - box.common(frame)) + FAR * place.distance * per_point**2
    cost += 10 * sum(map(box.common, markers)) + 2 * sum(map(box.common, lines))
    others = [marker for marker in markers if not marker.holds(leader.x0, leader.y0)]
    if not place.is_led:
        # Beside another point as well it would be unclear whose it is.
        near = box.around(LEADER_FROM * per_point / 2)
        return cost + UNCLEAR * box.area * any(map(near.common, others))
    cost += UNCLEAR * box.area * sum(map(leader.meets, others))
    if leader.x0 == leader.x1 or leader.y0 == leader.y1:
        # On an interval or a step, a leader of the same direction would not be seen.
        (left, right), (low, high) = sorted((leader.x0, leader.x1)), sorted((leader.y0, leader.y1))
        cost += sum(map(Box(left, low, right, high).around(per_point).common, lines))
    return cost


def _together(one: _Place, other: _Place) -> float:
    """Return what two places cost beside each other: common area, and leaders that cross a label or each other."""
    crossed = int(one.is_led and one.leader.meets(other.box)) + int(other.is_led and other.leader.meets(one.box))
    crossed += int(one.is_led and other.is_led and one.leader.crosses(other.leader))
    return 10 * one.box.common(other.box) + UNCLEAR * crossed * (one.box.area + other.box.area)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
