from __future__ import annotations

import numpy as np
import pytest

from spul.training.targets.calibration import fit_vector_scaling, match_quantiles, with_probability_of


def test_scores_that_say_nothing_become_the_classes_shares() -> None:
    """Equal scores everywhere, three of four truths in class 0: maximum likelihood is (3/4, 1/4), whatever the row."""
    scaling = fit_vector_scaling(np.zeros((4, 2)), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(scaling(np.zeros((1, 2))), [[0.75, 0.25]], atol=1e-3)


def test_scores_that_are_twice_too_sure_are_halved() -> None:
    """Log-odds of ±2 ln 3 claim 9 to 1; three of four are right, which is 3 to 1, log-odds of ln 3."""
    sure = np.array([[2 * np.log(3), 0.0], [0.0, 2 * np.log(3)]])
    truths = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    scores = sure[[0, 0, 0, 0, 1, 1, 1, 1]]
    np.testing.assert_allclose(fit_vector_scaling(scores, truths)(sure), [[0.75, 0.25], [0.25, 0.75]], atol=2e-3)


def test_scores_that_separate_the_classes_stay_finite() -> None:
    scaling = fit_vector_scaling(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    assert np.isfinite(scaling.scale).all() and np.isfinite(scaling.bias).all()


def test_quantiles_by_hand() -> None:
    """Ranks of 5, 1, 3 are last, first, middle: of as many references each gets exactly that one."""
    np.testing.assert_allclose(match_quantiles(np.array([5.0, 1, 3]), np.array([20.0, 0, 10])), [20, 0, 10])


def test_equal_values_get_equal_quantiles() -> None:
    """1 and 1 share the ranks 0 and 1, of which the mean is 1/2: quantile 1/3 of (0, 10, 20), half-way to the 10."""
    np.testing.assert_allclose(match_quantiles(np.array([1.0, 1, 3]), np.array([0.0, 10, 20])), [5, 5, 20])


def test_a_changed_probability_leaves_the_others_proportions() -> None:
    """0.9 becomes 0.4; what is left, 0.6, goes 3 to 1 as 0.075 to 0.025 did."""
    found = with_probability_of(np.array([[0.9, 0.075, 0.025]]), np.array([0]), np.array([0.4]))
    np.testing.assert_allclose(found, [[0.4, 0.45, 0.15]])


def test_certainty_leaves_the_others_equal_shares() -> None:
    found = with_probability_of(np.array([[0.0, 1.0, 0.0]]), np.array([1]), np.array([0.5]))
    np.testing.assert_allclose(found, [[0.25, 0.5, 0.25]])


@pytest.mark.parametrize("scores", [np.zeros((0, 2)), np.array([[np.nan, 0.0]])])
def test_nothing_to_fit_is_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite scores of at least one row"):
        fit_vector_scaling(scores, np.zeros(len(scores), dtype=int))
