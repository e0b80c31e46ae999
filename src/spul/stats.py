"""Statistics in plain numpy: intervals, rank statistics, means.

All intervals are 95 % intervals. Which one is used where:

* a share (``k`` of ``n``): the percentile bootstrap, or Wilson's interval where fewer than ten examples succeeded or
  fewer than ten failed. There the bootstrap is too narrow, and at 0 of ``n`` it is the point 0, whatever ``n`` is;
* a mean over training seeds: Student's t interval, which is honest for three of them;
* anything else: the percentile bootstrap over examples. Where all resamples agree there is no interval: one point would
  claim a certainty that the sample does not have.

A bootstrap resample is kept as counts: how often each example was drawn. The counts of one set of examples serve every
statistic of every model on it, which makes comparisons between models paired.

Examples that share a group (a person, a document) are not independent: 48 lines about 8 people tell of 8 people. There
whole groups are drawn (cluster bootstrap; Davison & Hinkley 1997, section 3.8), and Wilson's interval takes a share of
``n`` rows for the same share of as many independent examples as there are groups. That is as wide as it is where the
rows of a group all agree, and wider than need be where they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

__all__ = [
    "Interval",
    "Resamples",
    "auc",
    "auc_replicates",
    "harmonic_mean",
    "ks_distance",
    "ks_distance_replicates",
    "mean_interval",
    "percentile_interval",
    "share_interval",
    "tpr_at_fpr",
    "tpr_at_fpr_replicates",
    "wilson_interval",
]

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
FEW = 10
"""Below that many successes or failures the bootstrap of a share is not trusted."""
CHUNK_CELLS = 2**19
"""Cells (resamples × examples) that are worked on at once: 4 MiB of float64, which a processor's cache holds."""


class Interval(NamedTuple):
    """Ends of a 95 % interval."""

    low: float
    high: float


class Resamples:
    """Bootstrap resamples of ``n`` examples, drawn with replacement.

    Attributes:
        n: number of examples.
        counts: [B, n] how often each example was drawn. One byte each: with draws of expectation 1, a count above 255
            does not occur.
        totals: [B] how many examples a resample has: ``n``, or where groups of unlike size were drawn, around it.
        groups: how many groups were drawn from; ``None`` where examples were.
    """

    def __init__(self, n: int, resamples: int, rng: np.random.Generator) -> None:
        if n < 1 or resamples < 1:
            raise ValueError(f"expected at least one example and one resample, got {n} and {resamples}")
        self.n = n
        self.counts: UInt8[np.ndarray, "B n"] = np.empty((resamples, n), dtype=np.uint8)
        for row in self.counts:
            row[:] = np.bincount(rng.integers(0, n, size=n), minlength=n)
        self.totals: Int[np.ndarray, " B"] = np.full(resamples, n)
        self.groups: int | None = None

    def of_members(self, groups: Int[np.ndarray, " n"]) -> Resamples:
        """Return the resamples of the members of these groups: each is there as often as its group was drawn.

        Args:
            groups: the group of every member, counted from 0; none of them is empty.

        Raises:
            ValueError: a group has no member, or there are others.
        """
        if not np.array_equal(np.unique(groups), np.arange(self.n)):
            raise ValueError(f"expected members of each of {self.n} groups, got those of {np.unique(groups)}")
        found = Resamples.__new__(Resamples)
        found.n, found.groups = len(groups), self.n
        found.counts = self.counts[:, groups]
        found.totals = found.counts.sum(axis=1, dtype=np.int64)
        return found

    def __len__(self) -> int:
        return len(self.counts)

    def means(self, columns: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "B c"]:
        """Return the mean of every column in every resample."""
        out = np.empty((len(self), columns.shape[1]))
        for rows in _chunks(len(self), self.n):
            out[rows] = self.counts[rows].astype(np.float64) @ columns
        out /= self.totals[:, np.newaxis]
        return out


def wilson_interval(successes: float, n: int) -> Interval:
    """Return Wilson's score interval of a share. E. B. Wilson 1927, JASA 22:209.

    Successes may be a fraction: the share of rows in as many independent examples as there are groups.

    Raises:
        ValueError: ``n`` is zero, or ``successes`` is not between 0 and ``n``.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    share = successes / n
    centre = share + Z95**2 / (2 * n)
    spread = Z95 * float(np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)))
    scale = 1 + Z95**2 / n
    # The ends are exact where all or none succeed; rounding would leave 1e-17 there.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return Interval(low, high)


def percentile_interval(replicates: Float[np.ndarray, " B"]) -> Interval | None:
    """Return the 2.5 % and 97.5 % quantiles of a bootstrap's replicates; ``None`` where all of them agree."""
    # Sums in another order differ in the last bit; that is agreement too.
    if np.ptp(replicates) <= 1e-12 * np.abs(replicates).max():
        return None
    low, high = np.quantile(replicates, (0.025, 0.975))
    return Interval(float(low), float(high))


def share_interval(
    successes: float, n: int, replicates: Float[np.ndarray, " B"], groups: int | None = None
) -> Interval:
    """Return the interval of a share: the bootstrap's, or Wilson's with few successes or failures (see the module).

    With groups, successes and failures are counted in examples that are worth a group each.
    """
    if groups is not None:
        successes, n = successes * groups / n, groups
    interval = percentile_interval(replicates) if min(successes, n - successes) >= FEW else None
    return interval or wilson_interval(successes, n)


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return Student's t interval around the mean of ``values``; ``None`` for fewer than two.

    Mean ± t·s/√n with s the sample standard deviation and t the 97.5 % quantile for n − 1 degrees of freedom.
    """
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    half = float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / n**0.5
    return Interval(float(np.mean(values)) - half, float(np.mean(values)) + half)


def harmonic_mean(values: Sequence[float]) -> float:
    """Return the harmonic mean of non-negative numbers; 0 as soon as one of them is 0.

    Raises:
        ValueError: there are no values, or one is negative.
    """
    if not values or min(values) < 0:
        raise ValueError(f"expected non-negative values, at least one, got {list(values)}")
    if min(values) == 0:
        return 0.0
    return len(values) / sum(1 / value for value in values)


def auc(positives: Float[np.ndarray, " P"], negatives: Float[np.ndarray, " N"]) -> float:
    """Return the probability that a random positive scores above a random negative; a tie counts half.

    The Mann–Whitney U statistic over P·N.

    Raises:
        ValueError: one side is empty, or a score is NaN.
    """
    return float(_Pair(positives, negatives).auc(*_once(positives, negatives))[0])


def auc_replicates(
    positives: Float[np.ndarray, " P"], negatives: Float[np.ndarray, " N"], drawn: tuple[Resamples, Resamples]
) -> Float[np.ndarray, " B"]:
    """Return :func:`auc` in every resample; each side is resampled by itself (stratified)."""
    pair = _Pair(positives, negatives)
    return np.concatenate([pair.auc(*counts) for counts in _in_chunks(*drawn)])


def tpr_at_fpr(positives: Float[np.ndarray, " P"], negatives: Float[np.ndarray, " N"], fpr: float) -> float:
    """Return the largest true-positive rate of a threshold whose false-positive rate is at most ``fpr``.

    No interpolation between thresholds: the rate is one that a threshold really reaches.

    Raises:
        ValueError: one side is empty, or a score is NaN.
    """
    return float(_Pair(positives, negatives).tpr(*_once(positives, negatives), fpr)[0])


def tpr_at_fpr_replicates(
    positives: Float[np.ndarray, " P"],
    negatives: Float[np.ndarray, " N"],
    fpr: float,
    drawn: tuple[Resamples, Resamples],
) -> Float[np.ndarray, " B"]:
    """Return :func:`tpr_at_fpr` in every resample; each side is resampled by itself (stratified)."""
    pair = _Pair(positives, negatives)
    return np.concatenate([pair.tpr(*counts, fpr) for counts in _in_chunks(*drawn)])


def ks_distance(first: Float[np.ndarray, " N"], second: Float[np.ndarray, " M"]) -> float:
    """Return the two-sample Kolmogorov–Smirnov distance: the largest gap between the two distribution functions.

    Raises:
        ValueError: one sample is empty, or a value is NaN.
    """
    pair = _Pair(first, second)
    one, other = pair.positives, pair.negatives
    values = np.concatenate([one, other])
    gaps = np.searchsorted(one, values, side="right") / len(one)
    gaps -= np.searchsorted(other, values, side="right") / len(other)
    return float(np.abs(gaps).max())


def ks_distance_replicates(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], drawn: Resamples
) -> Float[np.ndarray, " B"]:
    """Return :func:`ks_distance` in every resample of examples on which both values were measured (paired)."""
    n = drawn.n
    values = np.concatenate([first, second])
    order = np.argsort(values, kind="stable")
    examples, signs = order % n, np.where(order < n, 1, -1)
    # The two functions are compared where a run of equal values ends, never within it.
    ends = np.append(np.diff(values[order]) > 0, True)
    found = []
    for rows in _chunks(len(drawn), 2 * n):
        steps = drawn.counts[rows][:, examples].astype(np.int32) * signs
        found.append(np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1) / drawn.totals[rows])
    return np.concatenate(found)


class _Pair:
    """Two groups of scores, each ascending; counts say how often every score of a group is there."""

    def __init__(self, positives: Float[np.ndarray, " P"], negatives: Float[np.ndarray, " N"]) -> None:
        if not len(positives) or not len(negatives) or np.isnan(positives).any() or np.isnan(negatives).any():
            raise ValueError("expected scores on both sides, none of them NaN")
        self._positive_order, self._negative_order = np.argsort(positives), np.argsort(negatives)
        self.positives, self.negatives = positives[self._positive_order], negatives[self._negative_order]

    def auc(self, positives: UInt8[np.ndarray, "b P"], negatives: UInt8[np.ndarray, "b N"]) -> Float[np.ndarray, " b"]:
        below = _cumulated(negatives, self._negative_order)
        less = below[:, np.searchsorted(self.negatives, self.positives, side="left")]
        less_or_equal = below[:, np.searchsorted(self.negatives, self.positives, side="right")]
        wins = (positives[:, self._positive_order] * (less + less_or_equal)).sum(axis=1) / 2
        pairs = positives.sum(axis=1, dtype=np.int64) * negatives.sum(axis=1, dtype=np.int64)
        share: Float[np.ndarray, " b"] = wins / pairs
        return share

    def tpr(
        self, positives: UInt8[np.ndarray, "b P"], negatives: UInt8[np.ndarray, "b N"], fpr: float
    ) -> Float[np.ndarray, " b"]:
        # A product of a rate and a count may land a hair under a whole number.
        allowed = fpr * negatives.sum(axis=1, dtype=np.int64, keepdims=True) + 1e-9
        above = _cumulated(negatives, self._negative_order[::-1])[:, 1:]
        # The highest negative that no threshold may let in; a threshold just above it finds the most.
        first_refused = np.where((above > allowed).any(axis=1), (above > allowed).argmax(axis=1), len(self.negatives))
        bounds = np.append(self.negatives[::-1], -np.inf)[first_refused]
        found = len(self.positives) - np.searchsorted(self.positives, bounds, side="right")
        hits = np.take_along_axis(_cumulated(positives, self._positive_order[::-1]), found[:, np.newaxis], axis=1)
        rate: Float[np.ndarray, " b"] = hits[:, 0] / positives.sum(axis=1, dtype=np.int64)
        return rate


def _cumulated(counts: UInt8[np.ndarray, "b n"], order: Int[np.ndarray, " n"]) -> Int[np.ndarray, "b n+1"]:
    """Return how many are among the first 0, 1, … n in that order."""
    out = np.zeros((len(counts), len(order) + 1), dtype=np.int32)
    np.cumsum(counts[:, order], axis=1, out=out[:, 1:])
    return out


def _once(
    positives: Float[np.ndarray, " P"], negatives: Float[np.ndarray, " N"]
) -> tuple[UInt8[np.ndarray, "1 P"], UInt8[np.ndarray, "1 N"]]:
    """Return counts with every example once."""
    return np.ones((1, len(positives)), dtype=np.uint8), np.ones((1, len(negatives)), dtype=np.uint8)


def _in_chunks(
    positives: Resamples, negatives: Resamples
) -> Iterator[tuple[UInt8[np.ndarray, "b P"], UInt8[np.ndarray, "b N"]]]:
    for rows in _chunks(len(positives), positives.n + negatives.n):
        yield positives.counts[rows], negatives.counts[rows]


def _chunks(resamples: int, size: int) -> Iterator[slice]:
    step = max(1, CHUNK_CELLS // size)
    for start in range(0, resamples, step):
        yield slice(start, start + step)
