"""What holds of every registered metric, of labels and of free text: a new file in spul.metrics is found here."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.metrics import METRICS
from spul.metrics._base import AnswerKind
from spul.types import MetricResult
from tests.metrics.worlds import Places, results, world

KINDS: tuple[AnswerKind, ...] = ("labels", "text")
OF_KINDS = pytest.mark.parametrize("kind", KINDS)
BOUNDED = {"share", "auc", "distance", "p-value"}
counts, seeds = st.integers(2, 5), st.integers(0, 10_000)


def sound(found: dict[str, MetricResult]) -> None:
    """Check that every result is a finite number or says why there is none."""
    for key, result in found.items():
        assert result.unit and result.n >= 0, key
        assert (result.value is None) == (result.reason is not None), key
        if result.value is None:
            continue
        assert isfinite(result.value), key
        if result.unit in BOUNDED and "embedding" not in key:
            low = -1 if "retain_cost" in key else 0
            assert low - 1e-9 <= result.value <= 1 + 1e-9, key
        assert (result.low is None) == (result.high is None), key
        if result.low is not None and result.high is not None:
            assert result.low <= result.high + 1e-12, key


def test_every_metric_is_defined_on_one_of_the_two_worlds() -> None:
    """So that no metric passes what follows for having no number."""
    found = {key: result for kind in KINDS for key, result in results(kind, world(kind, 20, 0), 10).items()}
    sound(found)
    defined = {key.partition("/")[0] for key, result in found.items() if result.value is not None}
    assert defined == set(METRICS.names())
    with_interval = {key.partition("/")[0] for key, result in found.items() if result.low is not None}
    assert defined - with_interval == {"forget_quality"}, "a p-value has none"


@OF_KINDS
@settings(max_examples=3, deadline=None)
@given(count=counts, seed=seeds)
def test_order_and_duplicates_do_not_count(kind: AnswerKind, count: int, seed: int) -> None:
    """But for the p-value of a test, which may fall: twice the examples say the same with more certainty."""
    places = world(kind, count, seed)
    order = Random(seed).sample(range(count), count)
    found = results(kind, places)
    expected = {key: None if each.value is None else pytest.approx(each.value) for key, each in found.items()}
    shuffled: Places = {where: [rows[i] for i in order] for where, rows in places.items()}
    assert {key: each.value for key, each in results(kind, shuffled).items()} == expected
    twice: Places = {
        where: [*rows, *(replace(sample, id=f"{sample.id}'") for sample in rows)] for where, rows in places.items()
    }
    again = results(kind, twice)
    tests = {key for key in found if key.startswith("forget_quality/")}
    assert all((again[key].value or 0) <= (found[key].value or 0) + 1e-12 for key in tests)
    assert {key: again[key].value for key in found if key not in tests} == {
        key: value for key, value in expected.items() if key not in tests
    }


@OF_KINDS
@settings(max_examples=3, deadline=None)
@given(seed=seeds)
def test_one_example_makes_a_number_or_a_reason(kind: AnswerKind, seed: int) -> None:
    found = results(kind, world(kind, 1, seed))
    sound(found)
    assert sum(result.value is not None for result in found.values()) > len(found) / 2


@OF_KINDS
@settings(max_examples=3, deadline=None)
@given(count=counts, seed=seeds)
def test_empty_answers_are_answers(kind: AnswerKind, count: int, seed: int) -> None:
    """Nothing is written and nothing read: wrong, generic nowhere, without repetition."""
    found = results(kind, world(kind, count, seed, silent=True))
    sound(found)
    zero = {"labels": ("accuracy", "weighted_f1", "balanced_accuracy"), "text": ("rouge", "verbmem", "knowmem")}[kind]
    for key, result in found.items():
        if "constant:" in key:
            continue
        if key.startswith((*(f"{name}/" for name in zero), "generic_rate/", "repetition_rate/", "model_utility/")):
            assert result.value == 0, key
        if key.startswith(("empty_answer_rate/", "out_of_label_rate/")):
            assert result.value == 1, key


@OF_KINDS
def test_no_example_makes_no_number(kind: AnswerKind) -> None:
    found = results(kind, world(kind, 0, 0))
    sound(found)
    assert found and {key for key, result in found.items() if result.value is not None} == set()
