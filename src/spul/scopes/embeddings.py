"""Sentence embeddings: what a text is about, for forget sets that are a topic. Needs the extra ``spul[clusters]``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from spul.errors import MissingDependencyError
from spul.scopes._base import SCOPES, Detector, Encode, State
from spul.scopes._linear import VectorScore
from spul.scopes.settings import ScopeSettings

__all__ = ["Embeddings"]

STRENGTH = 1.0


@SCOPES.register("embeddings")
class Embeddings(Detector):
    """Embeddings of a sentence-transformers model (``scope.embedder``), logistic regression.

    Args:
        linear: the score of a vector.
        embedder: the embedding model's name or path.
    """

    name = "embeddings"

    def __init__(self, linear: VectorScore, embedder: str) -> None:
        self._linear = linear
        self._embedder = embedder

    @classmethod
    def learn(
        cls, forget: Sequence[str], retain: Sequence[str], settings: ScopeSettings, encode: Encode | None
    ) -> Self:
        """Learn the weights of the dimensions.

        Raises:
            MissingDependencyError: sentence-transformers is not installed.
        """
        name = settings.embedder
        return cls(VectorScore.fit(_embed(name, forget), _embed(name, retain), strength=STRENGTH), name)

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " n"]:
        """Return the log-odds that the text is in scope, both sides alike likely beforehand."""
        return self._linear.score(_embed(self._embedder, texts))

    def state(self) -> State:
        """Return the embedding model's name and the weights."""
        facts, arrays = self._linear.state()
        return State({**facts, "embedder": self._embedder}, arrays)

    @classmethod
    def from_state(cls, state: State, encode: Encode | None) -> Self:
        """Build from :meth:`state`."""
        return cls(VectorScore.from_state(state), state.facts["embedder"])


def _embed(name: str, texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
    return np.asarray(_model(name).encode(list(texts), show_progress_bar=False, normalize_embeddings=True))


@cache
def _model(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            "scope.detector=embeddings needs sentence-transformers: pip install 'spul[clusters]', or choose another "
            "detector (token_max, tfidf, hidden_states)"
        ) from error
    return SentenceTransformer(name)
