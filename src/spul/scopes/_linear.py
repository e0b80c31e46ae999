"""Linear scores: of character n-grams, and of vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from spul.errors import DataError
from spul.scopes._base import State

__all__ = ["NgramScore", "VectorScore", "fit_logistic", "fit_ngrams"]

Sparse = Any
"""A scipy sparse matrix, one row a text."""


def fit_logistic(
    rows: Any, positive: Sequence[bool] | np.ndarray, *, strength: float, weights: np.ndarray | None = None
) -> tuple[Float[np.ndarray, " d"], float]:
    """Return weights and intercept of a logistic regression that tells positive rows from the others.

    Args:
        rows: [n, d], sparse or not.
        positive: [n] which ones.
        strength: of the data against the L2 penalty, scikit-learn's C.
        weights: [n] of the rows.
    """
    from sklearn.linear_model import LogisticRegression

    # liblinear's primal solver takes no chances: equal rows give equal weights.
    found = LogisticRegression(C=strength, solver="liblinear").fit(rows, np.asarray(positive, dtype=int), weights)
    return found.coef_[0].astype(np.float64), float(found.intercept_[0])


@dataclass(frozen=True)
class NgramScore:
    """A linear score of the TF-IDF of character n-grams within words.

    Attributes:
        ngrams: shortest and longest, in characters; the edge of a word counts as a space.
        vocabulary: the n-grams.
        idf: [V] their inverse document frequencies.
        weights: [V] what each adds.
        intercept: the score of what has none of them.
    """

    ngrams: tuple[int, int]
    vocabulary: tuple[str, ...]
    idf: Float[np.ndarray, " V"]
    weights: Float[np.ndarray, " V"]
    intercept: float

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return one score a text."""
        if not len(texts):
            return np.zeros(0)
        scores: Float[np.ndarray, " n"] = np.asarray(self._vectorizer.transform(texts) @ self.weights) + self.intercept
        return scores

    @cached_property
    def _vectorizer(self) -> Any:
        made = _vectorizer(self.ngrams, {ngram: i for i, ngram in enumerate(self.vocabulary)})
        made.idf_ = self.idf
        return made

    def state(self) -> State:
        """Return it for JSON and safetensors."""
        facts = {"ngrams": list(self.ngrams), "vocabulary": list(self.vocabulary), "intercept": self.intercept}
        return State(facts, {"idf": self.idf, "weights": self.weights})

    @classmethod
    def from_state(cls, state: State) -> NgramScore:
        """Build from :meth:`state`."""
        facts, arrays = state
        first, last = facts["ngrams"]
        return cls((first, last), tuple(facts["vocabulary"]), arrays["idf"], arrays["weights"], facts["intercept"])


def _vectorizer(ngrams: tuple[int, int], vocabulary: Mapping[str, int] | None = None, least_texts: int = 1) -> Any:
    """Return scikit-learn's TF-IDF of character n-grams: to be fitted, or with a known vocabulary."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=ngrams, vocabulary=vocabulary, min_df=least_texts, sublinear_tf=True
    )


def fit_ngrams(
    ngrams: tuple[int, int], texts: Sequence[str], *, least_texts: int
) -> tuple[Sparse, tuple[str, ...], Float[np.ndarray, " V"]]:
    """Return the TF-IDF rows of texts, the n-grams behind their columns, and the inverse document frequencies.

    Raises:
        DataError: there is no n-gram in them.
    """
    fresh = _vectorizer(ngrams, least_texts=least_texts)
    try:
        rows = fresh.fit_transform(texts)
    except ValueError as error:
        raise DataError(f"the texts have too little in common for a detector of n-grams: {error}") from error
    return rows, tuple(fresh.get_feature_names_out()), np.asarray(fresh.idf_, dtype=np.float64)


@dataclass(frozen=True)
class VectorScore:
    """A linear score of standardised vectors.

    Attributes:
        mean, scale: [d] of the vectors that were learned from.
        weights: [d] on the standardised vector.
        intercept: the score of the mean vector.
    """

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    weights: Float[np.ndarray, " d"]
    intercept: float

    @classmethod
    def fit(cls, forget: Float[np.ndarray, "n d"], retain: Float[np.ndarray, "m d"], *, strength: float) -> VectorScore:
        """Learn to tell vectors in scope from others; both sides weigh the same."""
        rows = np.concatenate([forget, retain]).astype(np.float64)
        mean, scale = rows.mean(axis=0), rows.std(axis=0)
        scale[scale == 0] = 1.0
        positive = np.arange(len(rows)) < len(forget)
        balance = np.where(positive, len(rows) / (2 * len(forget)), len(rows) / (2 * len(retain)))
        weights, intercept = fit_logistic((rows - mean) / scale, positive, strength=strength, weights=balance)
        return cls(mean, scale, weights, intercept)

    def score(self, vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return one score a vector."""
        # Summed row by row: a matrix product may round a row differently among others than alone.
        parts = (vectors.astype(np.float64) - self.mean) / self.scale * self.weights
        scores: Float[np.ndarray, " n"] = parts.sum(axis=1) + self.intercept
        return scores

    def state(self) -> State:
        """Return it for JSON and safetensors."""
        return State({"intercept": self.intercept}, {"mean": self.mean, "scale": self.scale, "weights": self.weights})

    @classmethod
    def from_state(cls, state: State) -> VectorScore:
        """Build from :meth:`state`."""
        arrays = state.arrays
        return cls(arrays["mean"], arrays["scale"], arrays["weights"], state.facts["intercept"])
