from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spul.metrics import Bootstrap, Scored
from spul.metrics.generic_rate_length_matched import GenericRateLengthMatched, match_by_length
from tests.fakes import ANSWERS, make_sample

LENGTHS = st.lists(st.integers(1, 60), max_size=25)


def test_finds_a_prompt_that_goes_by_length() -> None:
    """Forget inputs have 30 tokens. The model answers `unknown` to whatever is that long: 10 % of retain, but all of
    the retain examples of that length."""
    forget = [make_sample("positive", "unknown", input_tokens=30)] * 20
    retain = [make_sample("positive", "positive", input_tokens=10)] * 180
    retain += [make_sample("positive", "unknown", input_tokens=30)] * 20
    scored = Scored({"unlearned/test_forget": forget, "unlearned/test_retain": retain}, ANSWERS, Bootstrap(100))
    (row,) = GenericRateLengthMatched().rows(scored)
    assert row[0] == "unlearned/test_retain"
    assert (row[1].value, row[1].n) == (1.0, 20)


def test_is_undefined_where_lengths_do_not_meet() -> None:
    forget, retain = [make_sample(input_tokens=50)] * 4, [make_sample(input_tokens=10)] * 100
    scored = Scored({"base/train_forget": forget, "base/train_retain": retain}, ANSWERS, Bootstrap(100))
    (row,) = GenericRateLengthMatched().rows(scored)
    assert row[1].value is None
    assert row[1].reason == "only 0 of 4 forget examples have a retain example of like length"


def test_without_the_forget_split_there_is_no_number() -> None:
    scored = Scored({"base/test_retain": [make_sample()]}, ANSWERS, Bootstrap(100))
    assert list(GenericRateLengthMatched().rows(scored)) == []


def test_equal_lengths_come_first_then_those_within_a_tenth() -> None:
    """20 finds 20; 40 finds 36 (a tenth off); 5 finds 4 (one token off); 60 finds nothing within 54 … 66."""
    retain = [36, 20, 4, 90]
    chosen = match_by_length([60, 40, 20, 5], retain, np.random.default_rng(0))
    assert sorted(retain[i] for i in chosen) == [4, 20, 36]


@given(LENGTHS, LENGTHS, st.integers(0, 3))
def test_partners_are_alike_and_taken_once(forget: list[int], retain: list[int], seed: int) -> None:
    chosen = match_by_length(forget, retain, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == len(chosen) <= min(len(forget), len(retain))
    # Each chosen length must have a forget example of its own within a tenth (or one token).
    free = sorted(forget)
    for length in sorted(retain[i] for i in chosen):
        near = next(other for other in free if abs(other - length) <= max(1, int(0.1 * other)))
        free.remove(near)


@given(LENGTHS)
def test_all_are_matched_with_themselves(lengths: list[int]) -> None:
    chosen = match_by_length(lengths, lengths, np.random.default_rng(0))
    assert sorted(chosen.tolist()) == list(range(len(lengths)))
