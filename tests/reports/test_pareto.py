"""Which points no other beats, and what the picture says of them."""

from __future__ import annotations

from spul.reports._outcome import Outcome
from spul.reports.pareto import TradeOff, _steps, front, pareto_picture, trade_offs
from spul.runs import Run
from spul.types import MetricResult


def point(label: str, retain: float, forget: float, model: str = "unlearned") -> TradeOff:
    def share(value: float) -> MetricResult:
        return MetricResult(value, 100, "share", True, value - 0.02, value + 0.02)

    return TradeOff(label, share(forget), share(retain), model)


A, B, C, D = point("a", 0.90, 0.30), point("b", 0.80, 0.10), point("c", 0.80, 0.20), point("d", 0.70, 0.15)


def test_front_by_hand() -> None:
    """b keeps as much as c and forgets more, and keeps and forgets more than d; a and b are a trade."""
    assert [one.label for one in front([A, B, C, D])] == ["b", "a"]


def test_equal_points_do_not_beat_each_other() -> None:
    twin = point("twin", 0.80, 0.10)
    assert {one.label for one in front([B, twin])} == {"b", "twin"}


def test_steps_by_hand() -> None:
    """From (10, 5) up to 20 and across to 30: labels keep off both pieces."""
    assert _steps([(10, 5), (30, 20)]) == [((10, 5), (10, 20)), ((10, 20), (30, 20))]
    assert _steps([(10, 5)]) == []


def test_a_worse_point_is_drawn_and_not_on_the_front() -> None:
    base = point("base", 0.95, 0.98, "base")
    picture = pareto_picture([A, B, C, D, base])
    assert picture is not None and picture.png is not None
    assert picture.alt.endswith("No point beats: b; a.")
    assert "c: forget 20.0, retain 80.0" in picture.alt
    assert "base: forget 98.0, retain 95.0" in picture.alt


def test_models_beside_are_no_part_of_the_front() -> None:
    """A retrained model that beats every prompt is the aim, and no prompt."""
    picture = pareto_picture([A, point("retrained", 0.99, 0.01, "retrained")])
    assert picture is not None and picture.alt.endswith("No point beats: a.")


def test_without_a_point_there_is_no_picture() -> None:
    assert pareto_picture([point("base", 0.9, 0.9, "base")]) is None


def test_models_that_several_runs_share_are_there_once(run: Run) -> None:
    outcome = Outcome.of(run)
    found = trade_offs([("1. a", outcome), ("2. b", outcome)])
    assert [one.label for one in found] == ["1. a", "base", "retrained", "2. b"]
