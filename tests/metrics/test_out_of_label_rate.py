from __future__ import annotations

from spul.metrics import Bootstrap
from spul.metrics.out_of_label_rate import OutOfLabelRate
from tests.fakes import ANSWERS, make_samples


def test_by_hand() -> None:
    """One of four is neither a label nor a generic answer."""
    samples = make_samples(
        [("positive", None), ("positive", "unknown"), ("negative", "positive"), ("neutral", "neutral")]
    )
    assert OutOfLabelRate().compute(samples, ANSWERS, Bootstrap(100)).value == 0.25
