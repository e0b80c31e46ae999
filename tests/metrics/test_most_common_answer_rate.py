from __future__ import annotations

from dataclasses import replace

from spul.metrics import Bootstrap
from spul.metrics.most_common_answer_rate import MostCommonAnswerRate
from tests.fakes import ANSWERS, make_sample, make_samples

BOOTSTRAP = Bootstrap(100)


def test_by_hand() -> None:
    """Three of five answers are `positive`, right or not; the other two are `unknown`."""
    pairs = [("positive", "positive"), ("negative", "positive"), ("negative", "positive")]
    result = MostCommonAnswerRate().compute(
        make_samples([*pairs, ("positive", "unknown"), ("neutral", "unknown")]), ANSWERS, BOOTSTRAP
    )
    assert (result.value, result.n) == (0.6, 5)


def test_a_constant_predictor_has_wilsons_interval() -> None:
    """100 of 100: Wilson's lower end is 100 / (100 + 1.96²) = 0.963."""
    samples = make_samples([("positive", "positive"), ("negative", "positive")] * 50)
    result = MostCommonAnswerRate().compute(samples, ANSWERS, BOOTSTRAP)
    assert result.value == result.high == 1.0
    assert result.low is not None
    assert abs(result.low - 100 / (100 + 1.959964**2)) < 1e-6


def test_gibberish_counts_by_its_text() -> None:
    """Two of four say `the`; the other two are as far from any answer, but not the same."""
    said = ["the", "the", "of", "a"]
    samples = [
        replace(make_sample(answer, None, id=text + str(i)), prediction_text=text)
        for i, (answer, text) in enumerate(zip(["positive", "negative"] * 2, said, strict=True))
    ]
    assert MostCommonAnswerRate().compute(samples, ANSWERS, BOOTSTRAP).value == 0.5


def test_is_undefined_where_one_answer_may_be_right() -> None:
    samples = make_samples([("positive", "positive"), ("positive", "positive"), ("neutral", "neutral")])
    result = MostCommonAnswerRate().compute(samples, ANSWERS, BOOTSTRAP)
    assert result.value is None
    assert result.reason is not None
    assert "the truths have 1 label(s)" in result.reason
