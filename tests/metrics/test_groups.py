"""Intervals of examples that share a group: over the groups, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spul.metrics import METRICS, Bootstrap, Scored
from spul.metrics._comparison import difference
from spul.metrics.accuracy import Accuracy
from spul.metrics.loss_ks import LossKs
from spul.metrics.membership_auc import MembershipAuc
from spul.metrics.nll import NLL
from spul.stats import wilson_interval
from spul.types import Sample
from tests.fakes import ANSWERS, make_sample


def lines(people: int, each: int, logprob: float = -1.0, *, right: bool = True) -> list[Sample]:
    """So many lines about so many people; person 0 has the loss 1, person 1 the loss 2, …"""
    said = "positive" if right else "negative"
    return [
        replace(make_sample("positive", said, id=f"{i}-{j}", logprob=logprob * (i + 1)), group=f"person {i}")
        for i in range(people)
        for j in range(each)
    ]


def test_forty_eight_lines_about_eight_people_are_eight_people() -> None:
    result = Accuracy().compute(lines(8, 6), ANSWERS, Bootstrap(200))
    assert (result.value, result.n, result.groups) == (1.0, 48, 8)
    assert (result.low, result.high) == wilson_interval(8, 8)
    ungrouped = [replace(sample, group="") for sample in lines(8, 6)]
    alone = Accuracy().compute(ungrouped, ANSWERS, Bootstrap(200))
    assert (alone.low, alone.high, alone.groups) == (*wilson_interval(48, 48), None)


def test_hand_worked_means_of_drawn_people() -> None:
    """Three lines with a loss of 1, one with a loss of 2: two draws give 1, 2 or 5/4, and no row is drawn by itself."""
    samples = [*lines(1, 3), replace(make_sample("positive", id="x", logprob=-2.0), group="person 1")]
    estimate = NLL().estimate([samples], ANSWERS, Bootstrap(300))
    assert estimate.replicates is not None
    assert set(estimate.replicates) == {1.0, 1.25, 2.0}
    assert (estimate.result.low, estimate.result.high, estimate.result.groups) == (1.0, 2.0, 2)


def test_rows_without_a_group_among_others_are_their_own() -> None:
    samples = [*lines(2, 3), make_sample(id="alone"), make_sample(id="person 0")]
    assert Accuracy().compute(samples, ANSWERS, Bootstrap(100)).groups == 4


def test_rows_that_share_nothing_have_the_intervals_of_rows() -> None:
    """Each row in a group of its own, in the order of the names: the same draws, and the same numbers."""
    rows = [make_sample("positive", "positive" if i % 3 else "negative", id=f"{i:02}") for i in range(40)]
    own = [replace(sample, group=sample.id) for sample in rows]
    first, second = (Accuracy().compute(samples, ANSWERS, Bootstrap(300)) for samples in (rows, own))
    assert (first.low, first.high) == (second.low, second.high)
    assert (first.groups, second.groups) == (None, 40)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(18)), st.integers(0, 3))
def test_the_order_of_the_rows_does_not_matter(order: list[int], seed: int) -> None:
    samples = [replace(s, prediction="positive" if i % 4 else None) for i, s in enumerate(lines(5, 3))]
    samples += [make_sample("negative", "positive", id=f"alone {i}", logprob=-0.3 * i) for i in range(3)]
    shuffled = [samples[i] for i in order]
    for metric in (Accuracy(), NLL()):
        first, second = (metric.compute(rows, ANSWERS, Bootstrap(50, seed)) for rows in (samples, shuffled))
        assert (second.value, second.low, second.high) == pytest.approx((first.value, first.low, first.high))
        assert first.groups == second.groups == 8


def scored() -> Scored:
    samples = {
        f"{model}/{split}": lines(4, each, scale)
        for split, each in (("train_forget", 3), ("test_forget", 2), ("train_retain", 3), ("test_retain", 3))
        for model, scale in (("unlearned", -1.0), ("base", -0.5), ("retrained", -2.0))
    }
    return Scored(samples, ANSWERS, Bootstrap(100))


def test_members_and_non_members_about_the_same_people_are_drawn_together() -> None:
    """A person's lines have one loss on both sides. Two people drawn apart may be one that is likelier on each side."""
    members, others = (lines(2, 3), lines(2, 2))
    estimate = MembershipAuc().estimate([members, others], ANSWERS, Bootstrap(200))
    assert estimate.replicates is not None
    assert set(estimate.replicates) == {0.5}
    assert estimate.result.groups == 2
    renamed = [replace(sample, group=f"{sample.group}!") for sample in others]
    apart = MembershipAuc().estimate([members, renamed], ANSWERS, Bootstrap(200))
    assert apart.replicates is not None
    assert {0.0, 1.0} <= set(apart.replicates)


def test_every_metric_with_an_interval_says_over_how_many_groups() -> None:
    whole = scored()
    found = {
        f"{where}/{metric.key}": result
        for name in METRICS.names()
        for metric in METRICS.get(name).variants()
        for where, result in metric.rows(whole)
        if result.low is not None
    }
    assert len({key.rpartition("/")[2] for key in found}) > 8
    assert {key: result.groups for key, result in found.items() if result.groups is None} == {}


def test_differences_and_distances_are_over_groups_too() -> None:
    """The unlearned model's loss is less than the retrained one's by 1, 2, 3 and 4: a mean of two people's, say."""
    found = difference(NLL(), scored(), "unlearned", "retrained", "test_forget")
    assert (found.value, found.groups) == (-2.5, 4)
    assert found.distance().result("nats", False).groups == 4
    (row, *_) = [result for where, result in LossKs().rows(scored()) if where == "unlearned/test_forget"]
    assert row.groups == 4
