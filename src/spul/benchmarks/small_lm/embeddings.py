"""Initial token embeddings from co-occurrence counts: positive pointwise mutual information, then SVD."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

__all__ = ["cooccurrence", "ppmi", "ppmi_svd_embeddings"]

# Contexts are smoothed by this power so that rare ones do not dominate (Levy, Goldberg and Dagan 2015, section 3.2).
_CONTEXT_POWER = 0.75
_WINDOW = 5
# Root mean square of an average row after scaling. Rows of rarer tokens are kept between these multiples of it.
_SCALE, _SHORTEST, _LONGEST = 0.05, 0.3, 1.5
# Standard deviation of a token that the text never shows (Llama's own initialisation).
_UNSEEN_STD = 0.02


def cooccurrence(tokens: NDArray[np.integer], vocab_size: int, window: int) -> NDArray[np.float32]:
    """Return symmetric counts, shape [V, V]: a pair at distance d counts 1/d, for d = 1 … ``window``."""
    ids = tokens.astype(np.int64)
    counts = np.zeros(vocab_size * vocab_size, dtype=np.float32)
    for distance in range(1, window + 1):
        pairs = ids[:-distance] * vocab_size + ids[distance:]
        counts += np.bincount(pairs, minlength=counts.size).astype(np.float32) / distance
    square = counts.reshape(vocab_size, vocab_size)
    return square + square.T


def ppmi(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return max(0, log P(w, c) / (P(w) · P_0.75(c))), made symmetric, shape [V, V], in nats.

    Source: Levy, Goldberg and Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word
    Embeddings", equations 1–3. Pairs that never meet are 0, and so are tokens that never occur.
    """
    rows = counts.sum(axis=1, keepdims=True)
    contexts = rows.T**_CONTEXT_POWER
    contexts = contexts / contexts.sum()
    met = counts > 0
    expected = rows * contexts
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=met)
    positive = np.maximum(np.log(ratio), 0.0)
    return np.asarray((positive + positive.T) / 2, dtype=np.float32)


def ppmi_svd_embeddings(
    tokens: NDArray[np.integer], *, vocab_size: int, hidden_size: int, seed: int
) -> NDArray[np.float32]:
    """Return embeddings of shape [V, d]: U·√Σ of the PPMI matrix, scaled to what a Llama starts from.

    Args:
        tokens: one stream of token ids, shape [n].
        vocab_size: V.
        hidden_size: d; at most V.
        seed: of the randomised SVD and of the rows of tokens that do not occur.
    """
    matrix = ppmi(cooccurrence(tokens, vocab_size, _WINDOW))
    left, singular, _ = randomized_svd(matrix, hidden_size, n_iter=3, random_state=seed)
    vectors = left * np.sqrt(singular)
    vectors /= np.sqrt(np.mean(vectors**2))
    lengths = np.sqrt(np.mean(vectors**2, axis=1, keepdims=True))
    seen = lengths[:, 0] > 1e-6
    vectors[seen] *= np.clip(lengths[seen], _SHORTEST, _LONGEST) / lengths[seen] * _SCALE
    unseen = np.random.default_rng(seed).normal(0.0, _UNSEEN_STD, size=(int((~seen).sum()), hidden_size))
    vectors[~seen] = unseen
    return np.asarray(vectors, dtype=np.float32)
