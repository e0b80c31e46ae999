from __future__ import annotations

import pytest

from spul.metrics import Bootstrap
from spul.metrics.accuracy import Accuracy
from tests.fakes import ANSWERS, make_samples


def test_by_hand() -> None:
    """Two of four: a generic answer and one outside everything are as wrong as the other label."""
    samples = make_samples(
        [("positive", "positive"), ("negative", "negative"), ("positive", "unknown"), ("negative", None)]
    )
    result = Accuracy().compute(samples, ANSWERS, Bootstrap(100))
    assert (result.value, result.n, result.unit) == (0.5, 4, "share")


def test_generic_answer_is_right_where_it_is_the_truth() -> None:
    assert Accuracy().compute(make_samples([("neutral", "neutral")]), ANSWERS, Bootstrap(100)).value == 1.0


def test_nothing_right_still_has_an_honest_interval() -> None:
    """0 of 48: the bootstrap would say [0, 0]; Wilson says up to 7.4 %."""
    result = Accuracy().compute(make_samples([("positive", "unknown")] * 48), ANSWERS, Bootstrap(100))
    assert (result.value, result.low) == (0.0, 0.0)
    assert result.high == pytest.approx(0.0741, abs=1e-4)


def test_empty_split_is_undefined() -> None:
    result = Accuracy().compute([], ANSWERS, Bootstrap(100))
    assert (result.value, result.low, result.n, result.reason) == (None, None, 0, "the split is empty")


def test_equal_seeds_give_equal_intervals() -> None:
    samples = make_samples([("positive", "positive")] * 30 + [("positive", "negative")] * 20)
    first, again, other = (Accuracy().compute(samples, ANSWERS, Bootstrap(500, seed)) for seed in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert first.value == other.value
