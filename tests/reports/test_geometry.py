"""Boxes and segments by hand."""

from __future__ import annotations

import pytest

from spul.reports._geometry import Box, Segment

BOX = Box(2, 2, 6, 4)


@pytest.mark.parametrize(
    ("other", "area"),
    [(Box(4, 3, 9, 9), 2), (Box(0, 0, 9, 9), 8), (Box(3, 2.5, 4, 3.5), 1), (Box(6, 2, 8, 4), 0), (Box(2, 5, 6, 6), 0)],
    ids=["a corner", "all of it", "inside", "an edge alone", "above"],
)
def test_common_area(other: Box, area: float) -> None:
    assert BOX.common(other) == other.common(BOX) == area


def test_a_margin_goes_all_around() -> None:
    assert BOX.around(1) == Box(1, 1, 7, 5)
    assert (BOX.area, BOX.around(1).area) == (8, 24)


def test_an_edge_belongs_to_its_box() -> None:
    assert BOX.holds(2, 3) and BOX.holds(5, 3)
    assert not BOX.holds(1.9, 3) and not BOX.holds(5, 4.1)


@pytest.mark.parametrize(
    ("segment", "meets"),
    [
        (Segment(0, 3, 9, 3), True),
        (Segment(4, 0, 4, 9), True),
        (Segment(3, 3, 5, 3.5), True),
        (Segment(0, 3, 1, 3), False),
        (Segment(0, 3, 3, 6), False),
        (Segment(0, 5, 9, 5), False),
    ],
    ids=["across", "upright", "inside", "too short", "past a corner", "above"],
)
def test_a_segment_meets_a_box(segment: Segment, meets: bool) -> None:
    assert segment.meets(BOX) is meets
    assert Segment(*segment[2:], *segment[:2]).meets(BOX) is meets


@pytest.mark.parametrize(
    ("other", "crosses"),
    [(Segment(0, 4, 4, 0), True), (Segment(0, 4, 1, 3), False), (Segment(1, 0, 5, 4), False)],
    ids=["a cross", "too short", "parallel"],
)
def test_segments_cross(other: Segment, crosses: bool) -> None:
    diagonal = Segment(0, 0, 4, 4)
    assert diagonal.crosses(other) is other.crosses(diagonal) is crosses
