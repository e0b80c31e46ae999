from __future__ import annotations

from spul.metrics import Bootstrap
from spul.metrics.generic_rate import GenericRate
from tests.fakes import ANSWERS, make_samples


def test_by_hand() -> None:
    """Three have a label for truth, two of them a generic answer; the plain fact is not counted."""
    samples = make_samples(
        [("positive", "unknown"), ("negative", "neutral"), ("negative", None), ("neutral", "neutral")]
    )
    result = GenericRate().compute(samples, ANSWERS, Bootstrap(100))
    assert (result.value, result.n) == (2 / 3, 3)
