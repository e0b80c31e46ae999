from __future__ import annotations

import pytest

from spul.metrics import Bootstrap
from spul.metrics.membership_auc import MembershipAuc
from tests.fakes import ANSWERS, make_sample


def test_by_hand() -> None:
    """Losses per token: members 0.5 and 2 (4 over two tokens), others 1 and 3. 0.5 beats both, 2 beats 3: 3 of 4."""
    members = [make_sample(logprob=-0.5), make_sample(logprob=-4.0, num_tokens=2)]
    others = [make_sample(logprob=-1.0), make_sample(logprob=-3.0)]
    result = MembershipAuc().compute(members, others, ANSWERS, Bootstrap(200))
    assert (result.value, result.n, result.unit, result.higher_is_better) == (0.75, 4, "auc", None)
    assert result.low is not None and result.high is not None
    assert result.low < 0.75 < result.high


def test_same_scores_on_both_sides_are_a_half_whatever_their_number() -> None:
    samples = [make_sample(logprob=-0.1 * i) for i in range(1, 30)]
    result = MembershipAuc().compute(samples, samples, ANSWERS, Bootstrap(400))
    assert result.value == 0.5
    # Equal numbers on both sides must not make them drawn alike: then every replicate would be 0.5.
    assert result.low is not None and result.low < 0.45


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_one_side_missing_is_undefined(sizes: tuple[int, int]) -> None:
    members, others = ([make_sample()] * size for size in sizes)
    result = MembershipAuc().compute(members, others, ANSWERS, Bootstrap(100))
    assert result.value is None
    assert result.reason == f"train_forget has {sizes[0]} examples, test_forget has {sizes[1]}"
