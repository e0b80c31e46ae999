"""TF-IDF of character n-grams and a logistic regression: the plain text classifier that the others have to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from jaxtyping import Float

from spul.scopes._base import SCOPES, Detector, Encode, State
from spul.scopes._linear import NgramScore, fit_logistic, fit_ngrams
from spul.scopes.settings import ScopeSettings

__all__ = ["Tfidf"]

NGRAMS = (3, 5)
STRENGTH = 10.0
LEAST_TEXTS = 2
"""An n-gram of one text alone says nothing of others."""


@SCOPES.register("tfidf")
class Tfidf(Detector):
    """TF-IDF of character 3- to 5-grams over the whole text, logistic regression."""

    name = "tfidf"

    def __init__(self, linear: NgramScore) -> None:
        self._linear = linear

    @classmethod
    def learn(
        cls, forget: Sequence[str], retain: Sequence[str], settings: ScopeSettings, encode: Encode | None
    ) -> Self:
        """Learn the weights of the n-grams.

        Raises:
            DataError: no n-gram stands in two texts.
        """
        rows, vocabulary, idf = fit_ngrams(NGRAMS, [*forget, *retain], least_texts=LEAST_TEXTS)
        weights, intercept = fit_logistic(rows, np.arange(rows.shape[0]) < len(forget), strength=STRENGTH)
        return cls(NgramScore(NGRAMS, vocabulary, idf, weights, intercept))

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return the log-odds that the text is in scope."""
        return self._linear.score(texts)

    def state(self) -> State:
        """Return n-grams and weights."""
        return self._linear.state()

    @classmethod
    def from_state(cls, state: State, encode: Encode | None) -> Self:
        """Build from :meth:`state`."""
        return cls(NgramScore.from_state(state))
