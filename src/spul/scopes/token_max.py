"""A score for every word, and the text's is that of its strongest: who or what is named, not how it is talked about.

Where the forget set is what names certain people or places, one word makes a text a forget text, and no other word
makes it less of one. A classifier of whole texts dilutes that word in long texts and learns the company it keeps. Here
the words of a retain text are all out of scope, and of a forget text only the strongest is in scope: multiple-instance
learning (Dietterich et al. 1997, Artificial Intelligence 89), by alternating as Andrews et al. 2002 (NIPS) do, from the
words' log-odds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from jaxtyping import Float

from spul.errors import DataError
from spul.scopes._base import SCOPES, Detector, Encode, State
from spul.scopes._linear import NgramScore, fit_logistic, fit_ngrams
from spul.scopes.settings import ScopeSettings

__all__ = ["TokenMax", "words_of"]

NGRAMS = (3, 5)
STRENGTH = 10.0
ROUNDS = 3
SMOOTHING = 0.5
"""Texts that a word is thought to stand in beside those it was seen in."""

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Return the distinct words of a text in lower case, sorted; ``anne-sophie``, ``c.h.o`` and ``zhang's`` are one."""
    return sorted(set(_WORD.findall(text.lower())))


@SCOPES.register("token_max")
class TokenMax(Detector):
    """The strongest word's score: of the word itself and of its character 3- to 5-grams, for words never seen.

    Args:
        linear: the score of a word's n-grams.
        known: what a word that was seen adds to it.
    """

    name = "token_max"

    def __init__(self, linear: NgramScore, known: Mapping[str, float]) -> None:
        self._linear = linear
        self._known = known

    @classmethod
    def learn(
        cls, forget: Sequence[str], retain: Sequence[str], settings: ScopeSettings, encode: Encode | None
    ) -> Self:
        """Learn the words' scores.

        Raises:
            DataError: one side has no words.
        """
        from scipy import sparse

        in_forget = [words for words in map(words_of, forget) if words]
        out = Counter(word for text in retain for word in words_of(text))
        if not in_forget or not out:
            raise DataError("expected words in the forget and in the retain texts, but one side has none")
        words = sorted(out.keys() | {word for text in in_forget for word in text})
        number = {word: i for i, word in enumerate(words)}
        rows, vocabulary, idf = fit_ngrams(NGRAMS, words, least_texts=1)
        features = sparse.hstack([rows, sparse.identity(len(words))]).tocsr()
        negatives = np.array([out.get(word, 0) for word in words])
        texts = [[number[word] for word in text] for text in in_forget]
        scores = _log_odds(texts, negatives, len(forget), len(retain))
        weights, intercept = np.zeros(features.shape[1]), 0.0
        for _ in range(ROUNDS):
            strongest = np.bincount([max(text, key=scores.__getitem__) for text in texts], minlength=len(words))
            weights, intercept = _fit(features, strongest, negatives)
            scores = features @ weights + intercept
        of_ngrams, of_words = weights[: len(vocabulary)], weights[len(vocabulary) :]
        known = dict(zip(words, of_words.tolist(), strict=True))
        return cls(NgramScore(NGRAMS, vocabulary, idf, of_ngrams, intercept), known)

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return the log-odds of the strongest word; of a text without words, those of a word without features."""
        split = [words_of(text) for text in texts]
        words = sorted({word for text in split for word in text})
        of_word = dict(zip(words, self._linear.score(words).tolist(), strict=True))
        scores = {word: score + self._known.get(word, 0.0) for word, score in of_word.items()}
        return np.array([max((scores[word] for word in text), default=self._linear.intercept) for text in split])

    def state(self) -> State:
        """Return n-grams, words and weights."""
        facts, arrays = self._linear.state()
        known = np.array(list(self._known.values()))
        return State({**facts, "words": list(self._known)}, {**arrays, "known": known})

    @classmethod
    def from_state(cls, state: State, encode: Encode | None) -> Self:
        """Build from :meth:`state`."""
        known = dict(zip(state.facts["words"], state.arrays["known"].tolist(), strict=True))
        return cls(NgramScore.from_state(state), known)


def _log_odds(
    texts: Sequence[Sequence[int]], negatives: np.ndarray, num_forget: int, num_retain: int
) -> Float[np.ndarray, " words"]:
    """Return where to start from: how much more often a word stands in forget texts than in retain texts."""
    positives = np.bincount([word for text in texts for word in text], minlength=len(negatives))
    share = num_forget / (num_forget + num_retain)
    prior = math.log(share / (1 - share))
    odds: Float[np.ndarray, " words"] = (
        np.log((positives + SMOOTHING * share) / (negatives + SMOOTHING * (1 - share))) - prior
    )
    return odds


def _fit(features: object, positives: np.ndarray, negatives: np.ndarray) -> tuple[Float[np.ndarray, " d"], float]:
    """Fit words that may be on both sides, weighted by the root of the number of texts behind them.

    The root, since texts repeat one another: a name of a hundred phrases of one review is not a hundred names.
    """
    from scipy import sparse

    up, down = np.flatnonzero(positives), np.flatnonzero(negatives)
    rows = sparse.vstack([features[up], features[down]])  # type: ignore[index]
    counts = np.concatenate([positives[up], negatives[down]])
    return fit_logistic(rows, np.arange(len(counts)) < len(up), strength=STRENGTH, weights=np.sqrt(counts))
