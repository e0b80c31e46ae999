from __future__ import annotations

import pytest

from spul.data.building.rule import draw_groups
from spul.errors import DataError

GROUPS = {"a": {0, 1}, "b": {2, 3, 4}, "c": {5}, "d": set(range(6, 20))}


@pytest.mark.parametrize("seed", range(5))
def test_drawn_groups_hold_at_most_the_share(seed: int) -> None:
    """Of 20 rows 25 % are 5: d is always too large, and of a, b, c any two fit at most."""
    drawn = draw_groups(GROUPS, 20, 0.25, seed)
    assert "d" not in drawn
    assert 1 <= sum(len(GROUPS[name]) for name in drawn) <= 5
    assert drawn == draw_groups(dict(reversed(GROUPS.items())), 20, 0.25, seed), "not by the order of the groups"


def test_seeds_differ() -> None:
    assert len({tuple(draw_groups(GROUPS, 20, 0.25, seed)) for seed in range(20)}) > 1


def test_rows_in_two_groups_count_once() -> None:
    assert draw_groups({"a": {0, 1}, "b": {0, 1}}, 10, 0.2, 0) == ["a", "b"]


def test_where_nothing_fits_the_smallest_is_taken() -> None:
    assert draw_groups(GROUPS, 20, 0.01, 0) == ["c"]
    with pytest.raises(DataError, match="found nothing"):
        draw_groups({}, 20, 0.5, 0)
