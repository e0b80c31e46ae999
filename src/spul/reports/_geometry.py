"""Boxes and segments in the plane, in plain numbers: thousands are compared to place the labels of a picture."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Box", "Segment"]


class Box(NamedTuple):
    """Level and upright: left, lower, right and upper edge."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Return width times height."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def holds(self, x: float, y: float) -> bool:
        """Return whether a position is inside."""
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1

    def around(self, margin: float) -> Box:
        """Return it with a margin on every side."""
        return Box(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def common(self, other: Box) -> float:
        """Return the area of what both cover."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return width * height if width > 0 and height > 0 else 0.0


class Segment(NamedTuple):
    """From one position to another."""

    x0: float
    y0: float
    x1: float
    y1: float

    def side(self, x: float, y: float) -> bool:
        """Return on which side of it a position is."""
        return (self.x1 - self.x0) * (y - self.y0) > (self.y1 - self.y0) * (x - self.x0)

    def crosses(self, other: Segment) -> bool:
        """Return whether the ends of each are on both sides of the other."""
        mine = other.side(self.x0, self.y0) != other.side(self.x1, self.y1)
        return mine and self.side(other.x0, other.y0) != self.side(other.x1, other.y1)

    def meets(self, box: Box) -> bool:
        """Return whether some of it is in the box: not all of it beside, and corners on both sides of it."""
        beside = max(self.x0, self.x1) < box.x0 or min(self.x0, self.x1) > box.x1
        if beside or max(self.y0, self.y1) < box.y0 or min(self.y0, self.y1) > box.y1:
            return False
        return len({self.side(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)}) > 1
