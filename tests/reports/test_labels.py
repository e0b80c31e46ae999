from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from spul.reports._labels import PointLabel, label_points
from spul.reports._style import canvas

CLOSE = [PointLabel(50 + i % 2, 50 + i // 2, f"label number {i}") for i in range(6)]
CORNERS = [PointLabel(x, y, f"at {x}, {y}") for x in (0, 100) for y in (0, 100)]


def boxes(labels: list[PointLabel]) -> tuple[dict[str, Bbox], Bbox, list[tuple[float, float]]]:
    """Place labels on a picture like the report's and return their boxes, the frame and the points, in pixels."""
    with canvas(5.8, 4.9) as figure:
        axes = figure.subplots()
        axes.set(xlim=(-4, 104), ylim=(-6, 106))
        label_points(axes, labels)
        figure.canvas.draw()
        placed = [child for child in axes.get_children() if isinstance(child, Annotation)]
        pixels = axes.transData.transform([(label.x, label.y) for label in labels])
        found = {note.get_text(): Text.get_window_extent(note) for note in placed}
        return found, axes.get_window_extent(), [tuple(pixel) for pixel in pixels]


@pytest.mark.parametrize("labels", [CLOSE, CORNERS], ids=["close", "corners"])
def test_labels_cover_neither_each_other_nor_a_point_and_stay_inside(labels: list[PointLabel]) -> None:
    placed, frame, points = boxes(labels)
    assert set(placed) == {label.text for label in labels}
    for one, other in combinations(placed.values(), 2):
        assert Bbox.intersection(one, other) is None
    for box in placed.values():
        assert not any(box.contains(*point) for point in points)
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1


def test_leader_crosses_no_other_label() -> None:
    """Two points in one place, a third below: a label is led past the others, not through them."""
    labels = [PointLabel(87, 91, "retrained, the aim"), PointLabel(87.2, 91.3, "base"), PointLabel(86, 85, "a prompt")]
    with canvas(5.8, 4.9) as figure:
        axes = figure.subplots()
        axes.set(xlim=(-4, 104), ylim=(-6, 106))
        label_points(axes, labels)
        figure.canvas.draw()
        notes = [child for child in axes.get_children() if isinstance(child, Annotation)]
        found = [Text.get_window_extent(note) for note in notes]
        led = [(i, note) for i, note in enumerate(notes) if note.arrow_patch is not None]
        assert led, "without a leader nobody can say whose label it is"
        for i, note in led:
            centre = (found[i].x0 + found[i].x1) / 2, (found[i].y0 + found[i].y1) / 2
            leader = Path([axes.transData.transform(note.xy), centre])
            assert not any(leader.intersects_bbox(box, filled=False) for j, box in enumerate(found) if j != i)


def test_label_keeps_off_a_line() -> None:
    with canvas(5.8, 4.9) as figure:
        axes = figure.subplots()
        axes.set(xlim=(0, 100), ylim=(0, 100))
        line = ((50.0, 50.0), (95.0, 50.0))
        label_points(axes, [PointLabel(50, 50, "beside")], [line])
        figure.canvas.draw()
        (note,) = [child for child in axes.get_children() if isinstance(child, Annotation)]
        ends = Bbox(axes.transData.transform(line))
        assert Bbox.intersection(Text.get_window_extent(note), ends) is None
