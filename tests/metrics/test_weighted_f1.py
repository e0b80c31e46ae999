from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from spul.metrics import Bootstrap
from spul.metrics.weighted_f1 import WeightedF1
from tests.fakes import ANSWERS, make_samples

ANSWER = st.sampled_from(["negative", "positive", "neutral"])
PREDICTION = st.sampled_from(["negative", "positive", "neutral", "unknown", None])


def test_by_hand() -> None:
    """Truth n n n p; answers n p (none) p.

    n: one true positive, three true, one called: 2 / 4. p: one true positive, one true, two called: 2 / 3. Weighted:
    3/4 · 1/2 + 1/4 · 2/3 = 0.54167. The answer outside the labels takes recall from n and precision from nobody.
    """
    samples = make_samples(
        [("negative", "negative"), ("negative", "positive"), ("negative", None), ("positive", "positive")]
    )
    assert WeightedF1().compute(samples, ANSWERS, Bootstrap(100)).value == pytest.approx(0.5416667)


@given(st.lists(st.tuples(ANSWER, PREDICTION), min_size=1, max_size=30))
def test_is_that_of_sklearn(pairs: list[tuple[str, str | None]]) -> None:
    result = WeightedF1().compute(make_samples(pairs), ANSWERS, Bootstrap(2))
    truth, answers = [a for a, _ in pairs], ["(outside)" if p is None else p for _, p in pairs]
    assert result.value == pytest.approx(f1_score(truth, answers, average="weighted", zero_division=0))


def test_resamples_are_those_of_sklearn() -> None:
    """Every replicate is the F1 of the resampled examples, classes that a resample lost included."""
    pairs = [("negative", "negative"), ("positive", None), ("positive", "negative"), ("neutral", "neutral")]
    bootstrap = Bootstrap(20)
    replicates = WeightedF1().estimate([make_samples(pairs)], ANSWERS, bootstrap).replicates
    assert replicates is not None
    for counts, replicate in zip(bootstrap.draw(4).counts, replicates, strict=True):
        drawn = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
        truth, answers = [a for a, _ in drawn], [p or "(outside)" for _, p in drawn]
        assert replicate == pytest.approx(f1_score(truth, answers, average="weighted", zero_division=0))


@pytest.mark.parametrize(
    ("positives", "n", "accuracy", "f1"),
    [(25786, 46331, 55.66, 39.80), (769, 1425, 53.96, 37.83), (11111, 19855, 55.96, 40.16), (347, 610, 56.885, 41.25)],
)
def test_constant_predictor_has_the_papers_numbers(positives: int, n: int, accuracy: float, f1: float) -> None:
    """GA's row on SST-2 (Bhaila et al. 2025, table 2) is a classifier that always answers `positive`."""
    columns = np.array([positives, positives, 0, positives, n - positives, n, 0]) / n
    positive, support, called = columns[[0, 6]], columns[[3, 4]], columns[[5, 6]]
    means = np.concatenate([positive, support, called])
    assert 100 * positive[0] == pytest.approx(accuracy, abs=0.005)
    assert 100 * WeightedF1().of_means(means) == pytest.approx(f1, abs=0.005)


def test_all_right_has_no_interval() -> None:
    result = WeightedF1().compute(make_samples([("positive", "positive")] * 20), ANSWERS, Bootstrap(100))
    assert (result.value, result.low, result.high) == (1.0, None, None)
