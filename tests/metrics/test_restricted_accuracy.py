from __future__ import annotations

from spul.metrics import Bootstrap
from spul.metrics.restricted_accuracy import RestrictedAccuracy
from tests.fakes import ANSWERS, make_sample


def test_sees_through_a_generic_answer() -> None:
    """Both are answered `unknown`; among the labels one is known, the other not."""
    samples = [make_sample("positive", "unknown", restricted=label) for label in ("positive", "negative")]
    assert RestrictedAccuracy().compute(samples, ANSWERS, Bootstrap(100)).value == 0.5


def test_leaves_out_what_has_no_label_for_truth() -> None:
    samples = [make_sample("positive", "positive"), make_sample("neutral", "neutral", restricted="negative")]
    result = RestrictedAccuracy().compute(samples, ANSWERS, Bootstrap(100))
    assert (result.value, result.n) == (1.0, 1)


def test_is_undefined_where_nothing_has_a_label() -> None:
    result = RestrictedAccuracy().compute([make_sample("neutral", "neutral")] * 3, ANSWERS, Bootstrap(100))
    assert result.value is None
    assert result.reason == "none of the 3 examples has a label as truth"
