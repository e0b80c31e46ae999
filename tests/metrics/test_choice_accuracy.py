from __future__ import annotations

from dataclasses import replace

import pytest

from spul.evaluation import compute_metrics
from spul.types import AnswerSpace, Sample
from tests.fakes import make_sample

LETTERS = AnswerSpace(("A", "B"), ("unknown",))


def read(answer: str, **readings: str) -> Sample:
    sample = make_sample(answer, answer, restricted=answer)
    return replace(sample, readings=readings, candidate_logprobs={"A": -1.0, "B": -1.0, "unknown": -2.0})


def test_hand_worked() -> None:
    """By letter 2 of 3 are right, by likelihood 1 of 3; nobody was read by likelihood per token."""
    samples = [
        read("A", letter="A", likelihood="B"),
        read("B", letter="B", likelihood="B"),
        read("B", letter="A", likelihood="A"),
    ]
    found = compute_metrics({"base/test_retain": samples}, LETTERS, bootstrap=100)
    assert found["base/test_retain/choice_accuracy:letter"].value == pytest.approx(2 / 3)
    assert found["base/test_retain/choice_accuracy:likelihood"].value == pytest.approx(1 / 3)
    assert not [key for key in found if key.endswith("choice_accuracy:likelihood_per_token")]


def test_what_has_one_reading_only_has_no_such_number() -> None:
    samples = {f"{model}/test_retain": [make_sample()] for model in ("unlearned", "base", "retrained")}
    found = compute_metrics(samples, AnswerSpace(("negative", "positive"), ("neutral", "unknown")), bootstrap=100)
    assert not [key for key in found if "choice_accuracy" in key]
