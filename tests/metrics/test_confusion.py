from __future__ import annotations

from spul.metrics import OTHER, confusion
from tests.fakes import ANSWERS, make_samples


def test_by_hand() -> None:
    table = confusion(
        make_samples([("positive", "positive"), ("positive", None), ("positive", None), ("neutral", "unknown")]),
        ANSWERS,
    )
    assert table.truths == ("positive", "neutral")
    assert table.predictions == ("negative", "positive", "neutral", "unknown", OTHER)
    assert table.counts == ((0, 1, 0, 0, 2), (0, 0, 0, 1, 0))


def test_nothing_makes_an_empty_table() -> None:
    assert confusion([], ANSWERS).counts == ()
