"""Intervals and rank statistics: worked by hand, against scikit-learn and scipy, and by their symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ks_2samp
from sklearn.metrics import roc_auc_score, roc_curve

from spul.stats import (
    Interval,
    Resamples,
    auc,
    auc_replicates,
    harmonic_mean,
    ks_distance,
    ks_distance_replicates,
    percentile_interval,
    share_interval,
    tpr_at_fpr,
    tpr_at_fpr_replicates,
    wilson_interval,
)

# Few distinct values, so that ties are common.
SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=20).map(np.array)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_auc_by_hand() -> None:
    """Pairs of (2, 1) against (1, 0): 2>1, 2>0, 1=1 (half), 1>0: 3.5 of 4."""
    assert auc(np.array([2.0, 1.0]), np.array([1.0, 0.0])) == 3.5 / 4


def test_auc_of_equal_scores_is_a_half() -> None:
    assert auc(np.full(3, 7.0), np.full(5, 7.0)) == 0.5


@given(SCORES, SCORES)
def test_auc_is_that_of_sklearn(positives: np.ndarray, negatives: np.ndarray) -> None:
    truth = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    assert auc(positives, negatives) == pytest.approx(roc_auc_score(truth, np.concatenate([positives, negatives])))


@given(SCORES, SCORES, st.randoms())
def test_auc_knows_neither_order_nor_scale(positives: np.ndarray, negatives: np.ndarray, random: object) -> None:
    shuffled = np.array(sorted(positives, key=lambda _: random.random()))  # type: ignore[attr-defined]
    assert auc(np.exp(shuffled), np.exp(negatives)) == pytest.approx(auc(positives, negatives))


@given(SCORES, SCORES)
def test_auc_of_swapped_sides_is_the_rest(positives: np.ndarray, negatives: np.ndarray) -> None:
    assert auc(positives, negatives) + auc(negatives, positives) == pytest.approx(1)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]))
def test_tpr_is_that_of_sklearns_curve(positives: np.ndarray, negatives: np.ndarray, fpr: float) -> None:
    truth = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    false, true, _ = roc_curve(truth, np.concatenate([positives, negatives]), drop_intermediate=False)
    assert tpr_at_fpr(positives, negatives, fpr) == pytest.approx(true[false <= fpr + 1e-9].max())


def test_tpr_by_hand() -> None:
    """Negatives 0 … 9; at 10 % one of them may pass, so the threshold is just above 8: of 9.5, 8.5, 8, two pass."""
    assert tpr_at_fpr(np.array([9.5, 8.5, 8.0]), np.arange(10.0), 0.1) == pytest.approx(2 / 3)


# scipy warns about its p-value, which is not looked at here.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(SCORES, SCORES)
def test_ks_is_that_of_scipy(first: np.ndarray, second: np.ndarray) -> None:
    assert ks_distance(first, second) == pytest.approx(ks_2samp(first, second, method="asymp").statistic)


def test_scores_that_are_missing_or_no_numbers_are_refused() -> None:
    for bad in (np.array([]), np.array([np.nan])):
        for statistic in (auc, ks_distance):
            with pytest.raises(ValueError, match="on both sides, none of them NaN"):
                statistic(np.array([1.0]), bad)


@settings(max_examples=25)
@given(SCORES, SCORES)
def test_replicates_are_the_statistic_of_the_resampled_scores(positives: np.ndarray, negatives: np.ndarray) -> None:
    drawn = (Resamples(len(positives), 5, rng()), Resamples(len(negatives), 5, rng()))
    aucs = auc_replicates(positives, negatives, drawn)
    tprs = tpr_at_fpr_replicates(positives, negatives, 0.3, drawn)
    for i in range(5):
        resampled = (np.repeat(positives, drawn[0].counts[i]), np.repeat(negatives, drawn[1].counts[i]))
        assert aucs[i] == pytest.approx(auc(*resampled))
        assert tprs[i] == pytest.approx(tpr_at_fpr(*resampled, 0.3))


def test_resamples_hold_n_draws_each_and_follow_their_generator() -> None:
    drawn = Resamples(40, 200, rng())
    assert len(drawn) == 200
    assert (drawn.counts.sum(axis=1) == 40).all()
    assert (drawn.counts == Resamples(40, 200, rng()).counts).all()
    # An example is drawn once on average, and left out of a resample with probability (1 − 1/40)^40 = 0.363.
    assert (drawn.counts == 0).mean() == pytest.approx(0.363, abs=0.01)


def test_means_are_those_of_the_repeated_rows() -> None:
    columns = rng().normal(size=(7, 3))
    drawn = Resamples(7, 4, rng())
    expected = [np.repeat(columns, counts, axis=0).mean(axis=0) for counts in drawn.counts]
    assert drawn.means(columns) == pytest.approx(np.array(expected))


def test_members_are_drawn_with_their_group() -> None:
    """Group 0 is row 1, group 1 the rows 0, 2 and 3: a resample of both groups has 2 to 6 rows."""
    groups = Resamples(2, 40, rng())
    rows = groups.of_members(np.array([1, 0, 1, 1]))
    assert (rows.counts[:, 1] == groups.counts[:, 0]).all()
    assert all((rows.counts[:, i] == groups.counts[:, 1]).all() for i in (0, 2, 3))
    assert set(rows.totals) == {2, 4, 6}
    assert (rows.n, rows.groups, groups.groups) == (4, 2, None)
    means = rows.means(np.array([[1.0], [0.0], [1.0], [1.0]]))[:, 0]
    assert set(means) == {0.0, 0.75, 1.0}
    with pytest.raises(ValueError, match="members of each of 2 groups"):
        groups.of_members(np.array([1, 1]))


def test_replicates_of_groups_are_the_statistics_of_the_resampled_scores() -> None:
    positives, negatives = rng().normal(size=9), rng().normal(size=7) - 0.5
    drawn = (
        Resamples(3, 20, rng()).of_members(np.array([0, 1, 2, 2, 1, 1, 1, 0, 2])),
        Resamples(2, 20, rng()).of_members(np.array([0, 0, 1, 0, 0, 0, 1])),
    )
    aucs, tprs = auc_replicates(positives, negatives, drawn), tpr_at_fpr_replicates(positives, negatives, 0.3, drawn)
    distances = ks_distance_replicates(positives, -positives, drawn[0])
    for i in range(20):
        ours, others = (np.repeat(v, d.counts[i]) for v, d in zip((positives, negatives), drawn, strict=True))
        assert aucs[i] == pytest.approx(auc(ours, others))
        assert tprs[i] == pytest.approx(tpr_at_fpr(ours, others, 0.3))
        assert distances[i] == pytest.approx(ks_distance(ours, -ours))


def test_a_share_of_groups_is_as_uncertain_as_so_many_examples() -> None:
    """48 of 48 rows are 8 of 8 people: at least 67.6 %, not 92.6 %. 24 of 48 are 4 of 8, too few for resamples."""
    replicates = np.linspace(0.4, 0.6, 1000)
    assert share_interval(48, 48, replicates, groups=8) == wilson_interval(8, 8) == (pytest.approx(0.6756, abs=1e-4), 1)
    assert share_interval(24, 48, replicates, groups=8) == wilson_interval(4, 8)
    assert share_interval(24, 48, replicates, groups=20) == pytest.approx((0.405, 0.595))


@pytest.mark.parametrize(("n", "resamples"), [(0, 10), (10, 0)])
def test_nothing_cannot_be_resampled(n: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Resamples(n, resamples, rng())


def test_percentile_interval_by_hand() -> None:
    """0 … 1000: 2.5 % lie below 25, 97.5 % below 975."""
    assert percentile_interval(np.arange(1001.0)) == Interval(25.0, 975.0)


def test_resamples_that_agree_make_no_interval() -> None:
    assert percentile_interval(np.full(100, 0.3)) is None
    assert percentile_interval(np.full(100, 0.3) + np.array([0.0, 1e-17] * 50)) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(method="wilson")
    assert wilson_interval(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_none_by_hand() -> None:
    """0 of 48: z² / (n + z²) = 3.8415 / 51.8415 = 7.41 %."""
    assert wilson_interval(0, 48) == (0.0, pytest.approx(0.0741, abs=1e-4))
    assert wilson_interval(48, 48) == (pytest.approx(1 - 0.0741, abs=1e-4), 1.0)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, n)


def test_share_takes_wilson_where_few_succeed_or_fail() -> None:
    replicates = np.linspace(0.4, 0.6, 1001)
    assert share_interval(50, 100, replicates) == pytest.approx((0.405, 0.595))
    assert share_interval(9, 100, replicates) == wilson_interval(9, 100)
    assert share_interval(91, 100, replicates) == wilson_interval(91, 100)


def test_both_intervals_of_a_share_agree_where_they_meet() -> None:
    """At ten successes one rule follows on the other: the ends must not jump by more than a resample's grain."""
    shares = np.array([[1.0]] * 10 + [[0.0]] * 90)
    replicates = Resamples(100, 4000, rng()).means(shares)[:, 0]
    assert share_interval(10, 100, replicates) == pytest.approx(wilson_interval(10, 100), abs=0.02)


@pytest.mark.parametrize("successes", [0, 3, 24, 47])
def test_interval_of_a_share_covers_the_truth(successes: int) -> None:
    """Of 300 samples of 48 with a true share p, at least 90 % of the intervals hold p."""
    generator, true_share, covered = rng(), (successes + 0.5) / 48, 0
    for _ in range(300):
        sample = (generator.random(48) < true_share).astype(float)
        replicates = Resamples(48, 200, generator).means(sample[:, np.newaxis])[:, 0]
        low, high = share_interval(int(sample.sum()), 48, replicates)
        covered += low <= true_share <= high
    assert covered >= 270


def test_harmonic_mean_by_hand() -> None:
    """2 / (1/1 + 1/0.5) = 2/3."""
    assert harmonic_mean([1.0, 0.5]) == pytest.approx(2 / 3)
    assert harmonic_mean([0.9, 0.0]) == 0.0
    for bad in ([], [0.5, -0.1]):
        with pytest.raises(ValueError, match="non-negative"):
            harmonic_mean(bad)
