"""The threshold by hand, and its promise over re-splits."""

from __future__ import annotations

import numpy as np
import pytest

from spul.errors import DataError
from spul.scopes import Calibration, calibrate


def test_threshold_by_hand() -> None:
    """n = 9, ε = 0.2: k = ⌈10 · 0.8⌉ = 8, the eighth smallest of 1 … 9 is 8; 2 of 10 ranks are above it."""
    found = calibrate([3.0, 1.0, 2.0, 9.0, 8.0, 7.0, 4.0, 5.0, 6.0], 0.2)
    assert (found.threshold, found.rank, found.n) == (8.0, 8, 9)
    assert found.expected == 0.2
    assert found.in_scope(np.array([7.9, 8.0, 8.1])) == [False, False, True]


def test_rank_is_rounded_up() -> None:
    """n = 10, ε = 0.2: k = ⌈11 · 0.8⌉ = ⌈8.8⌉ = 9, so that 2/11 and not 3/11 are above."""
    found = calibrate(np.arange(1.0, 11.0), 0.2)
    assert (found.rank, found.expected) == (9, 2 / 11)


def test_rank_is_computed_in_whole_numbers() -> None:
    """n = 9, ε = 0.7: k = 10 · 0.3 = 3; in floating point 10 · (1 − 0.7) is a hair more, which would round up to 4."""
    assert calibrate(np.arange(9.0), 0.7).rank == 3
    assert calibrate(np.arange(99.0), 0.43).rank == 57


def test_equal_scores_are_never_touched_for_chance() -> None:
    found = calibrate([1.0] * 100, 0.05)
    assert found.in_scope(np.array([1.0])) == [False]


@pytest.mark.parametrize(("epsilon", "least"), [(0.02, 49), (0.05, 19), (0.5, 1)])
def test_so_few_rows_cannot_promise_so_little(epsilon: float, least: int) -> None:
    assert calibrate(np.arange(float(least)), epsilon).rank == least
    with pytest.raises(DataError, match=f"at least {least} calibration rows for scope.epsilon={epsilon:g}, got"):
        calibrate(np.arange(least - 1.0), epsilon)


def test_scores_must_be_finite() -> None:
    with pytest.raises(DataError, match="finite"):
        calibrate([0.0, float("nan")], 0.5)


def test_range_by_hand() -> None:
    """n = 1, k = 1: what one score leaves above it is uniform, Beta(1, 1), so 95 % lie between 2.5 % and 97.5 %."""
    assert calibrate([0.3], 0.5).range == pytest.approx((0.025, 0.975))


def test_promise_holds_over_re_splits() -> None:
    """Of scores of any shape a share of ε is touched on average over 1,000 re-splits, in a few of them much more.

    n = 49, ε = 0.02: k = 49, so 1/50 is expected; a rank less would give 2/50. One re-split's share is about
    exponential with that mean, so the mean of 1,000 has a standard error of 0.02/√1000 = 0.0006.
    """
    rng = np.random.default_rng(0)
    pool = np.concatenate([rng.exponential(size=400), rng.normal(8, 3, size=49)])
    touched = []
    for _ in range(1000):
        order = rng.permutation(pool)
        found = calibrate(order[:49], 0.02)
        touched.append(np.mean(found.in_scope(order[49:])))
    assert 0.018 < np.mean(touched) < 0.022
    assert max(touched) > 0.05, "the promise is about the mean"


def test_json_round_trip() -> None:
    found = calibrate(np.arange(60.0), 0.05)
    assert Calibration(**found.to_json()) == found
