from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from spul.metrics import Bootstrap
from spul.metrics.balanced_accuracy import BalancedAccuracy
from tests.fakes import ANSWERS, make_samples

ANSWER = st.sampled_from(["negative", "positive", "neutral"])
PREDICTION = st.sampled_from(["negative", "positive", "neutral", "unknown", None])


@given(st.lists(st.tuples(ANSWER, PREDICTION), min_size=1, max_size=30))
def test_is_that_of_sklearn(pairs: list[tuple[str, str | None]]) -> None:
    result = BalancedAccuracy().compute(make_samples(pairs), ANSWERS, Bootstrap(2))
    with warnings.catch_warnings(action="ignore"):
        expected = balanced_accuracy_score([a for a, _ in pairs], [p or "(outside)" for _, p in pairs])
    assert result.value == pytest.approx(expected)


def test_constant_answer_cannot_raise_it() -> None:
    """9 of 10 are positive: always `positive` is right on 90 %, balanced on 50 %."""
    pairs = [("positive", "positive")] * 9 + [("negative", "positive")]
    assert BalancedAccuracy().compute(make_samples(pairs), ANSWERS, Bootstrap(100)).value == 0.5
