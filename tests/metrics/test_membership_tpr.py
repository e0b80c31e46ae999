from __future__ import annotations

from spul.metrics import Bootstrap
from spul.metrics.membership_tpr import MembershipTpr
from tests.fakes import ANSWERS, make_sample


def test_by_hand() -> None:
    """Others have losses 1 … 20; at 5 % one of them may pass. Two of four members, 0.5 and 1.5, lie below 2."""
    members = [make_sample(logprob=-loss) for loss in (0.5, 1.5, 2.5, 9.5)]
    others = [make_sample(logprob=-float(loss)) for loss in range(1, 21)]
    result = MembershipTpr("loss", 0.05).compute(members, others, ANSWERS, Bootstrap(100))
    assert (result.value, result.n) == (0.5, 24)
    assert result.low is not None and result.high is not None
    assert result.low < 0.5 < result.high


def test_rate_that_cannot_be_seen_is_undefined() -> None:
    result = MembershipTpr("loss", 0.01).compute([make_sample()] * 9, [make_sample()] * 99, ANSWERS, Bootstrap(100))
    assert (result.value, result.reason) == (None, "needs 100 non-members, there are 99")


def test_variants_have_keys_of_their_own() -> None:
    assert [metric.key for metric in MembershipTpr.variants()] == [
        "membership_tpr:loss@0.001",
        "membership_tpr:loss@0.01",
        "membership_tpr:loss@0.05",
        "membership_tpr:generic@0.001",
        "membership_tpr:generic@0.01",
        "membership_tpr:generic@0.05",
    ]
