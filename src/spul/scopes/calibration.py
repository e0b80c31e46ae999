"""The threshold of a detector: split-conformal calibration on retain rows that the detector has not seen.

Of n exchangeable scores and the next one, the next is as likely to stand at any of the n + 1 ranks. So with k =
⌈(n+1)(1−ε)⌉ and the k-th smallest of the n scores as threshold, the next retain query scores above it with probability
at most (n+1−k)/(n+1) ≤ ε, whatever the detector and whatever the distribution. Vovk, Gammerman, Shafer 2005;
Angelopoulos and Bates 2021 (arXiv:2107.07511), section 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float

from spul.errors import DataError

__all__ = ["Calibration", "calibrate"]


@dataclass(frozen=True)
class Calibration:
    """A threshold and what is promised of it.

    Attributes:
        threshold: a query is in scope where its score is above that, not at it.
        epsilon: the share that was asked for.
        n: calibration rows behind it.
        rank: which of their scores, counted from the smallest, the threshold is.
    """

    threshold: float
    epsilon: float
    n: int
    rank: int

    @property
    def expected(self) -> float:
        """The share of retain queries above the threshold in expectation, if no scores tie: at most epsilon."""
        return (self.n + 1 - self.rank) / (self.n + 1)

    @property
    def range(self) -> tuple[float, float]:
        """Between which shares this very threshold touches, with probability 95 % over the calibration rows.

        The promise holds on average over calibration rows. Given one set of them, and no ties, the share is distributed
        as Beta(n + 1 − k, k).
        """
        from scipy.stats import beta

        low, high = beta.ppf((0.025, 0.975), self.n + 1 - self.rank, self.rank)
        return float(low), float(high)

    def in_scope(self, scores: Float[np.ndarray, " n"]) -> list[bool]:
        """Return which scores are above the threshold."""
        return [bool(score > self.threshold) for score in scores]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; the inverse of ``Calibration(**row)``."""
        return asdict(self)


def calibrate(scores: Sequence[float] | Float[np.ndarray, " n"], epsilon: float) -> Calibration:
    """Return the threshold that at most a share ``epsilon`` of retain queries scores above.

    Args:
        scores: of retain rows that the detector has not learned from, higher for what looks more in scope.
        epsilon: between 0 and 1.

    Raises:
        DataError: there are too few scores for so small an epsilon, or one is not finite.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    n = len(ordered)
    if not np.isfinite(ordered).all():
        raise DataError("expected finite scores of the calibration rows; the detector gave one that is not")
    # In whole numbers: 100 · (1 − 0.02) must be 98, whatever floating point makes of it.
    rank = math.ceil((n + 1) * (1 - Fraction(str(epsilon))))
    if rank > n:
        raise DataError(
            f"expected at least {math.ceil(1 / Fraction(str(epsilon))) - 1} calibration rows for scope.epsilon="
            f"{epsilon:g}, got {n}; raise scope.epsilon or scope.calibration_share, or give more rows "
            "(scope.calibration, scope.retain)"
        )
    return Calibration(float(ordered[rank - 1]), epsilon, n, rank)
