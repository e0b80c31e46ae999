from __future__ import annotations

import pytest

from spul.metrics import Bootstrap
from spul.metrics.nll import NLL
from tests.fakes import ANSWERS, make_sample


def test_by_hand() -> None:
    """−1 over one token and −4 over two: (1 + 2) / 2."""
    samples = [make_sample(logprob=-1.0, num_tokens=1), make_sample(logprob=-4.0, num_tokens=2)]
    result = NLL().compute(samples, ANSWERS, Bootstrap(200))
    assert (result.value, result.n, result.unit, result.higher_is_better) == (1.5, 2, "nats", False)
    assert (result.low, result.high) == (1.0, 2.0)


def test_equal_losses_make_no_interval() -> None:
    result = NLL().compute([make_sample(logprob=-0.3)] * 9, ANSWERS, Bootstrap(200))
    assert result.value == pytest.approx(0.3)
    assert (result.low, result.high) == (None, None)
