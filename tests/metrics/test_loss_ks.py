from __future__ import annotations

import numpy as np
import pytest

from spul.metrics import Bootstrap, Scored
from spul.metrics.loss_ks import LossKs
from spul.stats import Resamples, ks_distance, ks_distance_replicates
from spul.types import MetricResult, Sample
from tests.fakes import ANSWERS, make_sample


def samples(*logprobs: float) -> list[Sample]:
    return [make_sample(id=str(i), logprob=logprob) for i, logprob in enumerate(logprobs)]


def distance(ours: list[Sample], aim: list[Sample] | None) -> MetricResult:
    return LossKs().compute(ours, aim, ANSWERS, Bootstrap(200))


def test_by_hand() -> None:
    """Losses 1, 2, 3, 4 against 3, 4, 5, 6: at 2, one distribution function is 1/2 and the other still 0."""
    found = distance(samples(-1, -2, -3, -4), samples(-3, -4, -5, -6))
    assert (found.value, found.n, found.unit, found.higher_is_better) == (0.5, 4, "distance", False)
    assert found.low is not None and found.high is not None and found.low <= 0.5 <= found.high


def test_equal_means_do_not_hide_losses_that_are_all_alike() -> None:
    """Mean 2 both; but all losses 2 against half 0, half 4: the functions are 1/2 apart."""
    assert distance(samples(-2, -2, -2, -2), samples(0, 0, -4, -4)).value == 0.5


def test_the_same_losses_in_another_order_are_the_same_distribution() -> None:
    assert distance(samples(-1, -2, -3), samples(-3, -1, -2)).value == 0.0


def test_longer_answers_count_by_token() -> None:
    """−log p = 4 over two tokens is a loss of 2 a token."""
    two = [make_sample(id="0", logprob=-4.0, num_tokens=2)]
    assert distance(two, samples(-2.0)).value == 0.0


@pytest.mark.parametrize(
    ("aim", "reason"),
    [(None, "model.retrained"), ([make_sample(id="other")], "different examples")],
)
def test_without_the_same_examples_of_a_retrained_model_it_is_undefined(aim: list[Sample] | None, reason: str) -> None:
    found = distance(samples(-1), aim)
    assert found.value is None and reason in (found.reason or "")


def test_unlearned_and_base_have_it_on_every_split() -> None:
    near, far = samples(-1, -2), samples(-8, -9)
    scored = Scored(
        {
            "unlearned/test_forget": near,
            "base/test_forget": far,
            "retrained/test_forget": near,
            "unlearned/test_retain": near,
        },
        ANSWERS,
        Bootstrap(100),
    )
    rows = dict(LossKs().rows(scored))
    assert (rows["unlearned/test_forget"].value, rows["base/test_forget"].value) == (0.0, 1.0)
    assert rows["unlearned/test_retain"].value is None
    assert "retrained/test_forget" not in rows


def test_resamples_are_paired_and_each_is_the_distance_of_what_was_drawn() -> None:
    """Every replicate is the plain distance of the examples repeated as often as they were drawn; ties included."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, 20).astype(float), rng.integers(2, 8, 20).astype(float)
    drawn = Resamples(20, 30, rng)
    expected = [ks_distance(np.repeat(first, c), np.repeat(second, c)) for c in drawn.counts]
    np.testing.assert_allclose(ks_distance_replicates(first, second, drawn), expected, atol=1e-12)
