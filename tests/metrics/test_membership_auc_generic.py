from __future__ import annotations

from dataclasses import replace

from spul.metrics import Bootstrap
from spul.metrics.membership_auc_generic import MembershipAucGeneric
from tests.fakes import ANSWERS, make_sample


def test_by_hand() -> None:
    """P(generic) .9 and .2 for members, .5 and .1 for others: three of four pairs."""
    members = [make_sample(generic=0.9), make_sample(generic=0.2)]
    others = [make_sample(generic=0.5), make_sample(generic=0.1)]
    assert MembershipAucGeneric().compute(members, others, ANSWERS, Bootstrap(100)).value == 0.75


def test_adds_up_the_generic_answers_even_where_exp_gives_zero() -> None:
    """e^−900 is 0 in floating point; the order must not be lost."""

    def sample(neutral: float, unknown: float) -> object:
        base = make_sample()
        return replace(base, candidate_logprobs={**base.candidate_logprobs, "neutral": neutral, "unknown": unknown})

    members, others = [sample(-900.0, -800.0)], [sample(-900.0, -801.0)]
    assert MembershipAucGeneric().compute(members, others, ANSWERS, Bootstrap(100)).value == 1.0  # type: ignore[arg-type]
